"""CSV. The dialect is declared, or found over all of all files; DuckDB gives the cells and is left nothing to guess;
the grammar's own pass says how many records there must be."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO

import duckdb

from fairlead.api.reading import Csv, Reading
from fairlead.worker import tables
from fairlead.worker.formats import compressed, encodings, escapes, grammar
from fairlead.worker.formats.base import Declared, LocalFile, Unreadable
from fairlead.worker.formats.grammar import Dialect, Irregular, Layout
from fairlead.worker.formats.words import cell

DELIMITERS = (",", ";", "\t", "|")
"""What is looked for where no delimiter is declared."""
QUOTE = '"'
_USUAL = 1 << 20
"""Bytes of a record up to which DuckDB's own bounds do."""

_known: dict[tuple[object, ...], Layout] = {}
"""What has been gone over already, by path, size, time and dialect."""


def dialect(files: Sequence[LocalFile], declared: Declared, fixed: Reading | None) -> Reading:
    """How these files are written, without their columns: what is declared; else what `fixed` says; else what follows
    from all of all files. Raises Unreadable."""
    spec = declared.options if isinstance(declared.options, Csv) else Csv()
    base = fixed if fixed is not None and fixed.format == "csv" else Reading(format="csv")
    quote = _first(spec.quote, base.quote, QUOTE)
    escape = base.escape if base.escape != base.quote else None
    known = Reading(
        format="csv", quote=quote, escape=_first(spec.escape, escape, quote),
        encoding=_first(spec.encoding, base.encoding) or _encoding(files), null=_first(spec.null, base.null, ""),
    )  # fmt: skip
    delimiter = _first(spec.delimiter, base.delimiter) or _delimiter(
        files, known, [column.name for column in declared.columns]
    )
    found = known.model_copy(update={"delimiter": delimiter})
    _null(found)
    _alike(files, found, {column.name for column in base.columns})
    return found


def columns(file: LocalFile, reading: Reading) -> tuple[str, ...]:
    """The names in a file's header. Raises Unreadable."""
    return _layout(file, reading).header


def count(file: LocalFile, reading: Reading) -> int:
    """Records without the header, by the grammar alone. Raises Unreadable with the line of what is not CSV."""
    return _layout(file, reading).records


def raw(database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], reading: Reading) -> str:
    """SQL of a query over the cells of files as they are written, in the order of files and lines: VARCHAR all, null
    where the reading says so and where a file lacks the column. Columns are those of the files' headers. Files that
    DuckDB can't be trusted with are rewritten in the database's folder. Raises Unreadable."""
    if not files:
        raise ValueError("there are no files to read")
    names = list(dict.fromkeys(name for file in files for name in columns(file, reading)))
    for file in files:
        if reading.null and (blank := _layout(file, reading).blank):
            raise Irregular(
                f"{file.name}: line {blank} has nothing on it, in a file of one column with a csv.nullText; write "
                f'a text that is empty as "", and no text as {cell(reading.null)}'
            )
    parts = [
        _select(names, how, [str(_readable(database, file, reading)) for file in group], reading)
        for how, group in groupby(files, lambda file: _how(file, reading))
    ]
    return " UNION ALL ".join(parts)


# --- the dialect ---------------------------------------------------------------------------------------------------


def _first(*values: str | None) -> str:
    return next((value for value in values if value is not None), "")


def _encoding(files: Sequence[LocalFile]) -> str:
    """UTF-8, or UTF-16 if byte order marks say so."""
    found = {encodings.marked(file) or "utf-8": file.name for file in files}
    if len(found) > 1:
        listed = " and ".join(f"{name} as {encoding}" for encoding, name in sorted(found.items()))
        raise Unreadable(f"by their byte order marks the files are written differently: {listed}; write all in UTF-8")
    encoding = next(iter(found), "utf-8")
    return "utf-16" if encoding.startswith("utf-16") else encoding


def _delimiter(files: Sequence[LocalFile], known: Reading, names: Sequence[str]) -> str:
    """The one under which all records of all files have as many fields as their header, and some header more than one.
    Where no header has a delimiter in it, there is one column, and no comma."""
    heads = [grammar.first(file, _pieces(file, known), known.quote or "") for file in files]
    found = {d: [_names(head, d, known) for head in heads] for d in DELIMITERS}
    candidates = [d for d in DELIMITERS if any(len(cells) > 1 for cells in found[d])]
    refused: list[Irregular] = []
    for delimiter in list(candidates):
        try:
            for file in files:
                _layout(file, known.model_copy(update={"delimiter": delimiter}))
        except Irregular as error:
            candidates.remove(delimiter)
            refused.append(error)
    if len(candidates) > 1:
        named = [d for d in candidates if set(names) <= {name for cells in found[d] for name in cells}]
        candidates = named if len(named) == 1 else candidates
    if len(candidates) > 1:
        listed = " or ".join(map(cell, candidates))
        raise Unreadable(f"{files[0].name}: fields could be divided by {listed}; declare csv.delimiter")
    if refused and not candidates:
        raise refused[0]
    return candidates[0] if candidates else DELIMITERS[0]


def _null(found: Reading) -> None:
    """That some field can be what means null."""
    for what, character in (("delimiter", found.delimiter), ("quote", found.quote), ("line end", "\n")):
        if character and character in (found.null or "").replace("\r", "\n"):
            raise Unreadable(
                f"csv.nullText {cell(found.null)} has the {what} in it, so no unquoted field can be it; declare the "
                "text that stands for null without it"
            )


