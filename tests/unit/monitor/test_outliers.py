"""Which rows are outside of what the profile knows."""

from __future__ import annotations

import random

import pytest
from tests.unit.monitor.sample import gauss, profile

from fairlead.monitor import data
from fairlead.monitor.outliers import outside
from fairlead.monitor.profile import Category, Number, Profile

AGE = Number(kind="number", name="age", edges=[1.0], counts=[5, 5], low=0, high=2)
TOWN = Category(kind="category", name="town", values=["a"], counts=[9], other=1, known=["b"])
PROFILE = Profile(task="regression", rows=10, features=[AGE, TOWN])


@pytest.mark.parametrize(
    ("age", "town", "out"),
    [
        (1, "a", False), (0, "b", False), (2, "a", False), (-1, "a", True), (3, "a", True), (10**400, "a", True),
        ("1", "a", True), (None, None, False), (float("nan"), "a", False), (1, "c", True), (1, ["a"], True),
    ],
)  # fmt: skip
def test_a_row_is_outside_by_any_of_its_values(age: object, town: object, out: bool) -> None:
    assert outside(PROFILE, {"age": AGE.place(age), "town": TOWN.place(town)}) is out


def test_what_the_profile_does_not_name_does_not_count() -> None:
    assert not outside(PROFILE, {"other": 7})
    assert not outside(PROFILE, {})


def test_the_natural_share_covers_that_of_new_rows() -> None:
    source = gauss("a", "b", "c")
    of, rng = profile(source, rows=500), random.Random(9)
    rows = [source(rng) for _ in range(5_000)]
    out = sum(outside(of, {one.name: one.place(row[one.name]) for one in of.features}) for row in rows)
    assert out / 5_000 <= 2 * data.natural(of)
    assert data.natural(of) == pytest.approx(6 / 500)
