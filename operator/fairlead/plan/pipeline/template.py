"""`{{params.NAME}}` and `{{each.NAME}}` in what people write: which of them a text uses, and the text with their
values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fairlead.api.items import Values
from fairlead.plan.core import Invalid

_BRACES = re.compile(r"\{\{(.*?)\}\}")
_PARAM = re.compile(r"\s*params\.([A-Za-z_][A-Za-z0-9_]*)\s*")
_EACH = re.compile(r"\s*each\.([A-Za-z_][A-Za-z0-9_]*)\s*")


def used(text: str, field_path: str) -> Iterator[str]:
    """Names of the parameters in a text. Raises Invalid for other things in double braces."""
    for inner in _BRACES.findall(text):
        match = _PARAM.fullmatch(inner)
        if match:
            yield match[1]
        elif not _EACH.fullmatch(inner):
            raise Invalid(field_path, f"{{{{{inner}}}}} is not known; write {{{{params.NAME}}}}")


def used_of_item(text: str) -> Iterator[str]:
    """Names of the item's values in a text."""
    return (match[1] for inner in _BRACES.findall(text) if (match := _EACH.fullmatch(inner)))


def render(text: str, params: Mapping[str, str], item: Values | None = None) -> str:
    """The text with the values of parameters and of the item (null is empty), in which Kubernetes' own `$(NAME)` is not
    expanded.

    Raises KeyError for one that is not there (`dag.validate` has refused such a pipeline before).
    """

    def value(match: re.Match[str]) -> str:
        if name := _PARAM.fullmatch(match[1]):
            return params[name[1]].replace("$", "$$")
        if item is not None and (name := _EACH.fullmatch(match[1])):
            return (item[name[1]] or "").replace("$", "$$")
        return match[0]

    return _BRACES.sub(value, text)
