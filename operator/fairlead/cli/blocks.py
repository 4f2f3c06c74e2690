"""What a command shows, before it is drawn: titles, lines, tables and trees; and how it is drawn.

With `rich` and a terminal it is drawn with colours and lines; otherwise as plain text, which pipes well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.cli.text import printable

GOOD = {"Live", "Completed", "Approved", "Passed", "True", "Ready", "ok", "Continue"}
BAD = {"RolledBack", "Failed", "Rejected", "Revoked", "Aborted", "Degraded", "Harm", "False"}
WAITING = {"Pending", "Running", "Progressing", "Starting", "Verifying", "Evaluating", "AwaitingApproval", "Holding",
           "NoEvidence", "Watching", "Skipped", "Unknown"}  # fmt: skip


@dataclass(frozen=True)
class Title:
    """What is shown, and how it is."""

    text: str
    state: str = ""
    note: str = ""


@dataclass(frozen=True)
class Lines:
    """Plain lines."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows under headers."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass
class Node:
    """A tree."""

    text: str
    children: list[Node] = field(default_factory=list)

    def add(self, text: str) -> Node:
        """A new child, which is returned."""
        child = Node(text)
        self.children.append(child)
        return child


Block = Title | Lines | Table | Node


def show(blocks: Iterable[Block]) -> None:
    """Draw on standard output."""
    rich = _rich() if sys.stdout.isatty() and "NO_COLOR" not in os.environ else None
    if rich is not None:
        for block in blocks:
            rich.print(_drawn(block), highlight=False)
        return
    sys.stdout.write(plain(blocks))
    sys.stdout.flush()


def plain(blocks: Iterable[Block]) -> str:
    """The blocks as plain text, an empty line between two."""
    return "\n".join("\n".join(_plain(block)) + "\n" for block in blocks)


def _plain(block: Block) -> list[str]:
    match block:
        case Title():
            return ["  ".join(printable(part) for part in (block.text, block.state, block.note) if part)]
        case Lines():
            return _lines(block)
        case Table():
            rows = [[printable(cell) for cell in row] for row in (block.headers, *block.rows)]
            return [*([printable(block.caption)] if block.caption else []), *_columns(rows)]
        case Node():
            return [printable(block.text), *_branches(block, "")]


def _lines(block: Lines) -> list[str]:
    """A message may have several lines."""
    return [printable(line) for text in block.lines for line in text.split("\n")]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _branches(node: Node, indent: str) -> list[str]:
    found: list[str] = []
    for child in node.children:
        last = child is node.children[-1]
        found.append(f"{indent}{'└─ ' if last else '├─ '}{printable(child.text)}")
        found += _branches(child, indent + ("   " if last else "│  "))
    return found


def _rich() -> Any:
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(soft_wrap=True, emoji=False)


def _drawn(block: Block) -> Any:
    from rich.markup import escape
    from rich.table import Table as RichTable
    from rich.text import Text

    match block:
        case Title():
            text, note = escape(printable(block.text)), escape(printable(block.note))
            return f"[bold]{text}[/]  {_coloured(block.state)}  [dim]{note}[/]"
        case Lines():
            return Text("\n".join(_lines(block)))  # as it is: markup has emojis, and backslashes of its own
        case Table():
            table = RichTable(
                title=escape(printable(block.caption)) or None, title_justify="left", box=None, pad_edge=False
            )
            for header in block.headers:
                table.add_column(Text(printable(header), style="bold dim"))
            for row in block.rows:
                table.add_row(*(_coloured(cell) for cell in row))
            return table
        case Node():
            return Text("\n".join([printable(block.text), *_branches(block, "")]))


def _coloured(text: str) -> str:
    from rich.markup import escape

    for words, colour in ((GOOD, "green"), (BAD, "red"), (WAITING, "yellow")):
        if text in words:
            return f"[{colour}]{text}[/]"
    return escape(printable(text))
