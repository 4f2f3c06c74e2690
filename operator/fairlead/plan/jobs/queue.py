"""Jobs that wait in a queue of Kueue's: made suspended, and let go on by Kueue alone, which may suspend them again.

A Job that is suspended again loses its pod, and goes on as the same attempt when it may: neither the step nor the
cluster has failed. Its pods follow each other, for a Job replaces one only when it has ended."""

from __future__ import annotations

from fairlead.manifests.job import QUEUE_LABEL
from fairlead.plan.conditions import quoted
from fairlead.plan.core import LOCAL_QUEUE, Json, World
from fairlead.plan.jobs.failures import QUEUED, Waiting, ended, gone

_JOB_UID = "kueue.x-k8s.io/job-uid"


def is_queued(job: Json) -> bool:
    """Whether Kueue has not let it begin, or has suspended it again."""
    return bool(job["spec"].get("suspend")) and QUEUE_LABEL in (job["metadata"].get("labels") or {})


def waiting(world: World, job: Json) -> Waiting:
    """What it waits for, with what its queue says of itself."""
    uid, namespace = job["metadata"]["uid"], job["metadata"]["namespace"]
    name = job["metadata"]["labels"][QUEUE_LABEL]
    found = world.get(LOCAL_QUEUE, name)
    told = inactive(found) if found is not None else "it is gone from this namespace"
    text = f"waits in Kueue's queue {name}{f': {told}' if told else ''}; see kubectl describe workloads.kueue.x-k8s.io"
    return Waiting(QUEUED, f"{text} -n {namespace} -l {_JOB_UID}={uid}")


def inactive(queue: Json) -> str:
    """Why nothing gets through a LocalQueue, in Kueue's words; empty if something may. For every change of one, so what
    it gets may be malformed."""
    for one in (queue.get("status") or {}).get("conditions") or ():
        if one.get("type") == "Active" and one.get("status") == "False":
            return quoted(str(one.get("message", "")), 200) or "it is not active"
    return ""


def outlives(job: Json, pod: Json) -> bool:
    """Whether a queued Job that may go on has not replaced a pod yet that was ended when it was suspended. If it was
    ended for another reason, the Job soon says that it has failed."""
    queued = QUEUE_LABEL in (job["metadata"].get("labels") or {})
    goes = "deletionTimestamp" not in job["metadata"] and not gone(job)
    return queued and goes and bool(pod["metadata"].get("deletionTimestamp"))


def current(job: Json, pods: list[Json]) -> list[Json]:
    """Of the pods of a queued Job those that count: one that was ended when the Job was suspended is over."""
    if QUEUE_LABEL not in (job["metadata"].get("labels") or {}) or len(pods) < 2:
        return pods
    return [pod for pod in pods if not (ended(pod) and pod["metadata"].get("deletionTimestamp"))]
