"""Golden rows: requests with the answers that a model gave when it was made or proven.

A server that answers them otherwise is not the model that was proven: another preprocessing, another library, another
file (training–serving skew). They come in one of two forms:

- what an evaluation makes: a JSON object with the requests as they were sent, and what came back;
- what training code writes: a line of JSON a row, `{"inputs": {"x": 1.5}, "expected": 2.5}`.

Both are somebody else's text when they are read, so both have bounds, and one error: `BadGolden`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairlead.api import foreign

Json = dict[str, Any]
SIZE, ROWS = 64 << 10, 64
"""Bytes and rows of a document at most."""
TOLERANCE = 0.001
"""What is tolerated where nobody says otherwise, as a share: single precision, other kernels and other orders of a sum
differ by a ten-thousandth at most."""
NOISE = 1e-9
"""The least size of an output: where all its numbers are zero, what rounding leaves of it is no difference."""
VALUES = 20_000
"""Values of an answer that are compared at most."""
PATH = "/fairlead/golden"
"""Where a pod tells what came of them."""
_FORM = "golden"
_KINDS = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}
_WORDS = 80


class BadGolden(ValueError):  # noqa: N818 - the house's names of errors
    """A document that can't be used, or an answer that can't be read; the message says why."""


@dataclass(frozen=True)
class Output:
    """A tensor that was answered, row by row."""

    name: str
    """Empty: whichever comes first."""
    rows: int
    values: tuple[Any, ...]
    """In row-major order: `len(values) / rows` of each row."""

    @property
    def width(self) -> int:
        """Values of a row."""
        return len(self.values) // self.rows if self.rows else 0


@dataclass(frozen=True)
class Exchange:
    """A request, and what the model answered to it."""

    request: Json
    outputs: tuple[Output, ...]
    rows: int


@dataclass(frozen=True)
class Difference:
    """What was answered otherwise than it should have been."""

    row: int
    """Counted from 1 over all exchanges."""
    output: str
    expected: str
    answered: str


# --- reading ---------------------------------------------------------------------------------------------------------


def parse(body: bytes) -> list[Exchange]:
    """The exchanges of a document, of either form. Raises BadGolden."""
    if len(body) > SIZE:
        raise BadGolden(f"it has more than {SIZE >> 10} KiB; keep {ROWS} rows at most")
    text = _text(body)
    if not text.strip():
        raise BadGolden("it has no rows")
    line = text.strip().partition("\n")[0]
    first = _json(line, "the first line", finite=False)
    found = _made(_json(line, "it")) if isinstance(first, dict) and _FORM in first else _written(text)
    rows = sum(one.rows for one in found)
    if rows > ROWS:
        raise BadGolden(f"it has {rows} rows; keep {ROWS} at most")
    return found


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadGolden(f"it is no UTF-8 text at byte {error.start}") from None


def _json(text: str, where: str, finite: bool = True) -> Any:
    try:
        return foreign.parse(text, length=SIZE, parts=foreign.FEW, depth=16, finite=finite)
    except foreign.Unreadable as bad:
        raise BadGolden(f"{where}: {bad}") from None


def document(exchanges: Iterable[tuple[Json, Json]]) -> bytes:
    """What an evaluation keeps: requests with the answers' bodies. The same exchanges have the same bytes."""
    kept = [{"request": request, "outputs": [_kept(one) for one in answer["outputs"]]} for request, answer in exchanges]
    return json.dumps({_FORM: 1, "exchanges": kept}, separators=(",", ":"), sort_keys=True).encode()


def _kept(output: Json) -> Json:
    return {key: output[key] for key in ("name", "datatype", "shape", "data") if key in output}


def _made(found: Json) -> list[Exchange]:
    """The form that evaluations make."""
    exchanges = found.get("exchanges")
    if found[_FORM] != 1 or not isinstance(exchanges, list) or not exchanges:
        raise BadGolden("it is of a form that this release does not know")
    made = []
    for one in exchanges:
        if not isinstance(one, dict) or not isinstance(one.get("request"), dict):
            raise BadGolden("it is of a form that this release does not know")
        outputs = answered(one)
        made.append(Exchange(one["request"], outputs, outputs[0].rows))
    return made


def answered(body: Any) -> tuple[Output, ...]:
    """The tensors of an answer, or of a kept one. Raises BadGolden."""
    outputs = body.get("outputs") if isinstance(body, dict) else None
    if not isinstance(outputs, list) or not outputs:
        raise BadGolden("there is no answer of the Open Inference Protocol in it")
    return tuple(_output(one) for one in outputs[:32])


