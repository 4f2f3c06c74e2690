"""JSON that somebody else has written: a pod, a store, a model server. Within bounds, or refused with a reason.

`json.loads` alone raises RecursionError for nested brackets, makes infinity of 1e999, which is no `int`, takes quadratic
time for a number of many digits, and holds all other threads up while it makes millions of small things. Whoever reads
a text of somebody else's uses this, and has one error to catch. Documents with a model (`model_validate_json`) have
bounds of their own: pydantic's parser ends at 200 levels and at 4,300 digits, in a ValidationError.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from math import isfinite
from typing import Any, NoReturn

DEPTH = 64
"""Lists and objects within each other."""
DIGITS = 64
"""Characters of a whole number: more than that is no number that anybody can reckon with."""
PARTS = 150_000
"""Elements of a text: they take up to a quarter of a microsecond each, and nothing else runs meanwhile."""
FEW = 20_000
"""Elements of a document of Fairlead's own: where it is somebody else's after all, each may be an error of its own, and
a list of errors takes a hundred times as long to make as one of numbers."""
LENGTH = 4 << 20
"""Bytes or characters of a text."""
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
"""One that does not end is one to the end: then no text takes longer than another."""


class Unreadable(ValueError):  # noqa: N818 - the house's names of errors
    """A text is no JSON, or goes beyond a bound; the message says which."""


class Beyond(Unreadable):
    """A text may be JSON, and goes beyond a bound."""


def parse(
    text: str | bytes, *, length: int = LENGTH, parts: int = PARTS, depth: int = DEPTH, finite: bool = True
) -> Any:  # fmt: skip
    """What a text says. length: its most bytes or characters; parts: its most elements; depth: of lists and objects
    within each other; finite: refuse numbers beyond a float's range, NaN and infinities. Raises Unreadable. Half a
    surrogate pair, which no text can be made of, becomes a question mark.
    """
    if len(text) > length:
        raise Beyond(f"it has {len(text)} bytes, more than {length}")
    try:
        plain = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is no UTF-8 text: {error.reason} at byte {error.start}") from None
    if _parts(plain) > parts and (found := _parts(_STRING.sub("", plain))) > parts:
        raise Beyond(f"it has about {found} elements, more than {parts}")
    value = _loads(plain, finite, depth)
    _shallow(value, plain, depth)
    return _whole(value) if "\\u" in plain or not plain.isascii() else value


def _parts(text: str) -> int:
    return sum(map(text.count, ",[{:"))


def _loads(text: str, finite: bool, depth: int) -> Any:
    try:
        if finite:
            return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_constant)
        return json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise Unreadable(f"it is no JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise _deep(depth) from None


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise Beyond(f"it has a number of {len(text)} digits, more than {DIGITS}")
    return int(text)


def _float(text: str) -> float:
    found = float(text)
    if not isfinite(found):
        raise Beyond(f"it has the number {text[:20]}, which is too large for any")
    return found


def _constant(text: str) -> NoReturn:
    raise Unreadable(f"it has {text}, which is no number")


def _shallow(value: Any, text: str, depth: int) -> None:
    """Raise Unreadable for one that is nested deeper than what reads it can go down."""
    if text.count("[") + text.count("{") <= depth:
        return
    level = [value]
    for _ in range(depth):
        members = chain.from_iterable(
            one.values() if type(one) is dict else one for one in level if type(one) in (dict, list)
        )
        level = [one for one in members if type(one) in (dict, list)]
        if not level:
            return
    raise _deep(depth)


def _deep(depth: int) -> Beyond:
    return Beyond(f"it has more than {depth} lists or objects within each other")


def _whole(value: Any) -> Any:
    """The value, of which each string is text that can be written as UTF-8."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode(errors="replace"))
    return value
