"""JSON lines: one object a line, a column for each key that any line has. Types are JSON's own, over all lines."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from fairlead.api.reading import ReadColumn, Reading
from fairlead.worker.formats import compressed, encodings, typed
from fairlead.worker.formats.base import Declared, Format, LocalFile, Unreadable, distinct, unreadable
from fairlead.worker.formats.words import cell
from fairlead.worker.tables import name, text

_ENCODING = "utf-8"
_KEYS = 5000
"""Columns at most. More keys than that are data."""
_NUMBERS = {"UBIGINT", "HUGEINT", "DOUBLE"}
_NUMBER = "number"
"""Integer or float, or a string if it is beyond both: their texts decide."""
_ALL = (
    ", records = true, sample_size = -1, map_inference_threshold = -1, field_appearance_threshold = 0, "
    "dateformat = '%%', timestampformat = '%%'"
)
"""All lines, each key a column, however rarely it is there."""
_RENAMED = re.compile(r"_[0-9]+$|^C[0-9]+$")
"""Names that DuckDB gives to keys that differ in case only, and to one that is empty."""
_LINE = 16 << 20
"""Bytes of a line, at most: each thread holds some of them."""
_DEPTH = 1000
"""Lists and objects in each other, at most: DuckDB has no bound, and ends its process."""
_FIRST = 20_000
"""Lines whose keys are counted before DuckDB sees them: it takes minutes where keys are data."""
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


class JsonLines(Format):
    """The reader."""

    sparse = True
    lazy = True

    def infer(
        self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], declared: Declared,
        fixed: Reading | None,
    ) -> Reading:  # fmt: skip
        """See Format."""
        wanted = {c.name: c.type for c in declared.columns}
        known = fixed.types() if fixed else {}
        seen: dict[str, str] = {}
        for file in files:
            for key, found in _structure(database, file).items():
                seen[key] = _joined(seen.get(key), found)
        names = list(dict.fromkeys([*seen, *wanted]))
        distinct(names)
        _few(len(names))
        types = {c: wanted.get(c) or _unless_null(known.get(c)) or seen[c] for c in names}
        types |= _numbers(database, files, [c for c, kind in types.items() if kind == _NUMBER])
        return Reading(format="jsonl", columns=[ReadColumn(name=c, type=types[c], declared=c in wanted) for c in names])

    def columns(self, database: duckdb.DuckDBPyConnection, file: LocalFile, reading: Reading) -> Sequence[str]:
        """See Format: keys that any line has."""
        del reading
        return list(_structure(database, file))

    def count(self, file: LocalFile, reading: Reading) -> int:
        """See Format: lines that are not blank."""
        del reading
        return _records(file)

    def raw(self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], reading: Reading) -> str:
        """See Format. Cells are texts: of a string itself, of anything else its JSON; in columns of several types all
        are JSON, so that "1" is not 1."""
        types = reading.types()
        nested = {c for c, kind in types.items() if kind == typed.JSON or kind.startswith(typed.LIST)}
        if not types:
            return f"SELECT NULL AS nothing FROM ({_objects(database, files)})"
        listed = ", ".join(f"{name(c)}: '{'JSON' if c in nested else 'VARCHAR'}'" for c in types)
        cells = ", ".join(f"{name(c)}::VARCHAR AS {name(c)}" if c in nested else name(c) for c in types)
        options = f", auto_detect = false, records = true, columns = {{{listed}}}"
        return f"SELECT {cells} FROM {_call(database, files, options)}"

    def scan(self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], reading: Reading) -> str:
        """See Format."""
        return typed.select(self.raw(database, files, reading), reading.types())

    def explained(self, files: Sequence[LocalFile], error: duckdb.Error) -> Unreadable:
        """See Format."""
        return _explained(files, error)


def _explained(files: Sequence[LocalFile], error: duckdb.Error) -> Unreadable:
    """What is wrong with files that DuckDB can't read, by the first line that is wrong."""
    found = unreadable(error)
    for file in files:
        for lines in _lines(file):
            for number, line in lines:
                if wrong := _wrong(line):
                    return Unreadable(f"{file.name}: line {number}: {wrong}; write one JSON object a line")
    return found