def _alike(files: Sequence[LocalFile], found: Reading, before: Set[str]) -> None:
    """That no file of one column would have columns of the others with another delimiter: theirs would be null in it.
    before: columns of earlier files."""
    for file in files:
        first, *more = columns(file, found)
        for delimiter in DELIMITERS if not more and first not in before else ():
            cells = _names(first.encode(), delimiter, found)
            if len(cells) > 1 and {*before, *(name for other in files for name in columns(other, found))} & {*cells}:
                raise Irregular(
                    f"{file.name}: line 1 has 1 field {cell(first)}, and other files have columns that it has if "
                    f"{cell(delimiter)} divides them, not {cell(found.delimiter)}; write all files with one delimiter"
                )


def _names(head: bytes, delimiter: str, known: Reading) -> list[str]:
    try:
        return grammar.split(head, Dialect(delimiter, known.quote or ""))
    except Irregular:
        return []


# --- files ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _How:
    """What must be the same of files that one call of DuckDB's reader gets."""

    header: tuple[str, ...]
    compression: str
    parallel: bool
    longest: int


def _dialect(reading: Reading) -> Dialect:
    return Dialect(reading.delimiter or DELIMITERS[0], QUOTE if reading.quote is None else reading.quote)


def _pieces(file: LocalFile, reading: Reading) -> Iterator[bytes]:
    """The file in UTF-8, its quotes doubled."""
    pieces = encodings.blocks(file, reading.encoding or "utf-8")
    if not _escaped(reading):
        return pieces
    return escapes.rewritten(file, pieces, reading.delimiter or "", reading.quote or "", reading.escape or "")


def _escaped(reading: Reading) -> bool:
    return bool(reading.quote and reading.escape) and reading.escape != reading.quote


def _layout(file: LocalFile, reading: Reading) -> Layout:
    key = _key(file, reading)
    if key not in _known:
        _known[key] = grammar.layout(file, _pieces(file, reading), _dialect(reading))
    return _known[key]


def _key(file: LocalFile, reading: Reading) -> tuple[object, ...]:
    stat = file.path.stat()
    written = (reading.delimiter, reading.quote, reading.escape, reading.encoding)
    return (str(file.path), stat.st_size, stat.st_mtime_ns, *written)


def _plain(file: LocalFile, reading: Reading) -> bool:
    """Whether DuckDB's reader is given the file as it is. It can't be trusted with other encodings, of which it knows
    few; with escapes, of which it drops those that escape nothing; and with names in which there are line ends, or
    delimiters (behind a byte order mark), after which it drops rows."""
    special = {"\r", "\n", reading.delimiter, reading.quote}
    simple = not any(special & set(name) for name in _layout(file, reading).header)
    return reading.encoding == "utf-8" and not _escaped(reading) and simple


def _how(file: LocalFile, reading: Reading) -> _How:
    found = _layout(file, reading)
    return _How(
        header=found.header, compression=compressed.compression(file) if _plain(file, reading) else "none",
        # Threads that begin within a quoted line end take it for the end of a record.
        parallel=not found.multiline, longest=_USUAL if found.longest < _USUAL else grammar.LONGEST,
    )  # fmt: skip


def _readable(database: duckdb.DuckDBPyConnection, file: LocalFile, reading: Reading) -> Path:
    """The file, or a copy of it in plain CSV: UTF-8, quotes doubled, names without line ends."""
    if _plain(file, reading):
        return file.path
    row = database.cursor().execute("SELECT current_setting('temp_directory')").fetchone()
    assert row is not None
    name = hashlib.sha256(repr(_key(file, reading)).encode()).hexdigest()[:24]
    copy = Path(row[0]).parent / f".plain-{name}.csv"
    if not copy.exists():
        beside = copy.with_suffix(f".{threading.get_ident()}")
        with beside.open("wb") as opened:
            _copy(file, reading, opened)
        beside.rename(copy)
    return copy


def _copy(file: LocalFile, reading: Reading, to: IO[bytes]) -> None:
    names = grammar.first(file, _pieces(file, reading), reading.quote or "")
    width = len(_layout(file, reading).header)
    try:
        to.write((reading.delimiter or DELIMITERS[0]).join(map(str, range(width))).encode())
        to.writelines(_behind(len(names), _pieces(file, reading)))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        size = file.path.stat().st_size
        raise Unreadable(
            f"{file.name}: no room on the Job's disk for a copy in UTF-8 of its {size} bytes; write UTF-8 by RFC 4180, "
            "which is read as it is, or give the Job more scratch space"
        ) from error


def _behind(size: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """All but the first `size` bytes."""
    for piece in pieces:
        yield piece[size:]
        size -= min(size, len(piece))


# --- SQL -----------------------------------------------------------------------------------------------------------


def _select(names: Sequence[str], how: _How, paths: Sequence[str], reading: Reading) -> str:
    own = set(how.header)
    cells = ", ".join(tables.name(n) if n in own else f"NULL::VARCHAR AS {tables.name(n)}" for n in names)
    quote = reading.quote or ""
    options = {
        "auto_detect": "false", "header": "true", "skip": "0", "strict_mode": "true", "null_padding": "false",
        "ignore_errors": "false", "comment": "''", "hive_partitioning": "false", "allow_quoted_nulls": "false",
        "nullstr": tables.text(reading.null or ""), "delim": tables.text(reading.delimiter or DELIMITERS[0]),
        "quote": tables.text(quote), "escape": tables.text(quote),
        "compression": tables.text(how.compression),
        "parallel": str(how.parallel).lower(), "max_line_size": str(how.longest * 2), "buffer_size": str(32 << 20),
        "columns": "{" + ", ".join(f"{tables.text(n)}: 'VARCHAR'" for n in how.header) + "}",
    }  # fmt: skip
    listed = "[" + ", ".join(map(tables.text, paths)) + "]"
    return f"SELECT {cells} FROM read_csv({listed}, {', '.join(f'{key} = {value}' for key, value in options.items())})"
