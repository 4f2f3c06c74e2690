"""The pod of a Job, or its pods, and whether what they say may be believed.

For all who run Jobs: snapshots, steps, evaluations, joins. Labels and ownerReferences are written by whoever makes a
pod, so they say only what a pod claims to be. One counts if the Job is as it was recorded, if the pod is what the Job's
template says (see `likeness`), and if no other pod is so too, for a Job makes one pod, or one for each index. Of pods
that work together (`workers`) the one with index 0 answers; the others can only fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from fairlead.manifests import workers
from fairlead.plan.core import LABEL_PREFIX, Json, World
from fairlead.plan.jobs import failures, likeness, podstages, queue

FOREIGN = "ForeignPod"
ITEM = f"{LABEL_PREFIX}item"
"""Label of the Jobs and pods of an item."""


@dataclass(frozen=True)
class Found:
    """A Job and its pod."""

    main: str
    """The container that answers."""
    uid: str
    """Of the Job; empty: it is still to be made."""
    job: Json | None = None
    pod: Json | None = None
    """The one that counts."""
    strangers: tuple[str, ...] = ()
    """Pods that claim to be the Job's and are not, each with the reason."""
    foreign: str = ""
    """In what the Job itself is not as Fairlead made it."""
    queued: failures.Waiting | None = None
    """What it waits for in a queue, if it is suspended there."""
    others: tuple[tuple[int, Json], ...] = ()
    """Of a Job of several pods those that there are besides index 0, by index."""
    count: int = 1
    """How many pods the Job has when all of them are made."""

    @property
    def asked(self) -> Json:
        """The pod's spec as the Job's template has it; empty without a Job."""
        found: Json = self.job["spec"]["template"]["spec"] if self.job else {}
        return found

    def waiting(self, now: float) -> failures.Waiting | None:
        """Why its pod can't begin, or go on; None if nothing is known to be in its way."""
        for index, pod in self.pods:
            if (found := failures.waiting(pod, now, self.asked)) is not None:
                return replace(found, message=self.of(index, found.message))
        if len(self.pods) == self.count:
            return None
        if self.queued is not None:
            return self.queued
        found = failures.without_pod(self.job, now) if self.job is not None else None
        if found is None or not self.pods:
            return found
        return replace(found, message=f"{self.count - len(self.pods)} of {self.count} workers: {found.message}")

    @property
    def pods(self) -> tuple[tuple[int, Json], ...]:
        """All that there are, by index."""
        return (*(((0, self.pod),) if self.pod is not None else ()), *self.others)

    @property
    def begun(self) -> bool:
        """Whether all its pods are there, and have begun."""
        return len(self.pods) == self.count and all(failures.started(pod) for _, pod in self.pods)

    def of(self, index: int, text: str) -> str:
        """What is said of one of its pods: of several, with its index."""
        return f"worker {index}: {text}" if self.count > 1 else text

    @property
    def stage(self) -> str:
        """What its pod does before its work begins, as every pod does; empty once it has begun."""
        if len(self.pods) < self.count:
            return "its pod is being made" if self.count == 1 else f"{len(self.pods)} of {self.count} pods are made"
        said = ((index, podstages.told(pod)) for index, pod in self.pods)
        return next((self.of(index, text) for index, text in said if text), "")

    def look_again(self, now: float) -> float | None:
        """Seconds after which something that no event announces may have to be said; None: an event will come."""
        if self.job is None:
            return None
        seen = [pod for _, pod in self.pods] + ([None] if len(self.pods) < self.count else [])
        found = (failures.look_again(self.job, pod, now) for pod in seen)
        return min((one for one in found if one is not None), default=None)

    def failure(self, program: str | None, limits: failures.Raise = failures.STEP) -> failures.Failure:
        """Why its pod failed. `program`: the container that runs a user's code, if there is one. `limits`: what to
        raise."""
        assert self.pod is not None
        return failures.failure(self.pod, program, self.asked, limits)

    @property
    def problem(self) -> failures.Waiting | None:
        """Who stands in the place of Fairlead's own, if anybody does."""
        if self.foreign and self.job is not None:
            name = self.job["metadata"]["name"]
            return failures.Waiting(
                "ForeignJob", f"Job {name} is not as Fairlead makes it: {self.foreign}; nothing that it says counts. "
                "See who made or changes Jobs in this namespace",
            )  # fmt: skip
        if self.strangers:
            return failures.Waiting(
                FOREIGN, f"{'; '.join(self.strangers)[:600]}. Nothing that it says counts: delete it, and see "
                "who made it",
            )  # fmt: skip
        return None


# --- the pod -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sought:
    """Which Job is looked for."""

    name: str
    owner: str
    """Its controller's uid."""
    recorded: str
    """The Job's own uid, once it has been seen."""
    labels: Mapping[str, str]
    """Of its pods: they narrow the search."""
    main: str
    """The container that answers."""


