"""What the Open Inference Protocol v2 carries in JSON: from a column's type to a tensor.

The type decides, as the reader of the rows has it, never what a value looks like. What the protocol has no datatype for
is refused by the column's name; nothing is sent as the text of something else.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fairlead.worker import tables
from fairlead.worker.errors import TaskFailed

Kind = Literal["boolean", "integer", "unsigned", "float", "text", "date", "time", "timestamp", "bytes"]
Json = dict[str, Any]
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UHUGEINT")
_KINDS: dict[str, Kind] = {
    "BOOLEAN": "boolean", **dict.fromkeys(_INTEGERS, "integer"), "UBIGINT": "unsigned",
    "FLOAT": "float", "DOUBLE": "float", "DECIMAL": "float",
    "VARCHAR": "text", "ENUM": "text", "UUID": "text", "JSON": "text", "TIME WITH TIME ZONE": "text",
    "DATE": "date", "TIME": "time", "TIME_NS": "time", "BLOB": "bytes",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"),
                    "timestamp"),
}  # fmt: skip
"""By DuckDB's name of a type, without its parameters."""
_REMEDIES = {
    "STRUCT": "flatten it into columns of their own", "MAP": "flatten it into columns of their own",
    "UNION": "give each of its types a column of its own", "INTERVAL": "write it as a number, such as seconds",
    "a duration": "write it as a number, such as seconds",
}  # fmt: skip
NUMBERS: frozenset[Kind] = frozenset(("integer", "unsigned", "float"))
EXACT = 2**53
"""Integers up to here are floats too."""
_SENT: dict[Kind, str] = {"boolean": "BOOL", "integer": "INT64", "unsigned": "UINT64", "float": "FP64"}
_LISTS = re.compile(r"\[\d*\]$")
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Type:
    """A column's type: of its values, and how deep they lie in lists."""

    kind: Kind | None
    """None: none that a request can carry, nor a target be."""
    depth: int
    said: str
    """As the reader calls it."""

    @staticmethod
    def of(said: str) -> Type:
        """From DuckDB's name of a type, such as `DECIMAL(10,2)` or `DOUBLE[][]`."""
        inner, depth = said, 0
        while _LISTS.search(inner):
            inner, depth = _LISTS.sub("", inner), depth + 1
        return Type(_KINDS.get(inner.partition("(")[0]), depth, said)

    def scalar(self, column: str, use: str) -> Kind:
        """The kind, if a value is one number, text or time. Raises TaskFailed (BadData) if not."""
        kind = self.one(column, use)
        if kind == "bytes":
            raise TaskFailed("BadData", f"column {column} is {self._short()}: it can't be {use}; name another column")
        return kind

    def one(self, column: str, use: str) -> Kind:
        """The kind, if a value is no list, and nothing with members. Raises TaskFailed (BadData) if it is."""
        if self.depth or self.kind is None:
            raise TaskFailed("BadData", f"column {column} is {self._short()}: it can't be {use}; name another column")
        return self.kind

    def sent(self, column: str) -> Kind:
        """The kind, if a request can carry it. Raises TaskFailed (BadData) if not."""
        if self.kind is None:
            word = self.said.partition("(")[0]
            remedy = _REMEDIES.get(word, "write it as numbers or text")
            raise TaskFailed("BadData", f"column {column} is {self._short()}: the protocol can't carry it; {remedy}")
        return self.kind

    def _short(self) -> str:
        return self.said if len(self.said) <= 100 else f"{self.said[:99]}…"


@dataclass(frozen=True)
class Feature:
    """A column as it is sent."""

    name: str
    kind: Kind
    datatype: str
    """Of the protocol: BOOL, INT64, UINT64, FP64 or BYTES."""
    shape: tuple[int, ...] = ()
    """Of one row: empty for one value, else the lengths of its lists."""


def feature(name: str, kind: Kind, gaps: bool, shape: tuple[int, ...] = ()) -> Feature:
    """Integers and booleans with gaps go as floats: no integer means nothing."""
    datatype = _SENT.get(kind, "BYTES")
    return Feature(name, kind, "FP64" if gaps and datatype != "BYTES" else datatype, shape)


