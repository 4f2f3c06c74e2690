"""What all programs of components share that has nothing to do with data: their arguments, and how they end.

An argument is `--name=text`; a text that is empty is a parameter that was not given. What the person who wrote the
step can mend is Refused: one line on standard error that names the parameter and says what to do, and exit code 2.
Whatever else goes wrong is a fault of Fairlead's: its traceback, and exit code 1.
"""

from __future__ import annotations

import csv
import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

from fairlead.worker.formats.words import line

OK, FAULT, REFUSED = 0, 1, 2
"""Exit codes."""
INPUTS, OUTPUTS = "/fairlead/in", "/fairlead/out"
"""Where they are when the environment says nothing else."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_PLACES = 6
"""Decimal places of a share."""


class Refused(Exception):  # noqa: N818 - what a person reads
    """Why the program did not do it: what was found, what was wanted, what to do."""


def finish(program: Callable[[Sequence[str]], None], given: Sequence[str]) -> int:
    """Run a program; returns its exit code."""
    try:
        program(given)
    except Refused as refused:
        return _told(refused, REFUSED)
    except MemoryError:
        return _told("memory is used up: raise the step's resources.memory, or give it fewer rows", REFUSED)
    except OSError as error:
        if error.errno in _FULL:
            return _told(f"the disk is full ({error}): raise the step's resources.scratch", REFUSED)
        return _fault()
    except Exception:  # noqa: BLE001 - whatever it is, its traceback is shown, and the step has failed
        return _fault()
    return OK


def _told(message: object, code: int) -> int:
    sys.stdout.flush()
    print(f"error: {line(message)}", file=sys.stderr, flush=True)
    return code


def _fault() -> int:
    sys.stdout.flush()
    traceback.print_exc()
    return FAULT


def say(message: str) -> None:
    """Tell people something, on one line of the step's log."""
    print(line(message), flush=True)


def inputs() -> Path:
    """The folder with a folder for each input."""
    return Path(os.environ.get("FAIRLEAD_IN") or INPUTS)


def output(name: str) -> Path:
    """The folder of an output; it is made."""
    path = Path(os.environ.get("FAIRLEAD_OUT") or OUTPUTS) / name
    path.mkdir(parents=True, exist_ok=True)
    return path


# --- arguments -----------------------------------------------------------------------------------------------------


def arguments(given: Sequence[str], defaults: Mapping[str, str | None]) -> dict[str, str]:
    """The text of each parameter. Raises Refused.

    Args:
        given: `--name=text`; text may have any characters.
        defaults: All parameters there are. None: it must be given.
    """
    found: dict[str, str] = {}
    for one in given:
        name, equals, text = one.removeprefix("--").partition("=")
        if not one.startswith("--") or not equals:
            raise Refused(f"{one!r} is no --name=text")
        if name not in defaults:
            raise Refused(f"there is no parameter {name}; there are {', '.join(defaults)}")
        if text.strip():
            found[name] = text
    for name, default in defaults.items():
        if default is None and name not in found:
            raise Refused(f"params.{name} is empty; give it")
    return {name: default or "" for name, default in defaults.items()} | found


def one_of(name: str, text: str, allowed: Sequence[str]) -> str:
    """A word of these. Raises Refused."""
    if (word := text.strip()) not in allowed:
        raise Refused(f"params.{name} is {text!r}; give one of {', '.join(allowed)}")
    return word


def whole(name: str, text: str, low: int | None = None, high: int | None = None) -> int:
    """An integer within these bounds. Raises Refused."""
    try:
        found = int(text.strip())
    except ValueError:
        raise Refused(f"params.{name} is {text!r}; give an integer") from None
    if (low is not None and found < low) or (high is not None and found > high):
        raise Refused(f"params.{name} is {found}; give one {_bounds(low, high)}")
    return found


def _bounds(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return f"of at most {high}" if low is None else f"of at least {low}"
    return f"from {low} to {high}"


def share(name: str, text: str) -> Fraction:
    """A share from 0 to below 1, exactly as it is written: `20%` or `0.2`. Raises Refused."""
    bare = text.strip()
    percent = bare.endswith("%")
    try:
        number = Decimal(bare.removesuffix("%").strip())
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or not 0 <= number < (100 if percent else 1):
        raise Refused(f"params.{name} is {text!r}; give a share of the rows from 0% to below 100%, such as 20%")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _PLACES:
        raise Refused(f"params.{name} is {text!r}; give a share of at most {_PLACES} decimal places")
    return Fraction(number) / (100 if percent else 1)


def names(name: str, text: str) -> list[str]:
    """Columns, divided by commas; one with a comma in its name stands in double quotes. None for an empty text. Raises
    Refused."""
    if not text.strip():
        return []
    try:
        (row,) = csv.reader([" ".join(text.splitlines())], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise Refused(f"params.{name} is {text!r}, and that is no list of columns: {error}") from None
    found = [one.strip() for one in row]
    if "" in found:
        raise Refused(f"params.{name} is {text!r}; a column between two of its commas has no name")
    if twice := [one for at, one in enumerate(found) if one in found[:at]]:
        raise Refused(f"params.{name} names {twice[0]} twice; name it once")
    return found
