"""Parameters in texts."""

from __future__ import annotations

import pytest

from fairlead.plan.core import Invalid
from fairlead.plan.pipeline import template


def test_values_are_put_in_and_never_expanded_again() -> None:
    params = {"a": "$(HOME) {{params.b}}", "b": "2"}
    text = "x={{params.a}} y={{ params.b }} $(USER)"
    assert template.render(text, params, {}) == "x=$$(HOME) {{params.b}} y=2 $(USER)"
    values = {"my-step.best": "$(HOME) {{params.a}}"}
    assert template.render("{{ steps.my-step.best }}/$(A)", params, values) == "$$(HOME) {{params.a}}/$(A)"


def test_what_is_used() -> None:
    found = template.used("{{params.a}}-{{params.b_2}} {x} {{steps.s-1.out}}", "f")
    assert list(found) == [("a", "", ""), ("b_2", "", ""), ("", "s-1.out", "")]
    with pytest.raises(Invalid, match=r"write \{\{params\.NAME"):
        list(template.used("{{secrets.a}}", "f"))
