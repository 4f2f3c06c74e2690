"""Labels of the live version's answers: joined once a version of their Dataset, and folded with the next window.

What a join has counted waits in status (`pending`), written together with which labels these were (`used`). It leaves
in the write that has the state it went into, and the ledger's line with it: so each label is counted once, whatever
dies. No join begins meanwhile. What was known by labels last is kept (`real`, `gaps`): most windows bring none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairlead.api.dataset import Dataset, DatasetVersion
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.labelled import Asks, JoinJob
from fairlead.api.monitors import GapKnown, LabelsJoined, Monitored, Monitors, Truth
from fairlead.api.tasks import ObserveResult, ObserveTask, TaskResult
from fairlead.manifests.pod import pod_spec
from fairlead.monitor.fairness import Gap
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.report import Report
from fairlead.plan import store
from fairlead.plan.core import JOB, LABEL_PREFIX, Delete, Json, epoch
from fairlead.plan.dataset.fetching import fetched
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import labeljob
from fairlead.plan.deployment.evidence.labeljob import LabelJob
from fairlead.plan.deployment.monitors import beside, packing, question, saying
from fairlead.plan.deployment.monitors.beside import Beside
from fairlead.plan.deployment.serving import recording
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.jobs import attempt
from fairlead.plan.jobs.failures import Failure
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.requests import ReadDocument

PATIENT = 600.0
"""Seconds that a Job may wait for a pod with a server beside it, and that pod to begin."""
LARGEST = 32768
"""Characters of what waits: more could not be read again."""
STRANGE = Problem(
    "LabelsUnknown",
    "none of the labels belongs to an answer that was kept: is {dataset} the Dataset of this Deployment's answers, and "
    "does its column {column} (spec.monitors.labels.requestId) hold the value of their header x-request-id?",
)
UNREADABLE = Problem(
    "LabelsLost",
    "what was counted of labels can't be read (it was changed by hand, or by another release), and counts for nothing; "
    "the next version of Dataset {dataset} counts again",
)
SOURCE = ("NoStore", "NotRecorded", "DatasetMissing", "DatasetUnreadable")
"""What may be wrong with the Dataset itself (`LabelJob.dataset`)."""
BAD_COUNTS = Problem(
    "BadCounts", "the join of version {version} of Dataset {dataset} has counted what can't be: use the operator's own "
    "worker image, and publish the labels anew",
)  # fmt: skip


@dataclass(frozen=True)
class Observing(LabelJob[ObserveResult, LabelsJoined]):
    """The live version, and the attempt that is recorded for its labels."""

    label = "observe"
    program = "observe"
    asker = "spec.monitors.labels.dataset"
    lost = "the pod that counted labels is gone, and its answer with it"

    wanted: Truth
    version: str
    since: str
    asks: Asks | None = None
    """What a join that begins now asks besides."""

    def begin(self, version: str, attempt: int = 1, unreadable: int = 0) -> JoinJob:
        """Only first attempts ask: a version before that can't be had must keep nobody from counting the labels."""
        made = super().begin(version, attempt, unreadable)
        return made.model_copy(update={"asks": self.asks}) if self.asks and attempt == 1 else made

    def hopeless(self, found: Found) -> Failure | None:
        """A server beside it that does not come up is not waited for, nor a pod that a quota refuses because of it."""
        made = found.pod or found.job
        born = epoch(made["metadata"]["creationTimestamp"]) if made else self.context.now
        why = self.waiting(found) if self.recorded.asks and self.context.now > born + PATIENT else None
        return Failure(why.reason, f"{why.message}; the next attempt asks nobody", "cluster") if why else None

    def pod(self, main: Json, volumes: list[Json], deadline: int) -> Json:
        """With the version before beside it, if that is asked."""
        made = self._beside()
        if made is None:
            return super().pod(main, volumes, deadline)
        return pod_spec(
            [main], init_containers=made.init, volumes=[*volumes, *made.volumes], activeDeadlineSeconds=deadline,
            **made.more,
        )  # fmt: skip

    def _beside(self) -> Beside | None:
        asks = self.recorded.asks
        return (
            self.context.once(("beside", asks.against), lambda: beside.of(self.context, asks.against)) if asks else None
        )

    @property
    def dataset_name(self) -> str:
        return self.wanted.dataset

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.version, self.since, self.kept.digest)

    def answer(self, said: TaskResult) -> ObserveResult | None:
        """What was counted."""
        return said.observe

    def task(self, found: Dataset, version: DatasetVersion) -> tuple[ObserveTask, list[str | None]] | None:
        look, config, wanted = self.context, self.context.world.config, self.wanted
        learnt, recorded = recording.profiled(look, self.version), look.spec.recorded
        if learnt is None or recorded is None:
            return None
        folder = store.store(None, config, look.namespace).folder("deployments", look.name)
        item, secrets = fetched(found.spec, config, look.namespace, version.manifest, version.digest, "")
        task = ObserveTask(
            labels=item, format=found.spec.format, request_id=wanted.request_id, label=wanted.label,
            log=folder.folder("predictions").place(), version=self.version, since=self.since, profile=learnt.at,
            path=recorded.output.path, used=self.kept.used, **self._against(),
            store=folder.folder("observed", f"{self.version}-{self.kept.digest}").place(),
        )  # fmt: skip
        return task, [*secrets, folder.reach.credentials, learnt.credentials]

    def _against(self) -> dict[str, Any]:
        """What the worker is told of the version before."""
        made, asks = self._beside(), self.recorded.asks
        if made is None or asks is None:
            return {}
        return {"against": made.subject, "margin": asks.margin, "ready_timeout": made.ready_timeout}


