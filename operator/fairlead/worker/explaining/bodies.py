"""Requests as clients sent them, as rows of values; and rows as a request of the same form.

What is asked is put together from what clients send: tensors of the same names, in the same order, of the same shapes.
So a model that is asked about a mixed row sees it as it sees its clients' rows. A body is read as the recorder reads it
(`worker/record/rows.py`), and nothing is guessed: what has no form is counted by its reason.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

import numpy as np

from fairlead.api import foreign
from fairlead.worker.explaining.shapley import Values
from fairlead.worker.oip import PROBABILITIES
from fairlead.worker.record import rows as recorded
from fairlead.worker.record.names import BODY_LIMIT
from fairlead.worker.record.rows import DEPTH, PARTS, flat, shape_of, tensors

FEATURES = 500
TEXT = 2000
"""Characters of a value; longer ones are texts, whose parts would have to be explained."""
NAME, SHORT = 256, 240
"""Characters of a tensor's name, and of them in a feature's."""
REASONS = {
    "protocol": "JSON that is none of the Open Inference Protocol",
    "binary": "no JSON, or tensors as bytes",
    "shape": "tensors that are no rows of values",
    "wide": f"more than {FEATURES} values a row, or texts of more than {TEXT} characters",
    "unlike": "other tensors than most requests, or than the reference, have",
    "refused": "the model's server refused such rows, or answered no number",
}
"""Why a request is not explained."""


class Strange(Exception):  # noqa: N818 - the house's names of errors
    """A request that is not explained; `reason` is one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason])
        self.reason = reason


_NUMBERS = ("BOOL", "INT", "UINT", "FP", "BF")
_WHOLE = ("BOOL", "INT", "UINT")


