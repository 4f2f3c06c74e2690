"""A Pipeline whose steps use Components, as one of ordinary steps.

What a step with a Component stands for is written out before anything else looks at it: checks, keys, Jobs and the
record of a run know ordinary steps only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fairlead.api.common import EnvVar, Resources
from fairlead.api.component import ComponentInput, Output, Param
from fairlead.api.pipeline import Input, Params, PipelineSpec, Step
from fairlead.api.pipelinerun import StepEdit, UsedComponent
from fairlead.plan.component import texts, values
from fairlead.plan.component.digest import digest
from fairlead.plan.core import Invalid, World
from fairlead.plan.pipeline import measuring, refs, template
from fairlead.plan.pipeline.components.find import Found, find
from fairlead.plan.pipeline.types import registry as types

_MOST = {"env": 64, "node_selector": 16, "tolerations": 16}
_MADE = re.compile(r"^(spec\.steps\[([0-9]+)\])\.((?:command|args|env|outputs)\b.*)$")
"""Path of what a Component brings."""


@dataclass(frozen=True)
class Expanded:
    """A Pipeline of ordinary steps."""

    spec: PipelineSpec
    """Steps with a Component have its program in place, and name it with its version."""
    found: Mapping[int, Found]
    """The Components, by the number of the step."""

    @property
    def used(self) -> list[UsedComponent]:
        """Which ones, for the record of a run."""
        return [_used(self.spec.steps[index], one) for index, one in self.found.items()]


def expand(spec: PipelineSpec, world: World, namespace: str, params: Params | None = None) -> Expanded:
    """The Pipeline with ordinary steps in place of Components, and with what measuring steps leave open. params: those
    of the run, by which values are checked that use them; None: they are not known yet.

    Raises Invalid for a step that uses its Component wrongly, or that can't measure what it names, NotUsable for a
    Component that can't be used as things are."""
    found = _expanded(spec, world, namespace, params)
    return replace(found, spec=measuring.filled(found.spec, world.config.images))


def _expanded(spec: PipelineSpec, world: World, namespace: str, params: Params | None) -> Expanded:
    if all(step.component is None for step in spec.steps):
        return Expanded(spec, {})
    found = {
        index: find(step.component, world, namespace, f"spec.steps[{index}].component")
        for index, step in enumerate(spec.steps)
        if step.component is not None
    }
    steps = list(spec.steps)
    for index, one in found.items():
        steps[index] = _step(f"spec.steps[{index}]", steps[index], one, spec.params, params)
    by_name = {step.name: step for step in steps}
    for index, one in found.items():
        _check_inputs(f"spec.steps[{index}].inputs", steps[index], one, by_name)
    return Expanded(spec.model_copy(update={"steps": steps}), found)


def edited(step: Step, edit: StepEdit) -> Step:
    """A step with the values that one run gives to its Component. Raises Invalid for a step without one."""
    if not edit.params:
        return step
    if step.component is None:
        raise Invalid("spec.edit.params", f"step {step.name} has no component; edit its command, args or env")
    return step.model_copy(update={"params": step.params | edit.params})


def explained(why: Invalid, spec: PipelineSpec) -> Invalid:
    """What is wrong with an expanded Pipeline, in words for whoever has written it: the step that they see has no
    command. spec: as it was written."""
    found = _MADE.match(why.field_path)
    ref = spec.steps[int(found[2])].component if found else None
    if found is None or ref is None:
        return why
    said = str(why).removeprefix(f"{why.field_path}: ")
    return Invalid(f"{found[1]}.params", f"in {found[3]} of Component {ref.builtin or ref.name}: {said}")


def _used(step: Step, found: Found) -> UsedComponent:
    return UsedComponent(
        step=step.name, builtin=found.builtin, name=found.name, namespace=found.namespace,
        version=found.spec.version, digest=digest(found.spec),
    )  # fmt: skip


