"""The rows of one request and of its answer, as the Open Inference Protocol has them in JSON.

Nothing is guessed: what is not plainly there is `Unread`, for one of a few reasons (`REASONS`).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from fairlead.api import foreign
from fairlead.worker.record import extract
from fairlead.worker.record.names import BODY_LIMIT, REFUSED

PROBABILITIES = "predict_proba"
"""Name of the output that has them, as an evaluation asks for it (`worker/oip.py`)."""
DEPTH, PARTS = 8, 100_000
"""Of a body: lists and objects within each other, and elements."""
REASONS = {
    "refused": "the server answered with a status of 400 or more",
    "empty": "there was no body, as of a request for a model's description, or one of more than 256 KiB",
    "long": "the request or its answer had more than 256 KiB, or there was no memory for it",
    "grpc": "of gRPC no bodies are handed over",
    "encoding": "a compression that is not known",
    "binary": "no JSON: tensors as bytes, or another protocol",
    "protocol": "JSON that is none of the Open Inference Protocol, as of the OpenAI API",
    "features": "none of its tensors has the name of a feature of the profile",
    "shape": "a tensor has no shape, one of several values a row, or another number of rows than its neighbours",
    "answer": "the request was counted, but not its answer: it has no output with one value a row",
    "early": "it came before the profile did",
    "busy": "it came faster than rows are counted",
    "failed": "the recorder failed at it, and its log says how",
}
"""Why rows are not counted."""


class Unread(Exception):  # noqa: N818 - the house's names of errors
    """A request whose rows can't be counted, or an answer; `reason` is one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason])
        self.reason = reason


@dataclass(frozen=True)
class Raw:
    """A request and its answer as they came. `request` None: there is none, or none was kept."""

    status: int
    request: bytes | None
    answer: bytes
    kind: str = ""
    """The answer's content type."""
    encoding: str = ""
    """The answer's content encoding."""
    cut: bool = False
    """The answer, or the request, was too long."""

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.request or b"") + len(self.answer)


@dataclass(frozen=True)
class Rows:
    """Columns by feature, all of `count` values. `answers`: one a row. `scores`: of two classes the second one's
    probability, of more the predicted one's."""

    count: int
    columns: dict[str, list[Any]]
    answers: list[Any] | None = None
    scores: list[float] | None = None
    unread: tuple[str, ...] = field(default=())
    """What of it could not be read."""


def read(raw: Raw, features: Collection[str], others: Collection[str] = ()) -> Rows:
    """The rows. features: the names of the profile's; others: of other columns that are wanted if they are there.
    Raises Unread."""
    columns, count = _inputs(_request(raw), features, others)
    try:
        answers, scores = _outputs(_json(_plain(raw.answer, raw.encoding)), count)
    except Unread:
        return Rows(count, columns, unread=("answer",))
    return Rows(count, columns, answers, scores)


def _request(raw: Raw) -> Any:
    if raw.kind.startswith("application/grpc"):
        raise Unread("grpc")
    if raw.status >= REFUSED:
        raise Unread("refused")
    if raw.cut:
        raise Unread("long")
    if not raw.request:
        raise Unread("empty")
    return _json(_plain(raw.request, "gzip" if raw.request.startswith(b"\x1f\x8b") else ""))


def _plain(body: bytes, encoding: str) -> bytes:
    found = extract.decoded(body, encoding)
    if found is None:
        raise Unread("encoding")
    return found


def _json(body: bytes) -> Any:
    try:
        return foreign.parse(body, length=BODY_LIMIT, parts=PARTS, depth=DEPTH, finite=False)
    except foreign.Beyond:
        raise Unread("protocol") from None
    except ValueError:
        raise Unread("binary") from None


def _tensors(body: Any, name: str) -> list[dict[str, Any]]:
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Unread("protocol")
    return found


def _inputs(body: Any, features: Collection[str], others: Collection[str]) -> tuple[dict[str, list[Any]], int]:
    columns: dict[str, list[Any]] = {}
    for tensor in _tensors(body, "inputs"):
        name = tensor.get("name")
        if isinstance(name, str) and (name in features or name in others):
            if name in columns:
                raise Unread("protocol")
            columns[name] = _column(tensor)
    if not any(name in features for name in columns):
        raise Unread("features")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise Unread("shape")
    return columns, lengths.pop()


def _shape(tensor: dict[str, Any]) -> list[int]:
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not 1 <= len(shape) <= DEPTH:
        raise Unread("shape")
    if not all(isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**31 for size in shape):
        raise Unread("shape")
    return shape


def _column(tensor: dict[str, Any]) -> list[Any]:
    """One value a row."""
    shape, values = _shape(tensor), _flat(tensor.get("data"))
    if math.prod(shape[1:]) != 1 or len(values) != shape[0]:
        raise Unread("shape")
    return values


def _flat(data: Any) -> list[Any]:
    """Values in row-major order, of data that is flat or nested."""
    if data is None:
        raise Unread("binary")
    if not isinstance(data, list):
        raise Unread("shape")
    flat: list[Any] = data
    for _ in range(DEPTH):
        lists = sum(isinstance(one, list) for one in flat)
        if not lists:
            return flat
        if lists != len(flat):
            raise Unread("shape")
        flat = [value for part in flat for value in part]
    raise Unread("shape")


def _outputs(body: Any, rows: int) -> tuple[list[Any], list[float] | None]:
    """Answers, and scores if there are any. Raises Unread."""
    answers: list[Any] | None = None
    table: list[list[float]] | None = None
    for tensor in _tensors(body, "outputs"):
        shape = _shape(tensor)
        width = math.prod(shape[1:])
        if shape[0] != rows or not width:
            continue
        if table is None and (tensor.get("name") == PROBABILITIES or (answers is None and width > 1)):
            table = _table(_flat(tensor.get("data")), rows, width)
        elif answers is None and width == 1:
            answers = _column(tensor)
    if answers is None and table is None:
        raise Unread("answer")
    scores = None if table is None else [_score(row) for row in table]
    return _answers(answers, table), scores


def _answers(answers: list[Any] | None, table: list[list[float]] | None) -> list[Any]:
    """The class is the number of the largest probability where it is not said, as an evaluation takes it."""
    if answers is not None:
        return answers
    assert table is not None
    return [max(range(len(row)), key=row.__getitem__) if len(row) > 1 else int(row[0] >= 0.5) for row in table]


def _table(values: list[Any], rows: int, width: int) -> list[list[float]]:
    if len(values) != rows * width:
        raise Unread("answer")
    return [[_number(one) for one in values[at : at + width]] for at in range(0, len(values), width)]


def _number(value: Any) -> float:
    """What is no number is NaN, and is counted as a score that is none."""
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return math.nan


def _score(row: list[float]) -> float:
    """NaN if one of them is: the largest of others would be that of another row."""
    if any(math.isnan(one) for one in row):
        return math.nan
    return row[0] if len(row) == 1 else row[1] if len(row) == 2 else max(row)