class Lists:
    """The common shape of a column of lists, found batch by batch."""

    def __init__(self, name: str, depth: int) -> None:
        self._name, self._depth = name, depth
        self._rows = 0
        self.shape: tuple[int, ...] = ()
        self.gaps = False

    def add(self, column: pa.Array) -> None:
        """The next rows. Raises TaskFailed (BadData) at the first row whose lists are not as long as those before."""
        found: list[int] = []
        at, rows, width = column, len(column), 1
        for level in range(self._depth):
            lengths = pc.list_value_length(at).to_numpy(zero_copy_only=False)
            wanted = self.shape[level] if self.shape else (lengths[0] if len(lengths) else 0)
            if wanted == 0:
                self._refuse(0, 0, wanted)
            wrong = np.flatnonzero(~(lengths == wanted))  # a null's length is NaN, which equals nothing
            if wrong.size:
                self._refuse(int(wrong[0]) // width, lengths[wrong[0]], wanted)
            found.append(int(wanted))
            at, width = at.flatten(), width * int(wanted)
        self.shape = tuple(found)
        self.gaps = self.gaps or at.null_count > 0
        self._rows += rows

    def _refuse(self, row: int, length: float, wanted: float) -> None:
        where = f"column {self._name}: row {self._rows + row}"
        if not length:
            raise TaskFailed("BadData", f"{where} has an empty list; a tensor has values: fill it, or drop the row")
        if math.isnan(length):
            raise TaskFailed("BadData", f"{where} is null or has a null list in it; fill it, or drop the row")
        raise TaskFailed(
            "BadData", f"{where} has {length:g} values in a list where the rows before have {wanted:g}: the lists of a "
            "tensor are of equal length; pad or cut them",
        )  # fmt: skip


def tensor(feature: Feature, column: pa.Array) -> Json:
    """The tensor of a column's rows: of shape [n, 1], or [n, …] of lists; values in row-major order. Nulls and NaN go
    as null. Raises TaskFailed (BadData) for values that the datatype can't carry."""
    flat = column
    for _ in feature.shape:
        flat = flat.flatten()
    found: Json = {
        "name": feature.name, "datatype": feature.datatype, "shape": [len(column), *(feature.shape or (1,))],
        "data": _cells(feature, flat),
    }  # fmt: skip
    if feature.datatype == "BYTES":
        found["parameters"] = {"content_type": "base64" if feature.kind == "bytes" else "str"}
    elif feature.shape:  # MLServer's data frames would have a row for each value otherwise
        found["parameters"] = {"content_type": "np"}
    return found


def _cells(feature: Feature, flat: pa.Array) -> list[Any]:
    if feature.kind == "bytes":
        return [None if v is None else base64.b64encode(v).decode() for v in flat.to_pylist()]
    values = plain(feature.name, feature.kind, flat)
    return [_number(feature.name, v) for v in values] if feature.datatype == "FP64" else values


def _number(name: str, value: Any) -> float | None:
    if value is None or value != value:  # only NaN differs from itself
        return None
    found = float(value)
    if math.isinf(found):
        raise TaskFailed("BadData", f"column {name} has infinite values; a request can't carry them")
    if isinstance(value, int) and int(found) != value:
        raise TaskFailed(
            "BadData", f"column {name} has gaps, so its integers go as floats, and no float is {value}; fill the gaps, "
            "or declare it as a string",
        )  # fmt: skip
    return found


def plain(name: str, kind: Kind, values: pa.Array) -> list[Any]:
    """Values as Python has them: of numbers int, float or Decimal, of dates and times their ISO 8601 text (in UTC if
    they have a zone). Raises TaskFailed (BadData) for times outside of the years 1 to 9999."""
    if kind not in ("date", "time", "timestamp"):
        return list(values.to_pylist())
    try:
        return _iso(kind, values)
    except OverflowError as error:
        raise TaskFailed(
            "BadData", f"column {name} has a {kind} that is infinite or outside of the years 1 to 9999; correct it"
        ) from error


def _iso(kind: Kind, values: pa.Array) -> list[str | None]:
    if kind == "date":
        days = values.cast(pa.int32()).to_pylist()
        return [None if d is None else (_EPOCH + timedelta(days=d)).date().isoformat() for d in days]
    parts = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}[values.type.unit]
    zone = UTC if kind == "timestamp" and values.type.tz else None
    numbers = values.cast(pa.int64() if values.type.bit_width == 64 else pa.int32()).to_pylist()
    return [None if n is None else _moment(n, parts, kind, zone) for n in numbers]


def _moment(number: int, parts: int, kind: Kind, zone: Any) -> str:
    """A time in parts of a second since the epoch or midnight: nanoseconds are written if there are any."""
    seconds, rest = divmod(number, parts)
    nanos = rest * (10**9 // parts)
    at = (_EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)).replace(tzinfo=zone)
    if not nanos % 1000:
        return at.isoformat() if kind == "timestamp" else at.time().isoformat()
    text = at.replace(tzinfo=None).isoformat(timespec="microseconds") + f"{nanos % 1000:03}"
    return text + ("+00:00" if zone else "") if kind == "timestamp" else text.partition("T")[2]


def selected(column: str, type_: Type) -> str:
    """SQL of a column, cast to what Arrow has a type for: it would take some texts and wide integers for something
    else."""
    wide = type_.kind == "integer" and "HUGEINT" in type_.said
    if not wide and (type_.kind != "text" or type_.said.startswith("VARCHAR")):
        return tables.name(column)
    target = ("BIGINT" if wide else "VARCHAR") + "[]" * type_.depth
    return f"CAST({tables.name(column)} AS {target}) AS {tables.name(column)}"


def identity(column: str, said: str) -> str:
    """SQL: an id as text. said: the column's type. Integers with gaps are stored as floats, and nothing is called
    `7.0`."""
    cell = tables.name(column)
    if said not in ("FLOAT", "DOUBLE"):
        return f"CAST({cell} AS VARCHAR)"
    whole = f"{cell} = trunc({cell}) AND abs({cell}) < {EXACT}"
    return f"CASE WHEN {whole} THEN {cell}::BIGINT::VARCHAR ELSE {cell}::VARCHAR END"
