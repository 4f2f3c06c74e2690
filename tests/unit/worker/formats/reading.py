"""Files in a folder, read as a snapshot reads them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from fairlead.api.dataset import Schema
from fairlead.api.reading import Csv, Reading
from fairlead.worker import columns, tables
from fairlead.worker.formats.base import Declared, LocalFile
from fairlead.worker.formats.registry import FORMATS


@dataclass
class Read:
    """What was found."""

    reading: Reading
    rows: int
    problems: dict[str, str]
    """By check."""
    shapes: bool
    table: list[tuple[Any, ...]]
    """All rows in their types; none if columns are not as declared."""

    @property
    def types(self) -> dict[str, str]:
        return self.reading.types()


_numbers = itertools.count()


def read(
    folder: Path, form: str, files: Mapping[str, bytes], schema: Sequence[Mapping[str, Any]] = (),
    fixed: Reading | None = None, csv: Csv | None = None, connected: duckdb.DuckDBPyConnection | None = None,
) -> Read:  # fmt: skip
    """Read files as a snapshot does. connected: a database for the files of the folder. Raises Unreadable."""
    with reader(folder) if connected is None else nullcontext(connected) as database:
        local = [LocalFile(folder / f"{next(_numbers)}.{form}", name) for name in sorted(files)]
        for file in local:
            file.path.write_bytes(files[file.name])
        declared = Schema.model_validate({"columns": schema}) if schema else None
        found = FORMATS[form].infer(database, local, Declared(declared.columns if declared else (), csv), fixed)
        problems = columns.Problems()
        known = fixed.types() if fixed else {}
        rows = sum(columns.inspect(database, f, found, declared, known, problems) for f in local)
        query = FORMATS[form].scan(database, local, found)
        table = [] if problems.shapes else database.execute(query).fetchall()
        failed = {c.check: c.message for c in problems.results() if not c.passed}
        return Read(found, rows, failed, problems.shapes, table)


@contextmanager
def reader(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database for the files of a folder."""
    folder.mkdir(exist_ok=True)
    with tables.connect(folder) as database:
        yield database
