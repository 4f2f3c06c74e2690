"""Answers of the log are marked whose request has values that the model never learnt from; nothing is guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fairlead.monitor import outliers
from fairlead.monitor.profile import Category, Number, Profile
from fairlead.worker.record import outside
from fairlead.worker.record.outside import Judge
from fairlead.worker.record.ship import table

PROFILE = Profile(
    task="regression", rows=64,
    features=[
        Number(kind="number", name="x", edges=[1.0, 2.0, 3.0], counts=[16] * 4, low=0.0, high=4.0, mean=2.0, sd=1.0),
        Category(kind="category", name="c", values=["a", "b"], counts=[32, 32]),
    ],
)  # fmt: skip


def body(**columns: list[Any]) -> str:
    return json.dumps({"inputs": [
        {"name": name, "shape": [len(values), 1], "datatype": "FP64", "data": values}
        for name, values in columns.items()
    ]})  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (body(x=[1.0], c=["a"]), []),
        (body(x=[4.0], c=["b"]), []),
        (body(x=[4.5], c=["a"]), ["x"]),
        (body(x=[-1e308], c=["new"]), ["x", "c"]),
        (body(x=["four"], c=["a"]), ["x"]),
        (body(x=[None], c=[None]), []),  # missing values are no outliers
        (body(x=[1.0, 9.0, 9.0], c=["a", "a", "b"]), ["x"]),
        (body(x=[10**60], c=["a"]), ["x"]),
        (body(x=[10**400], c=["a"]), None),
        (body(c=["new"]), ["c"]),
        (body(other=[1]), None),
        ("{", None), ("[" * 5000, None), ("null", None), ("\ud800", None), (None, None), ("", None),
        (body(x=[1.0], c=["a", "b"]), None),
    ],
)  # fmt: skip
def test_a_request_is_marked_by_its_features_or_nobody_knows(asked: str | None, found: list[str] | None) -> None:
    assert Judge(PROFILE).judged([(200, asked), (200, body(x=[99.0]))]) == [found, ["x"]]


def test_the_mark_is_that_by_which_rows_are_counted() -> None:
    values: list[Any] = [-1, 0, 0.5, 4, 4.0001, None, "x", True, float("1e400"), float("nan"), {}]
    for value in values:
        place = PROFILE.features[0].place(value)
        told = Judge(PROFILE).judged([(200, body(x=[value]))])
        expected = outliers.outside(PROFILE, {"x": place})
        assert told == [["x"] if expected else []]


def test_what_the_server_refused_was_no_row() -> None:
    assert Judge(PROFILE).judged([(400, body(x=[99.0])), (500, body(x=[99.0]))]) == [None, None]


def test_so_many_rows_are_looked_at_and_no_more() -> None:
    asked = [(200, body(x=[9.0] * 3))] * 2500
    found = Judge(PROFILE, most=3300).judged(asked)
    assert [found.count(one) for one in (["x"], None)] == [1100, 1400]
    assert found[:1100] == [["x"]] * 1100
    assert Judge(PROFILE, most=3300).judged(asked) == found


def test_many_features_are_named_in_part() -> None:
    learnt = PROFILE.model_copy(update={
        "features": [PROFILE.features[0].model_copy(update={"name": f"x{i}"}) for i in range(20)]
    })  # fmt: skip
    (found,) = Judge(learnt).judged([(200, body(**{f"x{i}": [9.0] for i in range(20)}))])
    assert found == [f"x{i}" for i in range(outside.NAMED)]


def test_what_nobody_has_thought_of_is_written_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr("fairlead.worker.record.rows.features", broken)
    assert Judge(PROFILE).judged([(200, body(x=[9.0]))] * 3) == [None] * 3


def test_a_file_of_the_log_has_the_marks(tmp_path: Path) -> None:
    lines = [json.dumps([f"r{i}", 1795275660.25, 200, 1.5, [1], False, 0.5, given, False]) + "\n"
             for i, given in enumerate([body(x=[1.0]), body(x=[9.0]), None])]  # fmt: skip
    path = tmp_path / "b_000001_2026-11-21_ok.ndjson"
    path.write_text("".join(lines))
    (tmp_path / "profile.json").write_bytes(PROFILE.dumped())
    known = outside.judge(tmp_path / "profile.json", PROFILE.digest)
    assert table(path, "m-1", known).column("outside").to_pylist() == [[], ["x"], None]
    assert table(path, "m-1").column("outside").to_pylist() == [None] * 3
    assert outside.judge(tmp_path / "profile.json", "f" * 64) is None
    assert outside.judge(tmp_path / "none.json", PROFILE.digest) is None
    (tmp_path / "profile.json").write_bytes(b"{")
    assert outside.judge(tmp_path / "profile.json", PROFILE.digest) is None
