"""Why a model server has ended instead of serving, in words that end a search."""

from __future__ import annotations

from fairlead.plan.conditions import quoted
from fairlead.plan.core import Json
from fairlead.plan.jobs import serverlog
from fairlead.plan.jobs.failures import Waiting, killed
from fairlead.plan.jobs.serverlog import Probe

ELSEWHERE = (
    "if a custom server listens elsewhere, or says so by another path, name spec.server.port and spec.server.ready"
)
SLOWER = "if it needs longer, raise spec.server.timeout"


def told(pod: Json, container: str, status: Json, seen: str = "") -> Waiting | None:
    """What became of a server's last process, and what to do about it; None while none has ended. seen: what the server
    answers now, where it was asked."""
    end = serverlog.last_end(status)
    if end is None:
        return None
    if end.get("reason") == "OOMKilled":
        text = "the server ran out of memory; raise spec.server.resources.memory in a new ModelVersion"
        return Waiting("OutOfMemory", text)
    if end.get("reason") in ("StartError", "ContainerCannotRun"):
        words = quoted(str(end.get("message", "")), 300)
        text = f"the server could not be started: {words}; correct image, command or args in a new ModelVersion"
        return Waiting("ServerFailed", text)
    late = serverlog.given_up(pod, container, status)
    if late is not None:
        return Waiting("NotAnswering", _late(late, status, end, seen))
    said = serverlog.last_words(status)
    quote = f": {said}" if said else ""
    why = killed(end["exitCode"], "spec.server.resources.memory in a new ModelVersion")
    return Waiting(
        "ServerFailed", f"the server ends with exit code {end['exitCode']}{why} instead of serving{quote}; "
        f"{logs(pod, container)}",
    )  # fmt: skip


def _late(probe: Probe, status: Json, end: Json, seen: str) -> str:
    """Of a server that the kubelet has ended, as nothing has answered its start-up probe."""
    answered = f"{probe.asked} {seen} instead of 200" if seen else f"nothing answered {probe.asked} with 200"
    said = serverlog.last_words(status)
    last = f"; its log ends with: {said}" if said else ""
    code = f" (exit code {end['exitCode']}: not for its memory)" if end["exitCode"] == 137 else ""
    long = probe.tries + probe.more
    return (
        f"{answered} for {long} s, so the start-up probe has ended the server{code}{last}. In a new ModelVersion: "
        f"{ELSEWHERE}; {SLOWER}"
    )


def logs(pod: Json, container: str) -> str:
    """The command that shows all that the process has said."""
    meta = pod["metadata"]
    return f"see kubectl logs -n {meta['namespace']} {meta['name']} -c {container} --previous"
