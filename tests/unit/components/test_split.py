"""The program `split`, on tables that are known, and its parameters."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.components.programs import Here, Ran

from fairlead.components import split

NAN = float("nan")


def table(**columns: Any) -> dict[str, pa.Table]:
    return {"a.parquet": pa.table(columns)}


def divided(here: Here, files: Mapping[str, Any], *args: str) -> Ran:
    here.write("data", files)
    ran = here.run(split, args)
    assert ran.code == 0, ran.error
    return ran


def values(ran: Ran, column: str) -> dict[str, list[Any]]:
    return {side: ran.table(side)[column].to_pylist() for side in ("train", "test", "validation")}


def test_shares_are_exact_rows_keep_their_order_and_an_empty_side_has_the_columns(here: Here) -> None:
    ran = divided(here, table(n=list(range(100)), s=["x"] * 100), "--test=20%")
    sides = values(ran, "n")
    assert {side: len(found) for side, found in sides.items()} == {"train": 80, "test": 20, "validation": 0}
    assert all(found == sorted(found) for found in sides.values())
    assert sorted(n for found in sides.values() for n in found) == list(range(100))
    assert ran.table("validation").schema == ran.table("train").schema
    assert ran.metrics() == {"rows_train": 80, "rows_test": 20, "rows_validation": 0, "leaked_rows": 0}


def test_another_seed_is_another_division_and_the_same_seed_is_the_same_bytes(here: Here) -> None:
    files = table(n=list(range(1000)))
    one, same, other = (divided(here, files, "--validation=0.1", f"--seed={seed}") for seed in (1, 1, 2))
    for side in ("train", "test", "validation"):
        found = [(ran.out / side / "data.parquet").read_bytes() for ran in (one, same, other)]
        assert found[0] == found[1] != found[2]


def test_files_their_order_and_the_order_of_rows_and_columns_change_nothing(here: Here) -> None:
    here.write("data", {"a.csv": "n,s\n" + "".join(f"{n},{n % 3}\n" for n in range(200))})
    first = values(here.run(split, []), "n")
    (here.folder / "in/data/a.csv").unlink()
    lines = [f"{n % 3},{n}\n" for n in reversed(range(200))]
    here.write("data", {"z.csv": "s,n\n" + "".join(lines[:50]), "b.csv": "s,n\n" + "".join(lines[50:])})
    again = values(here.run(split, []), "n")
    assert {side: sorted(found) for side, found in first.items()} == {s: sorted(f) for s, f in again.items()}


def test_how_a_number_is_stored_changes_nothing(here: Here) -> None:
    whole = divided(here, table(n=list(range(100))))
    floats = divided(here, table(n=[-0.0, *(float(n) for n in range(1, 100))]))
    assert values(whole, "n") == values(floats, "n")


def test_stratified_each_class_has_the_shares_within_one_row(here: Here) -> None:
    classes = ["a"] * 503 + ["b"] * 41 + ["c"] * 7 + [None] * 29 + ["d"]
    ran = divided(here, table(n=list(range(581)), y=classes), "--stratify=y", "--test=20%", "--validation=10%")
    found = values(ran, "y")
    for one in {*classes}:
        total = classes.count(one)
        for side, share in (("test", 0.2), ("validation", 0.1), ("train", 0.7)):
            assert abs(found[side].count(one) - share * total) <= 1, (one, side)
    assert "stratify y: 5 classes, 1 of them too small for a row of test" in ran.said
    assert all(rows == sorted(rows) for rows in values(ran, "n").values())


def test_groups_stay_whole_and_rows_without_one_stand_for_themselves(here: Here) -> None:
    groups = [n // 5 if n < 900 else None for n in range(1000)]
    ran = divided(here, table(n=list(range(1000)), g=groups), "--by=group", "--column=g")
    found = {side: set(rows) - {None} for side, rows in values(ran, "g").items()}
    assert not found["train"] & found["test"]
    assert abs(ran.table("test").num_rows - 200) <= 5
    without = [rows.count(None) for rows in values(ran, "g").values()]
    assert sum(without) == 100
    assert without[0]
    assert without[1]
    assert "params.column: 100 rows have a null in g" in ran.said


def test_by_hash_what_is_tested_stays_so_when_more_rows_come(here: Here) -> None:
    args = ("--by=hash", "--column=n", "--validation=10%")
    few = values(divided(here, table(n=list(range(500)), x=[1] * 500), *args), "n")
    many = values(divided(here, table(n=list(range(5000)), x=[2] * 5000), *args), "n")
    for side, rows in few.items():
        assert rows == [n for n in many[side] if n < 500]
    assert abs(len(many["test"]) - 1000) < 5 * 28  # standard deviations of a binomial distribution


@pytest.mark.parametrize("start", [datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 5, 0, 0, 1), 7, 0.5])
def test_the_newest_are_tested_and_rows_of_one_time_are_together(here: Here, start: Any) -> None:
    step = datetime.timedelta(days=1) if isinstance(start, datetime.date) else 1
    times = [start + (n * 7 % 100 // 3) * step for n in range(100)]
    ran = divided(here, table(t=times), "--by=time", "--column=t", "--test=20%", "--validation=20%")
    found = values(ran, "t")
    assert max(found["train"]) < min(found["validation"])
    assert max(found["validation"]) < min(found["test"])
    assert abs(len(found["test"]) - 20) <= 3
    assert "all rows of that time are in it (3)" in ran.said


def test_a_key_on_two_sides_fails_and_says_what_to_do(here: Here) -> None:
    here.write("data", table(who=[n % 30 for n in range(100)], t=list(range(100))))
    ran = here.run(split, ["--by=time", "--column=t", "--key=who"])
    assert (ran.code, ran.error.count("\n")) == (2, 1)
    assert "20 keys (who) are on two sides, for example who=" in ran.error
    assert "by: group with column: who" in ran.error
    assert "leaks: drop, which leaves their 50 rows out" in ran.error
    assert not (ran.out / "train").exists()


def test_dropped_leaks_are_counted_and_gone_from_train(here: Here) -> None:
    data = table(who=[n % 30 for n in range(100)], t=list(range(100)))
    ran = divided(here, data, "--by=time", "--column=t", "--key=who", "--leaks=drop")
    found, times = values(ran, "who"), values(ran, "t")
    assert times["test"] == list(range(80, 100))
    assert not {*found["train"]} & {*found["test"]}
    assert times["train"] == [n for n in range(80) if n % 30 not in {m % 30 for m in range(80, 100)}]
    assert ran.metrics()["leaked_rows"] == 80 - len(times["train"]) == 50
    assert "their 50 rows are left out of train" in ran.said


def test_a_key_in_test_and_validation_stays_in_test(here: Here) -> None:
    data = table(who=["a", "b", "c", "d", "e", "a", "b", "f", "a", "g"], t=list(range(10)))
    ran = divided(here, data, "--by=time", "--column=t", "--key=who", "--leaks=drop", "--validation=30%")
    assert values(ran, "t") == {"train": [2, 3, 4], "validation": [6, 7], "test": [8, 9]}
    assert ran.metrics()["leaked_rows"] == 3


@pytest.mark.parametrize(
    ("value", "other"), [(NAN, -NAN), (0.0, -0.0), (None, None), (1e300, 1e300), (float("inf"),) * 2]
)
def test_values_that_are_equal_are_one_key_and_a_null_is_none(here: Here, value: Any, other: Any) -> None:
    data = table(k=pa.array([value, *(n + 0.5 for n in range(8)), other], pa.float64()), t=list(range(10)))
    here.write("data", data)
    ran = here.run(split, ["--by=time", "--column=t", "--key=k"])
    assert ran.code == (0 if value is None else 2)
    assert ("each of them stands for itself" in ran.said) == (value is None)


def test_identical_rows_are_on_one_side_and_no_leak(here: Here) -> None:
    rows = [n % 50 for n in range(1000)]
    ran = divided(
        here, table(a=[None if n % 5 == 0 else n for n in rows], b=[NAN if n % 7 == 0 else -0.0 for n in rows])
    )
    train, test = ({str(sorted(row.items(), key=str)) for row in ran.table(s).to_pylist()} for s in ("train", "test"))
    assert not train & test
    assert ran.table("test").num_rows + ran.table("train").num_rows == 1000


def test_a_column_called_as_one_of_ours_is_in_the_way_of_nothing(here: Here) -> None:
    names = ("unit", "class", "side", "hash", "keep", "n", "fairlead_at", "test", "held", "fairlead_leaked")
    named: dict[str, Any] = {one: list(range(50)) for one in names}
    named |= {"data": [{"n": 1, "unit": "x", "half": [n]} for n in range(50)], "e0": [[[n], None] for n in range(50)]}
    for args in ([], ["--stratify=half"], ["--by=time", "--column=unit", "--key=n"], ["--by=group", "--column=data"],
                 ["--by=time", "--column=side", "--key=half", "--leaks=drop"]):  # fmt: skip
        ran = divided(here, table(**named, half=[n % 25 for n in range(50)]), "--test=0.3", *args)
        assert sum(ran.metrics()[f"rows_{s}"] for s in ("train", "test")) + ran.metrics()["leaked_rows"] == 50


def test_nested_values_and_texts_that_look_alike_are_told_apart(here: Here) -> None:
    lists = [["a, b"], ["a", "b"], ["a", None], ["a", "null"], [], None, ['a","b']]
    structs = [{"x": NAN, "y": [1.0]}, {"x": 0.0, "y": []}, None, {"x": None, "y": None}, {"x": 1.0, "y": [None]},
               {"x": 2.0, "y": [1.0]}, {"x": -0.0, "y": []}]  # fmt: skip
    data = {
        "k": [*lists, *lists],
        "s": [*structs, *structs],
        "b": [bytes([n]) for n in range(7)] * 2,
        "t": [*range(14)],
    }
    here.write("data", {"a.parquet": pa.table(data)})
    for column, keys in (("k", 6), ("s", 5), ("b", 7)):  # 0.0 and -0.0 are one; a null names nothing
        ran = here.run(split, ["--by=time", "--column=t", f"--key={column}", "--test=50%"])
        assert f"{keys} keys ({column}) are on two sides" in ran.error


def test_several_files_and_large_row_groups_keep_the_order(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairlead.components import tables

    monkeypatch.setattr(tables, "ROWS", 8192)
    files = {
        f"{part}.parquet": pa.table({"n": list(range(part * 10_000, part * 10_000 + 10_000))}) for part in range(5)
    }
    ran = divided(here, files)
    assert values(ran, "n")["train"] == sorted(values(ran, "n")["train"])
    groups = pq.ParquetFile(ran.out / "train" / "data.parquet").metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [8192] * 4 + [40_000 - 4 * 8192]


def test_rows_that_are_wide_end_a_row_group_sooner(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairlead.components import tables

    monkeypatch.setattr(tables, "BYTES", 1 << 20)
    ran = divided(here, table(n=list(range(20_000)), s=["x" * 400] * 20_000))
    groups = pq.ParquetFile(ran.out / "train" / "data.parquet").metadata
    assert groups.row_group(0).num_rows == 4096
    assert ran.table("train").num_rows == 16_000


@pytest.mark.parametrize(("args", "part"), [
    (["--test=0"], "params.test is '0'"),
    (["--test=100%"], "params.test is '100%'"),
    (["--test=nan"], "params.test is 'nan'"),
    (["--test=-5%"], "params.test is '-5%'"),
    (["--test=a fifth"], "params.test is 'a fifth'"),
    (["--test=0.12345678"], "at most 6 decimal places"),
    (["--test=60%", "--validation=40%"], "leave no rows to train"),
    (["--by=chance"], "params.by is 'chance'"),
    (["--by=time"], "name the column by params.column"),
    (["--by=time", "--column=t,n"], "name the column by params.column, only one"),
    (["--column=n"], "params.column means nothing with by: random"),
    (["--by=time", "--column=t", "--stratify=s"], "params.stratify is one column, with by: random"),
    (["--by=time", "--column=T"], "params.column names the column T, which is not there; there is t"),
    (["--key=n,nope"], "params.key names the column nope, which is not there; there is n, t, s, missing"),
    (["--stratify=x"], "params.stratify names the column x"),
    (["--by=time", "--column=s"], "s is VARCHAR, which has no order in time"),
    (["--by=time", "--column=missing"], "missing is null, or not finite, in 1 rows"),
    (["--key=s", "--stratify=n"], "keys (s) have rows of several n"),
    (["--key=n,,t"], "a column between two of its commas has no name"),
    (["--key=n,n"], "names n twice"),
    (["--key=\"n"], "that is no list of columns"),
    (["--leaks=ignore"], "params.leaks is 'ignore'"),
    (["--seed=1.5"], "params.seed is '1.5'"),
    (["--seed=99999999999999999999"], "params.seed is 99999999999999999999"),
    (["--by=group", "--column=one"], "has no rows"),
    (["--test=1%"], "test has no rows (test 0, validation 0, train 10)"),
    (["--validation=1%"], "validation has no rows"),
    (["--wrong=1"], "there is no parameter wrong"),
    (["wrong"], "'wrong' is no --name=text"),
])  # fmt: skip
def test_what_cannot_be_is_one_line_that_names_the_parameter(here: Here, args: list[str], part: str) -> None:
    rows = "".join(f"{n},2024-01-{n + 10},{'xy'[n % 2]},{n if n else 'nan'},1\n" for n in range(10))
    here.write("data", {"a.csv": "n,t,s,missing,one\n" + rows})
    ran = here.run(split, args)
    assert (ran.code, ran.error.count("\n")) == (2, 1), ran.error
    assert part in ran.error


def test_no_rows_are_refused(here: Here) -> None:
    here.write("data", {"a.csv": "n\n"})
    ran = here.run(split, [])
    assert (ran.code, "has no rows" in ran.error) == (2, True)


def test_cells_that_do_not_fit_are_named(here: Here) -> None:
    reading = '{"format": "csv", "delimiter": ",", "encoding": "utf-8", "columns": [{"name": "n", "type": "integer"}]}'
    here.write("data", {"a.csv": "n\n1\nx\n", ".fairlead-reading.json": reading})
    ran = here.run(split, [])
    assert ran.code == 2
    assert "column n: x is no integer" in ran.error


def test_memory_may_be_less_than_the_table(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairlead.worker import tables

    monkeypatch.setattr(tables, "memory_limit", lambda: 64 << 20)
    rows = 400_000
    data = {"a.parquet": pa.table({"n": list(range(rows)), "s": [f"{n:0200d}" for n in range(rows)]})}
    ran = divided(here, data, "--by=time", "--column=n", "--key=n", "--leaks=drop")
    assert ran.table("train").num_rows == rows * 8 // 10
    assert not list(Path(here.folder).rglob(".spill"))
