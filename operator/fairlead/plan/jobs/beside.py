"""A model server beside the program that asks it, in one pod of a Job: what it does, and how it has ended.

The program waits for the server itself and says when it gets no answer. Why, the kubelet knows: how its processes have
ended, and what they said last.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.modelversion import Crash
from fairlead.plan.core import Json
from fairlead.plan.jobs import crashes, failures, serverlog
from fairlead.plan.jobs.failures import Failure, Fault

OFTEN = 3
"""Starts of a server in one attempt: it is given up after another one."""


@dataclass(frozen=True)
class Beside:
    """Whose server it is."""

    name: str
    """Of its container."""
    asker: str
    """The container that asks it. How the server ends after that is no matter: the kubelet ends it then."""
    memory: str
    """What to raise where it runs out of memory."""
    fault: Fault = "own"
    """Whose fault it is that it ends."""
    tried_again: bool = True
    """Whether it may be started a few times, until it is seen that it always ends in the same way."""

    def status(self, pod: Json) -> Json:
        """Of its container."""
        found = _statuses(pod).get(self.name, {})
        return {**found, "state": {}} if failures.terminated(pod, self.asker) or failures.ended(pod) else found

    def loading(self, pod: Json) -> str:
        """That it does not answer yet; empty: it does, or it does not run."""
        probe, status = serverlog.probe(pod, self.name, "readinessProbe"), self.status(pod)
        if probe is None or status.get("ready") or "running" not in status.get("state", {}):
            return ""
        return f"the {self.name}'s server loads its model: {probe.asked} has not been answered with 200 yet"

    def told(self, pod: Json) -> str:
        """How it has ended, with its last words."""
        status = self.status(pod)
        code, said = (serverlog.last_end(status) or {}).get("exitCode", 0), serverlog.last_words(status)
        why = failures.killed(code, self.memory)
        return (
            f"the {self.name}'s server ends with exit code {code or '?'}{why} instead of serving"
            f"{': ' + said if said else ''}; does the model load with the libraries of this image? See the log of "
            f"container {self.name}"
        )

    def crashed(self, pod: Json, before: Crash | None = None) -> Failure | None:
        """Why it stopped by itself, if it did. before: how it did so first."""
        status = self.status(pod)
        if self.tried_again and crashes.always(before, crashes.newest(status)):
            return Failure("ServerFailed", self.told(pod), "final")
        if not status.get("restartCount"):
            return None
        if (serverlog.last_end(status) or {}).get("reason") == "OOMKilled":
            text = f"the {self.name}'s server ran out of memory; raise {self.memory}"
            return Failure("ServerFailed", text, self.fault)
        return Failure("ServerFailed", self.told(pod), self.fault)

    def stuck(self, pod: Json, before: Crash | None = None) -> Failure | None:
        """Whether it stops again and again: waiting is pointless. One that has ended by itself is started a few times,
        until it is seen whether it always ends in this way."""
        found = self.crashed(pod, before)
        if found is None or found.fault == "final":
            return found
        status = self.status(pod)
        looping = status.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
        seen = crashes.newest(status) if self.tried_again else None
        again = seen and seen.said and status["restartCount"] < OFTEN
        return found if looping and not again else None


def _statuses(pod: Json) -> dict[str, Json]:
    status = pod.get("status", {})
    return {s["name"]: s for key in ("initContainerStatuses", "containerStatuses") for s in status.get(key) or ()}
