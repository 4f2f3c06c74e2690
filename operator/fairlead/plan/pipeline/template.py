"""`{{params.NAME}}` in what people write: which parameters a text uses, and the text with their values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fairlead.plan.core import Invalid

_BRACES = re.compile(r"\{\{(.*?)\}\}")
_PARAM = re.compile(r"\s*params\.([A-Za-z_][A-Za-z0-9_]*)\s*")


def used(text: str, field_path: str) -> Iterator[str]:
    """Names of the parameters in a text. Raises Invalid for other things in double braces."""
    for inner in _BRACES.findall(text):
        match = _PARAM.fullmatch(inner)
        if not match:
            raise Invalid(field_path, f"{{{{{inner}}}}} is not known; write {{{{params.NAME}}}}")
        yield match[1]


def render(text: str, params: Mapping[str, str]) -> str:
    """The text with its parameters' values, in which Kubernetes' own `$(NAME)` is not expanded.

    Raises KeyError for a parameter that is not there (`dag.validate` has refused such a pipeline before).
    """

    def value(match: re.Match[str]) -> str:
        name = _PARAM.fullmatch(match[1])
        return params[name[1]].replace("$", "$$") if name else match[0]

    return _BRACES.sub(value, text)


def pinned(image: str, digests: Mapping[str, str]) -> str:
    """An image by its digest, if the run has found out which one its name meant when it started. digests: by name."""
    found = digests.get(image)
    if found is None:
        return image
    name, tag = image.rpartition(":")[::2]
    return f"{image if '/' in tag or not name else name}@{found}"
