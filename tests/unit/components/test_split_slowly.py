"""The program `split` on random tables, beside an implementation that is slow, holds all in memory and shares no line
with it; and what must hold whatever the table is."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from fairlead.components import split
from fairlead.components.words import Refused

Row = tuple[Any, ...]
TYPES = {"i": pa.int64(), "f": pa.float64(), "s": pa.string(), "b": pa.bool_(), "t": pa.timestamp("us")}
NAMES = list(TYPES)
INTEGERS = st.none() | st.integers(-3, 12)
FLOATS = st.sampled_from([None, math.nan, -math.nan, -0.0, 0.0, 1.0, 0.5, -2.25, math.inf, 1e300])
TEXTS = st.none() | st.sampled_from(["", "-", "1", "1:a", "r", "k", "nan", "null", "ä\n", '"', "'", "a b", "2:-"])
TABLES = st.lists(
    st.tuples(INTEGERS, FLOATS, TEXTS, st.none() | st.booleans(), st.integers(0, 9)), min_size=14, max_size=40
)
SHARES = st.sampled_from(["20%", "0.5", "33.3%", "75%"])


def text(value: Any) -> str | None:
    """As the hash is told of a value."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else str(value)
    return str(value)


def told(row: Row, columns: Sequence[str]) -> str:
    parts = [text(row[NAMES.index(one)]) for one in sorted(columns)]
    return "".join("-" if one is None else f"{len(one.encode())}:{one}" for one in parts)


def unit(row: Row, columns: Sequence[str]) -> str:
    whole = "r" + told((*row[:4], moment(row[4])), NAMES)
    if not columns or any(row[NAMES.index(one)] is None for one in columns):
        return whole
    return "k" + told((*row[:4], moment(row[4])), columns)


def moment(number: int) -> str:
    return f"1970-01-01 00:00:{number:02d}"


def place(row: Row, columns: Sequence[str], seed: int) -> int:
    return int.from_bytes(hashlib.md5(f"{seed}|{unit(row, columns)}".encode()).digest(), "little")


def in_turn(
    rows: Sequence[Row], at: Callable[[Row], Any], test: Fraction, held: Fraction, newest: bool
) -> dict[Any, int]:
    """The side of each unit, by where its middle is."""
    many: dict[Any, int] = defaultdict(int)
    for row in rows:
        many[at(row)] += 1
    sides, before = {}, 0
    for one in sorted(many, reverse=newest):
        middle = Fraction(2 * before + many[one], 2)
        sides[one] = 0 if middle <= test * len(rows) else 1 if middle <= held * len(rows) else 2
        before += many[one]
    return sides


def slowly(
    rows: Sequence[Row], by: str, column: str, key: list[str], test: Fraction, held: Fraction, seed: int
) -> list[int]:
    """The side of each row."""
    if by == "time":
        found = in_turn(rows, lambda row: row[4], test, held, newest=True)
        return [found[row[4]] for row in rows]
    units = key if by in ("random", "stratify") else [column]
    if by == "hash":
        cuts = [Fraction(place(row, units, seed), 2**128) for row in rows]
        return [0 if one < test else 1 if one < held else 2 for one in cuts]
    kinds: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows:
        kinds[text(row[NAMES.index(column)]) if by == "stratify" else ""].append(row)
    sides: dict[tuple[str | None, int], int] = {}
    for kind, some in kinds.items():
        found = in_turn(some, lambda row: place(row, units, seed), test, held, newest=False)
        sides |= {(kind, one): side for one, side in found.items()}
    return [
        sides[text(row[NAMES.index(column)]) if by == "stratify" else "", place(row, units, seed)] for row in rows
    ]  # fmt: skip


def without_leaks(rows: Sequence[Row], key: list[str], sides: Sequence[int]) -> list[int | None]:
    first: dict[str, int] = {}
    for row, side in zip(rows, sides, strict=True):
        first[unit(row, key)] = min(side, first.get(unit(row, key), 2))
    return [side if first[unit(row, key)] == side else None for row, side in zip(rows, sides, strict=True)]


def columns_of(rows: Sequence[Row]) -> pa.Table:
    return pa.table({
        name: pa.array([row[n] if n < 4 else row[n] * 10**6 for row in rows], pa.int64() if n == 4 else kind).cast(kind)
        for n, (name, kind) in enumerate(TYPES.items())
    })  # fmt: skip


