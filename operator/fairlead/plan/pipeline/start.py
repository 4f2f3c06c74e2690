"""What a run fixes at its start: the Pipeline, parameters, versions of Datasets. Later edits are the next run's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fairlead.api.dataset import Dataset
from fairlead.api.pipeline import Params, Pipeline, PipelineSpec
from fairlead.api.pipelinerun import (
    PinnedDataset,
    PinnedOutput,
    PipelineRun,
    PipelineRunStatus,
    StepEdit,
    UsedComponent,
)
from fairlead.plan import store
from fairlead.plan.core import DATASET, PIPELINE, PIPELINE_RUN, Invalid, Json, Kind, M, rfc3339
from fairlead.plan.dataset import olderdata
from fairlead.plan.pipeline import code, dag, ending, handover, steps, turns
from fairlead.plan.pipeline.cache import images
from fairlead.plan.pipeline.components import expand as components
from fairlead.plan.pipeline.components.expand import expand, explained
from fairlead.plan.pipeline.components.find import NotUsable
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.read import NotReadable, read
from fairlead.plan.requests import UNDERWAY, Request

_NAME_LIMIT = 63
_SOON = 0.5
"""Seconds until the next look, while a git server is being asked."""


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
    again: float = 5.0
    """Seconds until the next look, if none does."""


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
    written = _read(Pipeline, PIPELINE, raw, "spec").spec
    source = _source(view)
    params = _params(written, spec.params, source.status.params if source else {})
    try:
        template, used = _template(view, written, params)
        dag.validate(template, spec.pipeline)
        store.store(template.store, world.config, view.subject.meta.namespace)
    except Invalid as invalid:
        why = explained(invalid, written)
        raise Refused("InvalidPipeline", f"Pipeline {spec.pipeline}: {why}; correct it, and make a new run") from None
    except NotUsable as blocked:
        _wait_for_turn(view, raw)
        raise Waits(blocked.reason, blocked.message) from None
    _wait_for_turn(view, raw)
    try:
        digests, begun = images.resolved(view, template)
    except images.Later as later:
        raise Waits("ImageLookup", str(later)) from None
    return view.subject.body.status.model_copy(
        update={
            "template": template,
            "params": params,
            "components": used,
            "datasets": _pinned(view, template, source),
            **_commit(view, template),
            "after": _after(view, template, source),
            "images": digests,
            "steps": begun,
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


def _source(view: steps.View) -> PipelineRun | None:
    """The run that this one goes on from. Raises Refused or Waits."""
    spec = view.subject.body.spec
    if spec.resume_from is None:
        return None
    raw = view.world.get(PIPELINE_RUN, spec.resume_from)
    if raw is None:
        text = f"spec.resumeFrom: there is no run {spec.resume_from} (any more); make a new run without it"
        raise Refused("InvalidResume", text)
    found = _read(PipelineRun, PIPELINE_RUN, raw)
    if found.spec.pipeline != spec.pipeline:
        text = f"spec.resumeFrom: {spec.resume_from} is a run of Pipeline {found.spec.pipeline}; name one of this one"
        raise Refused("InvalidResume", text)
    if found.status.phase not in ending.TERMINAL:
        raise Waits("ResumeWaits", f"waits until run {spec.resume_from} has ended; or cancel that one")
    return found


def _template(
    view: steps.View, written: PipelineSpec, params: Params | None
) -> tuple[PipelineSpec, list[UsedComponent]]:
    """The Pipeline with the programs of its Components in place, and with one step otherwise. params: the run's, by
    which values are checked; None: they are not. Raises Refused, Invalid or NotUsable."""
    edit = view.subject.body.spec.edit
    asked = _with_values(written, edit) if edit else written
    found = expand(asked, view.world, view.namespace, params)
    return _edited(found.spec, edit) if edit else found.spec, found.used


def _with_values(written: PipelineSpec, edit: StepEdit) -> PipelineSpec:
    """The values of the step's Component otherwise. Raises Refused."""
    try:
        found = [components.edited(step, edit) if step.name == edit.step else step for step in written.steps]
    except Invalid as why:
        raise Refused("InvalidEdit", str(why)) from None
    return written.model_copy(update={"steps": found})


def _edited(template: PipelineSpec, edit: StepEdit) -> PipelineSpec:
    """The pipeline with one step otherwise. Raises Refused."""
    if all(step.name != edit.step for step in template.steps):
        known = ", ".join(step.name for step in template.steps)
        raise Refused("InvalidEdit", f"spec.edit.step: there is no step {edit.step}; there are {known}")
    try:
        found = [types.edited(step, edit) if step.name == edit.step else step for step in template.steps]
    except Invalid as why:
        raise Refused("InvalidEdit", str(why)) from None
    return template.model_copy(update={"steps": found})


def _params(template: PipelineSpec, given: Params, before: Params) -> Params:
    unknown = sorted(set(given) - set(template.params))
    if unknown:
        known = ", ".join(sorted(template.params)) or "none"
        raise Refused(
            "InvalidParams", f"spec.params: {', '.join(unknown)} not declared by the pipeline; it has {known}"
        )
    return template.params | {name: value for name, value in before.items() if name in template.params} | given


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
        if seen.final:
            raise Refused(seen.reason, seen.message)
        raise Waits(seen.reason, seen.message, again=_SOON if seen.reason == UNDERWAY else Waits.again)
    return {"commit": seen.commit, "code_tree": seen.tree}


def _code_question(view: steps.View, template: PipelineSpec) -> Request | None:
    git, wanted = code.git_of(template), view.subject.body.spec.commit
    return code.question(view.subject.meta.namespace, git, wanted or git.ref, look=view.uid) if git else None


def _pinned(view: steps.View, template: PipelineSpec, source: PipelineRun | None) -> list[PinnedDataset]:
    before = {one.name: one for one in source.status.datasets} if source else {}
    asked = view.subject.body.spec.datasets
    names = sorted(set(dag.datasets(template)) | set(asked))
    if len(names) > dag.DATASETS:
        text = f"the steps' Datasets and spec.datasets are {len(names)} together; a run can pin {dag.DATASETS}"
        raise Refused("InvalidDatasets", f"spec.datasets: {text}: name only such as the steps read")
    kept = before.keys() - asked.keys()
    return [before[name] if name in kept else _version(view, name, asked.get(name)) for name in names]


def _after(view: steps.View, template: PipelineSpec, source: PipelineRun | None) -> list[PinnedOutput]:
    named = view.subject.body.spec.after
    before = [one for one in source.status.after if one.pipeline not in named] if source else []
    try:
        return handover.pinned(view, template, named, before)
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


def _images(view: steps.View) -> Iterator[Request]:
    raw = view.world.get(PIPELINE, view.subject.body.spec.pipeline)
    try:
        spec = read(Pipeline, PIPELINE, raw, "spec").spec if raw is not None else None
        if spec is not None:
            yield from images.asked(view, _template(view, spec, None)[0])
    except (NotReadable, Refused, Invalid, NotUsable):
        return  # the plan says so


def questions(view: steps.View) -> Iterator[Request]:
    """Before it starts: whether the store has the versions that the run names and no status has any more; which commit
    its code is, and which images names mean."""
    yield from _images(view)
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
