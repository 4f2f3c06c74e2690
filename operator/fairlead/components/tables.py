"""Rows for the programs of components: inputs are read as Datasets are, by the same code, and outputs are one Parquet
file. Nothing has to fit into memory.

The files of a Dataset's version come with their reading (delimiter, encoding, types …), which was declared or inferred
when the version was checked; so a component sees the same values as the checks. What another step has left has none:
there the reading follows from all of its files, and is said.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairlead.api.formats import ARTIFACT, SUFFIXES, FormatName
from fairlead.components.words import Refused, output, say
from fairlead.worker import folders
from fairlead.worker.errors import TaskFailed
from fairlead.worker.folders import Rows
from fairlead.worker.formats.base import LocalFile
from fairlead.worker.formats.words import line
from fairlead.worker.tables import connect, name

FILE = "data.parquet"
"""Of an output of type dataset."""
ROWS, BYTES, PIECE = 122_880, 128 << 20, 4096
"""A row group has so many rows at most, and ends after a piece that brings it above so many bytes. Pieces have always
the same rows, so files have the same bytes however rows came in."""
_PACKED = (".gz", ".zst")
_SHOWN = 30
"""Columns that are told."""


@contextmanager
def database(*readable: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills to a folder of its own below the folder for temporary files, uses half of the
    container's memory, reads below `readable`, and touches nothing else: no other file, no network, no extension.
    Errors of the database become Refused where the person can mend them."""
    with tempfile.TemporaryDirectory(prefix="fairlead-") as work:
        found = connect(Path(work), *readable)
        try:
            yield found
        except duckdb.OutOfMemoryException as error:
            raise Refused(
                f"memory or scratch space is used up ({line(error, 300)}): raise the step's resources.memory or "
                "resources.scratch, or give it fewer rows"
            ) from error
        finally:
            found.close()


def view(db: duckdb.DuckDBPyConnection, folder: Path, called: str) -> Rows:
    """Make a view of all rows of an input, and say how they are read. Raises Refused.

    Args:
        db: May read in the folder.
        folder: With the input's files.
        called: The view's name, and the input's.
    """
    files = folders.data_files(folder) if folder.is_dir() else []
    if not files:
        raise Refused(f"the input {called} has no files (looked in {folder}); give it an output or a Dataset with rows")
    try:
        known = folders.reading_of(folder) is not None
        rows = folders.rows(db, folder, ARTIFACT if known else form(files, called))
    except TaskFailed as failed:
        raise Refused(f"the input {called}: {failed}") from failed
    db.execute(f"CREATE TEMP VIEW {name(called)} AS {rows.scan}")
    how = "as its Dataset's version says" if rows.declared else "inferred from all files"
    columns = [f"{c.name} {c.type}" for c in rows.reading.columns]
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    say(f"input {called}: {len(files)} files of {rows.reading.format}, read {how}: {', '.join(columns[:_SHOWN])}{more}")
    return rows


def form(files: Sequence[LocalFile], called: str) -> FormatName:
    """The format of files that come without a reading, by their names. Raises Refused."""
    found: dict[FormatName, str] = {}
    for file in files:
        path = Path(file.name.lower())
        suffix = Path(path.stem).suffix if path.suffix in _PACKED else path.suffix
        if suffix not in SUFFIXES:
            raise Refused(
                f"the input {called} has the file {file.name}, whose name does not say what it is; call it "
                f"{', '.join(SUFFIXES)}, or leave it out (a name that begins with a dot or `_` is no data)"
            )
        found.setdefault(SUFFIXES[suffix], file.name)
    if len(found) > 1:
        listed = " and ".join(f"{one} ({kind})" for kind, one in sorted(found.items()))
        raise Refused(f"the input {called} has files of different formats, {listed}; write all of them in one")
    return next(iter(found))


class Writer:
    """The Parquet file of an output of type dataset: the same rows are the same bytes, in whatever batches they come.
    An output without rows has the schema."""

    def __init__(self, called: str, schema: pa.Schema) -> None:
        self.rows = 0
        self._waiting: list[pa.Table] = []
        self._pieces: list[pa.Table] = []
        self._schema = schema
        try:
            self._file = pq.ParquetWriter(output(called) / FILE, schema)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise Refused(f"Parquet can't hold a column of the output {called}: {line(error)}; cast it") from error

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        self.rows += rows.num_rows
        self._waiting.append(rows)
        if sum(one.num_rows for one in self._waiting) >= PIECE:
            waiting = pa.concat_tables(self._waiting)
            whole = waiting.num_rows // PIECE * PIECE
            self._waiting = [waiting.slice(whole)]
            for start in range(0, whole, PIECE):
                self._add(waiting.slice(start, PIECE))

    def close(self) -> None:
        """Write what waits."""
        self._add(pa.concat_tables([*self._waiting, self._schema.empty_table()]))
        self._group()
        self._file.close()

    def _add(self, piece: pa.Table) -> None:
        self._pieces.append(piece.combine_chunks())
        rows, size = (sum(getattr(one, what) for one in self._pieces) for what in ("num_rows", "nbytes"))
        if rows >= ROWS or size >= BYTES:
            self._group()

    def _group(self) -> None:
        group = pa.concat_tables(self._pieces) if self._pieces else self._schema.empty_table()
        self._pieces = []
        if group.num_rows:
            self._file.write_table(group.combine_chunks(), row_group_size=ROWS)


def batches(found: Any, size: int = PIECE) -> tuple[pa.Schema, Iterator[pa.Table]]:
    """Schema and rows of a query's result, some at a time, in its order.

    Args:
        found: What `execute`, or a relation, gives.
        size: Rows at a time, about.
    """
    reader = found.to_arrow_reader(size)
    return reader.schema, (pa.Table.from_batches([one]) for one in reader)


def columns(found: Sequence[str], wanted: Sequence[str], param: str) -> None:
    """Raises Refused if a column that a parameter names is not there; it says which ones are."""
    for one in wanted:
        if one in found:
            continue
        alike = [other for other in found if other.lower() == one.lower()]
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        there = alike or [", ".join(found[:_SHOWN]) + more]
        raise Refused(f"params.{param} names the column {one}, which is not there; there is {there[0]}")
