"""Parameters on their way: Python's value, the text in the Pipeline, an argument of the program, and back.

An argument is `--name=text` or `--name:=JSON`. A text is as people write it, and as a run gives it (`-p rows=100`).
JSON is for what no text can say: it hides braces and dollars in `\\u….`, so neither Fairlead's `{{…}}` nor Kubernetes'
`$(…)` finds anything in it.
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable, Iterable
from typing import Any, Literal, Union, get_args, get_origin

PLAIN = (str, int, float, bool)
INT = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?(inf|nan)", re.IGNORECASE)
DIGITS = 4000
"""Python refuses to read integers that are much longer."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_HIDDEN = {"{": r"\u007b", "}": r"\u007d", "$": r"\u0024"}


class Unfit(ValueError):  # noqa: N818 - what a person reads
    """A value that its type does not allow."""


def parts(wanted: Any) -> tuple[Any, ...]:
    """The members of a union; what is none, alone."""
    return get_args(wanted) if get_origin(wanted) in (Union, types.UnionType) else (wanted,)


def known(wanted: Any) -> bool:
    """Whether a parameter may have this type: str, int, float, bool, list, dict, Literal, and one of these or None."""
    members = [one for one in parts(wanted) if one is not type(None)]
    if len(members) != 1:
        return False
    origin, inner = get_origin(members[0]) or members[0], get_args(members[0])
    if origin is Literal:
        return all(type(one) in (str, int, bool) for one in inner)
    if origin is list:
        return all(one is Any or known(one) for one in inner)
    if origin is dict:
        return not inner or (inner[0] is str and (inner[1] is Any or known(inner[1])))
    return origin in PLAIN


def word(wanted: Any) -> str:
    """A type as people write it."""
    return wanted.__name__ if isinstance(wanted, type) and not get_args(wanted) else str(wanted).replace("typing.", "")


def checked(value: Any, wanted: Any) -> Any:
    """The value, an integer as a float where that is asked for. Raises Unfit for one of another type."""
    fits = _fits(value, wanted)
    if not fits:
        raise Unfit(f"{_shown(value)} is not {word(wanted)}")
    return fits[0]


def _fits(value: Any, wanted: Any) -> tuple[Any, ...]:
    """The value as its type has it, in a tuple; empty: it is of another."""
    for one in parts(wanted):
        if one is Any or (one is type(None) and value is None):
            return (value,)
        origin, inner = get_origin(one) or one, get_args(one)
        if origin is Literal and any(type(value) is type(option) and value == option for option in inner):
            return (value,)
        if origin is float and type(value) is int:
            return (_floated(value),)
        if origin in (list, dict) and type(value) is origin:
            return _members(value, origin, inner)
        if origin in PLAIN and type(value) is origin:
            return (value,)
    return ()


def _members(value: Any, origin: type, inner: tuple[Any, ...]) -> tuple[Any, ...]:
    if origin is list:
        return ([checked(one, inner[0]) for one in value] if inner else value,)
    if not all(type(key) is str for key in value):
        raise Unfit("a dict's keys must be str")
    return ({key: checked(one, inner[1]) for key, one in value.items()} if inner else value,)


def _floated(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise Unfit("an int is too large for a float") from None


def text(value: Any) -> str:
    """A value as people write it, and as a Pipeline's `params` has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        return _digits(value)
    return _json(value)


def listed(value: Iterable[Any]) -> str:
    """Several values as a component's parameter has them, with commas between them. Raises Unfit for one that has a
    comma itself."""
    found = [text(one) for one in value]
    if odd := next((one for one in found if "," in one), None):
        raise Unfit(f"{_shown(odd)} has a comma, and commas are between the values of a list")
    return ",".join(found)


def _digits(value: int) -> str:
    if abs(value) >= 10**DIGITS:
        raise Unfit(f"an int of more than {DIGITS} digits")
    return str(value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unfit(f"{_shown(value)} can't be written as JSON: {error}") from None


def argument(name: str, value: Any) -> str:
    """An argument that gives a step this value, whatever is in it."""
    if value is None or isinstance(value, list | dict):
        return f"--{name}:={_hide(_json(value))}"
    said = text(value)
    if said.isprintable() and "$" not in said and "{{" not in said and "}}" not in said:
        return f"--{name}={said}"
    return f"--{name}:={_hide(json.dumps(said))}"


def _hide(document: str) -> str:
    """The same JSON, in whose texts are no braces, no dollars, and nothing that can't be printed."""

    def hidden(found: re.Match[str]) -> str:
        shown = found[0] if found[0].isprintable() else json.dumps(json.loads(found[0]))
        return "".join(_HIDDEN.get(one, one) for one in shown)

    return _STRING.sub(hidden, document)


def parse(said: str, wanted: Any) -> Any:
    """The value that a text gives. Raises Unfit."""
    for one in parts(wanted):
        found = None if one is type(None) else _parsed(said, one)
        if found is not None:
            return found[0]
    if type(None) in parts(wanted) and said == "null":
        return None
    raise Unfit(f"{_shown(said)} is not {word(wanted)}")


def _parsed(said: str, wanted: Any) -> tuple[Any] | None:
    """The value, in a tuple; None: it says none of this type."""
    origin = get_origin(wanted) or wanted
    if origin is Literal:
        options = {text(option): option for option in get_args(wanted)}
        return (options[said],) if said in options else None
    if origin in (list, dict):
        return (from_json(said, wanted),)
    read = _READ[origin]
    return read(said)


def _int(said: str) -> tuple[Any] | None:
    return (int(said),) if len(said) <= DIGITS + 1 and INT.fullmatch(said) else None


def _float(said: str) -> tuple[Any] | None:
    if not FLOAT.fullmatch(said):
        return None
    found = float(said)
    return (found,) if math.isfinite(found) or not said[-1].isdigit() else None


def _bool(said: str) -> tuple[Any] | None:
    return {"true": (True,), "false": (False,)}.get(said.lower())


_READ: dict[Any, Callable[[str], tuple[Any] | None]] = {
    str: lambda said: (said,),
    int: _int,
    float: _float,
    bool: _bool,
}


def from_json(said: str, wanted: Any) -> Any:
    """The value that a JSON document gives. Raises Unfit."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"{_shown(said)} is no JSON: {error}") from None
    return checked(found, wanted)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"
