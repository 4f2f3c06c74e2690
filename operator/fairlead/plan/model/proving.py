"""The Job that proves a ModelVersion: in what it is not like other Jobs that are followed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead.api.modelversion import Crash, EvaluationJob, ModelVersion
from fairlead.api.tasks import TaskError, TaskResult
from fairlead.manifests import evaluation as pods
from fairlead.plan.core import Context, Json
from fairlead.plan.jobs import crashes, failures, podstages, serverlog
from fairlead.plan.jobs.attempt import Broken, Followed, Running
from fairlead.plan.jobs.backoff import USUAL
from fairlead.plan.jobs.failures import Failure, Fault, Raise, Waiting
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.jobs.record import Budget
from fairlead.plan.model import proof, waking

ONE, FEW, MANY = 1, 3, 10
"""Attempts that may fail: in a way that trying again does not change; by the version's own fault; because a server was
too slow, which may be the node's fault."""
_MOST: dict[Fault, int] = {"final": ONE, "own": FEW, "unreadable": FEW, "unclear": MANY}
OFTEN = 3
"""Starts of a server in one attempt: it is given up after another one."""
_OWN = ("BadData", "Bug")
"""Failures that are the evaluation's own, and don't end by themselves."""
_RAISE = Raise("evaluation.resources.memory", "evaluation.resources.scratch", "evaluation.timeout")


@dataclass(frozen=True)
class Proving(Followed[TaskResult]):
    """A recorded attempt at the proof of a version. Its answer is the evaluation's; where nothing is measured, that all
    bytes have their digests."""

    label = waking.PROVES
    lost = "the evaluation's pod is gone, and its answer with it; it is repeated"
    forgotten = ()

    context: Context[ModelVersion]
    job: EvaluationJob

    @property
    def recorded(self) -> EvaluationJob:
        """The attempt."""
        return self.job

    @property
    def main(self) -> str:
        """The container that answers."""
        return pods.FETCH if self.context.subject.body.spec.evaluation is None else pods.EVALUATE

    def manifest(self) -> Json | None:
        """The Job as it is made; None: what it was recorded for is gone."""
        try:
            return proof.manifest(self.context, self.job)
        except proof.Missing:
            return None

    def answer(self, said: TaskResult) -> TaskResult | None:
        """The proof; the servers may still take their time to stop."""
        fetched = said.fetched is not None and self.main == pods.FETCH
        return said if fetched or said.evaluate is not None else None

    def failure(self, found: Found, said: TaskResult | None) -> Failure:
        """By the word of who fetched and who evaluated; else by how the pod has ended."""
        assert found.pod is not None
        for word in (failures.result(found.pod, pods.FETCH), said):
            if word is not None and word.error is not None:
                failed = _error(found.pod, word.error, self.job.crash)
                return replace(failed, fault="final") if _is_final(self, word.error) else failed
        return _by_end(found, proves=self.main == pods.EVALUATE)

    def budget(self, failure: Failure) -> Budget:
        """What is the surroundings' fault does not count."""
        most = _MOST.get(failure.fault)
        if most is None:
            return super().budget(failure)
        return Budget(USUAL.after(self.job.attempt), "failures", self.job.failures + 1, most)

    def hopeless(self, found: Found) -> Failure | None:
        """A model server that stops again and again: waiting is pointless."""
        return _stuck_server(found.pod, self.job.crash) if found.pod is not None else None

    def waiting(self, found: Found) -> Waiting | None:
        """Besides, that the challenger's server is started again."""
        assert found.pod is not None
        server = _server(found.pod, pods.CHALLENGER)
        again = crashes.newest(server) is not None and not server.get("ready")
        return super().waiting(found) or (_once(found.pod) if again else None)

    def stage(self, found: Found) -> str:
        """Besides, which model server `evaluate` waits for."""
        assert found.pod is not None
        return found.stage or _servers(found.pod)


def crash(one: Proving, seen: Running) -> Crash | None:
    """How the challenger's server has ended, the first time."""
    if seen.found.pod is None or seen.answered:
        return one.job.crash
    return crashes.first(one.job.crash, crashes.newest(_server(seen.found.pod, pods.CHALLENGER)))


