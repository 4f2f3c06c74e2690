"""Parquet. It describes itself, file by file: types are those of the files, or one that all are without loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairlead.api.reading import ReadColumn, Reading
from fairlead.worker.formats import typed
from fairlead.worker.formats.base import Declared, Format, LocalFile, Misfit, Stored, Unreadable, distinct
from fairlead.worker.tables import name, text

_DIGITS = 38
"""Of a decimal, at most: DuckDB reads wrong numbers from longer ones."""
_EXACT = 2**53
"""Integers up to here are floats too."""
_SHOWN = 200
"""Characters of a nested type's name."""


class Parquet(Format):
    """The reader."""

    def infer(
        self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], declared: Declared,
        fixed: Reading | None,
    ) -> Reading:  # fmt: skip
        """See Format. Only footers are read. A column that is null throughout a file is of any type."""
        del database
        wanted = {c.name: c.type for c in declared.columns}
        known = {c: t for c, t in (fixed.types() if fixed else {}).items() if c not in wanted}
        names: dict[str, None] = {}
        problems: dict[str, str] = {}
        for file in files:
            for column, kind in kinds(file).items():
                names[column] = None
                if column in wanted:
                    continue
                joined = _joined(known.get(column, typed.NULL), kind, fixed=bool(fixed and column in fixed.types()))
                if joined is None:
                    problems[column] = _misfit(file, kind, known[column])
                else:
                    known[column] = joined
        names |= dict.fromkeys(wanted)
        distinct(names)
        if problems:
            raise Misfit(problems)
        listed = [ReadColumn(name=c, type=wanted.get(c) or known[c], declared=c in wanted) for c in names]
        return Reading(format="parquet", columns=listed)

    def columns(self, database: duckdb.DuckDBPyConnection, file: LocalFile, reading: Reading) -> Sequence[str]:
        """See Format."""
        del database, reading
        return list(kinds(file))

    def count(self, file: LocalFile, reading: Reading) -> int:
        """See Format. Decodes every cell, so that damage shows even in columns that no check names."""
        del reading
        try:
            with pq.ParquetFile(file.path, page_checksum_verification=True, memory_map=True) as parquet:
                rows: int = sum(batch.num_rows for batch in parquet.iter_batches(65536))
                promised = parquet.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(error) from error
        if rows != promised:
            raise Unreadable(f"{file.name} has {rows} rows, and its footer says {promised}; write it anew")
        return rows

    def raw(self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], reading: Reading) -> str:
        """See Format: one file's own columns and types; of several files, see scan."""
        if len(files) != 1:
            return self.scan(database, files, reading)
        return _read(files)

    def scan(self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], reading: Reading) -> str:
        """See Format. Files of the same types are read together, these groups one after the other. Timestamps with a
        zone become UTC without one, as those of other formats."""
        del database
        groups: dict[tuple[tuple[str, str], ...], list[LocalFile]] = {}
        for file in files:
            groups.setdefault(tuple(sorted(stored(file).items())), []).append(file)
        mixed = {c for c in reading.types() if len({dict(g).get(c) for g in groups}) > 1}
        return " UNION ALL ".join(_select(dict(g), members, reading, mixed) for g, members in groups.items())

    def stored(self, file: LocalFile) -> Mapping[str, Stored]:
        """See Format."""
        said = kinds(file)
        return {column: Stored(said[column], arrow) for column, arrow in stored(file).items()}

    def shrink(self, file: LocalFile) -> None:
        """See Format."""
        schema = _schema(file)
        file.path.unlink()
        pq.write_metadata(schema, file.path)


def kinds(file: LocalFile) -> dict[str, str]:
    """Type by column, as a Reading says it. Raises Unreadable."""
    schema = _schema(file)
    found = {field.name: kind(field.type) for field in schema}
    if len(found) < len(schema.names):
        twice = sorted({c for c in schema.names if schema.names.count(c) > 1})
        raise Unreadable(f"{file.name} has more than one column named {', '.join(twice)}; rename them")
    for column, named in found.items():
        if named.startswith(typed.DECIMAL) and _precision(named) > _DIGITS:
            raise Unreadable(f"{file.name}: column {column} is {named}; decimals have at most {_DIGITS} digits: write "
                             "it as a string, or with fewer")  # fmt: skip
    return found


