"""The graph of a pipeline's steps: what depends on what, and everything about it that a CRD's schema can't check."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from fairlead.api.component import Output
from fairlead.api.modelversion import EvaluationTemplate
from fairlead.api.pipeline import Input, PipelineSpec, Produces, Step, StepCondition
from fairlead.plan.core import DATASET, PIPELINE, Invalid
from fairlead.plan.pipeline import code, handover, items, measuring, refs, template
from fairlead.plan.pipeline.triggers import registry as triggers
from fairlead.plan.pipeline.triggers.base import Reference
from fairlead.plan.pipeline.types import registry as types


def dependencies(step: Step) -> set[str]:
    """Names of the steps that must be completed before: `needs`, and those from which it reads."""
    return set(step.needs) | reads(step)


def reads(step: Step) -> set[str]:
    """Names of the steps whose outputs, values, metrics or items it goes by."""
    return _of_inputs(step) | _besides_inputs(step)


def requires(step: Step) -> set[str]:
    """Those of them without which it can't run."""
    return reads(step) if types.needs_inputs(step) else _besides_inputs(step)


def _of_inputs(step: Step) -> set[str]:
    return {refs.split(i.output)[0] for i in types.inputs(step).values() if i.output}


def _besides_inputs(step: Step) -> set[str]:
    found = [output for _, output in types.values(step)]
    found += [one.metric or one.value or "" for one in step.if_ if not one.param]
    return {refs.split(ref)[0] for ref in found} | _taken(step)


def _taken(step: Step) -> set[str]:
    """The step whose items it has."""
    return {step.each.items_of} if step.each is not None and step.each.items_of else set()


def over_before(spec: PipelineSpec, step: Step) -> set[str]:
    """Names of the steps that are over in any case when a step begins: those that it waits for, and, where it comes
    after the run's verdict, all that decide it."""
    deciding = {one.name for one in spec.steps if not is_last(one)} if is_last(step) else set()
    return deciding | _before(step.name, {one.name: dependencies(one) for one in spec.steps})


def is_last(step: Step) -> bool:
    """Whether it comes after the steps that decide how the run goes."""
    return step.when != "succeeded"


DATASETS = 32
"""So many versions of Datasets a run can pin."""
VALUES = 16
"""So many outputs of type `value` a Pipeline can have: their texts are in the status."""


def datasets(spec: PipelineSpec) -> list[str]:
    """Names of the Datasets that the steps read, sorted."""
    read = {i.dataset for step in spec.steps for i in types.inputs(step).values() if i.dataset}
    read |= set(measuring.read_by(spec))
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
    _check_texts(spec.steps)
    _check_order(spec.steps)
    if len(read := datasets(spec)) > DATASETS:
        raise Invalid("spec.steps", f"they read {len(read)} Datasets; a run can pin {DATASETS}: make several "
                      "Pipelines, or keep files that belong together in one Dataset")  # fmt: skip
    _check_handover(spec, name)
    for index, produced in enumerate(spec.produces):
        _check_produces(f"spec.produces[{index}]", produced, steps)
    validate_rest(spec)


def validate_rest(spec: PipelineSpec) -> None:
    """Raises Invalid for what makes no sense besides the steps."""
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
    for name, wanted in kind.wants(step).items():
        _check_type(f"{path}.inputs.{name}", step, kind.inputs(step)[name], wanted, steps)
    for field, text in kind.texts(step):
        for name in (one.item for one in template.used(text, f"{path}.{field}") if one.item):
            if name not in known:
                there = f"its items have {', '.join(known)}" if known else "the step has no `each`"
                raise Invalid(f"{path}.{field}", f"there is no value {name!r}: {there}")
    for index, one in enumerate(step.if_):
        _check_condition(f"{path}.if[{index}]", one, steps, params)
    for field, output in types.values(step):
        _check_value(f"{path}.{field}", output, steps)


def _check_condition(path: str, one: StepCondition, steps: Mapping[str, Step], params: Collection[str]) -> None:
    if one.param and one.param not in params:
        raise Invalid(f"{path}.param", f"parameter {one.param!r} is not declared; add it to spec.params")
    if one.value:
        _check_value(f"{path}.value", one.value, steps)
    if one.metric and (name := refs.split(one.metric)[0]) not in steps:
        raise Invalid(f"{path}.metric", f"there is no step {name!r}; there are {_names(steps)}")
    if one.metric and steps[name].each is not None:
        raise Invalid(f"{path}.metric", f"step {name!r} has a metric for each of its items: add a step that reads them "
                      "all and reports the one that is wanted")  # fmt: skip


