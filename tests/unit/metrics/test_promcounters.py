"""Two counters that are read at different moments: never negative, never lost, and nothing is bad that is only late."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.plan.deployment.evidence import promcounters
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.requests import Vector

ARM = "stable"
Outcomes = tuple[int, int]
"""(good, bad) between two scrapes."""


def answers(part: str, total: float, other: float) -> dict[tuple[str, str], Vector]:
    return {(ARM, "total"): Vector((("s", total),)), (ARM, part): Vector((("s", other),))}


def begun(part: str) -> Book:
    book = Book(())
    for source, value in promcounters.sources(answers(part, 100.0, 50.0), 0):
        book.begin(source, (value,))
    return book


@given(
    st.sampled_from(["failures", "successes"]),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.sampled_from(["both", "total", "other"])),
             max_size=30),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_a_scrape_between_two_readings_makes_nothing_bad(part: str, scrapes: list[tuple[int, int, str]]) -> None:
    """Each scrape is seen by both readings of a look, or by one of them only, whichever is asked later."""
    book = begun(part)
    good = bad = counted = wrong = 0
    for more_good, more_bad, seen_by in [*scrapes, (1000, 0, "both"), (0, 0, "both")]:
        before = (good, bad)
        good, bad = good + more_good, bad + more_bad
        at = {"total": before, "other": before} if seen_by != "both" else {}
        at |= {seen_by: (good, bad)} if seen_by != "both" else {"total": (good, bad), "other": (good, bad)}
        other = at["other"][1] if part == "failures" else at["other"][0]
        found = promcounters.added(0, [ARM], answers(part, 100.0 + sum(at["total"]), 50.0 + other), book)
        if found:
            counted, wrong = counted + found[ARM][0], wrong + found[ARM][1]
            assert 0 <= found[ARM][1] <= found[ARM][0]
        assert wrong <= bad
        assert counted <= good + bad
    assert (counted, wrong) == (good + bad, bad)


def test_a_restarted_application_counts_from_zero() -> None:
    book = begun("successes")
    promcounters.added(0, [ARM], answers("successes", 110.0, 57.0), book)
    assert promcounters.added(0, [ARM], answers("successes", 110.0, 57.0), book) == {ARM: (10, 3)}
    promcounters.added(0, [ARM], answers("successes", 5.0, 4.0), book)
    assert promcounters.added(0, [ARM], answers("successes", 5.0, 4.0), book) == {ARM: (5, 1)}


def test_a_series_that_comes_later_began_at_zero() -> None:
    book = begun("successes")
    late = {(ARM, "total"): Vector((("s", 100.0), ("new", 8.0))), (ARM, "successes"): Vector((("s", 50.0),))}
    assert promcounters.added(0, [ARM], late, book) == {ARM: (0, 0)}
    assert promcounters.added(0, [ARM], late, book) == {ARM: (8, 8)}
