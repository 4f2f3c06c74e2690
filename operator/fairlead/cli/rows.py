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
    found = _file(given[1:]) if given.startswith("@") else given
    try:
        found.encode()
    except UnicodeEncodeError as bad:
        raise Problem(f"the body is no UTF-8 text: {bad.reason} at character {bad.start}", USAGE) from None
    return found


def of_file(name: str, known: Sequence[Column]) -> list[Json]:
    """The rows of a file; `-` for the standard input. Raises Problem if there is none."""
    found = read(name, _file(name), known)
    if not found:
        raise Problem(f"{name} has no row", USAGE)
    return found


def _file(name: str) -> str:
    """As it is, line ends and all, but for the mark with which some programs let UTF-8 begin."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as failed:
        raise Problem(f"{name} can't be read: {failed}", USAGE) from None
    except UnicodeDecodeError as bad:
        raise Problem(f"{name} is no UTF-8 text: {bad.reason} at byte {bad.start}", USAGE) from None


def read(name: str, text: str, known: Sequence[Column]) -> list[Json]:
    """Rows of a CSV file with a header (by its name), else of JSON lines. Raises Problem."""
    if not name.lower().endswith(".csv"):
        return [row(line, f"{name}, line {at}") for at, line in enumerate(text.split("\n"), 1) if line.strip()]
    return _of_csv(name, text, known)


def _of_csv(name: str, text: str, known: Sequence[Column]) -> list[Json]:
    import csv
    import io

    from fairlead.cli import columns

    reader = csv.DictReader(io.StringIO(text, newline=""))
    found = []
    try:
        header = list(reader.fieldnames or ())
        twice = sorted({column for column in header if header.count(column) > 1})
        if twice:
            raise Problem(f"{name}: its header has {', '.join(map(repr, twice))} twice", USAGE)
        for fields in reader:
            if None in fields or None in fields.values():
                raise Problem(f"{name}, line {reader.line_num}: not as many fields as the header has", USAGE)
            found.append(columns.from_text(known, fields))
    except (ValueError, csv.Error) as bad:
        raise Problem(f"{name}, line {reader.line_num}: {bad}", USAGE) from None
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
