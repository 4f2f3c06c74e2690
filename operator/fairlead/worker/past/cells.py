"""A column's cells, as a request would bring them to a model: numbers, truths and text; times in ISO 8601."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from fairlead.api.formats import self_describing
from fairlead.monitor.profile import Category, Number
from fairlead.worker import tables, tensors
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats import typed
from fairlead.worker.past.files import BadFiles, Source
from fairlead.worker.tensors import NUMBERS, Type

Values: TypeAlias = pa.Array | Sequence[Any]
_OTHER: tuple[()] = ()
"""A value that is neither number nor name, as a list or an object is."""


@dataclass(frozen=True)
class Cells:
    """How one column is asked for, and read."""

    column: str
    type: Type
    parsed: bool = False
    """Text of which some cells are numbers, and a number is wanted: only files whose cells are all text have such."""

    def sql(self) -> list[str]:
        """What is selected for it: one expression or two."""
        name = tables.name(self.column)
        if self.type.depth or self.type.kind in (None, "bytes"):
            return [f"{name} IS NULL"]
        if self.parsed:
            return [f"CASE WHEN {typed.fits(typed.FLOAT, name)} THEN TRY_CAST({name} AS DOUBLE) END", name]
        if "HUGEINT" in self.type.said or self.type.said.startswith("DECIMAL"):
            return [f"CAST({name} AS DOUBLE)"]
        if self.type.kind == "text" and not self.type.said.startswith("VARCHAR"):
            return [f"CAST({name} AS VARCHAR)"]
        return [name]

    def read(self, found: Sequence[pa.Array]) -> Values:
        """The values of what `sql` has selected. Raises BadFiles."""
        first = found[0]
        if self.type.depth or self.type.kind in (None, "bytes"):
            return [None if null else _OTHER for null in first.to_pylist()]
        if self.parsed:
            texts = found[1].to_pylist()
            return [text if number is None else number for number, text in zip(first.to_pylist(), texts, strict=True)]
        if self.type.kind in ("date", "time", "timestamp"):
            try:
                return tensors.plain(self.column, self.type.kind, first)
            except TaskFailed as failed:
                raise BadFiles(str(failed)) from failed
        return first


def of(source: Source, column: str, feature: Number | Category | None) -> Cells:
    """How a column is read for a feature."""
    type_ = source.types[column]
    text = type_.kind == "text" and not type_.depth
    return Cells(column, type_, text and isinstance(feature, Number) and not self_describing(source.form))


def said(source: Source, cells: Cells, feature: Number | Category | None) -> str:
    """What a person should know of how a column is read; nothing, if it is as the profile has it."""
    if not isinstance(feature, Number) or cells.type.kind in NUMBERS or cells.type.kind == "boolean":
        return ""
    read = {one.name: one.type for one in source.reading.columns}.get(cells.column, cells.type.said)
    if read == typed.NULL:
        return f"{cells.column} has no value in any row"
    if cells.parsed:
        return (f"{cells.column} is a number in the profile, and some cells of it here are none: these count as of the "
                "wrong type")  # fmt: skip
    return f"{cells.column} is a number in the profile, and {read} here: all of it counts as of the wrong type"


def plain(values: Values) -> list[Any]:
    """Values as Python has them."""
    return list(values.to_pylist() if isinstance(values, pa.Array) else values)
