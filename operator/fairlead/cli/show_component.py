"""A Component as people look at it: what a step that uses it may say."""

from __future__ import annotations

from fairlead.api.component import Component, ComponentSpec, Param
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_common import conditions, message


def blocks(name: str, found: Component, now: float) -> list[Block]:
    """The view."""
    status = found.status
    shown = of_spec(f"component {name}", found.spec, status.phase or "Pending")
    return [shown[0], *message(status.message), *shown[1:], *conditions(status.conditions, now)]


def of_spec(title: str, spec: ComponentSpec, state: str = "") -> list[Block]:
    """Its parameters, inputs and outputs."""
    shown: list[Block] = [Title(title, state, f"version {spec.version}")]
    if words := [line for line in spec.description.splitlines() if line]:
        shown.append(Lines(words))
    if spec.params:
        rows = [[name, p.type, _default(p), _bounds(p), p.description] for name, p in spec.params.items()]
        shown.append(Table(["PARAM", "TYPE", "DEFAULT", "ALLOWED", "WHAT IT IS"], rows))
    inputs = [[n, i.type or "any", "no" if i.optional else "yes", i.description] for n, i in spec.inputs.items()]
    inputs += [["…", "any", "no", "more, under names of your own"]] if spec.more_inputs else []
    if inputs:
        shown.append(Table(["INPUT", "TYPE", "NEEDED", "WHAT IT IS"], inputs))
    if spec.outputs:
        outputs = [[name, o.type, o.description] for name, o in spec.outputs.items()]
        shown.append(Table(["OUTPUT", "TYPE", "WHAT IT IS"], outputs))
    granted = [f"granted  {', '.join(spec.allowed_namespaces)}"] if spec.allowed_namespaces else []
    return [*shown, Lines([f"image    {spec.image}", *granted])]


def _default(param: Param) -> str:
    return "must be given" if param.default is None else repr(param.default)


def _bounds(param: Param) -> str:
    if param.in_ is not None:
        return ", ".join(param.in_)
    ends = [f"at least {param.min}" if param.min else "", f"at most {param.max}" if param.max else ""]
    return ", ".join(one for one in ends if one) or "-"
