"""Random tables by many writers, in all dialects, come back equal, or are refused with a reason; never otherwise.

40 tables each; `make soak` tries 10,000.
"""

from __future__ import annotations

import csv as standard
import gzip
import io
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from pyarrow import csv as arrow

from fairlead.api.reading import Csv
from fairlead.worker import tables
from fairlead.worker.formats import csv, encodings
from fairlead.worker.formats.base import Declared, LocalFile, Unreadable

Cell = str | None
LETTERS = [*",;\t|\"'\\\n\r# aéßZ01.€日😀", "\u00a0", "\u202e", "\u2028", "\x01", "\x85"]
ENCODINGS = ["utf-8", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "shift_jis", "gb18030"]
_numbers = itertools.count()


@dataclass(frozen=True)
class Table:
    """What somebody has."""

    names: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class Written:
    """What a writer made of it: the text, how it is to be declared, and the cells that are in it still."""

    text: str
    spec: dict[str, Any]
    rows: list[list[Cell]]
    ends: str = "\n"


@st.composite
def written_tables(draw: st.DrawFn, encoding: str, *, plain_names: bool = False) -> Table:
    """Tables of text, and of what looks like dialects, numbers and nulls."""
    known = [letter for letter in LETTERS if _in(letter, encoding)]
    usual = [x for x in known if x != "\r" and not (plain_names and x in csv.DELIMITERS)]
    names = st.text(st.sampled_from(usual), min_size=1, max_size=4)
    listed = draw(st.lists(names, min_size=1 + plain_names, max_size=4, unique_by=str.casefold))
    words = st.text(st.sampled_from(known), max_size=5) | st.sampled_from(["NA", "", "1.5", "007", "true"])
    row = st.lists(st.none() | words, min_size=len(listed), max_size=len(listed))
    return Table(listed, draw(st.lists(row, max_size=6)))


def _in(letter: str, encoding: str) -> bool:
    try:
        return letter.encode(encoding).decode(encoding) == letter
    except UnicodeError:
        return False


# --- writers -------------------------------------------------------------------------------------------------------


