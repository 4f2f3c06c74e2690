"""A Dataset as people look at it: its versions and what its checks found."""

from __future__ import annotations

from fairlead.api.dataset import Dataset
from fairlead.api.reading import ShownReading
from fairlead.api.units import many
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_common import conditions, message
from fairlead.cli.text import ago, amount, count, size

COLUMNS = 30
"""Columns that are shown."""


def blocks(name: str, found: Dataset, now: float) -> list[Block]:
    """The view."""
    status = found.status
    note = f"version {status.current.version}, {amount(status.current.rows, 'row')}" if status.current else "no version"
    shown: list[Block] = [Title(f"dataset {name}", status.phase or "Pending", note), *message(status.message)]
    if status.versions:
        rows = [
            [v.version, ago(v.at, now), count(v.rows), count(v.files), size(v.bytes)] for v in status.versions[:10]
        ]  # fmt: skip
        shown.append(Table(["VERSION", "PUBLISHED", "ROWS", "FILES", "SIZE"], rows))
    if status.listing and status.listing.ignored:
        shown.append(Lines([f"{count(status.listing.ignored)} objects are no data, by their names or by exclude"]))
    shown += _reading(status.reading)
    if status.checks:
        rows = [[c.check, "Passed" if c.passed else "Failed", c.severity, c.message] for c in status.checks]
        shown.append(Table(["CHECK", "RESULT", "SEVERITY", "MESSAGE"], rows))
    return shown + conditions(status.conditions, now)


def _reading(reading: ShownReading | None) -> list[Block]:
    """How the current version's files are read."""
    if reading is None:
        return []
    written = {
        "delimiter": reading.delimiter, "quote": reading.quote, "escape": reading.escape,
        "encoding": reading.encoding, "null": reading.null,
    }  # fmt: skip
    how = ", ".join(f"{name} {value!r}" for name, value in written.items() if value is not None)
    rows = [[c.name, c.type, "declared" if c.declared else "inferred"] for c in reading.columns[:COLUMNS]]
    rest = len(reading.columns) - len(rows) + reading.more
    more = f" (and {many(rest, 'more column')}: see the version's manifest)" if rest else ""
    caption = f"read as {reading.format}" + (f": {how}" if how else "") + more
    return [Table(["COLUMN", "TYPE", "BY"], rows, caption)]
