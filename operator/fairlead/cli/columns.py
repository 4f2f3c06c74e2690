"""The columns of a model, as its evaluation sent them, and rows of them that a person writes. Pure.

An evaluation keeps one request as it was sent to the model (`status.evidence.sample`): its tensors say each column's
name and type. Without one, a value's type is what it looks like.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.api import foreign

Json = dict[str, Any]
Row = Mapping[str, Any]
FLOAT, BYTES, BOOL = "FP64", "BYTES", "BOOL"
_WHOLE = re.compile(r"\s*[-+]?[0-9]{1,64}\s*")
_NUMBER = re.compile(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*")
"""What a text is that looks like a number; Python's own readers take 1_000 and other scripts' digits too."""
_SAID = {BYTES: "text", BOOL: "true or false"}


class Unfit(ValueError):  # noqa: N818 - the house's names of errors
    """Rows are not what the model is asked with; the message says which columns, and of which row."""


@dataclass(frozen=True)
class Column:
    """A column as it is sent."""

    name: str
    datatype: str
    """Of Open Inference Protocol v2."""
    shape: tuple[int, ...]
    """Of one row: empty for one value, else the lengths of its lists."""
    parameters: Json | None
    example: Any
    """Of the sample: a value, or lists of such."""

    @property
    def said(self) -> str:
        """Its type in words."""
        inner = _SAID.get(self.datatype) or f"{'a whole' if 'INT' in self.datatype else 'a'} number"
        return f"lists of shape {list(self.shape)} ({self.datatype})" if self.shape else f"{inner} ({self.datatype})"


def of(sample: str) -> list[Column]:
    """The columns of a request; none if there is no request, or it isn't one of the protocol."""
    try:
        body = foreign.parse(sample) if sample else {}
        return [_column(tensor) for tensor in body.get("inputs", [])]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _column(tensor: Json) -> Column:
    shape = tuple(int(size) for size in tensor["shape"][1:])
    shape = () if shape in ((), (1,)) else shape
    values = list(tensor["data"])
    if math.prod(shape) > len(values):
        raise ValueError("a tensor has fewer values than its shape says")
    example = _nested(values[: math.prod(shape)], shape) if shape else values[0]
    return Column(str(tensor["name"]), str(tensor["datatype"]), shape, tensor.get("parameters"), example)


def _nested(flat: Sequence[Any], shape: Sequence[int]) -> Any:
    """Values in row-major order as lists within each other."""
    if len(shape) == 1:
        return list(flat)
    width = math.prod(shape[1:])
    return [_nested(flat[at : at + width], shape[1:]) for at in range(0, shape[0] * width, width)]


def guessed(rows: Sequence[Row], names: Sequence[str] = ()) -> list[Column]:
    """Columns where no evaluation says their types: these names, else those of the rows in their order, of the types
    that the values look like."""
    names = names or list(dict.fromkeys(name for row in rows for name in row))
    return [_guessed(name, [row.get(name) for row in rows]) for name in names]


def _guessed(name: str, values: Sequence[Any]) -> Column:
    known = [value for value in values if value is not None]
    example = known[0] if known else None
    shape = tuple(_lengths(example))
    flat = [leaf for value in known for leaf in _leaves(value)]
    parameters = {"content_type": "np"} if shape else None
    if any(isinstance(leaf, str) for leaf in flat):
        return Column(name, BYTES, shape, {"content_type": "str"}, example)
    if flat and len(known) == len(values) and all(isinstance(leaf, bool) for leaf in flat):
        return Column(name, BOOL, shape, parameters, example)
    whole = len(known) == len(values) and all(isinstance(leaf, int) and not isinstance(leaf, bool) for leaf in flat)
    return Column(name, "INT64" if whole else FLOAT, shape, parameters, example)


def _lengths(value: Any) -> Iterator[int]:
    while isinstance(value, list) and value:
        yield len(value)
        value = value[0]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


# --- rows that people write ----------------------------------------------------------------------------------------


def from_text(known: Sequence[Column], row: Mapping[str, str]) -> dict[str, Any]:
    """A row of a CSV file: text becomes what its column says, or what it looks like where none is known; an empty
    field is null. Raises ValueError for a list that is no JSON."""
    types = {column.name: column for column in known}
    return {name: _read(types.get(name), text) for name, text in row.items()}


