"""`{{params.NAME}}`, `{{each.NAME}}` and `{{steps.STEP.OUTPUT}}` in what people write: what a text uses, and it with
the values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fairlead.api.items import Values
from fairlead.plan.component.texts import BRACES, PARAM
from fairlead.plan.core import Invalid

_EACH = re.compile(r"\s*each\.([A-Za-z_][A-Za-z0-9_]*)\s*")
_VALUE = re.compile(r"\s*steps\.([a-z0-9](?:[-a-z0-9]*[a-z0-9])?\.[A-Za-z_][A-Za-z0-9_]*)\s*")


class Used(NamedTuple):
    """What a text is to be filled with."""

    param: str = ""
    """A parameter's name,"""
    output: str = ""
    """or `step.output` of one of type `value`,"""
    item: str = ""
    """or one of the item's values."""


def used(text: str, field_path: str) -> Iterator[Used]:
    """What a text uses. Raises Invalid for other things in double braces."""
    for inner in BRACES.findall(text):
        if param := PARAM.fullmatch(inner):
            yield Used(param=param[1])
        elif value := _VALUE.fullmatch(inner):
            yield Used(output=value[1])
        elif item := _EACH.fullmatch(inner):
            yield Used(item=item[1])
        else:
            known = "{{params.NAME}}, {{each.NAME}} or {{steps.STEP.OUTPUT}}"
            raise Invalid(field_path, f"{{{{{inner}}}}} is not known; write {known}")


def values(text: str) -> Iterator[str]:
    """The outputs of type `value` that a text uses, `step.output`."""
    yield from (match[1] for inner in BRACES.findall(text) if (match := _VALUE.fullmatch(inner)))


def render(text: str, params: Mapping[str, str], values: Mapping[str, str], item: Values | None = None) -> str:
    """The text with the values of parameters, of outputs (by `step.output`) and of the item (null is empty), in which
    Kubernetes' own `$(NAME)` is not expanded.

    Raises KeyError for one that is not there (`dag.validate` has refused such a pipeline before, and a step is skipped
    whose values are not there).
    """

    def value(match: re.Match[str]) -> str:
        if param := PARAM.fullmatch(match[1]):
            return params[param[1]].replace("$", "$$")
        if item is not None and (name := _EACH.fullmatch(match[1])):
            return (item[name[1]] or "").replace("$", "$$")
        output = _VALUE.fullmatch(match[1])
        return values[output[1]].replace("$", "$$") if output else match[0]

    return BRACES.sub(value, text)


def plain(text: str, params: Mapping[str, str]) -> str:
    """A text that uses parameters only, with their values as they are. Raises KeyError for one that is not there."""

    def value(match: re.Match[str]) -> str:
        found = PARAM.fullmatch(match[1])
        return params[found[1]] if found else match[0]

    return BRACES.sub(value, text)


def pinned(image: str, digests: Mapping[str, str]) -> str:
    """An image by its digest, if the run has found out which one its name meant when it started. digests: by name."""
    found = digests.get(image)
    if found is None:
        return image
    name, tag = image.rpartition(":")[::2]
    return f"{image if '/' in tag or not name else name}@{found}"
