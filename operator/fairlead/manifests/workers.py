"""What makes several pods of a Job work together: their indices, names by which they find each other, variables.

An Indexed Job gives each pod an index and a hostname, `<job>-<index>`; a headless Service makes a name of that. What
torchrun reads of its environment (`PET_…`), and what PyTorch, Lightning, accelerate and others do (`MASTER_ADDR` …), is
set, so that a command needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead.manifests.meta import Json, child_name

INDEX_ENV, COUNT_ENV = "FAIRLEAD_WORKER_INDEX", "FAIRLEAD_WORKER_COUNT"
INDEX_MARK = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of an Indexed Job's pods: the index."""
NAME_LIMIT = 54
"""Characters of such a Job's name: with `-63-` after it a pod's name still has room for five letters."""
PORT = 29500
"""Where index 0 listens: the port that torchrun itself takes."""


@dataclass(frozen=True)
class Together:
    """Pods of one attempt."""

    count: int
    service: str
    """Name of their headless Service."""
    processes: int = 1
    """That torchrun starts in each pod: one for each GPU."""


def service_name(job: str) -> str:
    """The Service of a Job's pods: it begins with a letter, as Services must."""
    return child_name("workers", job)


def service(job: Json) -> Json:
    """The headless Service of an Indexed Job, with the Job's owner. Names are there before pods are ready: none of them
    ever is while its program, an init container, runs."""
    meta = job["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": job["spec"]["template"]["spec"]["subdomain"],
            "namespace": meta["namespace"],
            "labels": dict(meta["labels"]),
            "ownerReferences": list(meta["ownerReferences"]),
        },
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": dict(job["spec"]["template"]["metadata"]["labels"]),
        },
    }


def is_indexed(job: Json) -> bool:
    """Whether a Job's pods work together."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def indexed(made: Json, together: Together) -> Json:
    """A Job of one pod as one of several: all start at once, none is tried again alone."""
    spec = made["spec"]
    template = spec["template"] | {"spec": spec["template"]["spec"] | {"subdomain": together.service}}
    many = {"completionMode": "Indexed", "completions": together.count, "parallelism": together.count}
    return made | {"spec": spec | many | {"template": template}}


def index_variable() -> Json:
    """A variable with the pod's index."""
    return {"name": INDEX_ENV, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX_MARK}']"}}}


def environment(job: str, together: Together, written: list[Json]) -> list[Json]:
    """`env` of the program: what tells it of the others, first, so that other variables and arguments can use it
    (`$(FAIRLEAD_WORKER_INDEX)`). written: what else it has; of the usual names (`MASTER_PORT` …) that counts."""
    own = {INDEX_ENV, COUNT_ENV}
    rest = [one for one in written if one["name"] not in own]
    given = {one["name"] for one in rest}
    usual = [{"name": name, "value": value} for name, value in _usual(job, together).items() if name not in given]
    return [index_variable(), {"name": COUNT_ENV, "value": str(together.count)}, *usual, *rest]


def _usual(job: str, together: Together) -> Mapping[str, str]:
    first, index = f"{job}-0.{together.service}", f"$({INDEX_ENV})"
    return {
        "MASTER_ADDR": first,
        "MASTER_PORT": str(PORT),
        "WORLD_SIZE": str(together.count),
        "RANK": index,
        "NODE_RANK": index,
        "PET_NNODES": str(together.count),
        "PET_NODE_RANK": index,
        "PET_NPROC_PER_NODE": str(together.processes),
        "PET_MASTER_ADDR": first,
        "PET_MASTER_PORT": str(PORT),
    }
