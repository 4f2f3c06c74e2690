"""The golden rows that an evaluation keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest

from fairlead.api.fetching import Place
from fairlead.api.modelversion import GoldenRef
from fairlead.monitor import golden as rows_of
from fairlead.store.errors import StoreError
from fairlead.worker import digests, golden, oip
from fairlead.worker.errors import TaskFailed
from fairlead.worker.rows import Batch

STORE = Place(bucket="b", prefix="models/m-1/")


@dataclass
class Bucket:
    kept: dict[str, bytes] = field(default_factory=dict)
    away: bool = False

    def put_if_absent(self, key: str, body: bytes) -> bool:
        if self.away:
            raise StoreError("Unreachable", "nobody is there", transient=True)
        return self.kept.setdefault(key, body) is body

    def uri(self, key: str) -> str:
        return f"s3://b/{key}"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    found = Bucket()
    monkeypatch.setattr(golden, "place", lambda _store: found)
    return found


def picked(total: int, size: int = 500) -> golden.Picked:
    found = golden.Picked(total)
    for at in range(0, total, size):
        found.add(pa.RecordBatch.from_pydict({"x": list(range(at, min(total, at + size)))}))
    return found


def ask(says: Callable[[float], Any] = lambda x: 2.0 * x) -> golden.Ask:
    def send(row: Batch) -> tuple[bytes, bytes]:
        (x,) = row.column("x").to_pylist()
        request = {"inputs": [{"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [x]}]}
        answer = {"id": "other each time", "outputs": [
            {"name": "y", "datatype": "FP64", "shape": [1], "data": [says(x)]},
        ]}  # fmt: skip
        return json.dumps(request).encode(), json.dumps(answer).encode()

    return send


@pytest.mark.parametrize("total", [1, 31, 32, 33, 500, 501, 12345])
def test_rows_lie_evenly_among_all_of_them(total: int) -> None:
    found = [row.column("x")[0].as_py() for row in picked(total).rows]
    assert found == sorted(set(found))
    assert len(found) == min(32, total)
    assert found[0] == 0
    assert max(found) >= total - total / 32 - 1


def test_what_the_model_is_not_judged_by_is_not_kept(bucket: Bucket) -> None:
    """By whom and when it was answered another pod would say otherwise, and never start."""

    def send(row: Batch) -> tuple[bytes, bytes]:
        request, answer = ask()(row)
        said = json.loads(answer)
        said["outputs"] += [
            {"name": "predict_proba", "datatype": "FP64", "shape": [1, 2], "data": [0.25, 0.75]},
            {"name": "pod", "datatype": "BYTES", "shape": [1], "data": ["evaluation-7"]},
        ]
        return request, json.dumps(said).encode()

    kept = golden.kept(STORE, picked(10), send)
    assert isinstance(kept, GoldenRef)
    (body,) = bucket.kept.values()
    assert {one.name for each in rows_of.parse(body) for one in each.outputs} == {"y", "predict_proba"}


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"outputs": {}}', b'{"outputs": [1]}', b"null"])
def test_what_is_no_answer_has_no_golden_rows(bucket: Bucket, answer: bytes) -> None:
    kept = golden.kept(STORE, picked(10), lambda row: (ask()(row)[0], answer))
    assert isinstance(kept, str)
    assert kept.startswith("they could not be made")
    assert not bucket.kept


def test_they_lie_in_the_store_under_their_digest(bucket: Bucket) -> None:
    kept = golden.kept(STORE, picked(1000), ask())
    assert isinstance(kept, GoldenRef)
    ((key, body),) = bucket.kept.items()
    assert key == f"models/m-1/golden/{kept.digest}.json"
    assert digests.of_bytes(body) == kept.digest
    assert (kept.rows, kept.uri) == (32, f"s3://b/{key}")
    assert len(body) <= rows_of.SIZE
    exchanges = rows_of.parse(body)
    assert [one.request["inputs"][0]["data"][0] * 2.0 for one in exchanges] == [
        one.outputs[0].values[0] for one in exchanges
    ]
    assert golden.kept(STORE, picked(1000), ask()) == kept, "the same rows and answers have the same bytes"


def test_large_rows_are_fewer(bucket: Bucket) -> None:
    text = "w" * 10000
    kept = golden.kept(STORE, picked(1000), ask(lambda _x: text))
    assert isinstance(kept, GoldenRef)
    assert kept.rows == 6
    assert len(next(iter(bucket.kept.values()))) <= rows_of.SIZE


def test_a_model_that_leaves_its_answers_to_chance_has_none(bucket: Bucket) -> None:
    drawn = iter(range(1000))
    said = golden.kept(STORE, picked(1000), ask(lambda _x: float(next(drawn))))
    assert said == "the model does not answer the same row alike: no pod could be told by its answers"
    assert not bucket.kept


def _raise(error: Exception) -> golden.Ask:
    def send(_row: Batch) -> tuple[bytes, bytes]:
        raise error

    return send


@pytest.mark.parametrize(("send", "why"), [
    (_raise(oip.Refused("not these")), "not these"),
    (_raise(TaskFailed("ServerFailed", "it is gone")), "it is gone"),
    (ask(lambda _x: "w" * 70000), "64 KiB"),
    (ask(lambda _x: float("nan")), "NaN"),
    (ask(lambda _x: {"a": 1}), "objects"),
    (lambda _row: (b"{}", b"no json"), "no JSON"),
    (lambda _row: (b"{}", b"[" * 10**6), "elements"),
])  # fmt: skip
def test_why_there_are_none_is_told_and_nothing_is_raised(bucket: Bucket, send: golden.Ask, why: str) -> None:
    said = golden.kept(STORE, picked(10), send)
    assert isinstance(said, str)
    assert why in said
    assert len(said) <= 400
    assert not bucket.kept


def test_a_store_that_is_away_costs_only_the_golden_rows(bucket: Bucket) -> None:
    bucket.away = True
    assert "nobody is there" in str(golden.kept(STORE, picked(10), ask()))