def _step(path: str, step: Step, found: Found, declared: Params, params: Params | None) -> Step:
    assert step.component is not None
    spec, given = found.spec, _values(path, step, found, declared, params)

    def filled(field: str, text: str) -> str:
        try:
            return texts.render(text, given)
        except ValueError as why:
            raise Invalid(f"{path}.params", f"{field} of {found.words}: {why}") from None

    made = step.model_copy(
        update={
            "image": spec.image,
            "command": [filled(f"command[{i}]", text) for i, text in enumerate(spec.command)],
            "args": [filled(f"args[{i}]", text) for i, text in enumerate(spec.args)],
            "env": _env([EnvVar(name=v.name, value=filled(f"env {v.name}", v.value)) for v in spec.env], step.env),
            "resources": _resources(spec.resources, step.resources),
            "node_selector": spec.node_selector | step.node_selector,
            "tolerations": [*step.tolerations, *(one for one in spec.tolerations if one not in step.tolerations)],
            "outputs": {name: Output(type=one.type) for name, one in spec.outputs.items()},
            "component": step.component.model_copy(update={"version": spec.version}),
            "params": {},
        }
    )
    for field, most in _MOST.items():
        if (count := len(getattr(made, field))) > most:
            raise Invalid(
                f"{path}.{field}", f"with those of {found.words} there are {count}, and a step may have {most}"
            )
    return made


def _env(own: Sequence[EnvVar], given: Sequence[EnvVar]) -> list[EnvVar]:
    return list(({one.name: one for one in own} | {one.name: one for one in given}).values())


def _resources(own: Resources, given: Resources) -> Resources:
    """Each as the step gives it, else as the Component does."""
    return Resources(cpu=given.cpu or own.cpu, memory=given.memory or own.memory, gpu=given.gpu or own.gpu)


# --- values ----------------------------------------------------------------------------------------------------------


def _values(path: str, step: Step, found: Found, declared: Params, params: Params | None) -> Mapping[str, str]:
    """The text of each of its parameters."""
    known = found.spec.params
    for name, text in step.params.items():
        if name not in known:
            there = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise Invalid(f"{path}.params.{name}", f"{found.words} has no such parameter; {there}")
        _check_value(f"{path}.params.{name}", known[name], text, declared, params)
    if missing := [name for name, one in known.items() if name not in step.params and one.default is None]:
        about = known[missing[0]].description
        raise Invalid(
            f"{path}.params", f"{found.words} needs {', '.join(missing)}{f': {about}' if about else ''}"[:900]
        )
    return {name: one.default or "" for name, one in known.items()} | step.params


def _check_value(path: str, param: Param, text: str, declared: Params, params: Params | None) -> None:
    """A value that is known now is one that the parameter may have. What is taken from an item or from an earlier step
    is known when the program begins, and is for it to check."""
    used = list(template.used(text, path))
    for one in used:
        if one.param and one.param not in declared:
            raise Invalid(path, f"parameter {one.param!r} is not declared; add it to spec.params")
    if any(not one.param for one in used) or (used and params is None):
        return
    if why := values.problem(param, template.plain(text, params or {})):
        raise Invalid(path, why)


# --- inputs ----------------------------------------------------------------------------------------------------------


def _check_inputs(path: str, step: Step, found: Found, steps: Mapping[str, Step]) -> None:
    known = found.spec.inputs
    for name, source in step.inputs.items():
        if name in known:
            _check_input(f"{path}.{name}", known[name], source, found, steps)
        elif not found.spec.more_inputs:
            there = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise Invalid(f"{path}.{name}", f"{found.words} has no such input; {there}")
    missing = [name for name, one in known.items() if name not in step.inputs and not one.optional]
    if missing:
        raise Invalid(
            path, f"{found.words} needs {', '.join(missing)}: name a Dataset, or an output of an earlier step"
        )


def _check_input(path: str, wanted: ComponentInput, source: Input, found: Found, steps: Mapping[str, Step]) -> None:
    """Of what another Pipeline leaves nobody knows the type before the run."""
    has = next(_types(source, steps), None)
    if wanted.type is None or has is None or has == wanted.type:
        return
    what = f"Dataset {source.dataset}" if source.dataset else f"{source.output} (type {has})"
    raise Invalid(path, f"{found.words} wants something of type {wanted.type} here, not {what}")


def _types(source: Input, steps: Mapping[str, Step]) -> Iterator[str]:
    """The type of an input, if it is known; an output that there is not the graph tells of."""
    if source.dataset:
        yield "dataset"
    elif source.output:
        step, output = refs.split(source.output)
        there = types.outputs(steps[step]) if step in steps else {}
        yield from (there[output].type for _ in (0,) if output in there)
