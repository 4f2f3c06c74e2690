"""Counts are added over pods and subtracted between looks; those of another profile or process are told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.monitor.counts import ANSWERS, Foreign, Tally, feature_key, pair_key, slice_key, total

COUNTS = st.integers(0, 1000)
NAMES = st.text("ab=*:/%13", max_size=5)
"""Of what keys are made of."""


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    keys = draw(st.sets(st.sampled_from(["a", "b", "c"])))
    return Tally(
        "p", *(draw(COUNTS) for _ in range(4)), unread=draw(st.dictionaries(st.sampled_from(["x", "y"]), COUNTS)),
        vectors={feature_key(key): (draw(COUNTS), draw(COUNTS)) for key in keys},
        sums={key: (float(draw(COUNTS)),) for key in keys},
    )  # fmt: skip


def filled(tally: Tally) -> dict[str, object]:
    """Without the zeros that an addition may leave."""
    return {
        "whole": (tally.rows, tally.requests, tally.sampled, tally.outliers),
        "unread": {why: n for why, n in tally.unread.items() if n},
        "vectors": {key: one for key, one in tally.vectors.items() if any(one)},
        "sums": {key: one for key, one in tally.sums.items() if any(one)},
    }


@given(tallies(), tallies())
def test_a_window_is_what_came_after(earlier: Tally, window: Tally) -> None:
    assert filled((earlier + window).since(earlier)) == filled(window)


@given(st.lists(tallies(), max_size=4), st.randoms())
def test_pods_are_added_in_any_order(found: list[Tally], rng: object) -> None:
    before = total(found, "p")
    rng.shuffle(found)  # type: ignore[attr-defined]
    assert filled(total(found, "p")) == filled(before)


def test_counts_of_another_profile_are_refused() -> None:
    with pytest.raises(Foreign, match="don't go together"):
        total([Tally("p"), Tally("q")], "p")


def test_counts_of_another_shape_are_refused() -> None:
    with pytest.raises(Foreign, match="2 and 1"):
        total([Tally("p", vectors={"a": (1, 2)}), Tally("p", vectors={"a": (1,)})], "p")


@pytest.mark.parametrize("now", [Tally("p", rows=1), Tally("p", rows=5, vectors={"a": (0,)}), Tally("p", rows=5)])
def test_counts_that_fell_are_another_process_s(now: Tally) -> None:
    with pytest.raises(Foreign):
        now.since(Tally("p", rows=2, vectors={"a": (1,)}))


@given(a=NAMES, b=NAMES, c=NAMES, d=NAMES)
def test_a_key_stands_for_one_thing_only(a: str, b: str, c: str, d: str) -> None:
    assert (slice_key(a, b, ANSWERS) == slice_key(c, d, ANSWERS)) == ((a, b) == (c, d))
    assert (pair_key(a, b) == pair_key(c, d)) == ((a, b) == (c, d))


def test_keys_of_plain_names_are_as_they_were() -> None:
    assert slice_key("sex", "F=1", ANSWERS) == "slice/sex=F=1/answers"
    assert pair_key("age", "b*c") == "pair/age*b*c"
    assert slice_key("a=b", "c", ANSWERS) != slice_key("a", "b=c", ANSWERS)
    assert slice_key("3:a", "b=c", ANSWERS) != slice_key("a=b", "c", ANSWERS)


def test_counts_get_other_keys_and_are_added_where_they_meet() -> None:
    tally = Tally("p", rows=3, vectors={"old": (1, 2), "new": (3, 4), "rest": (5,), "odd": (1,)}, sums={"old": (1.0,)})
    found = tally.renamed({"old": "new", "odd": "new", "none": "nothing"})
    assert found.vectors == {"new": (4, 6), "rest": (5,)}
    assert found.sums == {"new": (1.0,)}
    assert tally.renamed({"none": "nothing"}) is tally
