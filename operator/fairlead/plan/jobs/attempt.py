"""What became of a Job that was recorded: the one way to follow it, whatever it does.

A kind of Job is a subclass of `Followed`, and says there in what it is not like the others. All else is the same for
all: whether the Job and its pod are Fairlead's own (`jobpods`), what the pod waits for (`failures`, `podstages`), what
it said (`result`), whose fault a failure is, and when it is tried again (`record`, `backoff`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

from fairlead.api.tasks import TaskResult
from fairlead.plan.core import JOB, LABEL_PREFIX, Context, Delete, Json, epoch
from fairlead.plan.jobs import failures, gang, jobpods, likeness, result
from fairlead.plan.jobs import record as records
from fairlead.plan.jobs.backoff import LIMITED, USUAL
from fairlead.plan.jobs.failures import LIMITS, Failure, Waiting
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.jobs.record import Budget, Counted, Record, Settled
from fairlead.plan.read import NotReadable
from fairlead.plan.requests import ReadDocument

A = TypeVar("A")

LAG = 3.0
"""Seconds that the news of a pod may come later than the news of its Job: they are watched apart."""
STUCK = 30.0
"""Seconds between looks at a Job of which no event tells."""


@dataclass(frozen=True)
class Paused:
    """There is no Job; the next attempt waits."""

    left: float
    """Seconds; 0: it is due."""


@dataclass(frozen=True)
class Running:
    """A Job under way, or still to be made."""

    found: Found
    waiting: Waiting | None = None
    """Why it can't begin, or go on."""
    look_again: float | None = None
    """Seconds after which something may be to be said that no event announces."""
    stage: str = ""
    """What its pod does before its work begins, for people."""
    answered: bool = False
    """Its work is done, and its answer is still to be read from the store."""

    @property
    def uid(self) -> str:
        """The Job's; empty: it is still to be made."""
        return self.found.uid


@dataclass(frozen=True)
class Broken:
    """The attempt has failed."""

    found: Found
    failure: Failure
    abandon: bool = False
    """Its pod still runs, and must go."""


@dataclass(frozen=True)
class Answered(Generic[A]):
    """The attempt has ended with an answer."""

    found: Found
    answer: A


Outcome = Paused | Running | Broken | Answered[A]


@dataclass(frozen=True)
class Followed(ABC, Generic[A]):
    """A recorded attempt at a Job of some kind, with the answer `A`."""

    label: ClassVar[str]
    """Of its pods, without the prefix: the value is the name of the Job's owner."""
    lost: ClassVar[str]
    """What people are told when its pod is gone before its answer was read."""
    forgotten: ClassVar[tuple[str, ...]] = ("uid",)
    """Fields of the record that are emptied when an attempt has failed; none: its Job stays for its log."""

    context: Context[Any]
    """Its owner, what was observed, and the time."""

    @property
    @abstractmethod
    def recorded(self) -> Record:
        """The attempt."""

    @property
    @abstractmethod
    def main(self) -> str:
        """The container that answers."""

    @abstractmethod
    def manifest(self) -> Json | None:
        """The Job as it is made; None: what it was recorded for is gone. Raises NotReadable as long as something that
        it needs can't be read."""

    @abstractmethod
    def answer(self, said: TaskResult) -> A | None:
        """The answer in what its container has said; None: that is another's."""

    @abstractmethod
    def failure(self, found: Found, said: TaskResult | None) -> Failure:
        """Why a pod that has ended did not answer."""

    def budget(self, failure: Failure) -> Budget:
        """What a failure costs: those of the surroundings are waited out, however often they come."""
        if failure.fault == "final":
            return records.FINAL
        return Budget((LIMITED if failure.reason in LIMITS else USUAL).after(self.recorded.attempt))

    def hopeless(self, found: Found) -> Failure | None:  # noqa: ARG002
        """Why a pod that still runs, or waits, or is not even made, is given up."""
        return None

    def waiting(self, found: Found) -> Waiting | None:
        """Why it can't begin, or go on."""
        return found.problem or found.waiting(self.context.now)

    def stage(self, found: Found) -> str:
        """What its pod does before its work begins."""
        return found.stage


@dataclass(frozen=True)
class Counting(Followed[A]):
    """One whose answers that could not be read are counted: after a few it is given up."""

    @property
    @abstractmethod
    def recorded(self) -> Counted:
        """The attempt."""

    def budget(self, failure: Failure) -> Budget:
        """What can't be read is tried a few times; all else as it is for all."""
        job = self.recorded
        if failure.fault == "unreadable":
            return Budget(USUAL.after(job.attempt), "unreadable", job.unreadable + 1, result.FEW)
        return super().budget(failure)


@dataclass(frozen=True)
class OfWorker(Counting[A]):
    """One whose pod runs nothing but Fairlead's own program: made again at once where the operator has another one."""

    def hopeless(self, found: Found) -> Failure | None:
        """A pod that waits for the image of an operator before this one."""
        image = outdated_image(self, found)
        text = f"the operator has another worker image than {image} now"
        return Failure("ImagePull", text, "outdated") if image else None

    def budget(self, failure: Failure) -> Budget:
        """Nothing for an image of before."""
        return Budget(pause=0.0) if failure.fault == "outdated" else super().budget(failure)