LABEL = LABEL_PREFIX + Observing.label
"""Label of Jobs and pods: the Deployment whose answers are counted."""


def go_on(look: Look, spec: Monitors, kept: Monitored) -> Monitored:
    """After what has become of the labels that are being joined, or of those that have come."""
    wanted, digest = spec.labels, digest_of(look, spec, kept.version)
    if wanted is None:
        return kept.model_copy(update={"labels": None}) if kept.labels else kept
    if recording.profiled(look, kept.version) is None:  # the line `NoProfile` says what to do
        known = kept.labels or LabelsJoined(digest=digest)
        return kept.model_copy(update={"labels": known.model_copy(update={"job": None})})
    joined = kept.labels
    if joined is None or joined.digest != digest:
        joined, kept = _begun(look, wanted, kept, digest), _anew(look, kept)
    mine, job = Observing(look, joined, wanted, kept.version, kept.since, question.asks(kept)), joined.job
    done = labeljob.advance(mine, ready=not joined.pending)
    joined, result = done
    if result is not None:
        taken = _taken(look, wanted, joined, result)
        if taken.used != joined.used:  # else these labels come again, and their pairs with them
            kept = question.heard(look, kept, job.asks if job else None, result.compared)
        joined = taken
    elif job and job.asks and joined.job and joined.job.not_before:
        kept = question.troubled(kept, joined.message)
    return kept.model_copy(update={"labels": _sourced(mine, joined)})


def _sourced(mine: Observing, joined: LabelsJoined) -> LabelsJoined:
    """With what is wrong with the Dataset itself, for as long as it is."""
    found = mine.dataset()
    if isinstance(found, Problem):
        return joined.model_copy(update={"reason": found.reason, "message": found.message[:1024]})
    return joined.model_copy(update={"reason": "", "message": ""}) if joined.reason in SOURCE else joined


def digest_of(look: Look, spec: Monitors, version: str) -> str:
    """Names what labels are counted by: the settings of them, and the profile."""
    learnt = recording.profiled(look, version)
    own = spec.labels.model_dump(by_alias=True) if spec.labels else {}
    return packing.digest({"labels": own, "profile": learnt.at.sha256 if learnt else ""})


def _begun(look: Look, wanted: Truth, kept: Monitored, digest: str) -> LabelsJoined:
    """Nothing joined yet. What the Dataset has when a version becomes live can't be labels of its answers to come."""
    joined = LabelsJoined(digest=digest)
    if kept.since != look.stamp:
        return joined
    current = Observing(look, joined, wanted, kept.version, kept.since).current()
    return joined.model_copy(update={"dataset": current})


def _anew(look: Look, kept: Monitored) -> Monitored:
    """The monitors when all labels are counted once more. So are those that the tests know, and those that have rung:
    the tests begin anew too, and nothing is asked before they have rung again."""
    return question.recounted(look, kept).model_copy(update={"settings": ""})


