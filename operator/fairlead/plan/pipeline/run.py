"""A PipelineRun: its start, its steps in order, the models it makes, its end. Once it has ended, nothing moves it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fairlead.api.dataset import Dataset
from fairlead.api.kinds import KINDS
from fairlead.api.pipeline import Params, Pipeline, PipelineSpec
from fairlead.api.pipelinerun import PinnedDataset, PipelineRun, PipelineRunStatus, StepStatus
from fairlead.plan import gauges, standing, store, terse
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import (
    DATASET,
    JOB,
    MODEL_VERSION,
    PIPELINE,
    PIPELINE_RUN,
    POD,
    Delete,
    Event,
    Invalid,
    Json,
    Kind,
    KindSpec,
    M,
    Plan,
    Subject,
    World,
    rfc3339,
)
from fairlead.plan.dataset import olderdata
from fairlead.plan.jobs import attempt, failures
from fairlead.plan.pipeline import dag, produce, steps
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.pipeline.types.base import Order
from fairlead.plan.read import NotReadable, read
from fairlead.plan.requests import Request
from fairlead.plan.standing import Standing, Word, has_standing

CANCELLED, FAILED = "Cancelled", "RunFailed"
"""Why a step is aborted: the run was cancelled; another step has failed, and this one could not start."""
TERMINAL = ("Completed", "Failed", "Aborted")
LOOK_AGAIN = 5.0
"""Seconds between looks of a run that waits for a Pipeline or a Dataset."""
_NAME_LIMIT = 63


@dataclass
class Refused(Exception):  # noqa: N818 - a run's end, not a program's error
    """The run can't be started, and waiting does not help."""

    reason: str
    message: str


@dataclass
class Waits(Exception):  # noqa: N818 - normal
    """The run can't be started yet."""

    reason: str
    message: str


def plan(subject: Subject[PipelineRun], world: World, now: float) -> Plan:
    """What a run needs next."""
    status = subject.body.status
    if status.phase in TERMINAL:
        return Plan(_ended_before(subject, status, now))
    view = _view(subject, world, now)
    if status.template is None:
        if subject.body.spec.cancel:
            return _end(view, status, "Aborted", "Cancelled", "cancelled before it started")
        try:
            status = start(view)
        except Refused as refused:
            return _end(view, status, "Failed", refused.reason, refused.message)
        except Waits as waits:
            waiting = _state(view, status, "Pending", waits.reason, waits.message)
            return Plan(waiting, requeue_after=LOOK_AGAIN)
    assert status.template is not None
    return _go_on(view, status, status.template)


# --- start -------------------------------------------------------------------------------------------------------


def start(view: steps.View) -> PipelineRunStatus:
    """The record of a run that starts: template, parameters and data versions, fixed. Raises Refused or Waits."""
    spec, world = view.subject.body.spec, view.world
    if len(view.name) > _NAME_LIMIT:
        raise Refused("InvalidName", f"the run's name is longer than {_NAME_LIMIT} characters; make one with a shorter")
    raw = world.get(PIPELINE, spec.pipeline)
    if raw is None:
        raise Waits("PipelineMissing", f"there is no Pipeline {spec.pipeline} in this namespace; create it")
    template = _read(Pipeline, PIPELINE, raw, "spec").spec
    try:
        dag.validate(template)
        store.store(template.store, world.config, view.subject.meta.namespace)
    except Invalid as invalid:
        raise Refused(
            "InvalidPipeline", f"Pipeline {spec.pipeline}: {invalid}; correct it, and make a new run"
        ) from None
    return view.subject.body.status.model_copy(
        update={
            "template": template,
            "params": _params(template, spec.params),
            "datasets": _pinned(view, template),
            "steps": [StepStatus(name=step.name) for step in template.steps],
            "started_at": rfc3339(view.now),
        }
    )


def _read(model: type[M], kind: Kind, raw: Json, *parts: str) -> M:
    try:
        return read(model, kind, raw, *parts)
    except NotReadable as why:
        raise Waits(why.reason, why.message) from None


def _params(template: PipelineSpec, given: Params) -> Params:
    unknown = sorted(set(given) - set(template.params))
    if unknown:
        known = ", ".join(sorted(template.params)) or "none"
        raise Refused(
            "InvalidParams", f"spec.params: {', '.join(unknown)} not declared by the pipeline; it has {known}"
        )
    return template.params | given


