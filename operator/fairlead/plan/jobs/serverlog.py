"""How a model server's process has ended, and what it said last; a step's program's too.

The kubelet hands over the end of the log of a process that ended with another exit code than 0
(`FallbackToLogsOnError`): nobody has to find the pod, and Fairlead needs no right to read logs. These are a program's
own words: shown, never parsed for what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fairlead.manifests import presets, recorder
from fairlead.manifests.server import GOLDEN, OWN
from fairlead.plan.conditions import quoted
from fairlead.plan.core import Json, epoch

LINE, LINES = 300, 3
"""Characters of a line that is shown, and how many lines besides the most telling one."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_VARIES = re.compile(r"0x[0-9a-fA-F]+|\d+")
"""What differs from one process to the next: addresses, times, numbers of processes."""
_CHANGING = re.compile(r"[\w.:+-]*\d[\w.:+-]*")
"""What may differ from one answer to the next: clocks, progress, numbers of requests."""
_IDS = re.compile(r"\b[0-9a-f]{12,}\b|(?<=/proc/)\d+|(?<=pid )\d+|(?<=_)\d+(?=\")")
"""What a runtime names anew at each try: containers, processes, the number of the try."""
_FRAME = re.compile(r'\s+File ".*", line \d+')
STOPPED = (0, 130, 137, 143)
"""Exit codes of a server that was told to stop: it has stopped in order, or was ended by SIGINT, SIGKILL, SIGTERM."""
LEAST, SLACK = 0.8, 5.0
"""Part of a probe's time that its process lives at least, and seconds by which it may live longer: times of processes
are whole seconds."""


@dataclass(frozen=True)
class Probe:
    """How the kubelet asks whether a server has started."""

    port: int
    path: str
    tries: int
    """Seconds as well: it asks each second, if answers come at once."""
    patience: float
    """Seconds that an answer may take."""
    more: int = 0
    """Tries besides, while the server is asked for golden rows."""

    @property
    def asked(self) -> str:
        """The request, in words."""
        return f"GET :{self.port}{self.path}"


def last_end(status: Json) -> Json | None:
    """How a container's last process ended, if one has. A new one may run."""
    for key in ("state", "lastState"):
        end: Json | None = status.get(key, {}).get("terminated")
        if end:
            return end
    return None


def last_words(status: Json) -> str:
    """What a container's last process said at its end, in one line for people: the most telling line first, then those
    before it. Empty where nothing is known."""
    lines = _lines(last_end(status) or {})
    if not lines:
        return ""
    at = _telling(lines)
    before = [line[:LINE] for line in lines[:at][-LINES:]]
    return quoted(lines[at], LINE) + (f" (before: {quoted(' / '.join(before), LINE)})" if before else "")


def telling(end: Json) -> str:
    """The most telling line of an end; empty if it said nothing."""
    lines = _lines(end)
    return quoted(lines[_telling(lines)], LINE) if lines else ""


def alike(one: str, other: str) -> bool:
    """Whether two lines say the same, but for numbers. Nothing is like nothing."""
    return bool(one) and _VARIES.sub("#", one) == _VARIES.sub("#", other)


def steady(text: str) -> str:
    """An answer's words without those that may be others the next time: a status that repeated them would never
    rest."""
    return _CHANGING.sub("…", text)


def without_ids(text: str) -> str:
    """A runtime's words without what it names anew at each try; names and numbers that people have given stay."""
    return _IDS.sub("…", text)


def _lines(end: Json) -> list[str]:
    text = _COLOURS.sub("", str(end.get("message") or ""))
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _telling(lines: list[str]) -> int:
    """Which line says most: the last one, but of a Python traceback the error that it ends with, for servers say more
    when they stop. The end of a long traceback may be all that is left of it."""
    frames = [at for at, line in enumerate(lines) if _FRAME.match(line)]
    if frames:
        for at in range(frames[-1] + 1, len(lines)):
            if not lines[at][0].isspace():
                return at
    return len(lines) - 1


def probe(pod: Json, container: str, kind: str = "startupProbe") -> Probe | None:
    """The start-up probe of a pod's container, or another one, if it has one."""
    every = [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
    asked: Json = next((one for one in every if one["name"] == container), {})
    found = asked.get(kind) or {}
    if "httpGet" not in found:
        return None
    names = {one.get("name"): one["containerPort"] for one in asked.get("ports") or []}
    get = found["httpGet"]
    port = str(names.get(get["port"], get["port"]))
    if not port.isdecimal():  # a name that something in the cluster has given, and no port has
        return None
    path, tries = str(get.get("path", "/")), int(found.get("failureThreshold", 3))
    more = GOLDEN if kind == "startupProbe" and recorder.ASKED in (pod["metadata"].get("annotations") or {}) else 0
    if more and int(port) == presets.GOLDEN_PORT:  # the recorder hands on what the server says
        port = str(names.get(OWN, port))
    return Probe(int(port), path, max(1, tries - more), float(found.get("timeoutSeconds", 1)), more)


def given_up(pod: Json, container: str, status: Json) -> Probe | None:
    """The start-up probe that has ended a container's last process, if that is how it ended: it was stopped, has never
    started, and lived as long as the probe lets it and no longer. Else it was something else: the node, its memory."""
    end, asked = last_end(status), probe(pod, container)
    if end is None or asked is None or status.get("started") or end.get("reason") == "OOMKilled":
        return None
    if end.get("exitCode") not in STOPPED or not end.get("startedAt") or not end.get("finishedAt"):
        return None
    lived = epoch(end["finishedAt"]) - epoch(end["startedAt"])
    grace = float(pod["spec"].get("terminationGracePeriodSeconds", 30))
    tries = asked.tries + asked.more
    longest = tries * (1.0 + asked.patience) + grace + SLACK
    return asked if LEAST * tries <= lived <= longest else None
