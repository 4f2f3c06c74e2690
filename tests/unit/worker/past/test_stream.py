"""Rows of files, cut where windows end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.monitor.profile import Profile
from fairlead.worker.past import cells, stream, windows
from fairlead.worker.past.files import BadFiles, Source
from fairlead.worker.past.stream import Names, Piece, Stream

Made = Callable[..., Source]
DAY = datetime(2026, 3, 1)


def flat(pieces: list[Piece], column: str) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for piece in pieces:
        found.setdefault(piece.window, []).extend(cells.plain(piece.columns[column]))
    return found


def opened(database: duckdb.DuckDBPyConnection, source: Source, profile: Profile, window: str, **names: str) -> Stream:
    return Stream(database, source, profile, Names(**names), windows.parse(window))


def test_windows_of_rows_are_cut_across_batches(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BATCH", 7)
    rows = opened(database, source({"x": list(range(100))}), profile, "30")
    pieces = list(rows.pieces())
    assert flat(pieces, "x") == {0: [*range(30)], 1: [*range(30, 60)], 2: [*range(60, 90)], 3: [*range(90, 100)]}
    assert rows.count() == 4
    assert all(piece.rows <= 7 for piece in pieces)
    assert [piece.at for piece in pieces][-1] == 98
    assert rows.absent == ["g"]


def test_rows_that_lie_out_of_order_are_put_into_the_order_of_their_times(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    times = [DAY + timedelta(hours=h) for h in (30, 2, 50, 2, 1)]
    rows = opened(database, source({"x": [4, 2, 5, 3, 1], "t": times}), profile, "1d", time="t")
    assert not rows.times.sorted
    assert flat(list(rows.pieces()), "x") == {0: [1, 2, 3], 1: [4], 2: [5]}


def test_a_row_without_a_time_that_can_be_read_is_counted_and_in_no_window(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    times = ["2026-03-01", "yesterday", "2026-03-03T01:00:00Z", "", "infinity"]
    rows = opened(database, source({"x": [1, 2, 3, 4, 5], "t": times}, "rows.csv"), profile, "1d", time="t")
    assert (rows.times.rows, rows.times.unread, rows.count()) == (5, 3, 3)
    assert flat(list(rows.pieces()), "x") == {0: [1], 2: [3]}


@pytest.mark.parametrize("times", [
    [1772323200, 1772323200.5, float("nan")], [1772323200, -1e300, 1772323201],
])  # fmt: skip
def test_times_that_are_numbers_are_seconds_since_1970(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile, times: list[float]
) -> None:
    rows = opened(database, source({"x": [1, 2, 3], "t": times}), profile, "1h", time="t")
    assert windows.said(rows.times.first) == "2026-03-01T00:00:00Z"
    assert rows.times.unread == 1


@pytest.mark.parametrize(("columns", "names", "window", "words"), [
    ({"x": [1.0]}, {}, "1d", "--time"),
    ({"x": [1.0]}, {"time": "when"}, "1d", "no column 'when' for the time"),
    ({"x": [1.0], "t": ["soon"]}, {"time": "t"}, "1d", "no row has a time"),
    ({"x": [1.0], "t": [[1]]}, {"time": "t"}, "1d", "no time; name another"),
    ({"x": [1.0], "t": [True]}, {"time": "t"}, "1d", "no time; name another"),
    ({"x": [1.0, 2.0], "t": [datetime(1, 1, 1), datetime(9999, 12, 31)]}, {"time": "t"}, "1h", "choose longer ones"),
])  # fmt: skip
def test_what_can_not_be_windows_is_told_with_a_remedy(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile, columns: dict[str, list[Any]],
    names: dict[str, str], window: str, words: str,
) -> None:  # fmt: skip
    with pytest.raises(BadFiles, match=words):
        opened(database, source(columns), profile, window, **names)


def test_no_rows_are_no_windows(database: duckdb.DuckDBPyConnection, source: Made, profile: Profile) -> None:
    empty = source({"x": pa.array([], pa.float64()), "t": pa.array([], pa.timestamp("us"))})
    for window, names in (("10", {}), ("1d", {"time": "t"})):
        rows = opened(database, empty, profile, window, **names)
        assert rows.count() == 0
        assert list(rows.pieces()) == []


def test_of_text_in_a_number_s_column_what_is_a_number_counts_and_it_is_said(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    rows = opened(database, source({"x": ["1.5", "n/a", "", "2"]}, "rows.csv"), profile, "10")
    assert flat(list(rows.pieces()), "x") == {0: [1.5, "n/a", None, 2.0]}
    assert rows.notes() == [
        "x is a number in the profile, and some cells of it here are none: these count as of the wrong type"
    ]


def test_of_text_in_a_file_that_says_its_types_nothing_is_a_number(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    rows = opened(database, source({"x": ["1.5", "n/a"]}), profile, "10")
    assert flat(list(rows.pieces()), "x") == {0: ["1.5", "n/a"]}
    assert rows.notes() == ["x is a number in the profile, and string here: all of it counts as of the wrong type"]


def test_lists_dates_and_empty_columns_are_read_as_a_request_would_bring_them(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    columns = {"x": [[1.0], None], "g": [DAY.date(), None], "sex": pa.nulls(2)}
    found = next(opened(database, source(columns), profile, "10").pieces())
    assert {name: cells.plain(values) for name, values in found.columns.items()} == {
        "x": [(), None], "g": ["2026-03-01", None], "sex": [None, None],
    }  # fmt: skip


def test_a_score_that_is_no_number_is_refused_and_one_that_is_not_finite_is_not(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    rows = source({"x": [1, 2, 3], "s": [0.5, None, float("inf")], "text": ["0.5"] * 3, "p": ["1", "0", None]})
    piece = next(opened(database, rows, profile, "10", score="s", prediction="p").pieces())
    assert piece.scores is not None
    assert np.isnan(piece.scores).tolist() == [False, True, False]
    assert piece.answers is not None
    assert cells.plain(piece.answers) == ["1", "0", None]
    with pytest.raises(BadFiles, match="a score is a number from 0 to 1"):
        opened(database, rows, profile, "10", score="text")


def test_files_of_different_types_keep_their_order(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, profile: Profile
) -> None:
    for name, values in (("a", [1, 2]), ("b", [3.5]), ("c", [4, 5])):
        pq.write_table(pa.table({"x": values}), tmp_path / f"{name}.parquet")
    found = Source(database, [tmp_path])
    assert flat(list(opened(database, found, profile, "10").pieces()), "x") == {0: [1, 2, 3.5, 4, 5]}


@pytest.mark.parametrize(("name", "content", "words"), [
    ("rows.txt", "x\n1\n", "rename it to end with"),
    ("rows.csv", "x,y\n1\n", "line 2"),
    ("rows.parquet", "no Parquet", "can't be read"),
    ("gone.csv", None, "is not there"),
    ("folder", "", "has no file in it"),
])  # fmt: skip
def test_files_that_are_none_are_told(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, content: str | None, words: str
) -> None:
    if name == "folder":
        (tmp_path / name).mkdir()
    elif content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(BadFiles, match=words):
        Source(database, [tmp_path / name])


def test_another_dialect_of_csv_is_found(database: duckdb.DuckDBPyConnection, tmp_path: Path, profile: Profile) -> None:
    (tmp_path / "rows.csv").write_bytes('x;g\r\n1.5;"a;b"\r\n2;c\r\n'.encode("utf-16"))
    pieces = list(opened(database, Source(database, [tmp_path / "rows.csv"]), profile, "10").pieces())
    assert (flat(pieces, "x"), flat(pieces, "g")) == ({0: [1.5, 2.0]}, {0: ["a;b", "c"]})


def test_two_formats_are_not_mixed(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    with pytest.raises(BadFiles, match="one format"):
        Source(database, [tmp_path])
