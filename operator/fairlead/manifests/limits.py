"""The limits of Fairlead's own containers in Jobs: memory, room on the node's disk, time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fairlead.api.config import JobsConfig
from fairlead.api.limits import JobResources, size
from fairlead.api.units import seconds
from fairlead.manifests.meta import Json

CPU = "50m"
READS, STREAMS = "256Mi", "64Mi"
"""Memory that is requested for a program that reads tables, and for one that only moves bytes; both may use more."""
ROOM = "64Mi"
"""Of a node's disk, requested where it is not known what is needed. Kubernetes takes the limit for the request of who
has none: then no node with a disk smaller than the limit would be given the pod."""
SPILL = 5
"""Bytes of scratch for each byte of data: the files themselves, and four times as much for what is decompressed and for
what a query does not keep in memory."""
_MI, _GI = 1 << 20, 1 << 30
_LONGEST = (1 << 31) - 1
"""Seconds that Kubernetes takes for a deadline."""


@dataclass(frozen=True)
class Limits:
    """Of one container."""

    memory: str
    requested: str
    """Memory that a node must have free."""
    cpu: str = CPU
    scratch: str | None = None
    """Of the whole pod, as Kubernetes adds it up; None: what others write in the same pod is not limited."""
    requested_scratch: str = ROOM
    """Room on the disk that a node must have free, where it is limited at all."""

    def resources(self) -> Json:
        """`resources` of the container."""
        requests, limits = {"cpu": self.cpu, "memory": self.requested}, {"memory": self.memory}
        if self.scratch:
            requests["ephemeral-storage"] = self.requested_scratch
            limits["ephemeral-storage"] = self.scratch
        return {"requests": requests, "limits": limits}


def streaming(config: JobsConfig) -> Limits:
    """Of containers that bring or store bytes in pods of a user's program, whose disk is the user's matter."""
    return Limits(config.memory, _least(STREAMS, config.memory))


def reading(config: JobsConfig, own: JobResources | None = None, data: int = 0, *, kept: bool = False) -> Limits:
    """Of containers that read tables, or are alone in their pod.

    Args:
        config: The installation's.
        own: What the object says itself.
        data: Bytes that are read, as far as that is known.
        kept: All of them lie on the disk at the same time: a node must have the room.
    """
    own = own or JobResources()
    memory = own.memory or config.memory
    scratch = own.scratch or _larger(config.scratch, _GI + SPILL * data)
    asked = own.scratch or _larger(ROOM, data if kept else 0)
    return Limits(memory, own.memory or _least(READS, memory), own.cpu or CPU, scratch, asked)


def deadline(config: JobsConfig, own: str | None = None, *others: str) -> int:
    """Seconds that a pod may take from the moment when it is on a node. others: what it may take besides."""
    allowed = seconds(own or config.deadline) + sum(map(seconds, others))
    return min(max(1, math.ceil(allowed)), _LONGEST)


def _least(one: str, other: str) -> str:
    return min(one, other, key=size)


def _larger(least: str, needed: int) -> str:
    return least if size(least) >= needed else _mebibytes(needed)


def _mebibytes(number: int) -> str:
    return f"{math.ceil(number / _MI)}Mi"