def _pinned(view: steps.View, template: PipelineSpec) -> list[PinnedDataset]:
    asked = view.subject.body.spec.datasets
    names = sorted(set(dag.datasets(template)) | set(asked))
    if len(names) > dag.DATASETS:
        text = f"the steps' Datasets and spec.datasets are {len(names)} together; a run can pin {dag.DATASETS}"
        raise Refused("InvalidDatasets", f"spec.datasets: {text}: name only such as the steps read")
    return [_version(view, name, asked.get(name)) for name in names]


def _version(view: steps.View, name: str, wanted: str | None) -> PinnedDataset:
    raw = view.world.get(DATASET, name)
    if raw is None:
        raise Waits("DatasetMissing", f"there is no Dataset {name} in this namespace; create it")
    dataset = _read(Dataset, DATASET, raw)
    status = dataset.status
    known = [version for version in (status.current, *status.versions) if version is not None]
    if wanted is None and status.current is None:
        raise _empty(name, dataset)
    for version in known:
        if wanted in (None, version.version):
            return PinnedDataset(name=name, version=version.version, digest=version.digest, manifest=version.manifest)
    return _older(view, name, dataset, wanted or "")


def _empty(name: str, dataset: Dataset) -> Waits:
    yet = olderdata.none_yet(name, dataset)
    return Waits("DatasetEmpty", f"{yet}; see kubectl describe dset {name}")


def _older(view: steps.View, name: str, dataset: Dataset, wanted: str) -> PinnedDataset:
    """A version that only the store still knows. What its name says of its digest is what its Jobs verify it by."""
    try:
        where = olderdata.manifest(view.world, view.subject.meta.namespace, name, dataset, wanted)
    except olderdata.Unknown as why:
        raise Waits(why.reason, why.message) from None
    except olderdata.NotThere as why:
        if not dataset.status.versions:
            raise _empty(name, dataset) from None
        there = ", ".join(v.version for v in dataset.status.versions[:5])
        raise Refused("InvalidDatasets", f"spec.datasets.{name}: {why}; its last ones are {there}") from None
    except Invalid as invalid:
        raise Refused("InvalidDatasets", f"spec.datasets.{name}: Dataset {name}: {invalid}") from None
    return PinnedDataset(name=name, version=wanted, digest=wanted, manifest=where)


def _questions(view: steps.View) -> Iterator[Request]:
    """Whether the store has the versions that the run names and no status has any more."""
    for name, wanted in sorted(view.subject.body.spec.datasets.items()):
        raw = view.world.get(DATASET, name)
        try:
            dataset = read(Dataset, DATASET, raw) if raw is not None else None
            asked = dataset and olderdata.question(view.world, view.subject.meta.namespace, name, dataset, wanted)
        except (NotReadable, Invalid):
            continue  # the plan says so
        if asked:
            yield asked


# --- steps -------------------------------------------------------------------------------------------------------


def observe(subject: Subject[PipelineRun], world: World, now: float) -> Iterable[Request]:
    """Before it starts, whether versions are there that it names; then the answers of attempts that have ended."""
    status = subject.body.status
    if status.phase in TERMINAL:
        return []
    view = _view(subject, world, now)
    if status.template is None:
        return list(_questions(view))
    return [request for step in status.steps for request in steps.requests(view, step)]


def _view(subject: Subject[PipelineRun], world: World, now: float) -> steps.View:
    status = subject.body.status

    def wanted(step: StepStatus) -> Json | None:
        assert status.template is not None
        spec = next(one for one in status.template.steps if one.name == step.name)
        return types.job(Order(view, status, status.template, spec, step))

    view = steps.View(subject, world, now, status.template, wanted)
    return view