def find(world: World, sought: Sought, wanted: Callable[[], Json | None]) -> Found:
    """The Job, if its owner controls it, and its pod.

    wanted: the manifest, which a Job that is seen for the first time is compared with. Its name can be known
    beforehand, so somebody else may have made it."""
    job = failures.own_job(world, sought.name, sought.owner)
    uid = sought.recorded or (job["metadata"]["uid"] if job else "")
    if job is None or job["metadata"]["uid"] != uid:
        return Found(sought.main, uid)
    if not sought.recorded and (foreign := _of_job(job, wanted())):
        return Found(sought.main, uid, job, foreign=foreign)
    found = _with_pod(sought.main, job, failures.pods_of(world, _labels(job, sought.labels), uid))
    return replace(found, queued=queue.waiting(world, job)) if queue.is_queued(job) else found


def _labels(job: Json, labels: Mapping[str, str]) -> dict[str, str]:
    """What a Job's pods have: of a step with hundreds of items at a time only the item's are looked through."""
    item = (job["metadata"].get("labels") or {}).get(ITEM)
    return {**labels, ITEM: item} if item else dict(labels)


def _of_job(job: Json, wanted: Json | None) -> str:
    """In what a Job is not as its manifest."""
    if wanted is None:
        return "what it was recorded for is gone"
    if count_of(job) != count_of(wanted):
        return f"it makes {count_of(job)} pods that work together instead of {count_of(wanted)}"
    mine, asked = job["spec"]["template"], wanted["spec"]["template"]
    if not likeness.covers(mine["metadata"].get("annotations"), asked["metadata"]["annotations"]):
        return "its pod is annotated otherwise"
    return likeness.difference(mine["spec"], asked["spec"])


def _with_pod(main: str, job: Json, claiming: list[Json]) -> Found:
    uid = job["metadata"]["uid"]
    seen = [(pod, _strange(job, pod)) for pod in claiming]
    strangers = [f"pod {_name(pod)} claims to be of this Job, and is not: {why}" for pod, why in seen if why]
    told: dict[int, list[Json]] = {}
    for pod, why in seen:
        if not why:
            told.setdefault(_index(job, pod) or 0, []).append(pod)
    found: dict[int, Json] = {}
    for index in sorted(told):
        mine = queue.current(job, told[index])
        if len(mine) > 1:  # a pod that is never replaced
            place = f"index {index}" if workers.is_indexed(job) else "this Job"
            strangers.append(f"pods {' and '.join(map(_name, mine))} both claim to be the only one of {place}")
        elif mine:
            found[index] = mine[0]
    others = tuple((index, pod) for index, pod in found.items() if index)
    return Found(main, uid, job, found.get(0), tuple(strangers), others=others, count=count_of(job))


def count_of(job: Json) -> int:
    """How many pods a Job has that work together."""
    return int(job["spec"].get("completions") or 1) if workers.is_indexed(job) else 1


def _index(job: Json, pod: Json) -> int | None:
    """Which of a Job's pods one is; None: the Job gives none, or the pod has none that can be one."""
    said = str((pod["metadata"].get("annotations") or {}).get(workers.INDEX_MARK, ""))
    plain = said.isascii() and said.isdecimal() and str(int(said[:4])) == said
    return int(said) if workers.is_indexed(job) and plain and int(said) < count_of(job) else None


def _name(pod: Json) -> str:
    return str(pod["metadata"]["name"])


def _strange(job: Json, pod: Json) -> str:
    if not _name(pod).startswith(_generated(job)):
        return "the Job's pods have other names"
    if workers.is_indexed(job):
        index = _index(job, pod)
        if index is None:
            return "it has no index of the Job's"
        if not _name(pod).startswith(f"{job['metadata']['name']}-{index}-"):
            return f"the pod with index {index} has another name"
    return likeness.difference(pod["spec"], job["spec"]["template"]["spec"])


def _generated(job: Json) -> str:
    """How names of a Job's pods begin: Kubernetes leaves room for five letters."""
    return f"{job['metadata']['name']}-"[:58]


# --- how far it is -------------------------------------------------------------------------------------------------


def over(found: Found) -> bool:
    """Whether nothing more is to come: Fairlead's own container has ended, or the whole pod. What somebody has added
    to the pod may go on for ever, and how it ends is no matter."""
    return found.pod is not None and ends(found, found.pod)


def ends(found: Found, pod: Json) -> bool:
    """The same of any of its pods."""
    return failures.ended(pod) or failures.terminated(pod, found.main) is not None


def outlived(found: Found) -> bool:
    """Whether its pod was ended for a queue: the Job goes on with another one, now or when it may."""
    if found.pod is None or found.job is None or not over(found):
        return False
    return found.queued is not None or queue.outlives(found.job, found.pod)


def lingers(found: Found) -> bool:
    """Whether what somebody has added to the pod goes on, though all that matters has ended."""
    if found.pod is None or found.job is None or not over(found):
        return False
    if any(not ends(found, pod) for _, pod in found.others):  # what they work on is committed
        return True
    if failures.ended(found.pod):
        return False
    # a Job of Fairlead's has one container that is no sidecar in Kubernetes' own sense
    others = {one["name"] for one in found.pod["spec"]["containers"]} - {found.main}
    return any(failures.terminated(found.pod, name) is None for name in others)