def find(one: Followed[Any]) -> Found:
    """The Job and its pod; found once in a look."""
    context, recorded = one.context, one.recorded
    shared, key = context.world.shared, ("job", one.main, recorded.name, recorded.uid)
    if shared is not None and key in shared:
        known: Found = shared[key]
        return known
    labels = {LABEL_PREFIX + one.label: context.name}
    sought = jobpods.Sought(recorded.name, context.uid, recorded.uid, labels, one.main)
    try:
        found = jobpods.find(context.world, sought, one.manifest)
    except NotReadable:
        return Found(one.main, "")  # what it is to be compared with is not known at the moment
    if shared is not None:
        shared[key] = found
    return found


def requests(one: Followed[Any]) -> list[ReadDocument]:
    """What has to be read before the answer is known."""
    return [] if one.recorded.not_before is not None else result.requests(find(one))


def look(one: Followed[A]) -> Outcome[A]:
    """What became of the recorded Job."""
    left = records.left(one.recorded, one.context.now)
    if left is not None:
        return Paused(left)
    found = find(one)
    if not found.uid:
        return Running(found)
    if found.foreign and found.problem:
        return Broken(found, Failure(found.problem.reason, found.problem.message, "cluster"))
    if found.count > 1:
        return _together(one, found)
    return _without_pod(one, found) if found.pod is None else _with_pod(one, found)


def settle(one: Followed[Any], failure: Failure) -> Settled:
    """What is recorded of a failure, and whether there is another attempt."""
    return records.settled(one.budget(failure), one.context.now, one.forgotten)


def is_late(found: Found) -> bool:
    """Whether the Job has ended, and its pod has not been seen (yet)."""
    return found.pod is None and failures.gone(found.job)


def next_look(record: Record, now: float) -> float:
    """Seconds until something is due of which no event tells: the next attempt, or a look at a Job that is stuck."""
    return max(0.0, epoch(record.not_before) - now) if record.not_before else STUCK


def leftovers(owned: Iterable[Json], label: str, wanted: set[str]) -> list[Delete]:
    """Of an owner's Jobs those of a kind whose answer is recorded, or is not wanted any more. label: of their kind,
    without the prefix; wanted: names of those that stay."""
    return [
        Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"])
        for job in owned
        if LABEL_PREFIX + label in job["metadata"].get("labels", {})
        and job["metadata"]["name"] not in wanted and "deletionTimestamp" not in job["metadata"]
    ]  # fmt: skip


def outdated_image(one: Followed[Any], found: Found) -> str | None:
    """The worker image that a pod waits for though the operator has another one by now."""
    waiting = found.waiting(one.context.now) if found.pod is not None else None
    if waiting is None or waiting.reason != "ImagePull":
        return None
    # compared is what was asked for: the pod's image may be what a mirror's webhook has made of it
    image = str(likeness.named(found.asked)[one.main]["image"])
    return None if likeness.same_image(image, one.context.world.config.images.worker) else image


def _without_pod(one: Followed[A], found: Found) -> Outcome[A]:
    now = one.context.now
    since = failures.ended_since(found.job, now)
    if since is not None and since < LAG:
        return Running(found, None, LAG - since)
    if is_late(found):
        why = found.problem or Waiting("Disrupted", one.lost)
        return Broken(found, Failure(why.reason, why.message, "cluster"))
    if (hopeless := one.hopeless(found)) is not None:
        return Broken(found, hopeless, abandon=True)
    return Running(found, found.problem or found.waiting(now), found.look_again(now), found.stage)


def _together(one: Followed[A], found: Found) -> Outcome[A]:
    """Of pods that work together. What index 0 has said counts, whatever becomes of the others: it is committed."""
    if found.pod is not None:
        said = result.said(one.context.world, found, one.main)
        if isinstance(said, result.Reading):
            return Running(found, said.waiting, said.look_again, answered=True)
        if isinstance(said, result.Unreadable):
            return Broken(found, Failure(result.UNREADABLE, found.of(0, said.message), "unreadable"))
        answer = one.answer(said) if said is not None else None
        if answer is not None:
            return Answered(found, answer)
    if (broken := gang.failed(found, one.failure)) is not None:
        return Broken(found, broken.failure)
    if gang.suspended(found):
        rest = replace(found, pod=None, others=())
        return Running(rest, found.queued, stage=rest.stage)
    if found.pod is None:
        return _without_pod(one, found)
    return Running(found, one.waiting(found), found.look_again(one.context.now), one.stage(found))


def _with_pod(one: Followed[A], found: Found) -> Outcome[A]:
    said = result.said(one.context.world, found, one.main)
    if isinstance(said, result.Reading):
        return Running(found, said.waiting, said.look_again, answered=True)
    abandon = jobpods.lingers(found)
    if isinstance(said, result.Unreadable):
        return Broken(found, Failure(result.UNREADABLE, said.message, "unreadable"), abandon)
    answer = one.answer(said) if said is not None else None
    if answer is not None:  # what was said counts, whatever becomes of the pod
        return Answered(found, answer)
    if jobpods.over(found):
        if jobpods.outlived(found):  # the same attempt goes on
            rest = replace(found, pod=None)
            return Running(rest, found.queued, stage=rest.stage)
        return Broken(found, one.failure(found, said), abandon)
    if (hopeless := one.hopeless(found)) is not None:
        return Broken(found, hopeless, abandon=True)
    return Running(found, one.waiting(found), found.look_again(one.context.now), one.stage(found))


def wakes(obj: Mapping[str, Any], label: str) -> list[str]:
    """The owner whose Job a pod belongs to, by this label."""
    name = (obj["metadata"].get("labels") or {}).get(LABEL_PREFIX + label)
    return [name] if name else []
