"""The graph of a pipeline's steps: what depends on what, and everything about it that a CRD's schema can't check."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from fairlead.api.modelversion import EvaluationTemplate
from fairlead.api.pipeline import Input, Output, PipelineSpec, Produces, Step
from fairlead.plan.core import DATASET, PIPELINE, Invalid
from fairlead.plan.pipeline import code, handover, items, refs, template
from fairlead.plan.pipeline.triggers import registry as triggers
from fairlead.plan.pipeline.triggers.base import Reference
from fairlead.plan.pipeline.types import registry as types


def dependencies(step: Step) -> set[str]:
    """Names of the steps that must be completed before: `needs`, and those whose outputs are read, or items taken."""
    taken = {step.each.items_of} if step.each is not None and step.each.items_of else set()
    return set(step.needs) | taken | {refs.split(i.output)[0] for i in types.inputs(step).values() if i.output}


DATASETS = 32
"""So many versions of Datasets a run can pin."""


def datasets(spec: PipelineSpec) -> list[str]:
    """Names of the Datasets that the steps read, sorted."""
    read = {i.dataset for step in spec.steps for i in types.inputs(step).values() if i.dataset}
    return sorted(read | {step.each.dataset for step in spec.steps if step.each is not None and step.each.dataset})


def references(spec: PipelineSpec) -> list[Reference]:
    """All objects that the pipeline speaks of: what steps read, and what triggers go by; by kind and name."""
    read = {Reference(DATASET, name) for name in datasets(spec)}
    read |= {Reference(PIPELINE, name) for name, _ in handover.wanted(spec)}
    return sorted(read | triggers.references(spec))


def validate(spec: PipelineSpec, name: str = "") -> None:
    """Raises Invalid with the path of the first field that makes no sense, and what to write instead. name: the
    Pipeline's."""
    steps = {step.name: step for step in spec.steps}
    for index, step in enumerate(spec.steps):
        _check_step(f"spec.steps[{index}]", step, steps, spec.params)
    _check_cycles(spec.steps)
    if len(read := datasets(spec)) > DATASETS:
        raise Invalid("spec.steps", f"they read {len(read)} Datasets; a run can pin {DATASETS}: make several "
                      "Pipelines, or keep files that belong together in one Dataset")  # fmt: skip
    _check_handover(spec, name)
    for index, produced in enumerate(spec.produces):
        _check_produces(f"spec.produces[{index}]", produced, steps)
    triggers.check(spec)
    code.check(spec)


def _check_step(path: str, step: Step, steps: Mapping[str, Step], params: Collection[str]) -> None:
    for index, need in enumerate(step.needs):
        if need not in steps:
            raise Invalid(f"{path}.needs[{index}]", f"there is no step {need!r}; there are {_names(steps)}")
    for name, source in types.inputs(step).items():
        _check_input(f"{path}.inputs.{name}", source, steps)
    kind, known = types.of(step), items.check(path, step, steps)
    kind.check(path, step, params)
    for field, text in kind.texts(step):
        for name in template.used_of_item(text):
            if name not in known:
                there = f"its items have {', '.join(known)}" if known else "the step has no `each`"
                raise Invalid(f"{path}.{field}", f"there is no value {name!r}: {there}")


def _check_input(path: str, source: Input, steps: Mapping[str, Step]) -> None:
    if source.output:
        output_of(source.output, steps, f"{path}.output")
        items.check_item(f"{path}.item", source, steps)


def _check_handover(spec: PipelineSpec, name: str) -> None:
    for index, step in enumerate(spec.steps):
        for key, source in types.inputs(step).items():
            if source.after and source.after.pipeline == name:
                path = f"spec.steps[{index}].inputs.{key}.after.pipeline"
                raise Invalid(path, "it is this Pipeline itself, whose first run would wait for ever; name another one")
    if len(found := handover.wanted(spec)) > handover.MOST:
        raise Invalid("spec.steps", f"they read {len(found)} outputs of other Pipelines; a run can read "
                      f"{handover.MOST}: let the other Pipeline put files that belong together into one output"
                      )  # fmt: skip


def output_of(ref: str, steps: Mapping[str, Step], path: str) -> Output:
    """The output that `step.output` names. Raises Invalid."""
    step, output = refs.split(ref)
    if step not in steps:
        raise Invalid(path, f"there is no step {step!r}; there are {_names(steps)}")
    there = types.outputs(steps[step])
    found = there.get(output)
    if found is None:
        raise Invalid(path, f"step {step!r} has no output {output!r}; it has {_names(there) or 'none'}")
    return found


def _whole(ref: str, steps: Mapping[str, Step], path: str) -> Output:
    """An output of which there is one only. Raises Invalid."""
    found = output_of(ref, steps, path)
    if (step := steps[refs.split(ref)[0]]).each is not None:
        raise Invalid(path, f"step {step.name!r} leaves one for each of its items: add a step that reads {ref} and "
                      "leaves the one that is wanted, or make a Pipeline for each")  # fmt: skip
    return found


def _check_cycles(steps: Iterable[Step]) -> None:
    try:
        TopologicalSorter({step.name: dependencies(step) for step in steps}).prepare()
    except CycleError as error:
        # graphlib names each node before the one that depends on it
        cycle = " → ".join(reversed(error.args[1]))
        raise Invalid(
            "spec.steps", f"steps wait for each other: {cycle}; remove one of these needs or inputs"
        ) from None


def _check_produces(path: str, produced: Produces, steps: Mapping[str, Step]) -> None:
    found = _whole(produced.from_, steps, f"{path}.from")
    if found.type != "model":
        raise Invalid(f"{path}.from", f"{produced.from_} has type {found.type}; set its type to model")
    for field, ref in evaluation_refs(produced.version.evaluation):
        where = f"{path}.version.evaluation.{field}"
        if _whole(ref, steps, where).type != "dataset":
            raise Invalid(where, f"{ref} must have type dataset: evaluations read Parquet files")


def evaluation_refs(evaluation: EvaluationTemplate | None) -> Iterator[tuple[str, str]]:
    """The outputs that an evaluation reads: (path of the field below evaluation, `step.output`)."""
    if evaluation and evaluation.data.output:
        yield "data.output", evaluation.data.output
    if evaluation and evaluation.baseline and evaluation.baseline.reference.output:
        yield "baseline.reference.output", evaluation.baseline.reference.output


def _names(things: Iterable[str]) -> str:
    return ", ".join(sorted(things))