def kind(arrow: pa.DataType) -> str:
    """What a Reading calls a type."""
    types = pa.types
    if types.is_dictionary(arrow):
        return kind(arrow.value_type)
    for test, named in (
        (types.is_null, typed.NULL), (types.is_boolean, typed.BOOLEAN), (types.is_integer, typed.INTEGER),
        (types.is_floating, typed.FLOAT), (types.is_date, typed.DATE), (types.is_timestamp, typed.TIMESTAMP),
        (types.is_time, "time"), (types.is_duration, "duration"),
    ):  # fmt: skip
        if test(arrow):
            return named
    if types.is_string(arrow) or types.is_large_string(arrow) or types.is_string_view(arrow):
        return typed.STRING
    if types.is_decimal(arrow):
        return f"{typed.DECIMAL}({arrow.precision},{arrow.scale})"
    return _other(arrow)[:_SHOWN]


def _other(arrow: pa.DataType) -> str:
    types = pa.types
    if isinstance(arrow, pa.BaseExtensionType):
        special = {"arrow.uuid": "uuid", "arrow.json": typed.JSON}
        return special.get(arrow.extension_name) or kind(arrow.storage_type)
    if types.is_list(arrow) or types.is_large_list(arrow) or types.is_fixed_size_list(arrow):
        return f"list<{kind(arrow.value_type)}>"
    if types.is_struct(arrow):
        return f"struct<{', '.join(f'{field.name}: {kind(field.type)}' for field in arrow)}>"
    if types.is_map(arrow):
        return f"map<{kind(arrow.key_type)}, {kind(arrow.item_type)}>"
    return "binary" if "binary" in str(arrow) else str(arrow)


def _schema(file: LocalFile) -> pa.Schema:
    try:
        return pq.read_schema(file.path)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(error) from error


def _precision(named: str) -> int:
    return _digits(named)[0]


def _digits(named: str) -> tuple[int, int]:
    """All, and those of the fraction."""
    precision, scale = named[len(typed.DECIMAL) + 1 : -1].split(",")
    return int(precision), int(scale)


def _wider(known: str, found: str) -> str | None:
    """The decimal that has the digits of both; None if those are too many: DuckDB would round."""
    if known == typed.DECIMAL:  # of a release that did not say how many
        return known
    (precision, scale), (others, fraction) = _digits(known), _digits(found)
    most = max(scale, fraction)
    whole = max(precision - scale, others - fraction)
    return f"{typed.DECIMAL}({whole + most},{most})" if whole + most <= _DIGITS else None


def _joined(known: str, found: str, *, fixed: bool) -> str | None:
    """A type that both are without loss; None if there is none. A fixed one gives way to nothing."""
    if found in (known, typed.NULL):
        return known
    if known == typed.NULL:
        return found
    if known.startswith(typed.DECIMAL) and found.startswith(typed.DECIMAL):
        return _wider(known, found)
    if known == typed.FLOAT and found == typed.INTEGER:
        return known
    return typed.FLOAT if (known, found) == (typed.INTEGER, typed.FLOAT) and not fixed else None


def _misfit(file: LocalFile, found: str, known: str) -> str:
    numbers = {found, known} <= {typed.INTEGER, typed.FLOAT}
    remedy = "write one type" + (", or declare it in spec.schema" if numbers else "")
    return f"{file.name}: it is {found}, and {known} in other files; {remedy}"


def stored(file: LocalFile) -> dict[str, str]:
    """What Arrow calls the type of each column."""
    return {field.name: str(field.type) for field in _schema(file)}


def _read(files: Iterable[LocalFile]) -> str:
    listed = ", ".join(text(str(file.path)) for file in files)
    return f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"


def _select(types: Mapping[str, str], files: Sequence[LocalFile], reading: Reading, mixed: set[str]) -> str:
    cells = []
    for column in reading.columns:
        cell, found = name(column.name), types.get(column.name, "null")
        if found == "null":
            cell = "NULL"
        elif found.startswith("timestamp") and "tz=" in found:
            cell = f"make_timestamp(epoch_us({cell}))"
        elif "uuid" in found:
            cell = f"CAST({cell} AS VARCHAR)"
        elif column.type == typed.FLOAT and (column.declared or column.name in mixed):
            cell = _float(column, cell, wide=found in ("int64", "uint64"))
        cells.append(f"{cell} AS {name(column.name)}")
    return f"SELECT {', '.join(cells) or '*'} FROM ({_read(files)})"


def _float(column: ReadColumn, cell: str, *, wide: bool) -> str:
    """Integers that are floats because those of other files are: only such as floats can hold."""
    if column.declared or not wide:
        return f"CAST({cell} AS DOUBLE)"
    problem = text(f" is no float, as column {column.name} is in other files; write one type, or declare it")
    return f"CASE WHEN abs({cell}::HUGEINT) > {_EXACT} THEN error({cell} || {problem})::DOUBLE ELSE {cell}::DOUBLE END"
