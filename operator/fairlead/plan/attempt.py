"""What became of the Job that proves a ModelVersion, read from the API's fields."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.modelversion import EvaluationJob
from fairlead.api.tasks import EvaluateResult, TaskError
from fairlead.manifests import evaluation as pods
from fairlead.plan import failures
from fairlead.plan.core import LABEL_PREFIX, Json
from fairlead.plan.proof import Work

CRASHES = 2
"""A server that has stopped this often before it could answer is given up for this attempt."""
_OWN = ("ServerFailed", "BadData", "DeadlineExceeded", "Bug")
"""Failures that may well be the model's or its evaluation's own."""


@dataclass(frozen=True)
class Running:
    """Under way, or still to be made (no uid)."""

    uid: str
    verified: bool = False
    waiting: failures.Waiting | None = None
    look_again: float | None = None


@dataclass(frozen=True)
class Verified:
    """All bytes have their digests; there is nothing to evaluate."""

    uid: str


@dataclass(frozen=True)
class Evaluated:
    """The proof is there."""

    uid: str
    said: EvaluateResult


@dataclass(frozen=True)
class Broken:
    """The attempt failed. `own`: it counts; `abandon`: its pod still runs, and must go."""

    uid: str
    reason: str
    message: str
    own: bool
    verified: bool = False
    abandon: bool = False


Outcome = Running | Verified | Evaluated | Broken


def look(work: Work, recorded: EvaluationJob) -> Outcome:
    """What became of the recorded Job."""
    job = failures.own_job(work.world, recorded.name, work.subject.meta.uid)
    uid = recorded.uid or (job["metadata"]["uid"] if job else "")
    if not uid:
        return Running("")
    if job is not None and job["metadata"]["uid"] != uid:
        job = None
    labels = {LABEL_PREFIX + "modelversion": work.subject.meta.name}
    pod = failures.decisive(failures.pods_of(work.world, labels, uid))
    if pod is None:
        return _without_pod(work, job, uid)
    answer = failures.result(pod, pods.EVALUATE)
    if answer is not None and answer.evaluate is not None:  # said; the servers still take their time to stop
        return Evaluated(uid, answer.evaluate)
    if failures.ended(pod):
        return _ended(pod, uid, recorded.verified)
    return _running(work, job, pod, uid, recorded.verified)


def _without_pod(work: Work, job: Json | None, uid: str) -> Outcome:
    if job is None or failures.gone(job):
        return Broken(uid, "Disrupted", "the evaluation's pod is gone, and its answer with it; it is repeated", False)
    return Running(
        uid, False, failures.without_pod(job, work.now), failures.look_again(job, None, work.now)
    )  # fmt: skip


def _running(work: Work, job: Json | None, pod: Json, uid: str, verified: bool) -> Outcome:
    verified = verified or _fetched(pod)
    if (stuck := _stuck_server(pod)) is not None:
        return Broken(uid, "ServerFailed", stuck, own=True, verified=verified, abandon=True)
    again = failures.look_again(job, pod, work.now) if job else None
    return Running(uid, verified, failures.waiting(pod, work.now), again)


def _ended(pod: Json, uid: str, verified: bool) -> Outcome:
    verified = verified or _fetched(pod)
    for said in (failures.result(pod, pods.FETCH), failures.result(pod, pods.EVALUATE)):
        if said is not None and said.error is not None:
            return _error(uid, said.error, verified)
    if pod["status"]["phase"] == "Succeeded" and verified and not _evaluates(pod):
        return Verified(uid)
    failed = failures.failure(pod, None)
    own = failed.reason in _OWN
    text = (
        "the evaluation took longer than its timeout; raise spec.evaluation.timeout in a new version, or use fewer rows"
    )
    return Broken(uid, failed.reason, text if failed.reason == "DeadlineExceeded" else failed.message, own, verified)


def _error(uid: str, error: TaskError, verified: bool) -> Broken:
    return Broken(uid, error.reason, error.message, error.reason in _OWN and not error.transient, verified)


def _evaluates(pod: Json) -> bool:
    return any(container["name"] == pods.EVALUATE for container in pod["spec"]["containers"])


def _statuses(pod: Json) -> dict[str, Json]:
    status = pod.get("status", {})
    return {s["name"]: s for key in ("initContainerStatuses", "containerStatuses") for s in status.get(key) or ()}


def _fetched(pod: Json) -> bool:
    """Whether `fetch` has brought all bytes, verified."""
    said = failures.result(pod, pods.FETCH)
    return said is not None and said.fetched is not None


def _stuck_server(pod: Json) -> str | None:
    """Why a model server does not come up, once it has stopped often enough that waiting is pointless."""
    statuses = _statuses(pod)
    for name in (pods.CHALLENGER, pods.CHAMPION):
        status = statuses.get(name, {})
        waiting = status.get("state", {}).get("waiting", {}).get("reason")
        if waiting == "CrashLoopBackOff" and status.get("restartCount", 0) >= CRASHES:
            return _why_stopped(name, status)
    return None


def _why_stopped(name: str, status: Json) -> str:
    last = status.get("lastState", {}).get("terminated", {})
    if last.get("reason") == "OOMKilled":
        return f"the {name}'s server ran out of memory; raise spec.server.resources.memory in a new version"
    said = f": {last['message'].strip()[-300:]}" if last.get("message") else ""
    code = last.get("exitCode", "?")
    return (
        f"the {name}'s server stops again and again (exit code {code}) before it can answer{said}; "
        "does the model load with the libraries of this image?"
    )
