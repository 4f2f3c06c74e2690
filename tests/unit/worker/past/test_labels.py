"""What came true of rows: counted once, and not before it is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest

from fairlead.monitor.profile import Profile
from fairlead.worker.past import cells, windows
from fairlead.worker.past.files import BadFiles, Source
from fairlead.worker.past.labels import Labels, Told
from fairlead.worker.past.stream import Names, Stream

Made = Callable[..., Source]
DAY = datetime(2026, 3, 1)
NAMES = Names(time="t", prediction="p", score="s")


def rows(count: int = 4, **more: Any) -> dict[str, Any]:
    return {
        "id": list(range(count)), "t": [DAY + timedelta(days=day) for day in range(count)], "x": [1.0] * count,
        "p": [1] * count, "s": [0.5] * count, **more,
    }  # fmt: skip


def found(labels: Labels) -> list[tuple[str, Any]]:
    return [
        (windows.said(int(at)), truth)
        for batch in labels.batches()
        for at, truth in zip(batch.known, cells.plain(batch.truths), strict=True)
    ]


def opened(
    database: duckdb.DuckDBPyConnection, profile: Profile, mine: Source, theirs: Source | None, names: Names = NAMES,
    **more: Any,
) -> Labels:  # fmt: skip
    stream = Stream(database, mine, profile, names, windows.parse("1d" if names.time else "2"))
    more = {"target": "", "key": "id", **more}
    return Labels(database, stream, mine, names, file=theirs, **more)


def test_a_label_is_known_from_its_row_s_time_and_the_delay_on(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    theirs = source({"id": [3, 0, 2, 1], "y": [1, 0, 0, 1]}, "labels.parquet")
    labels = opened(database, profile, source(rows()), theirs, delay=2 * windows.DAY)
    assert found(labels) == [
        ("2026-03-03T00:00:00Z", 0), ("2026-03-04T00:00:00Z", 1), ("2026-03-05T00:00:00Z", 0),
        ("2026-03-06T00:00:00Z", 1),
    ]  # fmt: skip
    assert labels.told == Told(labels=4)


def test_what_is_said_twice_counts_once_and_what_is_contradicted_not_at_all(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    ids = [0, 0, 1, 1, 1, 7, None, 2]
    theirs = source({"id": ids, "y": [1, 1, 0, 1, 1, 1, 1, None]}, "labels.parquet")
    labels = opened(database, profile, source(rows(id=[0, 1, 2, 0])), theirs)
    assert labels.told == Told(labels=3, contradictory=1, repeated=1, empty=2, unmatched=1, shared=2)
    assert found(labels) == [("2026-03-01T00:00:00Z", 1), ("2026-03-04T00:00:00Z", 1)]


def test_keys_are_as_they_are_written_and_integers_with_gaps_are_integers(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    mine = source(rows(2, id=["007", "7"]), "rows.csv", ["id"])
    theirs = source({"id": ["007", "8"], "y": [1, 0]}, "labels.csv", ["id"])
    assert found(opened(database, profile, mine, theirs)) == [("2026-03-01T00:00:00Z", 1)]
    gaps = source({"id": [7.0, None, 0.5], "y": [1, 0, 1]}, "gaps.parquet")
    database.execute("DROP TABLE labels")
    whole = opened(database, profile, source(rows(2, id=[7, 8]), "whole.parquet"), gaps)
    assert found(whole) == [("2026-03-01T00:00:00Z", 1)]


def test_labels_may_be_a_column_of_the_rows(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile
) -> None:
    mine = source(rows(y=[1.0, None, float("nan"), 0.0]))
    labels = opened(database, profile, mine, None, target="y")
    assert labels.told == Told(labels=2, empty=2)
    assert found(labels) == [("2026-03-01T00:00:00Z", 1.0), ("2026-03-04T00:00:00Z", 0.0)]


@pytest.mark.parametrize("inside", [True, False])
def test_without_times_a_label_is_known_with_its_row(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile, inside: bool
) -> None:
    theirs = None if inside else source({"id": [3, 2, 0], "y": [1, 0, 1]}, "labels.parquet")
    mine = source(rows(y=[1, None, 0, 1]) if inside else rows())
    names = Names(prediction="p")
    labels = opened(database, profile, mine, theirs, names, target="y")
    assert [(batch.known.tolist(), cells.plain(batch.truths)) for batch in labels.batches()] == [([0, 2, 3], [1, 0, 1])]


def test_columns_may_be_called_as_ours_are(database: duckdb.DuckDBPyConnection, source: Made, profile: Profile) -> None:
    """Also the column that tells slices apart may be the labels' alone."""
    strange = {
        name: ["strange"] * 4 for name in ("row", "ROW_", "label key", "label said", "at", "c0", "times", "rows")
    }
    theirs = source({"id": [0, 1], "label": [1, 0], "sex": ["f", "m"]}, "labels.parquet")
    labels = opened(database, profile, source(rows() | strange), theirs, target="label")
    (batch,) = labels.batches()
    assert cells.plain(batch.truths) == [1, 0]
    assert cells.plain(batch.slices["sex"]) == ["f", "m"]


@pytest.mark.parametrize(("theirs", "names", "more", "words"), [
    ({"id": [1], "y": [1], "z": [1]}, NAMES, {}, "Name it with --target"),
    ({"id": [1]}, NAMES, {}, "there is no other"),
    ({"id": [1], "y": [1]}, NAMES, {"key": "request"}, "no column 'request' for the key"),
    ({"id": [[1]], "y": [1]}, NAMES, {}, "it can't be a key"),
    ({"id": [1], "y": [[1]]}, NAMES, {}, "it can't be a label"),
    ({"id": [1], "y": [1]}, Names(prediction="p"), {"delay": 1}, "--time"),
    ({"id": [1], "y": [1]}, Names(time="t"), {}, "--prediction"),
    (None, NAMES, {"target": "gone"}, "no column 'gone' for the labels"),
])  # fmt: skip
def test_labels_that_can_not_be_joined_are_told_with_a_remedy(
    database: duckdb.DuckDBPyConnection, source: Made, profile: Profile, theirs: dict[str, Any] | None, names: Names,
    more: dict[str, Any], words: str,
) -> None:  # fmt: skip
    file = source(theirs, "labels.parquet") if theirs is not None else None
    with pytest.raises(BadFiles, match=words):
        opened(database, profile, source(rows()), file, names, **more)
