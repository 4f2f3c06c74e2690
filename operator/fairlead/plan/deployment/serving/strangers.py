"""Pods with the labels of a version that are not Fairlead's own.

Labels are written by whoever makes a pod, and a Service goes by labels. A pod is a version's own if a ReplicaSet of its
workload controls it (a uid, which nobody can choose) and if it is what that ReplicaSet's template says. Others count
for nothing: neither as ready, nor by their counters. They do get requests, so they are named, and as long as one is
there a version is not judged by what its users saw.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.plan.core import REPLICA_SET, WORKLOAD, Json, World, epoch
from fairlead.plan.jobs import failures, likeness


@dataclass(frozen=True)
class Makers:
    """A version's workload, and the ReplicaSets with its labels."""

    name: str
    workload: Json | None
    sets: tuple[Json, ...]

    @property
    def uid(self) -> str:
        """The workload's."""
        return str(self.workload["metadata"]["uid"]) if self.workload else ""


def makers(world: World, name: str, labels: dict[str, str]) -> Makers:
    """Who may make pods of a version: its workload of that name, whose pods have these labels."""
    return Makers(name, world.get(WORKLOAD, name), tuple(world.select(REPLICA_SET, labels)))


def split(made: Makers, pods: Iterable[Json], now: float) -> tuple[list[Json], list[str]]:
    """The version's own pods, and in words those that are not. What is on its way out, or so new that its ReplicaSet
    has not been seen yet, is neither."""
    sets = {one["metadata"]["uid"]: one for one in made.sets}
    own, others = [], []
    for pod in pods:
        parent = sets.get(failures.controller(pod))
        why = _not_made(made, pod, now) if parent is None else _otherwise(made, pod, parent)
        if why == "":
            own.append(pod)
        elif why is not None:
            others.append(f"pod {pod['metadata']['name']} ({why})")
    return own, others


def _not_made(made: Makers, pod: Json, now: float) -> str | None:
    """Why a pod without a known ReplicaSet is nobody's; None if that may still show. One that only claims to have a
    ReplicaSet is taken away by Kubernetes itself, as its owner is not there."""
    owner: Json = next((o for o in pod["metadata"].get("ownerReferences") or () if o.get("controller")), {})
    if owner.get("kind") == "ReplicaSet" and str(owner.get("name")).startswith(f"{made.name}-"):
        recent = now < epoch(pod["metadata"]["creationTimestamp"]) + failures.PATIENCE
        return None if recent or made.workload is None else "no ReplicaSet of this version has made it"
    return "no ReplicaSet of this version has made it"


def _otherwise(made: Makers, pod: Json, parent: Json) -> str | None:
    """Why a pod of a ReplicaSet with the version's labels is not the version's; empty if it is."""
    if failures.controller(parent) != made.uid:
        # of a workload that was deleted: Kubernetes takes both away
        return None if failures.controller(parent) else "its ReplicaSet is not this version's"
    asked = parent["spec"]["template"]["spec"]
    # looking into a pod (kubectl debug) does not make another one of it
    return likeness.difference({k: v for k, v in pod["spec"].items() if k != "ephemeralContainers"}, asked)
