"""The Job that proves a ModelVersion: in what it is not like other Jobs that are followed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead.api.modelversion import Crash, EvaluationJob, ModelVersion
from fairlead.api.tasks import TaskError, TaskResult
from fairlead.manifests import evaluation as pods
from fairlead.plan.core import Context, Json
from fairlead.plan.jobs import crashes, failures, podstages
from fairlead.plan.jobs.attempt import Broken, Followed, Running
from fairlead.plan.jobs.backoff import USUAL
from fairlead.plan.jobs.beside import Beside
from fairlead.plan.jobs.failures import Failure, Fault, Raise, Waiting
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.jobs.record import Budget
from fairlead.plan.model import proof, waking

ONE, FEW, MANY = 1, 3, 10
"""Attempts that may fail: in a way that trying again does not change; by the version's own fault; because a server was
too slow, which may be the node's fault."""
_MOST: dict[Fault, int] = {"final": ONE, "own": FEW, "unreadable": FEW, "unclear": MANY}
_OWN = ("BadData", "Bug")
"""Failures that are the evaluation's own, and don't end by themselves."""
_MEMORY = "spec.server.resources.memory in a new version"
SERVERS = {
    pods.CHALLENGER: Beside(pods.CHALLENGER, pods.EVALUATE, _MEMORY),
    # that it ends is not the challenger's fault
    pods.CHAMPION: Beside(pods.CHAMPION, pods.EVALUATE, _MEMORY, fault="cluster", tried_again=False),
}
"""The model servers of an evaluation."""
_CHALLENGER = SERVERS[pods.CHALLENGER]
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
        if (pod := found.pod) is None:
            return None
        return next((stuck for one in SERVERS.values() if (stuck := one.stuck(pod, self.job.crash))), None)

    def waiting(self, found: Found) -> Waiting | None:
        """Besides, that the challenger's server is started again."""
        assert found.pod is not None
        server = _CHALLENGER.status(found.pod)
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
    return crashes.first(one.job.crash, crashes.newest(_CHALLENGER.status(seen.found.pod)))


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
    states = (one.get("state", {}) for name, one in failures.statuses(pod) if name == pods.EVALUATE)
    begun = any(state.keys() & {"running", "terminated"} for state in states)
    if not begun:
        return (podstages.coming(pod) or "the model servers start") if _fetched(pod) else ""
    return next((words for one in SERVERS.values() if (words := one.loading(pod))), "")


def _once(pod: Json) -> Waiting:
    """The challenger's server has ended, and is started again."""
    return Waiting(
        "ServerFailed", f"{_CHALLENGER.told(pod)}. It is started again; if it ends in the same way, this "
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
        crashed = next((found for one in SERVERS.values() if (found := one.crashed(pod, before))), None)
        return crashed or Failure(error.reason, error.message, "unclear")
    return Failure(error.reason, error.message, "own" if error.reason in _OWN and not error.transient else "cluster")


def _fetched(pod: Json) -> bool:
    """Whether `fetch` has brought all bytes, verified."""
    said = failures.result(pod, pods.FETCH)
    return said is not None and said.fetched is not None
