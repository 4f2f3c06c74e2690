"""What requests were like, counted beside the thread that takes the answers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.record.made import profile, raw, tensor, widest

from fairlead.monitor.profile import Profile
from fairlead.worker.record import bins as module
from fairlead.worker.record.bins import BYTES, WAITING, Bins, NotHad
from fairlead.worker.record.rows import Raw

LATEST = 60.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 0.01)
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)


@pytest.fixture
def made() -> Iterator[Callable[[Callable[[], Profile]], Bins]]:
    """Makes one that counts; they end afterwards."""
    found: list[Bins] = []

    def make(get: Callable[[], Profile]) -> Bins:
        found.append(Bins("boot", "digest", get))
        found[-1].start()
        return found[-1]

    yield make
    for one in found:
        one.stop()


Make = Callable[[Callable[[], Profile]], Bins]


def page(bins: Bins) -> dict[str, Any]:
    return dict(json.loads(bins.page(1.0)))


def until(bins: Bins, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The page once it says so."""
    deadline = time.monotonic() + LATEST
    while not done(found := page(bins)):
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


def had(bins: Bins) -> Bins:
    until(bins, lambda found: found["problem"] == "")
    return bins


def request(*values: float, kind: str = "c0") -> Raw:
    """Rows with two features; the answer is 1 where the first one is above 16."""
    asked = [tensor("n0", list(values)), tensor("c0", [kind] * len(values), datatype="BYTES")]
    said = tensor("predict", [int(one > 16) for one in values], datatype="INT64")
    sure = tensor("predict_proba", [[1 - one / 32, one / 32] for one in values], [len(values), 2])
    return raw(asked, [said, sure])


def test_requests_and_answers_are_counted_in_the_profile_s_bins(made: Make) -> None:
    bins = had(made(profile))
    for value in (0.5, 1.5, 31.5):
        bins.answered(0.5)
        bins.offer(request(value, value, kind="c1"))
    bins.answered(0.5)
    bins.offer(request(99.0, kind="new"))
    found = until(bins, lambda found: found["tally"]["rows"] == 7)
    tally = found["tally"]
    assert (found["boot"], found["profile"], found["problem"]) == ("boot", "digest", "")
    assert (tally["requests"], tally["sampled"], tally["outliers"], tally["unread"]) == (8, 4, 1, {})
    numbers = tally["vectors"]["feature/n0"]
    assert [numbers[at] for at in (0, 1, 31)] == [2, 2, 2]
    assert numbers[33] == 1, "above"
    assert tally["vectors"]["feature/c0"][:2] == [0, 6]
    assert tally["vectors"]["answers"][:2] == [4, 3]
    assert tally["vectors"]["slice/c0=c1/answers"][:2] == [4, 2]
    assert sum(tally["vectors"]["scores"]) == 7
    assert until(bins, lambda _: True)["tally"] == tally, "reading counts nothing"


def test_what_is_read_twice_is_new_once(made: Make) -> None:
    """A reader remembers a mark, and nothing else: not what it stood for, and not how often it has asked."""
    bins = had(made(profile))
    new, mark = 0, page(bins)["mark"]
    for number in range(5):
        for _ in range(number):
            bins.offer(request(1.0, 2.0))
        bins.offer(raw([], [], request=b"\xff"))
        until(bins, lambda found, number=number: found["tally"]["unread"].get("binary") == number + 1)
        seen = [json.loads(bins.page(1.0, mark)) for _ in range(2 * module.MARKS)]
        assert [one["since"] for one in seen] == [seen[0]["since"]] * len(seen), "as long as the mark is the same"
        assert seen[0]["since"]["rows"] == 2 * number
        assert seen[0]["since"]["unread"] == {"binary": 1}
        new += sum(seen[0]["since"]["vectors"].get("feature/n0", [0]))
        mark = seen[-1]["mark"]
    assert new == page(bins)["tally"]["rows"] == 20
    assert json.loads(bins.page(1.0, mark))["since"]["rows"] == 0


def test_marks_that_are_not_known_any_more_are_told_so(made: Make) -> None:
    bins = had(made(profile))
    first = page(bins)["mark"]
    for number in range(module.MARKS):
        bins.answered(1.0)
        assert page(bins)["tally"]["requests"] == number + 1
    for unknown in (first, "", "x" * 10_000):
        assert json.loads(bins.page(1.0, unknown))["since"] is None
    assert len(bins._kept) == module.MARKS


def test_what_is_not_read_is_counted(made: Make) -> None:
    bins = had(made(profile))
    bins.offer(raw([], [], request=b"\xff"))
    bins.offer(raw([tensor("n0", [1.0])], "none"))
    bins.offer(raw([tensor("other", [1.0])], []))
    tally = until(bins, lambda found: sum(found["tally"]["unread"].values()) == 3)["tally"]
    assert tally["unread"] == {"binary": 1, "answer": 1, "features": 1}
    assert (tally["rows"], tally["sampled"]) == (1, 3)