def quickly(rows: Sequence[Row], args: Sequence[str], files: int) -> dict[str, list[str]] | str:
    """What the program writes, rows as texts; or why it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in/data")
        source.mkdir(parents=True)
        for n in range(files):
            size = -(-len(rows) // files)
            pq.write_table(columns_of(rows[n * size : (n + 1) * size]), source / f"{n}.parquet")
        with mock.patch.dict("os.environ", {"FAIRLEAD_IN": f"{folder}/in", "FAIRLEAD_OUT": f"{folder}/out"}):
            try:
                split.program(args)
            except Refused as refused:
                return str(refused)
        return {
            side: [shown(tuple(row.values())) for row in pq.read_table(f"{folder}/out/{side}/data.parquet").to_pylist()]
            for side in ("test", "validation", "train")
        }


def shown(row: Row) -> str:
    at = row[4] if isinstance(row[4], int) else row[4].second
    return repr([*("nan" if isinstance(one, float) and math.isnan(one) else one for one in row[:4]), at])


@pytest.mark.parametrize("by", ["random", "stratify", "group", "hash", "time"])
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    rows=TABLES, test=SHARES,
    validation=st.sampled_from(["0%", "10%", "0.2"]), column=st.sampled_from(NAMES[:4]),
    key=st.sampled_from([[], ["s"], ["i"], ["f"], ["s", "b"], ["i", "s"]]), drop=st.booleans(), seed=st.integers(-5, 5),
    files=st.integers(1, 3), repeated=st.integers(1, 3),
)  # fmt: skip
def test_both_put_each_row_on_the_same_side(
    by: str, rows: list[Row], test: str, validation: str, column: str, key: list[str], drop: bool, seed: int,
    files: int, repeated: int,
) -> None:  # fmt: skip
    rows = rows * repeated  # identical rows
    shares = [Fraction(one.removesuffix("%")) / (100 if "%" in one else 1) for one in (test, validation)]
    assume(sum(shares) < 1)
    args = [f"--test={test}", f"--validation={validation}", f"--seed={seed}", f"--key={','.join(key)}",
            f"--by={'random' if by == 'stratify' else by}", f"--leaks={'drop' if drop else 'fail'}"]  # fmt: skip
    args += {"random": [], "stratify": [f"--stratify={column}"], "time": ["--column=t"]}.get(by, [f"--column={column}"])
    found = quickly(rows, args, files)

    sides: list[int | None] = [*slowly(rows, by, column, key, shares[0], sum(shares), seed)]
    kinds: dict[str, set[Any]] = defaultdict(set)
    for row in rows:
        kinds[unit(row, key)].add(text(row[NAMES.index(column)]))
    if by == "stratify" and any(len(one) > 1 for one in kinds.values()):
        assert isinstance(found, str)
        assert "rows of several" in found
        return
    kept = without_leaks(rows, key, [side for side in sides if side is not None])
    if kept != sides and not drop:
        assert isinstance(found, str)
        assert "on two sides" in found
        return
    expected = {
        name: [shown(row) for row, side in zip(rows, kept, strict=True) if side == number]
        for number, name in enumerate(("test", "validation", "train"))
    }
    if not expected["test"] or not expected["train"] or (shares[1] and not expected["validation"]):
        assert isinstance(found, str)
        assert "has no rows" in found
        return
    assert found == expected


@settings(max_examples=20, deadline=None)
@given(
    rows=TABLES, seed=st.integers(0, 3), shuffled=st.randoms(use_true_random=False), key=st.sampled_from([[], ["s"]])
)
def test_the_order_of_rows_and_their_files_say_nothing(
    rows: list[Row], seed: int, shuffled: Any, key: list[str]
) -> None:
    args = [f"--seed={seed}", "--test=40%", f"--key={','.join(key)}"]
    first = quickly(rows, args, 1)
    other = list(rows)
    shuffled.shuffle(other)
    again = quickly(other, args, 3)
    if isinstance(first, str):
        assert first == again
    else:
        assert not isinstance(again, str)
        assert {side: sorted(found) for side, found in first.items()} == {s: sorted(f) for s, f in again.items()}
