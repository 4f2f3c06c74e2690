"""What a run fixes at its start: the Pipeline, parameters, versions of Datasets. Later edits are the next run's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fairlead.api.dataset import Dataset
from fairlead.api.pipeline import Params, Pipeline, PipelineSpec
from fairlead.api.pipelinerun import PinnedDataset, PinnedOutput, PipelineRunStatus, StepStatus
from fairlead.plan import store
from fairlead.plan.core import DATASET, PIPELINE, Invalid, Json, Kind, M, rfc3339
from fairlead.plan.dataset import olderdata
from fairlead.plan.pipeline import code, dag, handover, steps, turns
from fairlead.plan.read import NotReadable, read
from fairlead.plan.requests import Request

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
    told: bool = False
    """Whether an event says when it can."""


@dataclass
class Replaced(Exception):  # noqa: N818 - normal
    """The run is not started: a newer one takes its place."""

    by: str


def start(view: steps.View) -> PipelineRunStatus:
    """The record of a run that starts: template, parameters and data versions, fixed.

    Raises Refused, Waits or Replaced."""
    spec, world = view.subject.body.spec, view.world
    if len(view.name) > _NAME_LIMIT:
        raise Refused("InvalidName", f"the run's name is longer than {_NAME_LIMIT} characters; make one with a shorter")
    raw = world.get(PIPELINE, spec.pipeline)
    if raw is None:
        raise Waits("PipelineMissing", f"there is no Pipeline {spec.pipeline} in this namespace; create it")
    template = _read(Pipeline, PIPELINE, raw, "spec").spec
    try:
        dag.validate(template, spec.pipeline)
        store.store(template.store, world.config, view.subject.meta.namespace)
    except Invalid as invalid:
        raise Refused(
            "InvalidPipeline", f"Pipeline {spec.pipeline}: {invalid}; correct it, and make a new run"
        ) from None
    _wait_for_turn(view, raw)
    return view.subject.body.status.model_copy(
        update={
            "template": template,
            "params": _params(template, spec.params),
            "datasets": _pinned(view, template),
            **_commit(view, template),
            "after": _after(view, template),
            "steps": [StepStatus(name=step.name) for step in template.steps],
            "started_at": rfc3339(view.now),
        }
    )


def _wait_for_turn(view: steps.View, pipeline: Json) -> None:
    if view.subject.body.spec.suspend:
        raise Waits("Suspended", "spec.suspend is set: it does not start", told=True)
    if by := replaced(view):
        raise Replaced(by)
    if not turns.has_turn(pipeline, view.uid):
        raise Waits("Queued", turns.place(pipeline, view.name), told=True)


def replaced(view: steps.View) -> str:
    """The newer run that takes a run's place, where runs replace each other; empty: there is none."""
    pipeline = view.subject.body.spec.pipeline
    if turns.concurrency(view.world.get(PIPELINE, pipeline)) != "Replace":
        return ""
    return turns.newer(view.world, pipeline, view.subject.raw)


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


def _commit(view: steps.View, template: PipelineSpec) -> dict[str, str]:
    """Which commit's code the run has; empty: that is still to be found out by a Job (see `pinning`)."""
    git, wanted = code.git_of(template), view.subject.body.spec.commit
    if git is None and wanted:
        raise Refused("InvalidCommit", "spec.commit: the pipeline has no spec.code; name one that has, or leave it out")
    asked = _code_question(view, template)
    if asked is None:
        return {}
    seen = code.understood(view.world.answer(asked), commit=bool(wanted))
    if isinstance(seen, code.Unknown):
        raise (Refused if seen.final else Waits)(seen.reason, seen.message)
    return {"commit": seen.commit, "code_tree": seen.tree}


def _code_question(view: steps.View, template: PipelineSpec) -> Request | None:
    git, wanted = code.git_of(template), view.subject.body.spec.commit
    return code.question(view.subject.meta.namespace, git, wanted or git.ref, look=view.uid) if git else None


def _pinned(view: steps.View, template: PipelineSpec) -> list[PinnedDataset]:
    asked = view.subject.body.spec.datasets
    names = sorted(set(dag.datasets(template)) | set(asked))
    if len(names) > dag.DATASETS:
        text = f"the steps' Datasets and spec.datasets are {len(names)} together; a run can pin {dag.DATASETS}"
        raise Refused("InvalidDatasets", f"spec.datasets: {text}: name only such as the steps read")
    return [_version(view, name, asked.get(name)) for name in names]


def _after(view: steps.View, template: PipelineSpec) -> list[PinnedOutput]:
    try:
        return handover.pinned(view, template, view.subject.body.spec.after)
    except handover.NotThere as why:
        raise (Refused if why.final else Waits)(why.reason, why.message) from None


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


def questions(view: steps.View) -> Iterator[Request]:
    """Before it starts: whether the store has the versions that the run names and no status has any more; which commit
    its code is."""
    for name, wanted in sorted(view.subject.body.spec.datasets.items()):
        raw = view.world.get(DATASET, name)
        try:
            dataset = read(Dataset, DATASET, raw) if raw is not None else None
            asked = dataset and olderdata.question(view.world, view.subject.meta.namespace, name, dataset, wanted)
        except (NotReadable, Invalid):
            continue  # the plan says so
        if asked:
            yield asked
    raw = view.world.get(PIPELINE, view.subject.body.spec.pipeline)
    try:
        template = read(Pipeline, PIPELINE, raw, "spec").spec if raw is not None else None
    except NotReadable:
        return
    if template is not None and (asked_code := _code_question(view, template)) is not None:
        yield asked_code
