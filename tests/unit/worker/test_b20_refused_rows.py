"""A row that a server refuses is named with its values, and the column that makes the difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from fairlead.worker import refusals
from fairlead.worker.errors import TaskFailed
from fairlead.worker.oip import Refused

COLUMNS = ["x", "carrier"]
UNKNOWN = "the server answered 500: unknown category"


def rows(n: int = 500, **cells: dict[int, Any]) -> pa.RecordBatch:
    """x counts, the carrier is AA; cells: by column, values by row. A target that is not sent."""
    made: dict[str, list[Any]] = {"x": list(range(n)), "carrier": ["AA"] * n, "y": [1.0] * n}
    for name, changed in cells.items():
        for at, value in changed.items():
            made[name][at] = value
    return pa.RecordBatch.from_pydict(made)


class Server:
    """Refuses requests with such rows; counts them."""

    def __init__(self, bad: Callable[[dict[str, Any]], bool], alone: bool = True) -> None:
        self.bad, self.alone, self.asked = bad, alone, 0

    def ask(self, batch: pa.RecordBatch) -> None:
        self.asked += 1
        if any(map(self.bad, batch.to_pylist())) and (self.alone or batch.num_rows > 1):
            raise Refused(UNKNOWN)

    def told(self, batch: pa.RecordBatch, first: int = 0, answered: pa.RecordBatch | None = None) -> str:
        return refusals.Search(self.ask, COLUMNS, answered).told(batch, first, Refused(UNKNOWN))


@pytest.mark.parametrize("at", [0, 1, 249, 499])
def test_b20_a_new_category_is_named_by_row_and_column(at: int) -> None:
    server = Server(lambda row: row["carrier"] == "ZZ")
    said = server.told(rows(carrier={at: "ZZ"}), first=1000)
    assert said == (
        f'row {1000 + at} (x={at}, carrier="ZZ"): {UNKNOWN}; it is column carrier: with "AA" instead of "ZZ" the row '
        "is answered"
    )
    assert server.asked <= refusals.MOST


def test_b20_a_gap_is_named() -> None:
    said = Server(lambda row: row["x"] is None).told(rows(x={7: None}))
    assert said.startswith('row 7 (x=null, carrier="AA"): ')
    assert "it is column x: with " in said
    assert " instead of null the row is answered" in said


def test_the_first_of_several_rows_is_named() -> None:
    server = Server(lambda row: row["carrier"] == "ZZ")
    assert server.told(rows(carrier={30: "ZZ", 400: "ZZ"})).startswith("row 30 ")


def test_two_columns_that_are_bad_alone_are_not_blamed() -> None:
    said = Server(lambda row: row["carrier"] == "ZZ" or row["x"] == -1).told(rows(carrier={3: "ZZ"}, x={3: -1}))
    assert said == f'row 3 (x=-1, carrier="ZZ"): {UNKNOWN}'


def test_a_server_that_fails_now_and_then_blames_no_column() -> None:
    server = Server(lambda _: False)
    said = server.told(rows(1), answered=rows(1, x={0: 5}))
    assert said.endswith("asked once more, it was answered: the server does not always answer alike")
    assert "column" not in said


def test_a_model_that_answers_no_row_says_so() -> None:
    assert Server(lambda _: True).told(rows()).endswith(f"{UNKNOWN}; no row has been answered")


def test_an_answered_row_of_an_earlier_request_is_compared_with() -> None:
    said = Server(lambda row: row["carrier"] == "ZZ").told(rows(1, carrier={0: "ZZ"}), 1, rows(1))
    assert "it is column carrier" in said


def test_rows_that_are_refused_only_together_are_named_as_such() -> None:
    assert Server(lambda row: row["x"] == 4, alone=False).told(rows(8)) == f"rows 4 to 5: {UNKNOWN}"


def test_a_server_that_goes_meanwhile_has_refused_all_the_same() -> None:
    def gone(_: pa.RecordBatch) -> None:
        raise TaskFailed("ServerFailed", "gone")

    assert refusals.Search(gone, COLUMNS, None).told(rows(8), 0, Refused(UNKNOWN)) == f"rows 0 to 7: {UNKNOWN}"


def test_it_is_searched_with_few_requests_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(lambda row: row["x"] == 9999)
    assert server.told(rows(10_000)).startswith("row 9999 ")
    assert server.asked <= refusals.MOST
    monkeypatch.setattr(refusals, "LONGEST", -1.0)
    assert server.told(rows(10_000)) == f"rows 0 to 9999: {UNKNOWN}"


def test_what_is_shown_of_a_wide_row_is_short() -> None:
    wide = pa.RecordBatch.from_pydict({f"c{n}": ["z" * 1000] for n in range(100)})
    said = refusals.Search(lambda _: None, wide.schema.names, None).told(wide, 0, Refused("no"))
    assert "and 88 columns more" in said
    assert len(said) < 900
