"""A profile says what the rows are, whatever their order; hostile rows give a small one, or a reason."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import cycle, pairwise
from math import inf, nan
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, f1_score, log_loss, roc_auc_score

from fairlead.monitor.profile import LONGEST, Category, Number, Profile, parse
from fairlead.worker import tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.profiling import answers, build, files
from fairlead.worker.profiling.answers import Answered, held_out
from fairlead.worker.profiling.columns import ALL_NAMES, MOST_NAMES, Named, Real
from fairlead.worker.profiling.edges import edges
from fairlead.worker.profiling.sample import Sample
from fairlead.worker.profiling.source import CELLS, TooLong


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with tables.connect(tmp_path, tmp_path) as connection:
        yield connection


def learnt(database: Any, folder: Path, columns: dict[str, Any], parts: int = 1, form: str = "parquet") -> Any:
    """The reference of these columns, written in so many files."""
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    made = []
    for part in range(parts):
        rows = table.take(pa.array(range(part, table.num_rows, parts), pa.int64()))
        made.append(folder / f"{parts}-{parts - part}.{form}")
        pq.write_table(rows, made[-1])
    return build.reference(files.rows(database, made), table.schema.names)


def one(reference: build.Reference, name: str) -> Any:
    return next(feature for feature in reference.features if feature.name == name)


RNG = np.random.default_rng(5)
WORLD = {
    "x": RNG.normal(3, 2, 20_000), "n": RNG.integers(0, 5, 20_000), "flag": RNG.random(20_000) < 0.2,
    "city": RNG.choice(["Bonn", "Rom", "Ürümqi"], 20_000, p=[0.6, 0.3, 0.1]),
}  # fmt: skip
WORLD["y"] = WORLD["x"] * 2 + RNG.normal(size=20_000)


def test_what_rows_are_like(database: Any, tmp_path: Path) -> None:
    found = learnt(database, tmp_path, WORLD)
    x, n, flag, city = (one(found, name) for name in ("x", "n", "flag", "city"))
    assert found.rows == 20_000
    assert (x.low, x.high) == (WORLD["x"].min(), WORLD["x"].max())
    assert (x.mean, x.sd) == (pytest.approx(WORLD["x"].mean()), pytest.approx(WORLD["x"].std()))
    assert len(x.counts) == 32
    assert max(abs(count - 625) for count in x.counts) <= 1
    assert n.edges == [1, 2, 3, 4], "a bin a value"
    assert n.counts == np.bincount(WORLD["n"]).tolist()
    assert flag.edges == [1]
    assert (city.values, city.complete, city.known) == (["Bonn", "Rom", "Ürümqi"], True, [])
    assert sum(city.counts) == 20_000
    first = found.pairs[0]
    assert (first.a, first.b, first.n) == ("x", "y", 20_000)
    assert first.r == pytest.approx(np.corrcoef(WORLD["x"], WORLD["y"])[0, 1], abs=0.005)


@pytest.mark.parametrize("parts", [2, 7])
def test_the_same_rows_in_any_order_and_files_are_one_document(database: Any, tmp_path: Path, parts: int) -> None:
    whole = build.profile("regression", learnt(database, tmp_path, WORLD))
    other = build.profile("regression", learnt(database, tmp_path, WORLD, parts))
    assert other.model_copy(update={"reference": ""}).dumped() == whole.model_copy(update={"reference": ""}).dumped()


def test_more_rows_than_the_sample_holds_are_counted_exactly(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead.worker.profiling.sample.ROWS", 512)
    monkeypatch.setattr("fairlead.worker.profiling.sample.LEAST", 512)
    found = learnt(database, tmp_path, WORLD)
    x = one(found, "x")
    inside = np.searchsorted(x.edges, WORLD["x"], side="right")
    assert x.counts == np.bincount(inside, minlength=len(x.counts)).tolist()
    assert max(x.counts) < 3 * 625
    body = build.profile("regression", found).dumped()
    again = build.profile("regression", learnt(database, tmp_path, WORLD, 3)).dumped()
    assert json.loads(body)["features"] == json.loads(again)["features"]


def test_gaps_are_counted_apart(database: Any, tmp_path: Path) -> None:
    columns = {"x": pa.array([1.0, None, nan, inf, -inf, 2.0]), "s": pa.array(["a", None, "b", "a", "a", ""])}
    found = learnt(database, tmp_path, columns)
    x, s = one(found, "x"), one(found, "s")
    assert (x.counts, x.missing, x.unusable, x.low, x.high) == ([1, 1], 1, 3, 1.0, 2.0)
    assert (s.values, s.counts, s.missing) == (["a", "", "b"], [3, 1, 1], 1)


HOSTILE: dict[str, Any] = {
    "nan": pa.array([nan] * 50), "null": pa.nulls(50), "nulls": pa.array([None] * 50, pa.float64()),
    "texts": pa.array([None] * 50, pa.string()), "constant": pa.array([7] * 50), "infinite": pa.array([inf, -inf] * 25),
    "huge": pa.array([1e308, -1e308] * 25), "tiny": pa.array([5e-324, 0.0] * 25),
    "wide": pa.array([2**63 - 1, -(2**63)] * 25), "long": pa.array(["x" * 10_000 + str(i) for i in range(50)]),
    'qu"ote': pa.array([1] * 50), "line\nbreak": pa.array(["a\nb"] * 50),
    "\u202eleft": pa.array(["<script>"] * 50), "'; DROP TABLE x": pa.array([True, None] * 25),
    "when": pa.array([datetime(2020, 1, 1)] * 50), "list": pa.array([[1]] * 50), "object": pa.array([{"a": 1}] * 50),
    "raw": pa.array([b"\xff"] * 50), "day": pa.array([1] * 50, pa.date32()), "n" * 300: pa.array([1] * 50),
    "decimal": pa.array([1, 2] * 25, pa.decimal128(10, 2)), "half": pa.array([1.5] * 50, pa.float16()),
}  # fmt: skip


@pytest.mark.parametrize("rows", [1, 50])
def test_hostile_columns_have_a_profile_or_a_reason(database: Any, tmp_path: Path, rows: int) -> None:
    found = learnt(database, tmp_path, pa.table(HOSTILE).slice(0, rows))
    document = build.profile("regression", found)
    assert parse(document.dumped(), document.digest) == document
    assert set(found.left_out) == {"when", "list", "object", "raw", "day", "n" * 300}
    assert {one.name for one in found.features} == set(HOSTILE) - set(found.left_out)
    for feature in found.features:
        assert sum(feature.reference) == rows, feature.name
    assert one(found, "nulls").missing == rows
    assert one(found, "constant").sd == 0


def test_texts_as_long_as_documents_are_not_held_whole(database: Any, tmp_path: Path) -> None:
    texts = pa.array([f"{i % 3}" + "x" * 50_000 for i in range(90)])
    pq.write_table(pa.table({"s": texts}), tmp_path / "a.parquet")
    rows = files.rows(database, [tmp_path / "a.parquet"])
    for batches in (rows.batches([], ["s"]), rows.plain(["s"])):
        held = [batch.column("s") for batch in batches]
        assert {len(value) for column in held for value in column.to_pylist()} == {LONGEST}
        assert sum(len(column) for column in held) == 90
    found = one(build.reference(rows, ["s"]), "s")
    assert (found.values, found.counts, found.complete) == ([f"{i}" + "x" * 255 for i in range(3)], [30] * 3, True)


def test_rows_of_many_columns_come_in_smaller_batches(database: Any, tmp_path: Path) -> None:
    wide = {f"f{i}": np.arange(3000) for i in range(300)}
    pq.write_table(pa.table(wide), tmp_path / "a.parquet")
    rows = files.rows(database, [tmp_path / "a.parquet"])
    sizes = [batch.num_rows for batch in rows.batches(list(wide), [])]
    assert (sum(sizes), max(sizes) * 300 <= CELLS) == (3000, True)
    assert [batch.num_rows for batch in rows.batches(["f1"], [])] == [3000]


def test_who_has_no_more_time_gives_up(database: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table({"s": ["a", "b"], "x": [1.0, 2.0]}), tmp_path / "a.parquet")
    whole = files.rows(database, [tmp_path / "a.parquet"])
    late = replace(whole, until=time.monotonic() - 1)
    with pytest.raises(TooLong):
        build.reference(late, ["s", "x"])
    with pytest.raises(TooLong):
        list(late.plain(["s"]))
    with pytest.raises(TooLong):
        late.frequent("s")
    many = "SELECT i::VARCHAR AS s FROM range(1000000000000) r(i)"
    endless = replace(whole, query=many, until=time.monotonic() + 0.2)
    with pytest.raises(TooLong):
        endless.frequent("s")
    assert replace(whole, until=time.monotonic() + 3600).frequent("s") == ["a", "b"]


def test_no_rows_and_too_many_features_are_said(database: Any, tmp_path: Path) -> None:
    with pytest.raises(TaskFailed, match="no rows"):
        learnt(database, tmp_path, pa.table({"x": pa.array([], pa.float64())}))
    with pytest.raises(TaskFailed, match="at most 500 features, not 600"):
        learnt(database, tmp_path, {f"f{i}": [1.0] for i in range(600)})


def test_more_names_than_can_be_held_are_counted_by_the_database(database: Any, tmp_path: Path) -> None:
    names = [f"id{i}" for i in range(MOST_NAMES + 10)] + ["often"] * 500 + ["x" * 300] * 300
    city = one(learnt(database, tmp_path, {"id": names}), "id")
    assert (city.values[:2], city.counts[:2]) == (["often", "x" * 256], [500, 300])
    assert (len(city.values), len(city.known), city.complete) == (32, 512, False)
    assert sum(city.counts) + city.other == len(names)


@pytest.mark.parametrize("kind", ["numbers", "names", "long names"])
def test_a_profile_of_twenty_features_is_small(database: Any, tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(1)
    many = {
        "numbers": lambda: rng.normal(size=3000) * 1e-7,
        "names": lambda: [f"n{i:020}" for i in rng.integers(0, 900, 3000)],
        "long names": lambda: [f"{i}{'ü' * 250}" for i in rng.integers(0, 900, 3000)],
    }[kind]  # fmt: skip
    found = learnt(database, tmp_path, {f"f{i}": many() for i in range(20)})
    answered = held_out(lambda: iter([Answered(rng.normal(size=3000), rng.normal(size=3000))]), "regression")
    body = build.profile("regression", found, answered).dumped()
    assert len(body) < 64 << 10
    for feature in parse(body).features:
        assert sum(feature.reference) == 3000
        assert kind == "numbers" or not feature.complete


def test_five_hundred_features_have_a_document(database: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    columns = {f"f{i}": rng.normal(size=300) if i % 2 else [f"{i}-{j}-{'x' * 60}" for j in range(300)]
               for i in range(500)}  # fmt: skip
    document = build.profile("regression", learnt(database, tmp_path, columns))
    assert parse(document.dumped()) == document


# --- edges ---------------------------------------------------------------------------------------------------------

VALUES = st.lists(st.one_of(st.floats(-5, 5), st.integers(0, 40).map(float), st.just(nan), st.just(0.0)), max_size=300)


@given(VALUES)
def test_edges_rise_and_leave_no_bin_empty(values: list[float]) -> None:
    array, weights = np.array(values, dtype=np.float64), np.ones(len(values), dtype=np.int64)
    found = edges(array, weights)
    assert len(found) <= 31
    assert all(a < b for a, b in pairwise(found))
    there = array[~np.isnan(array)]
    if len(there):
        assert (np.bincount(np.searchsorted(found, there, side="right"), minlength=len(found) + 1) > 0).all()
    if len(set(there.tolist())) <= 32:
        assert found == sorted(set(there.tolist()))[1:]


def test_a_value_that_is_frequent_has_a_bin_of_its_own() -> None:
    values = np.concatenate([np.zeros(6000), np.random.default_rng(2).normal(size=4000)])
    found = edges(values, np.ones(10_000, dtype=np.int64))
    assert 0.0 in found
    assert (np.bincount(np.searchsorted(found, values, side="right")) == 6000).any()
    others = np.delete(np.bincount(np.searchsorted(found, values, side="right")), found.index(0.0) + 1)
    assert others.max() < 2 * 4000 / 31


def test_weights_are_rows() -> None:
    values = np.arange(100.0)
    weights = np.where(values < 50, 1, 9).astype(np.int64)
    assert edges(values, weights) == edges(np.repeat(values, weights), np.ones(500, dtype=np.int64))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60), st.permutations(range(5)))
def test_a_sample_of_all_rows_has_all_of_them_in_any_order(rows: Sequence[tuple[int, int]], cut: list[int]) -> None:
    def sampled(listed: Sequence[tuple[int, int]], step: int) -> tuple[list[Any], list[int]]:
        readers = Sample(2), Sample(2)
        for at, reader in zip(range(0, len(listed), step), cycle(readers), strict=False):
            part = np.array(listed[at : at + step], dtype=np.float64)
            reader.add([part[:, 0], part[:, 1]])
        readers[0].merge(readers[1])
        values, weights = readers[0].rows()
        return values.tolist(), weights.tolist()

    values, weights = sampled(rows, cut[0] + 1)
    assert (values, weights) == sampled(rows[::-1], cut[1] + 1)
    assert sorted(tuple(v) for v, n in zip(values, weights, strict=True) for _ in range(n)) == sorted(rows)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=20), max_size=5))
def test_means_and_spreads_of_parts_are_those_of_all(parts: list[list[float]]) -> None:
    real, other = Real(), Real()
    for part, reader in zip(parts, cycle((real, other)), strict=False):
        reader.add(np.array(part, dtype=np.float64))
    real.merge(other)
    every = [value for part in parts for value in part]
    if every:
        assert real.mean == pytest.approx(np.mean(every), rel=1e-7, abs=1e-7 * float(np.std(every)) + 1e-300)
        assert real.sd == pytest.approx(np.std(every), rel=1e-6, abs=1e-8 * max(map(abs, every)))
        assert (real.n, real.ends) == (len(every), (min(every), max(every)))


def test_names_of_two_readers_are_counted_together_and_too_many_of_both_are_too_many() -> None:
    one, two = Named(20), Named(20)
    one.add(["a", "b", "a"])
    two.add(["b", None])
    one.merge(two)
    assert dict(one.counts) == {"a": 2, "b": 2}
    two.add([f"name {i}" for i in range(ALL_NAMES // 20)])
    one.merge(two)
    assert one.too_many
    assert not one.counts


# --- answers -------------------------------------------------------------------------------------------------------


def in_parts(step: int, **columns: Any) -> answers.Batches:
    def batches() -> Iterator[Answered]:
        by = columns.get("slices", {})
        for at in range(0, len(columns["answers"]), step):
            cut = {k: v[at : at + step] for k, v in columns.items() if k != "slices"}
            yield Answered(**cut, slices={k: v[at : at + step] for k, v in by.items()})

    return batches


def test_scores_are_counted_with_what_was_right() -> None:
    rng = np.random.default_rng(3)
    p = rng.beta(2, 2, 4000)
    truth = np.where(rng.random(4000) < p, "yes", "no")
    said = np.where(p > 0.5, "yes", "no")
    found = held_out(in_parts(333, answers=said, truth=truth, scores=p, slices={"sex": rng.choice(["F", "M"], 4000)}),
                     "classification")  # fmt: skip
    assert (found.positive, found.rows) == ("yes", 4000)
    assert found.scores is not None
    assert (len(found.scores.counts), sum(found.scores.counts)) == (64, 4000)
    assert sum(found.scores.right) == int((truth == "yes").sum())
    assert sum(found.scores.predicted) == int((said == "yes").sum())
    assert sorted(zip(found.slices[0].values, found.slices[0].counts, strict=True))[0][0] == "F"
    hits = truth == "yes"
    assert found.quality["accuracy"] == pytest.approx((said == truth).mean())
    assert found.quality["auc"] == pytest.approx(roc_auc_score(hits, p), abs=1e-5)
    assert found.quality["f1"] == pytest.approx(f1_score(hits, said == "yes"))
    assert found.quality["log_loss"] == pytest.approx(log_loss(hits, p))
    assert found.quality["brier"] == pytest.approx(brier_score_loss(hits, p))


def test_of_more_classes_the_score_is_that_of_the_answer() -> None:
    said, truth = ["a", "b", "c", "a"], ["a", "b", "a", "c"]
    found = held_out(in_parts(3, answers=said, truth=truth, scores=[0.9, 0.8, 0.4, 0.5]), "classification")
    assert found.scores is not None
    assert (found.positive, found.scores.right, found.scores.predicted) == ("", [0, 0, 1, 1], [])
    assert found.quality["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"truth": None}, "no target"), ({"scores": [nan, 2.0]}, "no score is a probability"),
     ({"answers": ["a", "a"], "truth": ["a", "a"]}, "all rows are of one class")],
)  # fmt: skip
def test_what_is_not_known_of_scores_is_said(changes: dict[str, Any], says: str) -> None:
    columns = {"answers": ["a", "b"], "truth": ["a", "a"], "scores": [0.1, 0.9], **changes}
    found = held_out(in_parts(5, **{k: v for k, v in columns.items() if v is not None}), "classification")
    assert found.scores is None
    assert any(says in note for note in found.notes)


def test_losses_are_summed_by_bin_of_the_answer() -> None:
    truth = np.array([0.0, 1.0, 2.0, 4.0, nan, 5.0])
    said = np.array([1.0, 1.0, 3.0, 3.0, 3.0, inf])
    found = held_out(in_parts(4, answers=said, truth=truth), "regression")
    assert isinstance(found.prediction, Number)
    assert (found.prediction.edges, found.prediction.counts, found.prediction.unusable) == ([3.0], [2, 3], 1)
    assert found.losses is not None
    assert (found.losses.counts, found.losses.absolute, found.losses.squared) == ([2, 2], [1, 2], [1, 2])
    assert (found.losses.nonzero, found.losses.relative) == ([1, 2], [0, 0.75])
    assert found.quality == pytest.approx({"mae": 0.75, "mse": 0.75, "rmse": 0.75**0.5, "mape": 0.25, "rmse_zero": 1})


def test_the_document_has_both_parts(database: Any, tmp_path: Path) -> None:
    found = learnt(database, tmp_path, WORLD)
    answered = held_out(in_parts(100, answers=[1.0, 2.0], truth=[1.0, 4.0]), "regression")
    document = build.profile("regression", found, answered, "d" * 64)
    assert (document.held_out, document.data, document.quality["mae"]) == (2, "d" * 64, 1.0)
    assert Profile.model_validate_json(document.dumped()) == document
    assert isinstance(document.feature("city"), Category)