def _read(column: Column | None, text: str) -> Any:
    if text == "":
        return None
    if column is not None and column.shape:
        return foreign.parse(text)
    if column is not None and column.datatype == BYTES:
        return text
    if (column is None or column.datatype == BOOL) and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def body(known: Sequence[Column], rows: Sequence[Row]) -> Json:
    """The request for these rows: one tensor a column. Raises Unfit, with a line for each column that is wrong."""
    told = [line for number, row in enumerate(rows, 1) for line in _named(known, row, number, len(rows))]
    told = told or [line for column in known for line in _wrong(column, rows)]
    if told:
        raise Unfit("\n".join(told[:20] + ([f"… and {len(told) - 20} more"] if len(told) > 20 else [])))
    alone = len(known) == 1 and bool(known[0].shape)
    inputs = [_tensor(column, [row[column.name] for row in rows]) for column in known]
    return {"parameters": {"content_type": "np" if alone else "pd"}, "inputs": inputs}


def _tensor(column: Column, values: Sequence[Any]) -> Json:
    found: Json = {
        "name": column.name, "datatype": column.datatype, "shape": [len(values), *(column.shape or (1,))],
        "data": [_sent(column, leaf) for value in values for leaf in _leaves(value)],
    }  # fmt: skip
    return {**found, "parameters": column.parameters} if column.parameters else found


def _sent(column: Column, leaf: Any) -> Any:
    """JSON's 3.0 is a whole number too; there are servers to which it is none."""
    return int(leaf) if "INT" in column.datatype else leaf


def _named(known: Sequence[Column], row: Row, number: int, of_rows: int) -> Iterator[str]:
    """Columns that the model does not have, and those that the row lacks."""
    where = f"row {number}: " if of_rows > 1 else ""
    names = [column.name for column in known]
    lacks = [name for name in names if name not in row]
    for name in row:
        if name not in names:
            alike = difflib.get_close_matches(name, lacks or names, n=1)
            yield f"{where}there is no column {name!r}" + (f"; did you mean {alike[0]!r}?" if alike else "")
    for column in known:
        if column.name in lacks:
            like = (
                f"; it is {column.said}, for example {json.dumps(column.example)}" if column.example is not None else ""
            )
            yield f"{where}column {column.name!r} is missing{like}"


def _wrong(column: Column, rows: Sequence[Row]) -> Iterator[str]:
    for number, row in enumerate(rows, 1):
        if problem := _problem(column, row[column.name]):
            where = f"row {number}, " if len(rows) > 1 else ""
            yield f"{where}column {column.name!r} is {column.said}: {problem}"


def _problem(column: Column, value: Any) -> str:
    if not _has_shape(value, column.shape):
        return f"not {_short(value)}"
    return next((found for leaf in _leaves(value) if (found := _misfit(column, leaf))), "")


def _has_shape(value: Any, shape: Sequence[int]) -> bool:
    if not shape:
        return not isinstance(value, (list, dict))
    return isinstance(value, list) and len(value) == shape[0] and all(_has_shape(one, shape[1:]) for one in value)


def _misfit(column: Column, leaf: Any) -> str:
    if leaf is None:
        null = column.datatype in (FLOAT, BYTES)
        return "" if null else "null is none, and the evaluation's rows had no gaps there"
    if column.datatype == BYTES:
        return "" if isinstance(leaf, str) else f"write {_short(leaf)} in quotes, as text"
    if column.datatype == BOOL:
        return "" if isinstance(leaf, bool) else f"not {_short(leaf)}"
    if isinstance(leaf, bool) or not isinstance(leaf, (int, float)):
        return f"not {_short(leaf)}"
    if isinstance(leaf, float) and not math.isfinite(leaf):
        return "NaN and infinite values can't be sent; write null for what is not known"
    whole = "INT" not in column.datatype or float(leaf).is_integer()
    return "" if whole else f"not {_short(leaf)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def differences(known: Sequence[Column], sent: Any) -> list[str]:
    """What a request has, or lacks, that the evaluation's did not: column by column. Of a request that isn't one of the
    protocol: nothing."""
    tensors = sent.get("inputs") if isinstance(sent, dict) else None
    if not known or not isinstance(tensors, list):
        return []
    found = {str(t["name"]): t for t in tensors if isinstance(t, dict) and "name" in t}
    told = [f"column {name!r} was sent, and the evaluation's rows have none" for name in found.keys() - _names(known)]
    told += [f"column {one.name!r} was not sent; it is {one.said}" for one in known if one.name not in found]
    for column in known:
        datatype = found.get(column.name, {}).get("datatype", column.datatype)
        if datatype != column.datatype:
            told.append(f"column {column.name!r} was sent as {datatype}; the evaluation sent {column.datatype}")
    return sorted(told)


def _names(known: Sequence[Column]) -> set[str]:
    return {column.name for column in known}