def _go_on(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec) -> Plan:
    before = {s.name: s for s in view.subject.body.status.steps}
    looked = [steps.advance(view, s) for s in status.steps]
    cancelled = view.subject.body.spec.cancel is not None
    if cancelled:
        looked = [_aborted(view, old, new) for old, new in zip(status.steps, looked, strict=True)]
    elif any(s.phase == "Failed" for s in looked):
        looked = [_without(view, old, new) for old, new in zip(status.steps, looked, strict=True)]
    else:
        looked = _begin_ready(view, spec, looked)
    done = sum(s.phase == "Completed" for s in looked)
    status = status.model_copy(update={"steps": looked, "progress": f"{done}/{len(looked)}"})
    found = _next(view, status, spec, cancelled)
    found.events = [*_step_events(before, looked), *found.events]
    found.delete += _stopped(view, [s for s in looked if s.reason == FAILED])
    ended = [job for s in looked if (job := steps.lingering(view, s)) is not None]
    found.delete += [Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"]) for job in ended]
    return found


def _begin_ready(view: steps.View, spec: PipelineSpec, looked: list[StepStatus]) -> list[StepStatus]:
    completed = {s.name for s in looked if s.phase == "Completed"}
    needs = {step.name: dag.dependencies(step) for step in spec.steps}
    return [steps.begin(view, s) if needs[s.name] <= completed and steps.due(view, s) else s for s in looked]


def _next(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec, cancelled: bool) -> Plan:
    failed = next((s for s in status.steps if s.phase == "Failed"), None)
    busy = [s for s in status.steps if steps.busy(s)]
    if cancelled:
        return _cancel(view, status)
    if busy or not (failed or all(s.phase == "Completed" for s in status.steps)):
        return _run_on(view, status, spec, busy)
    if failed:
        message = f"step {failed.name}: {failed.message}"
        return _end(view, status, "Failed", failed.reason or "StepFailed", message)
    return _produce(view, status, spec)


def _run_on(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec, busy: list[StepStatus]) -> Plan:
    by_name = {step.name: step for step in spec.steps}
    create, unmade = [], dict[str, NotReadable]()
    for s in busy:
        if not s.job_uid and not view.job(s):
            try:
                create.append(types.job(Order(view, status, spec, by_name[s.name], s)))
            except NotReadable as why:  # the other steps go on
                unmade[s.name] = why
                view.look_again.append(LOOK_AGAIN)
    told = [steps.unmade(s, unmade[s.name]) if s.name in unmade else s for s in status.steps]
    status = status.model_copy(update={"steps": told})
    reason, message = _summary(status.steps)
    stale = [job for s in busy if (job := steps.outdated(view, s)) is not None]
    delete = [Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"], "Foreground") for job in stale]
    found = Plan(_state(view, status, "Running", reason, message), create=create, delete=delete)
    found.requeue_after = min(view.look_again, default=None)
    return found


def _summary(looked: Iterable[StepStatus]) -> tuple[str, str]:
    """Reason and message of a run that is under way: what holds it up, else what it does."""
    looked = list(looked)
    for s in looked:
        if s.phase == "Failed":
            return "StepFailed", f"step {s.name} failed; waiting for the steps that still run"
    for s in sorted(looked, key=lambda s: s.reason == steps.STARTING):
        if s.phase == "Pending" and s.message:
            pause = f", again at {s.not_before}" if s.not_before else ""
            return s.reason, f"step {s.name}: {s.message}{pause}"
    active = [s.name if s.attempt == 1 else f"{s.name} (attempt {s.attempt})" for s in looked if steps.busy(s)]
    return "Running", f"running {', '.join(active)}" if active else ""


# --- cancel ------------------------------------------------------------------------------------------------------


def _without(view: steps.View, before: StepStatus, after: StepStatus) -> StepStatus:
    """A step of a run in which another one has failed: what runs may end, what can't start is not waited for."""
    if steps.busy(before) and (before.reason == FAILED or after.reason in failures.CANT_START):
        return _aborted(view, before, after, FAILED)
    return after


def _aborted(view: steps.View, before: StepStatus, after: StepStatus, why: str = CANCELLED) -> StepStatus:
    """A step of a cancelled run: over as soon as nothing of its attempt is left."""
    if steps.over(before) or after.phase == "Completed":
        return after
    job = view.job(before)
    uid = job["metadata"]["uid"] if job else before.job_uid
    # deleted in the foreground, a Job stays until its pods are gone, those included that were not seen yet
    if steps.busy(before) and (job is not None or view.pods(uid)):
        return before.model_copy(update={"job_uid": uid, "reason": why, "message": "its pod is being stopped"})
    changes: dict[str, Any] = {"phase": "Aborted", "reason": why, "message": "", "not_before": None}
    if before.attempt:
        changes["finished_at"] = rfc3339(view.now)
    return before.model_copy(update=changes)


def _cancel(view: steps.View, status: PipelineRunStatus) -> Plan:
    if all(steps.over(s) for s in status.steps):
        return _end(view, status, "Aborted", "Cancelled", "cancelled; its pods are gone")
    found = Plan(_state(view, status, "Running", "Cancelling", "cancelled; waiting until its pods are gone"))
    found.delete += _stopped(view, status.steps)
    return found


def _stopped(view: steps.View, stopping: Iterable[StepStatus]) -> Iterator[Delete]:
    """What ends these steps' attempts."""
    for s in stopping:
        job = view.job(s)
        if steps.busy(s) and job is not None and "deletionTimestamp" not in job["metadata"]:
            yield Delete(JOB, s.job, job["metadata"]["uid"], "Foreground")


# --- the end -----------------------------------------------------------------------------------------------------


def _produce(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec) -> Plan:
    status = status.model_copy(update={"models": produce.names(view, status, spec)})
    create = produce.missing(view, status, spec)
    if create:
        text = f"making {', '.join(m['metadata']['name'] for m in create)}"
        return Plan(_state(view, status, "Running", "Producing", text), create=create)
    made = f"made {', '.join(status.models)}" if status.models else "all steps completed"
    return _end(view, status, "Completed", "Completed", made)


def _end(view: steps.View, status: PipelineRunStatus, phase: str, reason: str, message: str) -> Plan:
    rest = [s if steps.over(s) else s.model_copy(update={"phase": "Aborted", "not_before": None}) for s in status.steps]
    ended = status.model_copy(update={"steps": rest, "finished_at": rfc3339(view.now)})
    text = f"{message}"[:1024]
    event = Event(f"Run{phase}", text, warning=phase == "Failed")
    return Plan(_state(view, ended, phase, reason, text), events=[event])


_WORDS: dict[str, Word] = {"Completed": "Ready", "Failed": "Stalled", "Aborted": "Stalled"}


def _ended_before(subject: Subject[PipelineRun], status: PipelineRunStatus, now: float) -> PipelineRunStatus:
    """The status of a run that ended before its spec was as it is, or when Fairlead did not say yet where an object
    stands."""
    conditions = Conditions(status.conditions, now, subject.meta.generation)
    ended = conditions.get("Succeeded")
    reason = ended.reason if ended else status.phase
    standing.tell(conditions, Standing(_WORDS[status.phase], reason, status.message))
    return status.model_copy(update={"observed_generation": subject.meta.generation, **conditions.said()})


def _state(view: steps.View, status: PipelineRunStatus, phase: str, reason: str, message: str) -> PipelineRunStatus:
    generation = view.subject.meta.generation
    conditions = Conditions(status.conditions, view.now, generation)
    conditions.set("Succeeded", {"Completed": True, "Failed": False, "Aborted": False}.get(phase), reason, message)
    standing.tell(conditions, Standing(_WORDS.get(phase, "Reconciling"), reason, message))
    return status.model_copy(
        update={
            "phase": phase, "message": message[:1024], "observed_generation": generation, **conditions.said(),
        }
    )  # fmt: skip


def _step_events(before: dict[str, StepStatus], after: list[StepStatus]) -> list[Event]:
    found = []
    for new in after:
        old = before.get(new.name) or StepStatus(name=new.name)
        if new.phase == "Failed" and old.phase != "Failed":
            found.append(Event("StepFailed", f"step {new.name}: {new.reason}: {new.message}", warning=True))
        elif new.failures > old.failures or new.disruptions > old.disruptions:
            text = f"step {new.name}, attempt {new.attempt}: {new.reason}: {new.message}; again at {new.not_before}"
            found.append(Event("StepRetried", text, warning=True))
    return found


# --- what wakes a run --------------------------------------------------------------------------------------------


def settled(raw: Json) -> bool:
    """A finished run is never touched again, but for that what is said of it is said of its spec as it is: it may be
    cancelled when it has long ended."""
    status = raw.get("status") or {}
    current = status.get("observedGeneration", 0) == raw["metadata"].get("generation", 0)
    return status.get("phase") in TERMINAL and current and has_standing(status)


def by_pod(pod: Json, _runs: Iterable[Json]) -> list[str]:
    """The run whose step a pod belongs to."""
    return attempt.wakes(pod, steps.Attempt.label)


SPEC: KindSpec[PipelineRun] = KindSpec(
    kind=PIPELINE_RUN,
    info=next(info for info in KINDS if info.model is PipelineRun),
    plan=plan,
    smaller=terse.of_run,
    observe=observe,
    children=(JOB, POD, MODEL_VERSION),
    mappers={POD: by_pod},
    settled=settled,
    gauges=gauges.of_run,
)
