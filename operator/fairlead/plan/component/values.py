"""Whether a text is a value that a parameter of a Component may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from fairlead.api.component import Param
from fairlead.api.units import seconds

_INTEGER = re.compile(r"-?[0-9]{1,32}")
_NUMBER = re.compile(r"-?[0-9]{1,32}(\.[0-9]{1,32})?([eE][-+]?[0-9]{1,2})?")
_SHOWN = 60
NUMBERS = ("integer", "number")
"""Types of which `min` and `max` say something."""


def _is_duration(text: str) -> bool:
    try:
        seconds(text)
    except ValueError:
        return False
    return len(text) <= 20


_TYPES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "string": (lambda _: True, ""),
    "integer": (lambda text: _INTEGER.fullmatch(text) is not None, "a whole number, as 5"),
    "number": (lambda text: _NUMBER.fullmatch(text) is not None, "a number, as 0.5 or 1e-3"),
    "boolean": (lambda text: text in ("true", "false"), "true or false"),
    "duration": (_is_duration, "a length of time, as 30s, 12h or 7d"),
}


def problem(param: Param, text: str) -> str:
    """Why it can't be its value, and what to write; empty: it can."""
    fits, wanted = _TYPES[param.type]
    if not fits(text):
        return f"{shown(text)} is not {wanted}"
    if param.in_ is not None and text not in param.in_:
        return f"{shown(text)} is none of {', '.join(param.in_)}: write one of these"
    if param.type not in NUMBERS:
        return ""
    if param.min is not None and Decimal(text) < Decimal(param.min):
        return f"{shown(text)} is less than {param.min}: write at least that"
    if param.max is not None and Decimal(text) > Decimal(param.max):
        return f"{shown(text)} is more than {param.max}: write at most that"
    return ""


def shown(text: str) -> str:
    """A value as people are told it: in quotes, and not all of a long one."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