def _output(one: Any) -> Output:
    shape, data = (one.get("shape"), one.get("data")) if isinstance(one, dict) else (None, None)
    sizes = isinstance(shape, list) and shape and all(type(n) is int and 0 <= n <= VALUES for n in shape)
    if not sizes or not isinstance(data, list) or not shape:
        raise BadGolden("an output has no shape, or no data")
    values = _flat(data)
    if len(values) != math.prod(shape) or not shape[0]:
        raise BadGolden(f"an output has {len(values)} values, and shape {shape[:8]}")
    floats = str(one.get("datatype", "")).startswith(("FP", "BF"))
    return Output(str(one.get("name", ""))[:_WORDS], shape[0], tuple(_value(v, floats) for v in values))


def _flat(data: list[Any]) -> list[Any]:
    """The values in nested lists. Raises BadGolden where there are too many, or lists beside values."""
    while data and isinstance(data[0], list):
        if not all(isinstance(part, list) for part in data):
            raise BadGolden("an output has lists beside values")
        data = [value for part in data for value in part]
    if len(data) > VALUES:
        raise BadGolden(f"an output has more than {VALUES} values")
    return data


def _value(value: Any, floats: bool) -> Any:
    if isinstance(value, (list, dict)):
        raise BadGolden("an output has lists or objects beside values")
    return float(value) if floats and type(value) is int and abs(value) < 2**63 else value


# --- what training code writes ---------------------------------------------------------------------------------------


def _written(text: str) -> list[Exchange]:
    """A line of JSON a row. Each is asked for alone, as people ask."""
    lines = [line for line in text.split("\n") if line.strip()]  # a text in it may have other ends of lines
    if len(lines) > ROWS:
        raise BadGolden(f"it has {len(lines)} rows; keep {ROWS} at most")
    rows = [_row(_json(line, f"line {number}", finite=False), number) for number, line in enumerate(lines, 1)]
    kinds = _kinds([inputs for inputs, _ in rows])
    broken = {one.name for _, outputs in rows for one in outputs if any(isinstance(v, float) for v in one.values)}
    return [
        Exchange(_request(inputs, kinds), tuple(_number(one) if one.name in broken else one for one in outputs), 1)
        for inputs, outputs in rows
    ]


def _number(output: Output) -> Output:
    """Of an output that has a fraction elsewhere: what is whole here is so by chance."""
    return replace(output, values=tuple(_value(value, True) for value in output.values))


def _row(line: Any, number: int) -> tuple[Json, tuple[Output, ...]]:
    inputs = line.get("inputs") if isinstance(line, dict) else None
    if not isinstance(inputs, dict) or not inputs or "expected" not in line:
        raise BadGolden(f'line {number} is not {{"inputs": {{"<feature>": …}}, "expected": …}}')
    expected = line["expected"]
    named = expected if isinstance(expected, dict) else {"": expected}
    if not named:
        raise BadGolden(f"line {number} expects nothing")
    inputs = {name: _sent(value, number) for name, value in inputs.items()}
    return inputs, tuple(_expected(name[:_WORDS], value, number) for name, value in named.items())


def _sent(value: Any, number: int) -> Any:
    """As a request has it: a gap, which Python's own JSON writes as NaN, is null. Raises BadGolden."""
    if isinstance(value, list):
        return [_sent(one, number) for one in value]
    if isinstance(value, float) and math.isinf(value):
        raise BadGolden(
            f"line {number} has a number that is infinite or too large for any, and no request can have one"
        )
    return None if isinstance(value, float) and math.isnan(value) else value


def _expected(name: str, value: Any, number: int) -> Output:
    values = _flat(value) if isinstance(value, list) else [value]
    if not values or any(isinstance(one, (list, dict)) for one in values):
        raise BadGolden(f"line {number} expects something that is no value and no list of values")
    return Output(name, 1, tuple(values))


def _kinds(rows: Sequence[Json]) -> dict[str, str]:
    """The datatype of each feature: of numbers FP64 where one of them is no whole number, or is missing."""
    found: dict[str, str] = {}
    for name in rows[0]:
        found[name] = _kind(name, [_leaves(row, name, number) for number, row in enumerate(rows, 1)])
    for number, row in enumerate(rows, 1):
        more = [name for name in row if name not in found]
        if more:
            raise BadGolden(f"line {number} has the input {more[0][:_WORDS]}, and line 1 has not")
    return found


def _leaves(row: Json, name: str, number: int) -> list[Any]:
    if name not in row:
        raise BadGolden(f"line {number} lacks the input {name[:_WORDS]}, which line 1 has")
    value = row[name]
    leaves = _flat(value) if isinstance(value, list) else [value]
    if not leaves or any(isinstance(one, (list, dict)) for one in leaves):
        raise BadGolden(f"line {number}: the input {name[:_WORDS]} is no value and no list of values")
    return leaves


def _kind(name: str, rows: Sequence[Sequence[Any]]) -> str:
    types = Counter(type(value) for row in rows for value in row)
    gaps = types.pop(type(None), 0)
    if set(types) == {int, float} or (gaps and set(types) <= {int, float, bool}):
        return "FP64"
    if len(types) != 1:
        raise BadGolden(f"the input {name[:_WORDS]} has values of different types")
    return _KINDS[next(iter(types))]


