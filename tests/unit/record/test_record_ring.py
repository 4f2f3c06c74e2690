"""The newest answers."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.worker.record.http import reply
from fairlead.worker.record.ring import Ring


def ring(count: int, **bounds: int) -> Ring:
    found = Ring("boot", **bounds)
    for number in range(1, count + 1):
        assert found.add(f"r{number}", f'"r{number}"') == number
    return found


def page(of: Ring, after: int, limit: int = 100) -> dict[str, Any]:
    return dict(json.loads(of.after(after, limit)))


def test_pages_follow_each_other() -> None:
    found = ring(5)
    first = page(found, 0, 2)
    assert first == {"boot": "boot", "next": 2, "dropped": 0, "answers": [[1, "r1"], [2, "r2"]]}
    assert page(found, first["next"])["answers"] == [[3, "r3"], [4, "r4"], [5, "r5"]]
    assert page(found, 5) == {"boot": "boot", "next": 5, "dropped": 0, "answers": []}


def test_what_is_gone_is_counted() -> None:
    found = page(ring(10, answers=4), 2)
    assert (found["dropped"], found["next"], found["answers"][0][0]) == (4, 10, 7)


def test_an_empty_one() -> None:
    assert page(ring(0), 7) == {"boot": "boot", "next": 0, "dropped": 0, "answers": []}


def test_a_page_is_no_larger_than_a_reader_takes() -> None:
    found = Ring("boot")
    for _ in range(1000):
        found.add("r", json.dumps("x" * 5000))
    answered = found.after(0, 20_000)
    assert len(answered) < 3 << 20
    assert json.loads(answered)["next"] < 1000


@given(st.integers(0, 30), st.integers(0, 40), st.integers(1, 10), st.integers(1, 12), st.integers(20, 200))
def test_whoever_follows_next_sees_each_answer_once(
    count: int, after: int, limit: int, answers: int, size: int
) -> None:
    found = ring(count, answers=answers, size=size)
    seen, dropped, last = [], 0, min(after, count)
    while True:
        one = page(found, last, limit)
        dropped += one["dropped"]
        seen += [row[0] for row in one["answers"]]
        last = one["next"]
        if not one["answers"]:
            break
    assert seen == sorted(set(seen))
    assert len(seen) + dropped == count - min(after, count)


def test_inputs_are_bounded_too() -> None:
    found = Ring("boot", inputs=10)
    found.add("a", "1", "x" * 6)
    found.add("b", "2", "y" * 6)
    assert json.loads(found.of("a") or b"") == {"answers": [[1, 1]], "input": None}
    assert json.loads(found.of("b") or b"") == {"answers": [[2, 2]], "input": "yyyyyy"}
    assert found.of("c") is None


def ask(path: str, query: str = "", method: str = "GET") -> tuple[str, bytes]:
    asked = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method}
    status, _, body = reply(ring(3), lambda since: f"since {since}".encode(), asked)
    return status[:3], body


def test_over_http() -> None:
    assert json.loads(ask("/answers", "after=1&limit=1")[1])["next"] == 2
    assert ask("/answers", "after=x")[0] == "400"
    assert ask("/answers", "after=-5&limit=-1")[0] == "200"
    assert ask("/answers/r2")[0] == "200"
    assert ask("/answers/r9")[0] == "404"
    assert [ask("/counts", query)[1] for query in ("", "since=ab")] == [b"since ", b"since ab"]
    assert ask("/healthz") == ("200", b"ok\n")
    assert b"fairlead_recorder_kept_total" in ask("/metrics")[1]
    assert ask("/other")[0] == "404"
    assert ask("/answers", method="POST")[0] == "405"