def test_a_request_that_nobody_has_thought_of_ends_nothing(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bins = had(made(profile))
    with monkeypatch.context() as wrong:
        wrong.setattr(module.rows, "read", lambda *_: 1 / 0)
        bins.offer(request(1.0))
        until(bins, lambda found: found["tally"]["unread"] == {"failed": 1})
    bins.offer(request(1.0))
    until(bins, lambda found: found["tally"]["rows"] == 1)


def test_what_comes_too_fast_is_dropped_and_counted(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    bins = had(made(profile))
    read = module.rows.read
    monkeypatch.setattr(module.rows, "read", lambda *given: (held.wait(LATEST), read(*given))[1])
    first = request(1.0)
    bins.offer(first)
    until(bins, lambda _: not bins._waiting)
    for _ in range(WAITING + 7):
        bins.offer(first)
    assert (page(bins)["tally"]["unread"], len(bins._waiting)) == ({"busy": 7}, WAITING)
    held.set()
    until(bins, lambda found: found["tally"]["rows"] == WAITING + 1)
    held.clear()
    bins.offer(first)
    until(bins, lambda _: not bins._waiting)
    large = Raw(200, bytes(BYTES // 4), b"")
    for _ in range(6):
        bins.offer(large)
    assert page(bins)["tally"]["unread"]["busy"] == 9
    assert bins._bytes <= BYTES
    held.set()


def test_without_a_profile_the_page_says_so() -> None:
    bins = Bins("boot", "", None)
    bins.start()
    bins.answered(0.25)
    found = page(bins)
    assert (found["profile"], found["problem"]) == ("", "NoProfile")
    assert found["tally"] == {"rows": 0, "requests": 4, "sampled": 0, "outliers": 0, "unread": {}, "vectors": {},
                              "sums": {}}  # fmt: skip


def test_who_counts_nothing_loads_nothing_for_it() -> None:
    """There is a recorder beside each model server."""
    large = ("numpy", "pydantic", "pyarrow", "boto3")
    code = f"import sys, fairlead.worker.record.process; print([one for one in {large} if one in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_store_that_is_away_is_asked_again(made: Make) -> None:
    tries: list[int] = []
    there = threading.Event()

    def get() -> Profile:
        tries.append(1)
        if not there.is_set():
            raise NotHad("Unreachable", "the store is away")
        return profile()

    bins = made(get)
    found = until(bins, lambda found: found["problem"] == "Unreachable" and len(tries) > 2)
    assert found["message"] == "the store is away"
    bins.offer(request(1.0))
    assert page(bins)["tally"]["unread"] == {"early": 1}
    there.set()
    had(bins)
    bins.offer(request(1.0))
    until(bins, lambda found: found["tally"]["rows"] == 1)


def test_a_bug_is_told(made: Make) -> None:
    bins = made(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    found = until(bins, lambda found: found["problem"] == "Bug")
    assert "ZeroDivisionError" in found["message"]
    bins.offer(request(1.0))
    assert page(bins)["tally"]["unread"] == {"early": 1}


def test_a_bug_in_the_midst_is_told_too(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bins = had(made(lambda: profile()))
    bins.offer(request(1.0))
    mark = until(bins, lambda found: found["tally"]["rows"] == 1)["mark"]
    monkeypatch.setattr(Bins, "_count", lambda *_: 1 / 0)
    bins.offer(request(1.0))
    until(bins, lambda found: found["problem"] == "Bug")
    told = json.loads(bins.page(1.0, mark))
    assert (told["since"], told["tally"]["rows"]) == (None, 0), "the counts are gone, and the page is there"


def test_rows_at_which_the_counting_fails_are_left_out(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairlead.worker.binning import _Counts

    bins = had(made(lambda: profile()))
    with monkeypatch.context() as broken:
        broken.setattr(_Counts, "add", lambda *_: 1 / 0)
        bins.offer(request(1.0))
        assert until(bins, lambda found: bool(found["tally"]["unread"]))["tally"]["unread"] == {"failed": 1}
    bins.offer(request(1.0))
    found = until(bins, lambda found: found["tally"]["rows"] == 2)
    assert sum(found["tally"]["vectors"]["feature/n0"]) == 1
    assert found["problem"] == ""


def test_another_digest_is_final(made: Make) -> None:
    tries: list[int] = []

    def get() -> Profile:
        tries.append(1)
        raise NotHad("DigestMismatch", "it was changed", final=True)

    bins = made(get)
    until(bins, lambda found: found["problem"] == "DigestMismatch")
    bins.offer(request(1.0))
    assert (tries, page(bins)["tally"]["unread"]) == ([1], {"early": 1})


@pytest.mark.parametrize(("numbers", "categories", "most"), [(15, 5, 6 << 10), (300, 200, 64 << 10)])
def test_the_page_is_small(made: Make, numbers: int, categories: int, most: int) -> None:
    bins = had(made(lambda: profile(numbers, categories)))
    asked = [tensor(f"n{n}", [1.5]) for n in range(numbers)]
    asked += [tensor(f"c{n}", ["c0"], datatype="BYTES") for n in range(categories)]
    for _ in range(50):
        bins.offer(raw(asked, [tensor("predict", [1])]))
    until(bins, lambda found: found["tally"]["rows"] == 50)
    assert len(bins.page(1.0)) < most


def test_the_widest_profile_s_page_is_bounded(made: Make) -> None:
    """Its size follows from the profile, not from what is asked."""
    whole = widest()
    bins = had(made(lambda: whole))
    asked = [tensor(one.name, [f"c{n % 40}" if n % 2 else float(n % 32)] * 100) for n, one in enumerate(whole.features)]
    bins.offer(raw(asked, [tensor("predict", [1] * 100), tensor("predict_proba", [0.5] * 200, [100, 2])]))
    found = until(bins, lambda found: found["tally"]["rows"] == 100 or found["tally"]["unread"])
    assert found["tally"]["unread"] == {"protocol": 1}, "longer than what the proxy hands over"
    for first in range(0, 500, 50):
        bins.offer(raw(asked[first : first + 50], [tensor("predict", [1] * 100)]))
    until(bins, lambda found: found["tally"]["rows"] == 1000)
    assert len(bins.page(1.0)) < module.PAGE
