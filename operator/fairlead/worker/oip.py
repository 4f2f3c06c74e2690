"""Open Inference Protocol v2 over REST: how rows are asked about, and what the answers mean."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import urllib3

from fairlead.worker.errors import TaskFailed
from fairlead.worker.metrics import Floats, Labels
from fairlead.worker.rows import Feature, Named, labels

Json = dict[str, Any]
PROBABILITIES = "predict_proba"
_NOT_YET = frozenset((404, 502, 503, 504))
_POLL = 0.25


class Refused(Exception):  # noqa: N818 - the house's names of errors
    """The server answered, but not with predictions; the message says what."""


def request(features: Sequence[Feature], rows: Sequence[Named], probabilities: bool) -> Json:
    """An inference request: one tensor a column, to be read as a data frame. Nulls and NaN go as null."""
    inputs = []
    for feature in features:
        tensor: Json = {
            "name": feature.name, "datatype": feature.datatype, "shape": [len(rows), 1],
            "data": [_cell(row[feature.name], feature) for row in rows],
        }  # fmt: skip
        if feature.datatype == "BYTES":
            tensor["parameters"] = {"content_type": "str"}
        inputs.append(tensor)
    found: Json = {"parameters": {"content_type": "pd"}, "inputs": inputs}
    return {**found, "outputs": [{"name": PROBABILITIES}]} if probabilities else found


def _cell(value: Any, feature: Feature) -> Any:
    if value is None or value != value:  # only NaN differs from itself
        return None
    if isinstance(value, (float, Decimal)) and abs(value) == float("inf"):
        raise TaskFailed("BadData", f"column {feature.name} has infinite values; a request can't carry them")
    if feature.datatype == "FP64":
        return float(value)
    if feature.datatype == "BYTES" and not isinstance(value, str):
        return value.isoformat() if isinstance(value, datetime.date) else str(value)
    return value


def answers(body: bytes, rows: int) -> tuple[Labels, Floats | None]:
    """Labels (n,), and if the first output tensor has k > 1 columns, or was asked for as such, probabilities (n, k)."""
    try:
        output = json.loads(body)["outputs"][0]
        data, shape = output["data"], [int(n) for n in output["shape"]]
    except (ValueError, LookupError, TypeError) as error:
        raise Refused(f"the answer is not one of the protocol: {body[:200]!r}") from error
    if not shape or shape[0] != rows:
        raise Refused(f"the answer has shape {shape} for {rows} rows")
    flat = _flat(data)
    width = int(np.prod(shape[1:], dtype=np.int64))
    if len(flat) != rows * width:
        raise Refused(f"the answer has {len(flat)} values, but shape {shape}")
    if width == 1 and output.get("name") != PROBABILITIES:
        return labels(flat, output.get("datatype") not in ("BYTES", "BOOL")), None
    try:
        table = np.asarray(flat, dtype=np.float64).reshape(rows, width)
    except (TypeError, ValueError) as error:
        raise Refused("the answer has several values a row that are not numbers") from error
    return np.argmax(table, axis=1).astype(np.float64), table


def _flat(data: Any) -> list[Any]:
    while data and isinstance(data[0], list):
        data = [value for part in data for value in part]
    return list(data)


class Server:
    """A model server on this pod's loopback."""

    def __init__(self, subject: str, url: str, model: str, ready_timeout: float) -> None:
        self._subject, self._url, self._model = subject, url.rstrip("/"), model
        self._timeout = ready_timeout
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=60), retries=False)

    def wait(self, body: bytes) -> None:
        """Wait until it answers `body` somehow. Raises TaskFailed (ServerFailed) after the time it may take."""
        deadline, last = time.monotonic() + self._timeout, "it does not answer"
        while time.monotonic() < deadline:
            try:
                status = self._http.request("GET", f"{self._url}/v2/health/ready").status
                if status == 200:
                    status = self._post(body)[0]
                    if status not in _NOT_YET:
                        return
                last = f"it answers {status}"
            except urllib3.exceptions.HTTPError as error:
                last = _words(error)
            time.sleep(_POLL)
        raise TaskFailed(
            "ServerFailed",
            f"the {self._subject}'s server is not ready after {self._timeout:g} s: {last}; see the log of container "
            f"{self._subject}: does the model load?",
        )

    def infer(self, body: bytes, rows: int) -> tuple[Labels, Floats | None]:
        """Predictions. Raises Refused; TaskFailed (ServerFailed) if it is gone and doesn't come back."""
        for _ in range(3):
            try:
                status, answer = self._post(body)
            except urllib3.exceptions.HTTPError:
                self.wait(body)
                continue
            if status != 200:
                raise Refused(f"the server answered {status}: {answer[:200].decode(errors='replace')}")
            return answers(answer, rows)
        raise TaskFailed(
            "ServerFailed",
            f"the {self._subject}'s server breaks off each time it gets these rows; see the log of container "
            f"{self._subject}, and whether it needs more memory",
        )

    def _post(self, body: bytes) -> tuple[int, bytes]:
        answer = self._http.request(
            "POST", f"{self._url}/v2/models/{self._model}/infer", body=body,
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        return answer.status, answer.data


def _words(error: Exception) -> str:
    return "nothing listens" if isinstance(error, urllib3.exceptions.NewConnectionError) else str(error)[:200]
