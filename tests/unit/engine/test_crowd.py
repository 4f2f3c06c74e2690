"""How many objects are looked at all the time, and whether a status says what is wanted."""

from __future__ import annotations

import pytest

from fairlead.engine.compare import says, without_none
from fairlead.engine.reconcile import CROWD, Crowd, Key
from fairlead.plan.core import DEPLOYMENT


def test_an_object_belongs_to_the_crowd_for_a_while() -> None:
    crowd = Crowd()
    one, other = Key(DEPLOYMENT, "n", "one"), Key(DEPLOYMENT, "n", "other")
    crowd.seen(one, 0.0)
    crowd.seen(other, 1.0)
    crowd.seen(one, CROWD)
    assert crowd.size(CROWD) == 2
    assert crowd.size(CROWD + 2) == 1
    assert crowd.size(3 * CROWD) == 0


@pytest.mark.parametrize("found", [
    {}, {"a": 1}, {"a": 1, "b": None}, {"a": 1, "b": 2}, {"a": {"c": None}, "b": []}, {"a": {"c": 1}},
    {"a": [1, {"b": None}]}, {"a": [{}, 1]}, {"a": None}, {"a": "1"},
])  # fmt: skip
@pytest.mark.parametrize(
    "wanted", [{}, {"a": 1}, {"a": 1, "b": 2}, {"a": {}, "b": []}, {"a": {"c": 1}}, {"a": [1, {}]}]
)
def test_nulls_are_absent(found: dict, wanted: dict) -> None:
    assert says(found, wanted) == (without_none(found) == wanted)