def _request(inputs: Json, kinds: Mapping[str, str]) -> Json:
    """As an evaluation sends it: one tensor a column, to be read as a data frame."""
    lists = [name for name, value in inputs.items() if isinstance(value, list)]
    return {
        "parameters": {"content_type": "np" if len(inputs) == 1 and lists else "pd"},
        "inputs": [_tensor(name, value, kinds[name]) for name, value in inputs.items()],
    }


def _tensor(name: str, value: Any, kind: str) -> Json:
    shape, inner = [1], value
    while isinstance(inner, list):
        shape, inner = [*shape, len(inner)], inner[0] if inner else None
    data = _flat(value) if isinstance(value, list) else [value]
    found: Json = {
        "name": name, "datatype": kind, "shape": shape if len(shape) > 1 else [1, 1],
        "data": [float(one) if kind == "FP64" and one is not None else one for one in data],
    }  # fmt: skip
    if math.prod(found["shape"]) != len(data):
        raise BadGolden(f"the input {name[:_WORDS]} has lists of different lengths")
    if kind == "BYTES":
        found["parameters"] = {"content_type": "str"}
    elif len(shape) > 1:
        found["parameters"] = {"content_type": "np"}
    return found


# --- comparing -------------------------------------------------------------------------------------------------------


def scales(exchanges: Sequence[Exchange]) -> dict[str, float]:
    """How large an output's numbers are: the mean of their sizes over all golden rows, by the output's name."""
    sizes: dict[str, list[float]] = {}
    for output in (one for exchange in exchanges for one in exchange.outputs):
        sizes.setdefault(output.name, []).extend(abs(v) for v in output.values if _real(v))
    return {name: math.fsum(found) / len(found) if found else 0.0 for name, found in sizes.items()}


def differences(
    exchange: Exchange, answers: Sequence[Output], first: int, tolerance: float, scale: Mapping[str, float]
) -> list[Difference]:  # fmt: skip
    """The rows that were answered otherwise, with the first value of each that was. first: the number of the exchange's
    first row. Raises BadGolden where an output that is expected is not there, or where nobody has said which one is and
    the first is of another form (classes and probabilities): then nothing can be compared."""
    found: dict[int, Difference] = {}
    for expected in exchange.outputs:
        given = _of(expected.name, answers)
        if not _is_comparable(expected, given):
            said = Difference(
                first, given.name, f"{expected.width} values a row of {expected.rows}",
                f"{given.width} values a row of {given.rows}",
            )  # fmt: skip
            return [said]
        allowed = tolerance, scale.get(expected.name, 0.0)
        for at, (wanted, value) in enumerate(zip(expected.values, given.values, strict=True)):
            row = first + at // expected.width
            if row not in found and not alike(wanted, value, *allowed):
                found[row] = Difference(row, given.name, _shown(wanted), _shown(value))
    return [found[row] for row in sorted(found)]


def _is_comparable(expected: Output, given: Output) -> bool:
    """Whether there is a value for each. Of a single row some servers leave the rows' dimension out. Raises
    BadGolden."""
    if len(given.values) == len(expected.values) and (expected.rows == 1 or given.rows == expected.rows):
        return True
    if not expected.name:
        raise BadGolden(
            f"{expected.width} values a row are expected, and the first output, {given.name or 'without a name'}, has "
            f"{given.width} a row of {given.rows}: name the output that is meant"
        )
    return False


def _of(name: str, answers: Sequence[Output]) -> Output:
    if not name:
        return answers[0]
    found = next((one for one in answers if one.name == name), None)
    if found is None:
        raise BadGolden(f"the answer has no output {name[:_WORDS]}")
    return found


def alike(expected: Any, answered: Any, tolerance: float, scale: float) -> bool:
    """Whether a value is the expected one. Numbers with a fraction may differ by `tolerance` of the larger of the
    expected one's size and `scale`; a whole number that is expected as such (a class), a text and a truth value are the
    same or not, however a class is written (1, 1.0, "1"). Null and NaN are alike."""
    if _is_nothing(expected) or _is_nothing(answered):
        return _is_nothing(expected) and _is_nothing(answered)
    if isinstance(answered, str) and not isinstance(expected, str):
        return answered in (str(expected), json.dumps(expected))
    if not (isinstance(expected, float) and math.isfinite(expected) and _real(answered)):
        return bool(expected == answered)
    return abs(float(answered) - expected) <= tolerance * max(abs(expected), scale, NOISE)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _real(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return type(value) is int and abs(value) < 2**1000


def _shown(value: Any) -> str:
    text = f"{value:.9g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WORDS else f"{text[: _WORDS - 1]}…"


def changed(first: Any, again: Any, tolerance: float = TOLERANCE) -> bool:
    """Whether two answers to the same request differ. Raises BadGolden where one can't be read."""
    exchange = Exchange({}, answered(first), 1)
    return bool(differences(exchange, answered(again), 1, tolerance, scales([exchange])))
