"""What a run takes over of other Pipelines: outputs of their completed runs, fixed at its start.

Fixed is all that it needs: where the bytes lie, by whose access, and their digest. What becomes of the other run's
record, or of its Pipeline, is of no matter then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from fairlead.api.common import Artifact, SecretRef
from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import OutputRecord, PinnedOutput, PipelineRun
from fairlead.plan import store
from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Invalid, Json
from fairlead.plan.pipeline import refs, runs
from fairlead.plan.pipeline.steps import View
from fairlead.plan.pipeline.triggers import registry as triggers
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.read import NotReadable, read

MOST = 32
"""So many outputs of other Pipelines a run can read."""
MISSING, INVALID = "AfterMissing", "InvalidAfter"
_OVER = ("Failed", "Aborted")


@dataclass
class NotThere(Exception):  # noqa: N818 - normal
    """It can't be taken over."""

    reason: str
    message: str
    final: bool = False
    """Waiting does not help."""


def wanted(spec: PipelineSpec) -> list[tuple[str, str]]:
    """(Pipeline, `step.output`) of what the steps read of other Pipelines, sorted."""
    read = (i.after for step in spec.steps for i in types.inputs(step).values())
    return sorted({(one.pipeline, one.output) for one in read if one is not None})


def pinned(
    view: View, spec: PipelineSpec, named: Mapping[str, str], before: Iterable[PinnedOutput] = ()
) -> list[PinnedOutput]:
    """What a run reads of other Pipelines. named: runs that it is to be read of, by Pipeline; before: what the run has
    pinned that it goes on from. Raises NotThere."""
    asked = wanted(spec)
    known = {name for name, _ in asked} | {one.name for one in triggers.references(spec) if one.kind == PIPELINE}
    if strange := sorted(set(named) - known):
        raise NotThere(INVALID, f"spec.after: no step reads anything of {', '.join(strange)}; take it out, and make a "
                       "new run", final=True)  # fmt: skip
    kept = {(one.pipeline, one.output): one for one in before}
    found = {name: _run(view, name, named.get(name)) for name in dict(one for one in asked if one not in kept)}
    return [kept.get(one) or _output(view, one[0], found[one[0]], one[1], one[0] in named) for one in asked]


def _run(view: View, pipeline: str, name: str | None) -> Json:
    if name is None:
        newest = runs.newest_completed(view.world, pipeline)
        if newest is None:
            raise NotThere(MISSING, f"no run of Pipeline {pipeline} has completed so far; it waits for one: kubectl "
                           f"fairlead run {pipeline}")  # fmt: skip
        return newest
    raw = view.world.get(PIPELINE_RUN, name)
    if raw is None or pipeline not in runs.keys(raw):
        raise NotThere(INVALID, f"spec.after.{pipeline}: there is no run {name} of it, or not any more; make a new run",
                       final=True)  # fmt: skip
    phase = (raw.get("status") or {}).get("phase")
    if phase in _OVER:
        raise NotThere(INVALID, f"spec.after.{pipeline}: run {name} has ended as {phase}; make a new run", final=True)
    if phase != "Completed":
        raise NotThere("AfterRunning", f"spec.after.{pipeline}: run {name} has not completed yet; it waits for that")
    return raw


def _output(view: View, pipeline: str, raw: Json, ref: str, named: bool) -> PinnedOutput:
    meta = raw["metadata"]
    try:
        run = read(PipelineRun, PIPELINE_RUN, raw).status
    except NotReadable as why:
        raise NotThere(why.reason, why.message) from None
    step, name = refs.split(ref)
    there = {f"{s.name}.{o.name}": o for s in run.steps for o in s.outputs}
    if any(s.name == step and s.items for s in run.steps):
        raise NotThere(MISSING, f"step {step} of Pipeline {pipeline} has items, and what they leave is not "
                       "handed over: let a step there put it together, and read of that one", final=named)  # fmt: skip
    if ref not in there:
        known = ", ".join(sorted(there)[:10]) or "none"
        rest = "make a new run" if named else "it waits for a newer run"
        raise NotThere(MISSING, f"run {meta['name']} of Pipeline {pipeline} has no output {name} of a step {step}; it "
                       f"has {known}: correct the input, or that Pipeline; {rest}", final=named)  # fmt: skip
    return PinnedOutput(
        pipeline=pipeline, output=ref, run=meta["name"], run_uid=meta["uid"],
        artifact=_artifact(view, pipeline, run.template, there[ref]),
    )  # fmt: skip


def _artifact(view: View, pipeline: str, spec: PipelineSpec | None, record: OutputRecord) -> Artifact:
    """The bytes, with the access by which that Pipeline has written them."""
    try:
        reach = store.store(spec.store if spec else None, view.world.config, view.namespace).reach
        return Artifact(
            uri=record.uri, sha256=record.sha256, endpoint=reach.endpoint, region=reach.region,
            credentials=SecretRef(name=reach.credentials) if reach.credentials else None,
        )  # fmt: skip
    except (Invalid, ValidationError):
        raise NotThere(MISSING, f"where Pipeline {pipeline} keeps its outputs is not known any more; run it "
                       "once more") from None  # fmt: skip
