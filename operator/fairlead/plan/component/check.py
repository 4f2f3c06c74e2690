"""What the definition of a Component can't check by itself."""

from __future__ import annotations

from decimal import Decimal

from fairlead.api.component import ComponentSpec, Param
from fairlead.plan.component import texts, values
from fairlead.plan.core import Invalid


def check(spec: ComponentSpec) -> None:
    """Raises Invalid with the path of the first field that makes no sense, and what to write instead."""
    used = set[str]()
    for field, text in texts.texts(spec):
        for name in texts.used(text, f"spec.{field}"):
            if name not in spec.params:
                raise Invalid(f"spec.{field}", f"parameter {name!r} is not declared; add it to spec.params")
            used.add(name)
    for name, param in spec.params.items():
        _check_param(f"spec.params.{name}", param)
        if name not in used:
            raise Invalid(f"spec.params.{name}", f"no text uses it: write {{{{params.{name}}}}} in command, args or "
                          "env, or take it out")  # fmt: skip


def _check_param(path: str, param: Param) -> None:
    if (
        param.type in values.NUMBERS
        and param.min is not None
        and param.max is not None
        and Decimal(param.min) > Decimal(param.max)
    ):
        raise Invalid(f"{path}.min", f"{param.min} is more than max, {param.max}: exchange them")
    for index, text in enumerate(param.in_ or ()):
        if why := values.problem(param.model_copy(update={"in_": None}), text):
            raise Invalid(f"{path}.in[{index}]", why)
    if param.default is None:
        return
    if texts.BRACES.search(param.default):
        raise Invalid(f"{path}.default", "a default is taken as it is, and this one has double braces: whoever uses "
                      "the Component gives such a value")  # fmt: skip
    if why := values.problem(param, param.default):
        raise Invalid(f"{path}.default", why)
