"""The task `explain`: from kept requests to contributions that add up, whatever clients and servers send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.worker.explained import Kept, Served, body

from fairlead.monitor.profile import Category, Profile
from fairlead.store.errors import StoreError
from fairlead.worker import explain
from fairlead.worker.errors import TaskFailed
from fairlead.worker.explaining import reference

RANDOM = np.random.default_rng(7)
WEIGHTS = {"a": 2.0, "b": -1.0, "c": 0.0}


def linear(columns: dict[str, list[Any]]) -> list[float]:
    return [sum(WEIGHTS[name] * (value or 0.0) for name, value in zip(columns, row, strict=True))
            for row in zip(*columns.values(), strict=True)]  # fmt: skip


def numbers(many: int, **moved: float) -> list[str]:
    return [body({name: [float(RANDOM.normal()) + moved.get(name, 0.0)] for name in WEIGHTS}) for _ in range(many)]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    return Kept(monkeypatch, Served(linear))


def test_the_first_requests_are_explained_and_become_the_reference(kept: Kept) -> None:
    kept.answered(numbers(120))
    found = kept.explained()
    assert (found.rows, found.answered, found.sums, found.unread) == (60, 120, [], {})
    assert found.reference is not None
    assert (found.reference.of, found.reference.rows, found.reference.pairs) == ("requests", 60, 32)
    assert [one.feature for one in found.features] == ["a", "b", "c"]
    assert float(found.features[2].mean) == 0 == float(found.features[2].error)
    for row in kept.rows(found):
        parts = sum(one["contribution"] for one in row["features"]) + row["others"]
        assert row["base"] + parts == pytest.approx(row["answer"], abs=1e-9)
    assert (kept.server.rows, kept.server.calls) == (found.asked, found.calls)


def test_contributions_of_a_linear_model_are_its_weights_times_the_distance_from_the_background(kept: Kept) -> None:
    kept.answered(numbers(120))
    found = kept.explained()
    assert found.reference
    background = reference.read(kept.store, "explanations/version=m-1/", found.reference)  # type: ignore[arg-type]
    middle = dict(zip(background.form.features, np.mean(background.rows, axis=0), strict=True))
    for row in kept.rows(found):
        for one in row["features"]:
            wanted = WEIGHTS[one["name"]] * (float(one["value"]) - middle[one["name"]])
            assert one["contribution"] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("size", [1e308, 1e160])
def test_answers_that_nobody_can_reckon_with_are_no_numbers(kept: Kept, size: float) -> None:
    """Their differences, or squares, are beyond all numbers."""
    kept.answered(numbers(120))
    first = kept.explained()
    kept.server.answers = lambda columns: [size if value > 0 else -size for value in columns["a"]]
    with pytest.raises(TaskFailed, match="refuses") as failed:
        kept.explained()
    assert failed.value.error.reason == "BadData"
    kept.server.answers = lambda columns: [size if value > 1 else value for value in columns["a"]]
    kept.answered(numbers(80), start=400)
    found = kept.explained(made=first.reference, since="2026-03-02T09:06:00Z", name="web-2")
    assert "nan" not in found.model_dump_json().lower()


def test_features_have_names_of_their_own_whatever_tensors_are_called(kept: Kept) -> None:
    def request() -> str:
        tensors = [
            ("x[0]#2", 1),
            ("x[0]#3", 1),
            ("x", 2),
            ("x[0]", 1),
            ("(all others)", 1),
            *((f"n{i}", 1) for i in range(12)),
        ]
        return json.dumps({"inputs": [
            {"name": name, "shape": [1, wide], "datatype": "FP64", "data": RANDOM.normal(size=wide).tolist()}
            for name, wide in tensors
        ]})  # fmt: skip

    kept.server.answers = lambda columns: columns["n0"]
    kept.answered([request() for _ in range(120)])
    found = kept.explained()
    assert found.rows == 60
    assert found.features[0].feature == "n0"


def test_the_next_window_is_compared_with_the_reference_and_keeps_its_background(kept: Kept) -> None:
    kept.answered(numbers(120))
    first = kept.explained()
    kept.answered(numbers(80), start=400)
    found = kept.explained(made=first.reference, since="2026-03-02T09:06:00Z", name="web-2")
    assert (found.rows, found.answered) == (15, 80)
    assert found.reference == first.reference
    assert [one.name for one in found.sums] == [one.name for one in first.reference.watched]  # type: ignore[union-attr]
    assert all(one.share[0] == one.way[0] == 15 for one in found.sums)
    assert found.key == "date=2026-03-03/web-2.parquet"
    assert kept.explained(made=first.reference, since="2026-03-02T09:06:00Z", name="web-2") == found, "the same again"


def test_the_evaluations_rows_are_the_reference_where_they_have_the_requests_columns(
    kept: Kept, tmp_path: Path
) -> None:
    rows = {name: RANDOM.normal(size=400) for name in (*WEIGHTS, "target")}
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    kept.answered(numbers(40))
    found = kept.explained(reference=str(tmp_path), target="target")
    assert found.reference
    assert (found.reference.of, found.reference.rows, found.rows) == ("evaluation", 60, 15)
    assert [one.share[0] for one in found.sums] == [15, 15, 15]
    other = kept.explained(reference=str(tmp_path / "none"), target="target")
    assert other.reference is None, "40 requests are too few to stand for it"


def test_rows_of_an_evaluation_with_other_columns_are_not_taken_for_requests(kept: Kept, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0], "target": [1.0]}), tmp_path / "rows.parquet")
    kept.answered(numbers(200))
    found = kept.explained(reference=str(tmp_path), target="target")
    assert found.reference
    assert found.reference.of == "requests"
    assert "the rows lack a, b, c" in found.reference.note


def test_of_two_classes_the_probability_is_explained(kept: Kept) -> None:
    kept.server.answers = lambda columns: [[1 - p, p] for p in (1 / (1 + np.exp(-np.array(linear(columns)))))]
    kept.server.probable = True
    kept.answered(numbers(100))
    found = kept.explained()
    assert found.explains == "the probability of the second class"
    assert 0.2 < float(found.base) < 0.8


@pytest.mark.parametrize(("positive", "up"), [("yes", True), ("no", False)])
def test_the_positive_class_is_the_profiles(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, positive: str, up: bool
) -> None:
    learnt = Profile(
        task="classification", rows=9, features=[], positive=positive,
        prediction=Category(kind="category", name="y", values=["no", "yes"], counts=[4, 5]),
    )  # fmt: skip
    monkeypatch.setattr(explain, "located", lambda *_: (kept.store, "profile.json"))
    kept.store.put("profile.json", learnt.dumped())
    kept.server.answers = lambda columns: [[1 - p, p] for p in (1 / (1 + np.exp(-np.array(linear(columns)))))]
    kept.server.probable = True
    kept.answered(numbers(100))
    found = kept.explained(profile={"access": {}, "uri": "s3://store/profile.json", "sha256": learnt.digest})
    assert found.explains == f"the probability of {positive}"
    rows = [(one["contribution"], float(one["value"])) for row in kept.rows(found) for one in row["features"]
            if one["name"] == "a" and abs(float(one["value"])) > 1]  # fmt: skip
    assert all((contribution > 0) == ((value > 0) == up) for contribution, value in rows)


def test_of_several_classes_that_of_the_one_that_is_answered(kept: Kept) -> None:
    def softmax(columns: dict[str, list[Any]]) -> list[list[float]]:
        raw = np.exp(np.stack([np.array(columns[name]) for name in WEIGHTS], axis=1))
        return [[float(p) for p in row] for row in raw / raw.sum(axis=1, keepdims=True)]

    kept.server.answers, kept.server.probable = softmax, True
    kept.answered(numbers(120))
    found = kept.explained()
    assert found.explains == "the probability of the class that is answered"
    assert all(row["answer"] > 1 / 3 for row in kept.rows(found))


def test_without_probabilities_it_is_whether_the_class_is_answered(kept: Kept) -> None:
    kept.server.answers = lambda columns: ["yes" if one > 0 else "no" for one in linear(columns)]
    kept.answered(numbers(120))
    found = kept.explained()
    assert "no probabilities" in found.explains
    assert {row["answer"] for row in kept.rows(found)} == {1.0}


def test_texts_missing_values_and_integers_are_sent_as_clients_send_them(kept: Kept) -> None:
    sent: list[dict[str, list[Any]]] = []

    def mixed(columns: dict[str, list[Any]]) -> list[float]:
        sent.append(columns)
        return [(2.0 if c == "x" else 0.0) + (n or 0) for c, n in zip(columns["c"], columns["n"], strict=True)]

    kept.server.answers = mixed
    values: list[tuple[str, int | None]] = [("x", 1), ("y", None), ("x", 3), ("z", 4)]
    kept.answered([body({"c": [c], "n": [n]}, c="BYTES", n="INT64") for c, n in values * 40])
    found = kept.explained()
    assert found.rows == 60
    assert {type(value) for columns in sent for value in columns["c"]} == {str}
    assert any(value is None for columns in sent for value in columns["n"])


def test_a_tensor_of_several_features_is_explained_value_by_value(kept: Kept) -> None:
    kept.server.answers = lambda columns: np.array(columns["x"]).reshape(-1, 3) @ [1.0, 0.0, 5.0]
    one = '{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [[%f, %f, %f]]}]}'
    kept.answered([one % tuple(RANDOM.normal(size=3)) for _ in range(120)])
    found = kept.explained()
    assert [row.feature for row in found.features] == ["x[2]", "x[0]", "x[1]"]


# --- what is not as it should be -----------------------------------------------------------------------------------


STRANGE = {
    "binary": "{" * 90, "protocol": '{"messages": []}', "shape": body({"a": []}),
    "wide": body({f"f{at}": [1.0] for at in range(501)}), "unlike": body({"other": [1.0]}),
}  # fmt: skip


@pytest.mark.parametrize("reason", STRANGE)
def test_requests_that_can_not_be_read_are_counted_by_reason(kept: Kept, reason: str) -> None:
    kept.answered([*numbers(70), *[STRANGE[reason]] * 9])
    found = kept.explained()
    assert found.unread == {reason: 9}
    assert found.rows == 70 - 32


@pytest.mark.parametrize("value", ['{"deep": 1}', "[[[1]]]", '"' + "x" * 3000 + '"', "1e999", "1" + "0" * 400])
def test_hostile_values_end_nothing(kept: Kept, value: str) -> None:
    strange = '{"inputs": [' + ",".join(
        f'{{"name": "{name}", "shape": [1], "datatype": "FP64", "data": [{value}]}}' for name in WEIGHTS
    ) + "]}"  # fmt: skip
    kept.answered([*numbers(70), strange])
    found = kept.explained()
    assert found.rows + sum(found.unread.values()) == 70 - 32 + 1


def test_bodies_that_were_not_kept_are_counted(kept: Kept) -> None:
    kept.answered([None] * 70)
    found = kept.explained()
    assert (found.rows, found.answered, found.without, found.reference) == (0, 70, 70, None)


def test_of_a_request_with_several_rows_one_is_explained(kept: Kept) -> None:
    kept.answered([body({name: [1.0 * at, 2.0, 3.0] for name in WEIGHTS}) for at in range(80)])
    found = kept.explained()
    assert found.several == 80
    assert {row["row"] for row in kept.rows(found)} == {0, 1, 2}


def test_a_server_that_refuses_some_rows_is_asked_about_the_others(kept: Kept) -> None:
    kept.server.refuses = lambda columns: any(value > 1 for value in columns["c"])
    kept.answered(numbers(92))
    found = kept.explained()
    assert found.unread["refused"] + found.rows == 60
    assert found.rows > 35
    assert found.calls < 60 * 8


def test_a_server_that_takes_few_rows_at_once_is_asked_so(kept: Kept) -> None:
    kept.server.refuses = lambda columns: len(columns["c"]) > 20
    kept.answered(numbers(92))
    found = kept.explained()
    assert (found.rows, found.unread) == (60, {})
    assert found.asked < 60 * 32 * 4 + 1000, "what is too many is found out once"


def test_a_server_that_refuses_everything_is_left_alone(kept: Kept) -> None:
    kept.server.refuses = lambda _: True
    kept.answered(numbers(300))
    with pytest.raises(TaskFailed, match="refuses rows like those of its clients"):
        kept.explained()
    assert kept.server.calls < 5


def test_answers_that_are_no_numbers_are_not_explained(kept: Kept) -> None:
    kept.server.answers = lambda columns: [float("nan")] * len(columns["a"])
    kept.answered(numbers(120))
    with pytest.raises(TaskFailed, match="refuses 32 of 32 rows"):
        kept.explained()


def test_answers_that_differ_each_time_are_said(kept: Kept) -> None:
    kept.answered(numbers(120))
    assert kept.explained().varies == 0
    kept.server.answers = lambda columns: [one + RANDOM.normal() for one in linear(columns)]
    assert kept.explained().varies > 0.1


def test_rows_for_which_there_is_no_time_are_counted(kept: Kept) -> None:
    kept.answered(numbers(120))
    found = kept.explained()
    late = kept.explained(made=found.reference, seconds=-1.0)
    assert (late.rows, late.late) == (0, 15)


def test_constant_features_cost_nothing(kept: Kept) -> None:
    kept.server.answers = lambda columns: columns["a"]
    wide = {f"k{at}": [1.0] for at in range(100)}
    kept.answered([body({"a": [float(at)], **wide}) for at in range(80)])
    found = kept.explained(rows=10)
    assert found.rows == 40
    assert found.asked < 3 * 80, "one feature differs: both ends of each way are known"


def test_files_that_are_no_parquet_are_counted(kept: Kept) -> None:
    kept.answered(numbers(120))
    kept.store.put("predictions/version=m-1/date=2026-03-02/x.parquet", b"nothing")
    kept.put("date=2026-03-02/y.parquet", pa.table({"other": [1]}))
    found = kept.explained()
    assert (found.corrupt, found.rows) == (2, 60)


def test_requests_that_failed_and_copies_are_not_explained(kept: Kept) -> None:
    kept.answered(numbers(100))
    kept.answered(numbers(50), start=1000, status=500)
    kept.answered(numbers(50), start=2000, shadow=True)
    assert kept.explained().answered == 100


def test_a_background_that_was_changed_is_refused(kept: Kept) -> None:
    kept.answered(numbers(120))
    found = kept.explained()
    assert found.reference
    key = f"explanations/version=m-1/{found.reference.key}"
    kept.store.put(key, b"{}")
    with pytest.raises(TaskFailed, match="was changed"):
        kept.explained(made=found.reference)
    del kept.store.objects[key]
    with pytest.raises(StoreError):
        kept.explained(made=found.reference)
