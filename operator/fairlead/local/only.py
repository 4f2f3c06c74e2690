"""A part of a Pipeline: some steps, and what they need."""

from __future__ import annotations

from collections.abc import Sequence

from fairlead.api.pipeline import PipelineSpec
from fairlead.local.trouble import Trouble
from fairlead.plan.pipeline import dag, refs


def steps(spec: PipelineSpec, wanted: Sequence[str]) -> PipelineSpec:
    """The Pipeline with these steps and those that they need, in the same order; models of other steps are not made.
    Raises Trouble for a step that there is not."""
    needs = {step.name: dag.dependencies(step) for step in spec.steps}
    if unknown := [name for name in wanted if name not in needs]:
        raise Trouble(f"--step {unknown[0]}: there is no such step; there are {', '.join(needs)}")
    kept: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting += needs[name]
    return spec.model_copy(
        update={
            "steps": [step for step in spec.steps if step.name in kept],
            "produces": [
                one
                for one in spec.produces
                if refs.split(one.from_)[0] in kept
                and all(refs.split(ref)[0] in kept for _, ref in dag.evaluation_refs(one.version.evaluation))
            ],
        }
    )


def same(spec: PipelineSpec, chosen: PipelineSpec) -> PipelineSpec:
    """Of a Pipeline as it was written the steps and models that were chosen when it was one of ordinary steps."""
    kept, made = {step.name for step in chosen.steps}, {one.model for one in chosen.produces}
    return spec.model_copy(
        update={
            "steps": [step for step in spec.steps if step.name in kept],
            "produces": [one for one in spec.produces if one.model in made],
        }
    )


def without(spec: PipelineSpec, failed: set[str]) -> PipelineSpec:
    """The Pipeline without steps that failed and those that wait for them; no models: the run has not succeeded."""
    gone = set(failed)
    for _ in spec.steps:
        gone |= {step.name for step in spec.steps if dag.dependencies(step) & gone}
    return spec.model_copy(update={"steps": [s for s in spec.steps if s.name not in gone], "produces": []})
