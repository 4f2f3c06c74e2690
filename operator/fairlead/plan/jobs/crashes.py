"""Whether trying a server again can help, told from how its processes have ended, not from what their logs mean.

A process that ended by itself, with an exit code of its own and a last line, and that ends so once more a while later,
ends so always: its image lacks a module, its model can't be read. What the cluster has ended (memory, a signal, an
eviction), or what says nothing, or something else each time, may do better the next time.
"""

from __future__ import annotations

import re

from fairlead.api.modelversion import Crash
from fairlead.plan.core import Json, epoch
from fairlead.plan.jobs import serverlog

AGAIN = 30.0
"""Seconds between two ends that are two: what a server needs of others may have been away for a moment, or be still
starting. By the kubelet's back-off (10 s, then 20 s) that is a third process, in the same pod."""
_SIGNALS = 128
"""Exit codes from here on are those of signals, or of the runtime."""
_NOT_STARTED = ("StartError", "ContainerCannotRun")
_COMMAND = re.compile(r"\bexec(utable)?\b")
"""What a runtime says if the image has no such program, or one that can't be run. Else it may be the node that could
start nothing: its disk is full, the runtime hangs."""


def newest(status: Json) -> Crash | None:
    """How the last process of a container has ended by itself; None if none has, or something else has ended it."""
    end = serverlog.last_end(status)
    if end is None or not end.get("finishedAt") or end.get("reason") == "OOMKilled":
        return None
    if end.get("reason") in _NOT_STARTED:
        own = _COMMAND.search(str(end.get("message") or "")) is not None
    else:
        own = 0 < int(end.get("exitCode", 0)) < _SIGNALS
    return Crash(code=end["exitCode"], said=serverlog.telling(end), at=end["finishedAt"]) if own else None


def first(recorded: Crash | None, seen: Crash | None) -> Crash | None:
    """The one to remember: the first of those that are alike."""
    return recorded if seen is None or (recorded is not None and alike(recorded, seen)) else seen


def alike(one: Crash, other: Crash) -> bool:
    """Whether two processes have ended in the same way, and have said so."""
    return one.code == other.code and serverlog.alike(one.said, other.said)


def always(recorded: Crash | None, seen: Crash | None) -> bool:
    """Whether a server ends as it did before, a while later."""
    if recorded is None or seen is None or not alike(recorded, seen):
        return False
    return epoch(seen.at) - epoch(recorded.at) >= AGAIN