def _check_value(path: str, ref: str, steps: Mapping[str, Step]) -> None:
    found = _whole(ref, steps, path)
    if found.type != "value":
        raise Invalid(path, f"{ref} has type {found.type}; only an output of type value is a text")


def _check_input(path: str, source: Input, steps: Mapping[str, Step]) -> None:
    if source.output:
        output_of(source.output, steps, f"{path}.output")
        items.check_item(f"{path}.item", source, steps)


def _check_type(path: str, step: Step, source: Input, wanted: str, steps: Mapping[str, Step]) -> None:
    """An input must be of a type; what another Pipeline leaves is as it is."""
    if source.dataset and wanted != "dataset":
        raise Invalid(f"{path}.dataset", f"a Dataset is no {wanted}; name an output of type {wanted}")
    if not source.output:
        return
    if (found := output_of(source.output, steps, f"{path}.output").type) != wanted:
        raise Invalid(f"{path}.output", f"{source.output} has type {found}; an output of type {wanted} is needed")
    other = steps[refs.split(source.output)[0]]
    if other.each is not None and source.item is None and not items.is_own(steps, step, source):
        raise Invalid(
            f"{path}.output", f"step {other.name!r} leaves one for each of its items, and one is needed: give step "
            f"{step.name} `each: {{itemsOf: {other.name}}}`, or name one by item",
        )  # fmt: skip


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


def _check_texts(steps: Collection[Step]) -> None:
    """A text is there when it is used: the step that makes it comes before, as people can see it in the Pipeline."""
    count = sum(output.type == "value" for step in steps for output in types.outputs(step).values())
    if count > VALUES:
        raise Invalid("spec.steps", f"they have {count} outputs of type value; a run keeps {VALUES}: use a file")
    named = {step.name: _named(step) for step in steps}
    for index, step in enumerate(steps):
        before = _before(step.name, named)
        for field, output in types.values(step):
            if not is_last(step) and (name := refs.split(output)[0]) not in before:
                text = f"step {step.name} does not come after {name}; add {name} to its needs"
                raise Invalid(f"spec.steps[{index}].{field}", text)


def _named(step: Step) -> set[str]:
    return set(step.needs) | _taken(step) | _of_inputs(step)


def _before(name: str, named: Mapping[str, set[str]]) -> set[str]:
    """All steps that come before one, by what each one names."""
    found, left = set[str](), list(named[name])
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left.extend(named[one])
    return found


def _check_order(steps: Collection[Step]) -> None:
    """What decides how the run goes waits for nothing that comes after it."""
    last = {step.name: step.when for step in steps if is_last(step)}
    if len(last) == len(steps):
        raise Invalid("spec.steps", "all of them have `when: always` or `failed`: at least one must have none")
    for index, step in enumerate(steps):
        late = sorted(dependencies(step) & last.keys())
        if late and not is_last(step):
            text = f"step {late[0]} has `when: {last[late[0]]}` and comes after {step.name}: give both the same"
            raise Invalid(f"spec.steps[{index}]", text)


def _check_produces(path: str, produced: Produces, steps: Mapping[str, Step]) -> None:
    found = _whole(produced.from_, steps, f"{path}.from")
    if found.type != "model":
        raise Invalid(f"{path}.from", f"{produced.from_} has type {found.type}; set its type to model")
    _check_made_before(f"{path}.from", produced.from_, steps)
    for field, ref in evaluation_refs(produced.version.evaluation):
        where = f"{path}.version.evaluation.{field}"
        if _whole(ref, steps, where).type != "dataset":
            raise Invalid(where, f"{ref} must have type dataset: evaluations read Parquet files")
        _check_made_before(where, ref, steps)


def _check_made_before(path: str, ref: str, steps: Mapping[str, Step]) -> None:
    step = steps[refs.split(ref)[0]]
    if is_last(step):
        raise Invalid(path, f"step {step.name} has `when: {step.when}`: versions are made before it runs")


def makes(produced: Produces) -> set[str]:
    """Names of the steps of whose outputs a version is made: without one of them there is none."""
    every = [produced.from_, *(ref for _, ref in evaluation_refs(produced.version.evaluation))]
    return {refs.split(ref)[0] for ref in every}


def evaluation_refs(evaluation: EvaluationTemplate | None) -> Iterator[tuple[str, str]]:
    """The outputs that an evaluation reads: (path of the field below evaluation, `step.output`)."""
    if evaluation and evaluation.data.output:
        yield "data.output", evaluation.data.output
    if evaluation and evaluation.baseline and evaluation.baseline.reference.output:
        yield "baseline.reference.output", evaluation.baseline.reference.output


def _names(things: Iterable[str]) -> str:
    return ", ".join(sorted(things))