def python(draw: st.DrawFn, table: Table) -> Written:
    """Python's csv; so pandas, and Excel but for what it adds."""
    delimiter, ends = draw(st.sampled_from(",;\t|:\x01")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quote, every = draw(st.sampled_from("\"'")), draw(st.booleans())
    null = "" if every else draw(st.sampled_from(["", "NA", "\\N"]))
    assume(not null or not any(cell == null for row in table.rows for cell in row))
    found = io.StringIO(newline="")
    writer = standard.writer(
        found, delimiter=delimiter, quotechar=quote, lineterminator=ends,
        quoting=standard.QUOTE_ALL if every else standard.QUOTE_MINIMAL,
    )  # fmt: skip
    writer.writerows([table.names, *([null if cell is None else cell for cell in row] for row in table.rows)])
    lone = every or len(table.names) == 1
    rows = [[_after_python(cell, null, quoted=lone) for cell in row] for row in table.rows]
    return Written(found.getvalue(), {"delimiter": delimiter, "quote": quote, "null": null}, rows, ends)


def _after_python(cell: Cell, null: str, *, quoted: bool) -> Cell:
    """It writes no text and null alike, quoted where they would be no record at all."""
    if cell is None and null:
        return None
    return cell or ("" if quoted or null else None)


def of_pandas(draw: st.DrawFn, table: Table) -> Written:
    """pandas' to_csv."""
    separator, ends = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n"]))
    index = draw(st.booleans())
    frame = pd.DataFrame(table.rows, columns=table.names, dtype=object)
    text = frame.to_csv(sep=separator, lineterminator=ends, index=index)
    alone = len(table.names) == 1 and not index
    rows = [[_after_python(cell, "", quoted=alone) for cell in row] for row in table.rows]
    if index:
        rows = [[str(number), *row] for number, row in enumerate(rows)]
    return Written(text, {"delimiter": separator}, rows, ends)


def of_arrow(draw: st.DrawFn, table: Table) -> Written:
    """Arrow quotes all strings, so that nothing is lost."""
    delimiter = draw(st.sampled_from(",;\t|"))
    columns = [pa.array([row[n] for row in table.rows], pa.string()) for n in range(len(table.names))]
    found = io.BytesIO()
    options = arrow.WriteOptions(delimiter=delimiter, quoting_style=draw(st.sampled_from(["needed", "all_valid"])))
    arrow.write_csv(pa.table(columns, names=table.names), found, options)
    return Written(found.getvalue().decode(), {"delimiter": delimiter}, table.rows)


def like_spark(draw: st.DrawFn, table: Table) -> Written:
    """Spark's CSV: quotes are escaped by a backslash, no text is quoted, null is not."""
    delimiter = draw(st.sampled_from(",;\t|"))

    def one(cell: Cell) -> str:
        if cell is None:
            return ""
        if cell and not any(special in cell for special in (delimiter, '"', "\n", "\r")):
            return cell
        return '"' + cell.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [delimiter.join(map(one, row)) for row in [table.names, *table.rows]]
    return Written("".join(f"{line}\n" for line in lines), {"delimiter": delimiter, "escape": "\\"}, table.rows)


def like_excel(draw: st.DrawFn, table: Table) -> Written:
    """Excel's CSV of where the decimal sign is a comma: semicolons, CR LF, line feeds within quotes."""
    del draw
    assume(not any("\r" in (cell or "") for row in table.rows for cell in row))

    def one(cell: Cell) -> str:
        cell = cell or ""
        return '"' + cell.replace('"', '""') + '"' if any(special in cell for special in ';"\n') else cell

    lines = [";".join(map(one, row)) for row in [table.names, *table.rows]]
    rows = [[cell or None for cell in row] for row in table.rows]
    return Written("".join(f"{line}\r\n" for line in lines), {"delimiter": ";"}, rows, "\r\n")


WRITERS: list[Callable[[st.DrawFn, Table], Written]] = [python, of_pandas, of_arrow, like_spark, like_excel]


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory() as folder, tables.connect(Path(folder)) as found:
        yield found


@st.composite
def examples(draw: st.DrawFn, writer: Callable[[st.DrawFn, Table], Written]) -> tuple[bytes, Written, int]:
    encoding = draw(st.sampled_from(ENCODINGS))
    written = writer(draw, draw(written_tables(encoding)))
    text = written.text
    if draw(st.booleans()) and len((written.rows or [[]])[0]) > 1:
        text = text.removesuffix(written.ends)
    if encoding == "utf-8":
        data = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()
    else:
        data = text.encode(encoding)
        written.spec["encoding"] = encoding
    pack = draw(st.sampled_from([bytes, gzip.compress, _zstd]))
    return pack(data), written, draw(st.sampled_from([3, 20, 100, 1 << 18]))


def _zstd(data: bytes) -> bytes:
    found = pa.BufferOutputStream()
    with pa.CompressedOutputStream(found, "zstd") as stream:
        stream.write(data)
    return bytes(found.getvalue())


def _read(database: duckdb.DuckDBPyConnection, data: bytes, spec: dict[str, Any]) -> tuple[list[list[Cell]], str]:
    row = database.execute("SELECT current_setting('temp_directory')").fetchone()
    assert row is not None
    file = LocalFile(Path(row[0]).parent / f"{next(_numbers)}", "some.csv")
    file.path.write_bytes(data)
    try:
        reading = csv.dialect([file], Declared(options=Csv(**spec)), None)
        rows = database.execute(csv.raw(database, [file], reading)).fetchall()
        assert csv.count(file, reading) == len(rows)
    finally:
        file.path.unlink()
    return [list(row) for row in rows], reading.delimiter or ""


@pytest.mark.parametrize("writer", WRITERS)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_is_declared_is_read_equal_or_refused(
    writer: Callable[[st.DrawFn, Table], Written], database: duckdb.DuckDBPyConnection, data: st.DataObject
) -> None:
    content, written, block = data.draw(examples(writer))
    before, encodings.BLOCK = encodings.BLOCK, block
    try:
        found, _ = _read(database, content, written.spec)
    except Unreadable as error:
        event(f"refused: {str(error)[:60]}")
        return
    finally:
        encodings.BLOCK = before
    assert found == written.rows


@given(data=st.data())
def test_what_is_found_is_read_equal_or_refused(database: duckdb.DuckDBPyConnection, data: st.DataObject) -> None:
    """The delimiter is found where the header says that there is one; a comma in a name is no such sign."""
    table = data.draw(written_tables("utf-8", plain_names=True))
    written = data.draw(
        st.sampled_from([of_pandas, of_arrow, like_excel]).flatmap(lambda writer: _drawn(writer, table))
    )
    wanted = written.spec.pop("delimiter")
    try:
        found, delimiter = _read(database, written.text.encode(), written.spec)
    except Unreadable as error:
        event(f"refused: {str(error)[:60]}")
        return
    assert (delimiter, found) == (wanted, written.rows)


@st.composite
def _drawn(draw: st.DrawFn, writer: Callable[[st.DrawFn, Table], Written], table: Table) -> Written:
    return writer(draw, table)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_lines_within_quotes_are_no_records_for_any_thread(
    database: duckdb.DuckDBPyConnection, end: str, pack: Callable[[bytes], bytes]
) -> None:
    """DuckDB's threads each begin with a part of a large file, and take a line that looks like a record for one."""
    row = f'7,8{end}9,"",10'
    cells = ["x" * (1 + number % 300) + row * (number % 40) for number in range(50_000)]
    rows = [[str(number), cell] for number, cell in enumerate(cells)]
    found = io.StringIO(newline="")
    standard.writer(found, lineterminator=end).writerows([["id", "x"], *rows])
    content = found.getvalue().encode()
    assert len(content) > 16_000_000
    assert _read(database, pack(content), {})[0] == rows
