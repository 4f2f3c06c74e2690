"""What became of the Job that proves a ModelVersion, read from the API's fields."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead.api.modelversion import Crash, EvaluationJob
from fairlead.api.tasks import EvaluateResult, TaskError, TaskResult
from fairlead.manifests import evaluation as pods
from fairlead.plan.core import LABEL_PREFIX, Json, epoch
from fairlead.plan.jobs import crashes, failures, jobpods, podstages, serverlog
from fairlead.plan.model import proof
from fairlead.plan.model.proof import Work
from fairlead.plan.requests import ReadDocument

ONE, FEW, MANY = 1, 3, 10
"""Attempts that may fail: in a way that trying again does not change; by the version's own fault; because a server was
too slow, which may be the node's fault."""
OFTEN = 3
"""Starts of a server in one attempt: it is given up after another one."""
LATE = 5.0
_OWN = ("BadData", "Bug", jobpods.UNREADABLE)
"""Failures that are the evaluation's own, and don't end by themselves."""
_RAISE = failures.Raise("evaluation.resources.memory", "evaluation.resources.scratch", "evaluation.timeout")


@dataclass(frozen=True)
class Running(failures.Running):
    """The same, and whether the bytes have been verified, and how the challenger's server has ended."""

    verified: bool = False
    crash: Crash | None = None


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
    """The attempt failed. `limit`: how many failures are too many (None: they are the surroundings' and don't count);
    `abandon`: its pod still runs, and must go."""

    uid: str
    reason: str
    message: str
    limit: int | None = None
    verified: bool = False
    abandon: bool = False


Outcome = Running | Verified | Evaluated | Broken


def find(work: Work, recorded: EvaluationJob) -> jobpods.Found:
    """The recorded Job and its pod."""
    meta, evaluates = work.subject.meta, work.subject.body.spec.evaluation is not None
    sought = jobpods.Sought(
        recorded.name, meta.uid, recorded.uid, {LABEL_PREFIX + "modelversion": meta.name},
        pods.EVALUATE if evaluates else pods.FETCH,
    )  # fmt: skip
    return jobpods.find(work.world, sought, lambda: _wanted(work, recorded))


def _wanted(work: Work, recorded: EvaluationJob) -> Json | None:
    try:
        return proof.manifest(work, recorded)
    except proof.Missing:
        return None


def requests(work: Work, recorded: EvaluationJob) -> list[ReadDocument]:
    """What has to be read before the Job's answer is known."""
    return jobpods.requests(find(work, recorded))


def look(work: Work, recorded: EvaluationJob) -> Outcome:
    """What became of the recorded Job."""
    found = find(work, recorded)
    if not found.uid:
        return Running("")
    if found.foreign and found.problem:
        return Broken(found.uid, found.problem.reason, found.problem.message, verified=recorded.verified)
    if found.pod is None:
        return _without_pod(work, found)
    said = jobpods.said(work.world, found, found.main)
    if isinstance(said, jobpods.Reading):
        return Running(found.uid, said.waiting, said.look_again, verified=True)
    if isinstance(said, jobpods.Unreadable):
        return Broken(found.uid, jobpods.UNREADABLE, said.message, FEW, recorded.verified, jobpods.lingers(found))
    if said is not None and said.evaluate is not None:  # said; the servers still take their time to stop
        return Evaluated(found.uid, said.evaluate)
    if jobpods.over(found):
        return _ended(work, found, said, recorded)
    return _running(work, found, recorded)


def _without_pod(work: Work, found: jobpods.Found) -> Outcome:
    job, uid = found.job, found.uid
    if job is not None and (left := _seen_late(job, work.now)) > 0:
        return Running(uid, look_again=left)
    if job is None or failures.gone(job):
        text = "the evaluation's pod is gone, and its answer with it; it is repeated"
        lost = found.problem or failures.Waiting("Disrupted", text)
        return Broken(uid, lost.reason, lost.message)
    return Running(uid, found.problem or found.waiting(work.now), found.look_again(work.now), found.stage)


def _seen_late(job: Json, now: float) -> float:
    """Seconds for which the pod of a Job that has just ended may still be on its way to this view."""
    ends = [c for c in (job.get("status") or {}).get("conditions") or () if c["type"] in ("Complete", "Failed")]
    return max((epoch(c["lastTransitionTime"]) + LATE - now for c in ends if "lastTransitionTime" in c), default=0.0)


def _running(work: Work, found: jobpods.Found, recorded: EvaluationJob) -> Outcome:
    assert found.pod is not None
    pod = found.pod
    verified = recorded.verified or _fetched(pod)
    if (stuck := _stuck_server(pod, recorded.crash)) is not None:
        return replace(stuck, uid=found.uid, verified=verified, abandon=True)
    server = _server(pod, pods.CHALLENGER)
    seen = crashes.newest(server)
    waiting = found.problem or found.waiting(work.now) or (_once(pod) if seen and not server.get("ready") else None)
    crash, stage = crashes.first(recorded.crash, seen), found.stage or _servers(pod)
    return Running(found.uid, waiting, found.look_again(work.now), stage, verified, crash)


def _servers(pod: Json) -> str:
    """What of the model servers `evaluate` waits for; empty if it waits no more, or `fetch` has not ended."""
    begun = _statuses(pod).get(pods.EVALUATE, {}).get("state", {}).keys() & {"running", "terminated"}
    if not begun:
        return (podstages.coming(pod) or "the model servers start") if _fetched(pod) else ""
    return next((words for name in pods.PORTS if (words := _loading(pod, name))), "")