def _wrong(line: bytes) -> str:
    try:
        json.dumps(json.loads(line, object_pairs_hook=_once), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "half of a pair of surrogates (\\ud800 to \\udfff) is no character"
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as error:
        return str(error)
    return ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(k for k, _ in pairs if sum(k == other for other, _ in pairs) > 1)
        raise ValueError(f"key {cell(twice)} is there twice")
    return found


def _lines(file: LocalFile) -> Iterator[list[tuple[int, bytes]]]:
    """Lines that are not blank, with their numbers, some at a time. Raises Unreadable if one is no object."""
    if (mark := encodings.marked(file)) not in (None, _ENCODING):
        raise Unreadable(f"{file.name} is {mark}; JSON is UTF-8: write it so")
    rest, number = b"", 0
    for block in encodings.blocks(file, _ENCODING):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        yield _objects_of(file, lines, number)
        number += len(lines)
        if len(rest) > _LINE:
            raise _too_long(file, number + 1)
    yield _objects_of(file, [rest], number)


def _objects_of(file: LocalFile, lines: list[bytes], before: int) -> list[tuple[int, bytes]]:
    found = []
    for number, line in enumerate(lines, before + 1):
        if len(line) > _LINE:
            raise _too_long(file, number)
        if len(line) > _DEPTH and line.count(b"[") + line.count(b"{") > _DEPTH and _depth(line) > _DEPTH:
            raise Unreadable(f"{file.name}: line {number} is nested more than {_DEPTH} deep; flatten it")
        if line[:1] == b"{":
            found.append((number, line))
        elif stripped := line.strip():
            if stripped[:1] != b"{":
                shown = cell(stripped[:100].decode(errors="replace"))
                raise Unreadable(f"{file.name}: line {number} is {shown}, not an object in braces; write one a line")
            found.append((number, line))
    return found


def _too_long(file: LocalFile, number: int) -> Unreadable:
    return Unreadable(f"{file.name}: line {number} has more than {_LINE} bytes, which are not read; split it")


def _depth(line: bytes) -> int:
    bytes_ = np.frombuffer(_STRING.sub(b"", line), np.uint8)
    steps = np.isin(bytes_, np.frombuffer(b"[{", np.uint8)).astype(np.int32) - np.isin(
        bytes_, np.frombuffer(b"]}", np.uint8)
    )
    return int(np.cumsum(steps).max(initial=0))


def _plain(database: duckdb.DuckDBPyConnection, file: LocalFile) -> Path:
    """The file, or a copy of it without compression and byte order mark, in the database's folder."""
    if compressed.compression(file) == "none" and encodings.marked(file) is None:
        return file.path
    row = database.cursor().execute("SELECT current_setting('temp_directory')").fetchone()
    assert row is not None
    stat = file.path.stat()
    key = hashlib.sha256(repr((str(file.path), stat.st_size, stat.st_mtime_ns)).encode()).hexdigest()[:24]
    copy = Path(row[0]).parent / f".plain-{key}.jsonl"
    if not copy.exists():
        beside = copy.with_suffix(f".{threading.get_ident()}")
        with beside.open("wb") as opened:
            for block in encodings.blocks(file, _ENCODING):
                opened.write(block)
        beside.rename(copy)
    return copy


def _call(database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], more: str) -> str:
    listed = ", ".join(text(str(_plain(database, file))) for file in files)
    options = "format = 'newline_delimited', hive_partitioning = false, compression = 'uncompressed'"
    return f"read_json([{listed}], {options}, maximum_object_size = {_LINE}{more})"


def _objects(database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile]) -> str:
    return (
        f"SELECT json FROM {_call(database, files, ', auto_detect = false, columns = {json: JSON}, records = false')}"
    )


_known: dict[tuple[str, int, int], dict[str, str]] = {}
_counted: dict[tuple[str, int, int], int] = {}
"""What has been gone over already, by path, size and time."""


def _key(file: LocalFile) -> tuple[str, int, int]:
    stat = file.path.stat()
    return (str(file.path), stat.st_size, stat.st_mtime_ns)


def _records(file: LocalFile) -> int:
    if (key := _key(file)) not in _counted:
        _counted[key] = sum(len(lines) for lines in _lines(file))
    return _counted[key]