def is_verified(one: Proving, seen: Running | Broken) -> bool:
    """Whether the bytes are known to be right. Of a pod that is not there that has to be seen anew; of one whose answer
    can't be read nothing else is believed."""
    pod = seen.found.pod
    if pod is None or (isinstance(seen, Broken) and seen.failure.fault == "unreadable"):
        return pod is not None and one.job.verified
    return (isinstance(seen, Running) and seen.answered) or one.job.verified or _fetched(pod)


def _by_end(found: Found, *, proves: bool) -> Failure:
    failed = found.failure(None, _RAISE if proves else failures.INSTALLATION)
    limited, message = proves and failed.reason in failures.LIMITS, failed.message
    if proves and failed.reason == "DeadlineExceeded":
        message = "the evaluation took longer than its timeout; make a version with a longer one, or with fewer rows"
    elif limited:
        message += " in a new version"
    return Failure(failed.reason, message, "own" if limited or failed.reason in _OWN else "cluster")


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


def _once(pod: Json) -> Waiting:
    """The challenger's server has ended, and is started again."""
    return Waiting(
        "ServerFailed", f"{_told(pod, pods.CHALLENGER)}. It is started again; if it ends in the same way, this "
        "version is rejected",
    )  # fmt: skip


def _is_final(one: Proving, error: TaskError) -> bool:
    """Whether bytes that the spec itself names are others: a spec does not change. The champion's, and those of a
    Dataset, are not this version's fault."""
    if error.reason != "DigestMismatch":
        return False
    evaluation = one.context.subject.body.spec.evaluation
    if evaluation is None:
        return True
    own = {pods.MODELS[pods.CHALLENGER]}
    own |= {pods.DATA} if evaluation.data.artifact else set()
    reference = evaluation.baseline.reference if evaluation.baseline else None
    own |= {pods.REFERENCE} if reference is not None and reference.artifact else set()
    return error.dest in own


def _error(pod: Json, error: TaskError, before: Crash | None) -> Failure:
    if error.reason == "ServerFailed":
        crashed = next((found for name in pods.PORTS if (found := _crashed(pod, name, before))), None)
        return crashed or Failure(error.reason, error.message, "unclear")
    return Failure(error.reason, error.message, "own" if error.reason in _OWN and not error.transient else "cluster")


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


def _stuck_server(pod: Json, before: Crash | None) -> Failure | None:
    """A model server that stops again and again: waiting is pointless. One that has ended by itself is started a few
    times, until it is seen whether it always ends in this way."""
    for name in pods.PORTS:
        status = _server(pod, name)
        found = _crashed(pod, name, before)
        if found is None:
            continue
        if found.fault == "final":
            return found
        looping = status.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
        seen = crashes.newest(status) if name == pods.CHALLENGER else None
        if looping and not (seen and seen.said and status["restartCount"] < OFTEN):
            return found
    return None


def _crashed(pod: Json, name: str, before: Crash | None) -> Failure | None:
    """Why a server stopped by itself, if it did. That the champion's does is not the challenger's fault."""
    status = _server(pod, name)
    mine = name == pods.CHALLENGER
    fault: Fault = "own" if mine else "cluster"
    if mine and crashes.always(before, crashes.newest(status)):
        return Failure("ServerFailed", _told(pod, name), "final")
    if not status.get("restartCount"):
        return None
    if (serverlog.last_end(status) or {}).get("reason") == "OOMKilled":
        text = f"the {name}'s server ran out of memory; raise spec.server.resources.memory in a new version"
        return Failure("ServerFailed", text, fault)
    return Failure("ServerFailed", _told(pod, name), fault)


def _told(pod: Json, name: str) -> str:
    """How a server has ended, with its last words."""
    status = _server(pod, name)
    code, said = (serverlog.last_end(status) or {}).get("exitCode", 0), serverlog.last_words(status)
    why = failures.killed(code, "spec.server.resources.memory in a new version")
    return (
        f"the {name}'s server ends with exit code {code or '?'}{why} instead of serving{': ' + said if said else ''}; "
        f"does the model load with the libraries of this image? See the log of container {name}"
    )
