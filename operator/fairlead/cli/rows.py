"""Rows and texts that people hand to a command: on its line, from a file, from the standard input."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.cli.session import USAGE, Json, Problem

if TYPE_CHECKING:
    from fairlead.cli.columns import Column


def text(given: str) -> str:
    """A text as it is; of `@FILE` what is in the file, of `@-` the standard input. Raises Problem."""
    return _file(given[1:]) if given.startswith("@") else given


def of_file(name: str, known: Sequence[Column]) -> list[Json]:
    """The rows of a file; `-` for the standard input. Raises Problem if there is none."""
    found = read(name, _file(name), known)
    if not found:
        raise Problem(f"{name} has no row", USAGE)
    return found


def _file(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        raise Problem(f"{name} can't be read: {failed}", USAGE) from None


def read(name: str, text: str, known: Sequence[Column]) -> list[Json]:
    """Rows of a CSV file with a header (by its name), else of JSON lines. Raises Problem."""
    import csv

    from fairlead.cli import columns

    if not name.lower().endswith(".csv"):
        return [row(line, f"{name}, line {at}") for at, line in enumerate(text.split("\n"), 1) if line.strip()]
    found = []
    for at, fields in enumerate(csv.DictReader(text.splitlines()), 2):
        if None in fields or None in fields.values():
            raise Problem(f"{name}, line {at}: not as many fields as the header has", USAGE)
        try:
            found.append(columns.from_text(known, fields))
        except ValueError as bad:
            raise Problem(f"{name}, line {at}: {bad}", USAGE) from None
    return found


def row(text: str, where: str) -> Json:
    """A row that is written as JSON. Raises Problem, which begins with `where`."""
    from fairlead.api import foreign

    try:
        found = foreign.parse(text)
    except ValueError as bad:
        raise Problem(f'{where}: {bad}. A row is an object: {{"x": 1.5, "carrier": "AA"}}', USAGE) from None
    if not isinstance(found, dict) or not found:
        raise Problem(f'{where} is no row, which is an object: {{"x": 1.5, "carrier": "AA"}}', USAGE)
    return found