@dataclass(frozen=True)
class Part:
    """A tensor: its name, its datatype, its shape without the rows, and its parameters as JSON."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: str = ""

    @property
    def width(self) -> int:
        """Values a row."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Form:
    """What all requests that are explained together have in common."""

    parts: tuple[Part, ...]
    parameters: str = ""
    """Of the body, as JSON."""

    @property
    def key(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Requests with the same are rows of the same table, in whatever order and with whatever types they come."""
        return tuple(sorted((one.name, one.shape) for one in self.parts))

    @property
    def features(self) -> list[str]:
        """Names, one a value of a row, all different."""
        found: dict[str, None] = {}
        for one in self.parts:
            for at in range(one.width):
                name = f"{one.name[:SHORT]}[{at}]" if one.width > 1 else one.name[:SHORT]
                found[_other(name, found)] = None
        return list(found)

    def ordered(self, other: Form, row: Sequence[Any]) -> list[Any]:
        """A row of another form with the same key, in the order of this one."""
        places, at = dict[str, tuple[int, int]](), 0
        for one in other.parts:
            places[one.name] = (at, at + one.width)
            at += one.width
        return [value for one in self.parts for value in row[slice(*places[one.name])]]

    def request(self, rows: Values, probabilities: bool) -> bytes:
        """The request for rows (n, features)."""
        inputs, at = [], 0
        for one in self.parts:
            made: dict[str, Any] = {"name": one.name, "shape": [len(rows), *one.shape], "datatype": one.datatype}
            if one.parameters:
                made["parameters"] = json.loads(one.parameters)
            columns = rows[:, at : at + one.width]
            inputs.append(made | {"data": columns.reshape(-1).tolist()})
            at += one.width
        body: dict[str, Any] = {"inputs": inputs}
        if self.parameters:
            body["parameters"] = json.loads(self.parameters)
        if probabilities:
            body["outputs"] = [{"name": PROBABILITIES}]
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def _other(name: str, taken: Container[str]) -> str:
    """The name, or one like it that is not taken."""
    more = (f"{name}#{number}" for number in count(2))
    return next(one for one in chain([name], more) if one not in taken)


@dataclass(frozen=True)
class Body:
    """A request that was read."""

    form: Form
    rows: list[list[Any]]


def read(text: str) -> Body:
    """The rows of a request's body. Raises Strange."""
    try:
        return _read(text)
    except recorded.Unread as why:
        raise Strange(why.reason) from None


def _read(text: str) -> Body:
    try:
        found = foreign.parse(text, length=BODY_LIMIT, parts=PARTS, depth=DEPTH, finite=False)
    except foreign.Beyond:
        raise Strange("protocol") from None
    except ValueError:
        raise Strange("binary") from None
    parts, columns, lengths = list[Part](), list[list[Any]](), set[int]()
    for tensor in tensors(found, "inputs"):
        part, rows = _part(tensor)
        if any(one.name == part.name for one in parts):
            raise Strange("protocol")
        parts.append(part)
        lengths.add(rows)
        columns.append(_values(tensor, rows * part.width))
    width = sum(one.width for one in parts)
    if len(lengths) != 1 or not width or 0 in lengths:
        raise Strange("shape")
    if width > FEATURES:
        raise Strange("wide")
    form = Form(tuple(parts), _parameters(found))
    return Body(form, [_row(parts, columns, at) for at in range(lengths.pop())])


def _part(tensor: dict[str, Any]) -> tuple[Part, int]:
    name, datatype = tensor.get("name"), tensor.get("datatype")
    if not isinstance(name, str) or not isinstance(datatype, str) or len(name) > NAME or len(datatype) > NAME:
        raise Strange("protocol")
    first, *rest = shape_of(tensor)
    return Part(name, datatype, tuple(rest), _parameters(tensor)), first


def _parameters(of: dict[str, Any]) -> str:
    """Those that say how a tensor is to be read; ids and the like are of one request."""
    found = of.get("parameters")
    kind = found.get("content_type") if isinstance(found, dict) else None
    return json.dumps({"content_type": kind}) if isinstance(kind, str) and len(kind) <= NAME else ""


def _values(tensor: dict[str, Any], many: int) -> list[Any]:
    found = flat(tensor.get("data"))
    if len(found) != many:
        raise Strange("shape")
    return [_value(one) for one in found]


def _value(value: Any) -> Any:
    """As it is sent: what is no number goes as null, as an evaluation sends it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and len(value) > TEXT:
        raise Strange("wide")
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise Strange("shape")
    return value


def _row(parts: Sequence[Part], columns: Sequence[list[Any]], at: int) -> list[Any]:
    return [
        value for part, column in zip(parts, columns, strict=True)
        for value in column[at * part.width : (at + 1) * part.width]
    ]  # fmt: skip


def common(bodies: Iterable[Body]) -> Form | None:
    """The form that most of the requests have; None without any. Its datatypes carry the values of all of them."""
    found = list(bodies)
    if not found:
        return None
    (key, _), *_ = Counter(one.form.key for one in found).most_common(1)
    alike = [one for one in found if one.form.key == key]
    (form, _), *_ = Counter(one.form for one in alike).most_common(1)
    return wide_enough(form, [form.ordered(one.form, row) for one in alike for row in one.rows])


def wide_enough(form: Form, rows: Sequence[Sequence[Any]]) -> Form:
    """The form, with floats where integers, or true and false, have gaps or fractions: no integer means nothing."""
    parts, at = list[Part](), 0
    for one in form.parts:
        values = [value for row in rows for value in row[at : at + one.width]]
        at += one.width
        holds = not one.datatype.startswith(_WHOLE) or all(_whole(value) for value in values)
        parts.append(one if holds else replace(one, datatype="FP64"))
    return replace(form, parts=tuple(parts))


def _whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def fits(form: Form, row: Sequence[Any]) -> bool:
    """Whether the datatypes can carry a row: text as text, numbers as numbers."""
    at = 0
    for one in form.parts:
        numeric = one.datatype.startswith(_NUMBERS)
        if any(value is not None and isinstance(value, str) == numeric for value in row[at : at + one.width]):
            return False
        at += one.width
    return True


def table(rows: Sequence[Sequence[Any]], features: int) -> Values:
    """Rows as an array of objects (n, features)."""
    found = np.empty((len(rows), features), dtype=object)
    for at, row in enumerate(rows):
        found[at] = row
    return found
