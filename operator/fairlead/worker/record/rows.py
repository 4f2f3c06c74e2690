"""The rows of one request and of its answer, as the Open Inference Protocol has them in JSON.

Nothing is guessed: what is not plainly there is `Unread`, for one of a few reasons (`REASONS`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fairlead.api import foreign
from fairlead.worker.record import extract
from fairlead.worker.record.names import BODY_LIMIT, REFUSED

if TYPE_CHECKING:
    from fairlead.monitor.profile import Profile

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
class Wanted:
    """What of requests and answers a profile has."""

    features: Collection[str]
    others: Collection[str] = ()
    """Columns besides that tell slices apart; they may be absent."""
    classes: Sequence[str] = ()
    """In the order that probabilities come in: sorted, numbers as numbers. Empty: not all of them are known."""
    positive: str = ""

    @staticmethod
    def of(profile: Profile) -> Wanted:
        """What a profile has."""
        answer = profile.prediction
        classes = [*answer.values, *answer.known] if answer and answer.kind == "category" and answer.complete else []
        if profile.positive and len(classes) == 1 and profile.positive not in classes:
            classes.append(profile.positive)  # the model has never answered it to the held-out rows
        features = frozenset(one.name for one in profile.features)
        others = frozenset(one.by for one in profile.slices) - features
        return Wanted(features, others, ordered(classes), profile.positive)

    def name(self, number: int, of: int) -> Any:
        """The class whose probability stands at a place; without classes it is called by the number. Raises Unread."""
        if self.classes and len(self.classes) != of:
            raise Unread("answer")
        return self.classes[number] if self.classes else number

    def score(self, row: list[float]) -> float:
        """NaN if one of them is: the largest of the others would be another row's."""
        if any(math.isnan(one) for one in row):
            return math.nan
        if len(row) > 2:
            return max(row)
        first = len(self.classes) == 2 and self.positive == self.classes[0]
        return (1 - row[-1] if len(row) == 1 else row[0]) if first else row[-1]


def ordered(classes: Iterable[str]) -> list[str]:
    """As an evaluation, and most libraries, sort them."""
    return sorted(classes, key=_order)


def _order(name: str) -> tuple[bool, float, str]:
    try:
        number = float(name)
    except ValueError:
        number = math.nan
    return (True, 0.0, name) if math.isnan(number) else (False, number, name)


@dataclass(frozen=True)
class Rows:
    """Columns by feature, all of `count` values. `answers`: one a row. `scores`: see `monitor.profile.Scores`."""

    count: int
    columns: dict[str, list[Any]]
    answers: list[Any] | None = None
    scores: list[float] | None = None
    unread: tuple[str, ...] = field(default=())
    """What of it could not be read."""


def read(raw: Raw, wanted: Wanted) -> Rows:
    """The rows. Raises Unread."""
    columns, count = _inputs(_request(raw), wanted)
    try:
        answers, scores = outputs(_json(_plain(raw.answer, raw.encoding)), count, wanted)
    except Unread:
        return Rows(count, columns, unread=("answer",))
    return Rows(count, columns, answers, scores)


def asked(raw: Raw, wanted: Wanted) -> tuple[dict[str, list[Any]], int]:
    """The columns of a request, and their length. Raises Unread."""
    return _inputs(_request(raw), wanted)


def features(body: str, wanted: Wanted) -> tuple[dict[str, list[Any]], int]:
    """Columns of a request by feature, and how many rows it has. Raises Unread."""
    return _inputs(_json(body.encode("utf-8", "replace")), wanted)


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


def tensors(body: Any, name: str) -> list[dict[str, Any]]:
    """The tensors of a body, `inputs` or `outputs`. Raises Unread."""
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Unread("protocol")
    return found


def _inputs(body: Any, wanted: Wanted) -> tuple[dict[str, list[Any]], int]:
    columns: dict[str, list[Any]] = {}
    for tensor in tensors(body, "inputs"):
        name = tensor.get("name")
        if isinstance(name, str) and (name in wanted.features or name in wanted.others):
            if name in columns:
                raise Unread("protocol")
            columns[name] = _column(tensor)
    if not any(name in wanted.features for name in columns):
        raise Unread("features")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise Unread("shape")
    return columns, lengths.pop()


def shape_of(tensor: dict[str, Any]) -> list[int]:
    """The shape of a tensor. Raises Unread."""
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not 1 <= len(shape) <= DEPTH:
        raise Unread("shape")
    if not all(isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**31 for size in shape):
        raise Unread("shape")
    return shape


def _column(tensor: dict[str, Any]) -> list[Any]:
    """One value a row."""
    shape, values = shape_of(tensor), flat(tensor.get("data"))
    if math.prod(shape[1:]) != 1 or len(values) != shape[0]:
        raise Unread("shape")
    return values


def flat(data: Any) -> list[Any]:
    """Values in row-major order, of data that is flat or nested. Raises Unread."""
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


def outputs(body: Any, rows: int, wanted: Wanted) -> tuple[list[Any], list[float] | None]:
    """Answers, and scores if there are any. Raises Unread."""
    answers: list[Any] | None = None
    table: list[list[float]] | None = None
    for tensor in tensors(body, "outputs"):
        shape = shape_of(tensor)
        width = math.prod(shape[1:])
        if shape[0] != rows or not width:
            continue
        if table is None and (tensor.get("name") == PROBABILITIES or (answers is None and width > 1)):
            table = _table(flat(tensor.get("data")), rows, width)
        elif answers is None and width == 1:
            answers = _column(tensor)
    if table is None:
        if answers is None:
            raise Unread("answer")
        return answers, None
    return answers or [_class(row, wanted) for row in table], [wanted.score(row) for row in table]


def of_table(values: list[Any], rows: int, wanted: Wanted) -> tuple[list[Any], list[float]]:
    """Answers and scores of probabilities: as many a row as there are classes. Raises Unread."""
    table = _table(values, rows, len(values) // rows)
    return [_class(row, wanted) for row in table], [wanted.score(row) for row in table]


def _class(row: list[float], wanted: Wanted) -> Any:
    """The one with the largest probability, where no answer says which."""
    if len(row) == 1:
        return wanted.name(int(row[0] >= 0.5), 2)
    return wanted.name(max(range(len(row)), key=row.__getitem__), len(row))


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
