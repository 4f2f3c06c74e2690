"""Open Inference Protocol v2 over REST: how rows are asked about, and what the answers mean."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import urllib3

from fairlead.worker.errors import TaskFailed
from fairlead.worker.metrics import Floats, Labels
from fairlead.worker.rows import Batch
from fairlead.worker.tensors import Feature, tensor

Json = dict[str, Any]
PROBABILITIES = "predict_proba"
READY = "/v2/health/ready"
_NOT_YET = frozenset((404, 502, 503, 504))
_POLL = 0.25
LIMIT = 64 << 20
"""Bytes of an answer."""
VALUES = 2_000_000
"""Values of an answer, about: each may take a hundred bytes of this pod's memory, however short it is in JSON."""


class Refused(Exception):  # noqa: N818 - the house's names of errors
    """The server answered, but not with predictions; the message says what."""


def request(features: Sequence[Feature], rows: Batch, probabilities: bool) -> Json:
    """An inference request: one tensor a column, to be read as a data frame; a single column of lists is to be read as
    one array. Nulls and NaN go as null. Raises TaskFailed (BadData) for what a tensor can't carry."""
    alone = len(features) == 1 and len(features[0].shape) > 0
    found: Json = {
        "parameters": {"content_type": "np" if alone else "pd"},
        "inputs": [tensor(feature, rows.column(feature.name)) for feature in features],
    }
    return {**found, "outputs": [{"name": PROBABILITIES}]} if probabilities else found


def answers(body: bytes, rows: int) -> tuple[Labels, Floats | None]:
    """Labels (n,), and if the first output tensor has k > 1 columns, or was asked for as such, probabilities (n, k).
    Raises Refused."""
    output = _first_output(body)
    shape, flat = output["shape"], _flat(output["data"])
    if not shape or shape[0] != rows:
        raise Refused(f"the answer has shape {shape[:8]} for {rows} rows")
    width = math.prod(shape[1:])
    if len(flat) != rows * width:
        raise Refused(f"the answer has {len(flat)} values, but shape {shape[:8]}")
    if width == 1 and output.get("name") != PROBABILITIES:
        return _labels(flat, output.get("datatype")), None
    table = np.asarray([_number(v) for v in flat], dtype=np.float64).reshape(rows, width)
    return np.argmax(table, axis=1).astype(np.float64), table


def _first_output(body: bytes) -> Json:
    """The first output tensor, with a list of sizes as its shape, and a list as its data."""
    if sum(map(body.count, (b",", b"[", b"{"))) > VALUES:
        raise Refused(f"the answer has more than {VALUES} values; answer fewer a row, or lower batch")
    try:
        output = json.loads(body)["outputs"][0]
        shape, data = output["shape"], output["data"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Refused(f"the answer is not one of the protocol: {body[:200]!r}") from error
    if not isinstance(data, list) or not isinstance(shape, list) or not all(_is_size(n) for n in shape):
        raise Refused(f"the answer is not one of the protocol: {body[:200]!r}")
    found: Json = output
    return found


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _flat(data: list[Any]) -> list[Any]:
    while data and isinstance(data[0], list):
        if not all(isinstance(part, list) for part in data):
            raise Refused("the answer has lists beside values in one list of its data")
        data = [value for part in data for value in part]
    return data


def _labels(values: list[Any], datatype: Any) -> Labels:
    """Strings of BYTES, else numbers. Numbers are taken as such of BYTES too: arrays of objects are sent so."""
    if datatype == "BYTES" and any(isinstance(v, str) for v in values):
        wrong = [v for v in values if not isinstance(v, str)]
        if wrong:
            raise Refused(f"the answer has {_short(wrong[0])} beside strings in its BYTES")
        return np.asarray(values, dtype=np.object_)
    return np.asarray([_number(v) for v in values], dtype=np.float64)


def _number(value: Any) -> float:
    """Null is not a number, and what is beyond all floats is infinite: no metric takes either."""
    if value is None:
        return math.nan
    if not isinstance(value, (bool, int, float)):
        raise Refused(f"the answer has {_short(value)} where its datatype and shape want a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _short(value: Any) -> str:
    """A value of an answer for a message: what is nested may be too deep, or too large, to be written."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    return json.dumps(value[:60] if isinstance(value, str) else value)


class Server:
    """A model server on this pod's loopback."""

    def __init__(
        self, subject: str, url: str, model: str, ready_timeout: float, ready: str | None = None, where: str = ""
    ) -> None:  # fmt: skip
        """where: the field in which the server is described, if it is not a version's."""
        self._where = where
        self._subject, self._url, self._infer = subject, url.rstrip("/"), f"/v2/models/{model}/infer"
        self._timeout, self._ready = ready_timeout, ready or READY
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=60), retries=False)

    def wait(self, body: bytes) -> None:
        """Wait until it answers `body` somehow. Raises TaskFailed (ServerFailed) after the time it may take."""
        deadline, last = time.monotonic() + self._timeout, "it does not answer"
        where = f":{self._url.rpartition(':')[2]}"
        while time.monotonic() < deadline:
            asked = f"GET {where}{self._ready}"
            try:
                status = self._send("GET", self._ready)[0]
                if status == 200:
                    asked = f"POST {where}{self._infer}"
                    status = self._post(body)[0]
                    if status not in _NOT_YET:
                        return
                last = f"{asked} is answered {status}"
            except urllib3.exceptions.HTTPError as error:
                last = f"{_words(error)} at {asked}"
            time.sleep(_POLL)
        raise TaskFailed(
            "ServerFailed",
            f"the {self._subject}'s server is not ready after {self._timeout:g} s: {last}; see the log of container "
            f"{self._subject}: does the model load, and where does it listen? {self._remedy}",
        )

    @property
    def _remedy(self) -> str:
        where, version = self._where or "spec.server", "" if self._where else " in a new version"
        return f"If elsewhere, name {where}.port and {where}.ready{version}; if it needs longer, raise {where}.timeout"

    def infer(self, body: bytes, rows: int) -> tuple[Labels, Floats | None]:
        """Predictions. Raises Refused; TaskFailed (ServerFailed) if it is gone and doesn't come back."""
        return answers(self.answer(body), rows)

    def answer(self, body: bytes) -> bytes:
        """The answer as it comes. Raises as `infer` does."""
        for _ in range(3):
            try:
                status, answer = self._post(body)
            except urllib3.exceptions.HTTPError:
                self.wait(body)
                continue
            if len(answer) > LIMIT:
                raise Refused(f"the answer is larger than {LIMIT >> 20} MiB; answer less a row, or lower batch")
            if status != 200:
                raise Refused(f"the server answered {status}: {answer[:200].decode(errors='replace')}")
            return answer
        raise TaskFailed(
            "ServerFailed",
            f"the {self._subject}'s server breaks off each time it gets these rows; see the log of container "
            f"{self._subject}, and whether it needs more memory",
        )

    def _post(self, body: bytes) -> tuple[int, bytes]:
        return self._send("POST", self._infer, body, {"Content-Type": "application/json"})

    def _send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body, of which no more is read than one byte above the limit."""
        answer = self._http.request(method, self._url + path, body=body, headers=headers, preload_content=False)
        with closing(answer):
            found = answer.read(LIMIT + 1)
            if len(found) <= LIMIT:
                answer.release_conn()  # read to its end: the next request may use it
        return answer.status, found


def _words(error: Exception) -> str:
    return "nothing listens" if isinstance(error, urllib3.exceptions.NewConnectionError) else str(error)[:200]