def _taken(look: Look, wanted: Truth, joined: LabelsJoined, result: ObserveResult) -> LabelsJoined:
    """With what a join has counted."""
    told = {"dataset": wanted.dataset, "column": wanted.request_id, "version": joined.dataset}
    try:
        window = LabelledWindow.parsed(result.window) if result.window is not None else None
    except ValueError:
        return _bad(joined, BAD_COUNTS, told)
    joined = joined.model_copy(update={
        "at": look.stamp, "used": result.used, "labelled": joined.labelled + result.matched,
        "unread": joined.unread + result.unread, "unmatched": result.unmatched,
        "changed": joined.changed + result.changed, "contradictory": result.contradictory,
        "pending": _packed(window) if window else "",
    })  # fmt: skip
    return _bad(joined, STRANGE, told) if result.strange else joined


def _packed(window: LabelledWindow) -> str:
    """Without slices where their names are so long that a status could not keep them."""
    text = packing.packed(window.dumped())
    return text if len(text) <= LARGEST else packing.packed(replace(window, slices={}).dumped())


def _bad(joined: LabelsJoined, why: Problem, told: Mapping[str, str]) -> LabelsJoined:
    return joined.model_copy(update={"reason": why.reason, "message": why.message.format(**told)})


# --- with a window -------------------------------------------------------------------------------------------------


def pending(kept: Monitored) -> LabelledWindow | None:
    """What waits for a window; None: nothing. Raises ValueError for what can't be read."""
    text = kept.labels.pending if kept.labels else ""
    return parsed(text) if text else None


def parsed(text: str) -> LabelledWindow:
    """The labels of a ledger's line, or of a status. Raises ValueError."""
    return LabelledWindow.parsed(packing.unpacked(text))


def lost(spec: Monitors, kept: Monitored) -> Monitored:
    """Without what waits and can't be read."""
    assert kept.labels
    assert spec.labels
    without = kept.labels.model_copy(update={"pending": ""})
    return kept.model_copy(update={"labels": _bad(without, UNREADABLE, {"dataset": spec.labels.dataset})})


def folded(look: Look, kept: Monitored, given: LabelledWindow | None, report: Report) -> Monitored:
    """After a window that took in what waited."""
    joined = kept.labels
    if joined is None or given is None:
        return kept
    gaps = {one.rule: one for one in joined.gaps}
    for name, one in report.fairness.items():
        if one.labels and isinstance(one.gap, Gap):
            said = saying.gap(name, one)
            gaps[name] = GapKnown(rule=name, at=look.stamp, state=said.state, message=said.message[:512])
    changes = {
        "pending": "", "real": saying.real(look.stamp, given, report) or joined.real,
        "gaps": [gaps[name] for name in report.fairness if name in gaps],
        "well": saying.well(joined, given.losses, report, float(look.spec.rollout.design_effect)),
    }  # fmt: skip
    return kept.model_copy(update={"labels": joined.model_copy(update=changes)})


# --- the Jobs ------------------------------------------------------------------------------------------------------


def observing(look: Look, status: DeploymentStatus) -> Observing | None:
    """The join that is recorded; None: there is none."""
    kept, spec = status.monitors, look.spec.monitors
    if kept is None or spec is None or spec.labels is None or kept.labels is None or kept.labels.job is None:
        return None
    if kept.labels.digest != digest_of(look, spec, kept.version):
        return None
    return Observing(look, kept.labels, spec.labels, kept.version, kept.since)


def wanted(look: Look, status: DeploymentStatus) -> list[Json]:
    """The Job that is recorded and not made yet."""
    mine = observing(look, status)
    if mine is None or mine.recorded.uid or mine.recorded.not_before:
        return []
    made = mine.manifest()
    return [made] if made else []


def requests(look: Look, status: DeploymentStatus) -> list[ReadDocument]:
    """The answer of a Job that has ended."""
    mine = observing(look, status)
    return attempt.requests(mine) if mine else []


def unwanted(look: Look, status: DeploymentStatus) -> list[Delete]:
    """Jobs whose answer is recorded, or is not wanted any more."""
    mine = observing(look, status)
    kept = {mine.recorded.name} if mine and not mine.recorded.not_before else set()
    return attempt.leftovers(look.world.owned(JOB), Observing.label, kept)


def due(look: Look, kept: Monitored) -> Iterable[float]:
    """Seconds until something is due of which no event tells."""
    job = kept.labels.job if kept.labels else None
    return [attempt.next_look(job, look.now)] if job else []
