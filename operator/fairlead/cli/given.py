"""What was asked of a model, for people: JSON in lines that fit, text as it is, and no more than there is room for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from fairlead.api import foreign
from fairlead.api.review import ReviewInput
from fairlead.api.units import many
from fairlead.cli.text import count, printable

FEWEST = 6
"""Lines that are shown in the smallest terminal."""
NARROW = 20
"""Characters of a line at least, however deep it is."""
INDENT = "  "


def lines(given: ReviewInput, columns: int | None = None, rows: int | None = None) -> list[str]:
    """A heading and the request's body: at most half of the terminal's rows, for the answers stand below it.

    columns, rows: of the terminal; default: the one that there is, else 80 and 24.
    """
    if not given.length:
        return ["input: not kept (no text, more than 256 KiB, or gone before it was read)"]
    size = shutil.get_terminal_size()
    width, most = (columns or size.columns) - len(INDENT), max(FEWEST, (rows or size.lines) // 2)
    body = _body(given.text, max(width, NARROW))
    more = [f"… {many(len(body) - most + 1, 'more line')}: --list -o json shows them"] if len(body) > most else []
    shown = body[: most - 1] + more if more else body
    head = f"input, {count(given.length)} characters" + ("; long parts are left out (…)" if given.cut else "")
    return [head, *(f"{INDENT}{line}" for line in shown)]


def _body(text: str, width: int) -> list[str]:
    try:
        return [part for line in pretty(foreign.parse(text, finite=False), width) for part in _fitting(line, width)]
    except ValueError:
        return [part for line in text.split("\n") for part in _fitting(line, width)]


def _fitting(line: str, width: int) -> list[str]:
    """A line in pieces that fit, those after the first under its beginning."""
    clean = printable(line)
    margin = clean[: len(clean) - len(clean.lstrip())]
    return wrap(clean, width, subsequent_indent=margin, drop_whitespace=False) or [""]


def pretty(value: Any, width: int, taken: int = 0) -> Iterator[str]:
    """JSON in lines: what fits into `width` characters, of which the first line has `taken` fewer, stands in one."""
    whole = json.dumps(value, ensure_ascii=False)
    if len(whole) <= width - taken or not isinstance(value, dict | list) or not value:
        yield whole
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield opening
    yield from (f"{INDENT}{line}" for line in _members(value, width - len(INDENT)))
    yield closing


def _members(value: Any, width: int) -> Iterator[str]:
    """What stands between the brackets. Numbers, and whatever is short, stand beside each other in a list."""
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        yield from wrap(json.dumps(value, ensure_ascii=False)[1:-1], max(width, NARROW), break_long_words=False)
        return
    named = value.items() if isinstance(value, dict) else ((None, one) for one in value)
    for number, (name, one) in enumerate(named, 1):
        label = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
        inner = list(pretty(one, width, len(label) + 1))
        inner[0] = label + inner[0]
        inner[-1] += "," if number < len(value) else ""
        yield from inner