def _loading(pod: Json, name: str) -> str:
    """That a model server does not answer yet."""
    probe, status = serverlog.probe(pod, name, "readinessProbe"), _server(pod, name)
    if probe is None or status.get("ready") or "running" not in status.get("state", {}):
        return ""
    return f"the {name}'s server loads its model: {probe.asked} has not been answered with 200 yet"


def _once(pod: Json) -> failures.Waiting:
    """The challenger's server has ended, and is started again."""
    return failures.Waiting(
        "ServerFailed", f"{_told(pod, pods.CHALLENGER)}. It is started again; if it ends in the same way, this "
        "version is rejected",
    )  # fmt: skip


def _ended(work: Work, found: jobpods.Found, said: TaskResult | None, recorded: EvaluationJob) -> Outcome:
    assert found.pod is not None
    pod, uid, abandon = found.pod, found.uid, jobpods.lingers(found)
    verified = recorded.verified or _fetched(pod)
    for word in (failures.result(pod, pods.FETCH), said):
        if word is not None and word.error is not None:
            broken = _error(pod, word.error, recorded.crash)
            if _is_final(work, found, word.error):
                broken = replace(broken, limit=ONE)
            return replace(broken, uid=uid, verified=verified, abandon=abandon)
    if said is not None and said.fetched is not None and found.main == pods.FETCH:
        return Verified(uid)
    proves = found.main == pods.EVALUATE
    failed = found.failure(None, _RAISE if proves else failures.INSTALLATION)
    own = failed.reason in _OWN or (proves and failed.reason in failures.LIMITS)
    message = failed.message
    if proves and failed.reason == "DeadlineExceeded":
        message = "the evaluation took longer than its timeout; make a version with a longer one, or with fewer rows"
    elif proves and failed.reason in failures.LIMITS:
        message += " in a new version"
    return Broken(uid, failed.reason, message, FEW if own else None, verified, abandon)


def _is_final(work: Work, found: jobpods.Found, error: TaskError) -> bool:
    """Whether bytes that the spec itself names are others: a spec does not change. The champion's, and those of a
    Dataset, are not this version's fault."""
    if error.reason != "DigestMismatch":
        return False
    evaluation = work.subject.body.spec.evaluation
    if evaluation is None or found.main == pods.FETCH:
        return True
    own = {pods.MODELS[pods.CHALLENGER]}
    own |= {pods.DATA} if evaluation.data.artifact else set()
    reference = evaluation.baseline.reference if evaluation.baseline else None
    own |= {pods.REFERENCE} if reference is not None and reference.artifact else set()
    return error.dest in own


def _error(pod: Json, error: TaskError, before: Crash | None) -> Broken:
    if error.reason == "ServerFailed":
        crashed = next((found for name in pods.PORTS if (found := _crashed(pod, name, before))), None)
        return crashed or Broken("", error.reason, error.message, MANY)
    return Broken("", error.reason, error.message, FEW if error.reason in _OWN and not error.transient else None)


def _statuses(pod: Json) -> dict[str, Json]:
    status = pod.get("status", {})
    return {s["name"]: s for key in ("initContainerStatuses", "containerStatuses") for s in status.get(key) or ()}


def _server(pod: Json, name: str) -> Json:
    """The status of a model server. How it has ended after `evaluate` is no matter: the kubelet ends it then."""
    found = _statuses(pod).get(name, {})
    return {**found, "state": {}} if failures.terminated(pod, pods.EVALUATE) or failures.ended(pod) else found


def _fetched(pod: Json) -> bool:
    """Whether `fetch` has brought all bytes, verified."""
    said = failures.result(pod, pods.FETCH)
    return said is not None and said.fetched is not None


def _stuck_server(pod: Json, before: Crash | None) -> Broken | None:
    """A model server that stops again and again: waiting is pointless. One that has ended by itself is started a few
    times, until it is seen whether it always ends in this way."""
    for name in pods.PORTS:
        status = _server(pod, name)
        found = _crashed(pod, name, before)
        if found is None:
            continue
        if found.limit == ONE:
            return found
        looping = status.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
        seen = crashes.newest(status) if name == pods.CHALLENGER else None
        if looping and not (seen and seen.said and status["restartCount"] < OFTEN):
            return found
    return None


def _crashed(pod: Json, name: str, before: Crash | None) -> Broken | None:
    """Why a server stopped by itself, if it did. That the champion's does is not the challenger's fault."""
    status = _server(pod, name)
    mine = name == pods.CHALLENGER
    limit = FEW if mine else None
    if mine and crashes.always(before, crashes.newest(status)):
        return Broken("", "ServerFailed", _told(pod, name), ONE)
    if not status.get("restartCount"):
        return None
    if (serverlog.last_end(status) or {}).get("reason") == "OOMKilled":
        text = f"the {name}'s server ran out of memory; raise spec.server.resources.memory in a new version"
        return Broken("", "ServerFailed", text, limit)
    return Broken("", "ServerFailed", _told(pod, name), limit)


def _told(pod: Json, name: str) -> str:
    """How a server has ended, with its last words."""
    status = _server(pod, name)
    code = (serverlog.last_end(status) or {}).get("exitCode", "?")
    said = serverlog.last_words(status)
    return (
        f"the {name}'s server ends with exit code {code} instead of serving{': ' + said if said else ''}; does the "
        f"model load with the libraries of this image? See the log of container {name}"
    )