def _structure(database: duckdb.DuckDBPyConnection, file: LocalFile) -> dict[str, str]:
    """Kind by key, over all lines."""
    if (key := _key(file)) not in _known:
        _known[key] = _looked_at(database, file)
    return _known[key]


def _looked_at(database: duckdb.DuckDBPyConnection, file: LocalFile) -> dict[str, str]:
    _records(file)  # lines that DuckDB can't be trusted with
    cursor, source = database.cursor(), _call(database, [file], _ALL)
    some = f"SELECT json_keys(json) AS keys FROM ({_objects(database, [file])}) LIMIT {_FIRST}"
    try:
        many = cursor.execute(f"SELECT count(DISTINCT key) FROM (SELECT unnest(keys) AS key FROM ({some}))").fetchone()
        _few(int(many[0]) if many else 0)
        found = {str(row[0]): str(row[1]) for row in cursor.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    except duckdb.BinderException:  # objects without any key are no records for DuckDB
        return {}
    except duckdb.Error as error:
        raise _explained([file], error) from error
    distinct(found)
    if any(_RENAMED.search(key) for key in found):
        keys = f"SELECT DISTINCT unnest(json_keys(json)) FROM ({_objects(database, [file])})"
        real = [str(row[0]) for row in cursor.execute(keys).fetchall()]
        distinct(real)
        if "" in real:
            raise Unreadable(f"{file.name}: a key has no name; a column needs one")
    kinds = {key: _kind(shape) for key, shape in found.items()}
    return kinds | dict.fromkeys(_empty(database, file, [c for c in kinds if kinds[c] == typed.JSON]), typed.NULL)


def _few(keys: int) -> None:
    if keys > _KEYS:
        many = f"the lines have {keys} different keys, and a table {_KEYS} columns at most"
        raise Unreadable(f"{many}: move keys that are data into values")


def _kind(shape: str) -> str:
    """Of DuckDB's guess over all lines; what it makes of texts does not count."""
    if shape in ("BOOLEAN", "BIGINT"):
        return typed.BOOLEAN if shape == "BOOLEAN" else typed.INTEGER
    if shape in _NUMBERS:
        return _NUMBER
    scalar = shape.rstrip("[]")
    if shape.endswith("]") and scalar in _NUMBERS | {"BIGINT"}:
        depth = shape.count("[]")
        return typed.LIST * depth + typed.FLOAT + ">" * depth
    return typed.JSON if shape.startswith(("JSON", "STRUCT", "MAP")) or shape.endswith("]") else typed.STRING


def _joined(known: str | None, found: str) -> str:
    """Of two files."""
    if known in (None, typed.NULL, found):
        return found
    if known is None or found == typed.NULL:
        return known
    return _NUMBER if {known, found} == {_NUMBER, typed.INTEGER} else typed.JSON


def _unless_null(kind: str | None) -> str | None:
    return None if kind == typed.NULL else kind


def _numbers(
    database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], columns: Sequence[str]
) -> dict[str, str]:  # fmt: skip
    """Integer, float, or string for numbers that neither holds."""
    if not columns:
        return {}
    texts = _texts(database, files, columns)
    try:
        found = typed.infer(database, texts, columns)
        left = [column for column, kind in found.items() if kind == typed.STRING]
        return found | dict.fromkeys(typed.without_numbers(database, texts, left), typed.FLOAT)
    except duckdb.Error as error:
        raise _explained(files, error) from error


def _empty(database: duckdb.DuckDBPyConnection, file: LocalFile, columns: Sequence[str]) -> list[str]:
    """Columns that are null in every line: DuckDB calls them JSON too."""
    if not columns:
        return []
    counts = ", ".join(f"count({name(c)})" for c in columns)
    try:
        row = database.cursor().execute(f"SELECT {counts} FROM ({_texts(database, [file], columns)})").fetchone() or ()
    except duckdb.Error as error:
        raise _explained([file], error) from error
    return [column for column, number in zip(columns, row, strict=True) if not number]


def _texts(database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], columns: Sequence[str]) -> str:
    reading = Reading(format="jsonl", columns=[ReadColumn(name=c, type=typed.STRING) for c in columns])
    return JsonLines().raw(database, files, reading)
