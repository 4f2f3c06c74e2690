"""Parameters in texts."""

from __future__ import annotations

import pytest

from fairlead.plan.core import Invalid
from fairlead.plan.pipeline import template


def test_values_are_put_in_and_never_expanded_again() -> None:
    params = {"a": "$(HOME) {{params.b}}", "b": "2"}
    assert template.render("x={{params.a}} y={{ params.b }} $(USER)", params) == "x=$$(HOME) {{params.b}} y=2 $(USER)"


def test_what_is_used() -> None:
    assert list(template.used("{{params.a}}-{{params.b_2}} {x}", "f")) == ["a", "b_2"]
    with pytest.raises(Invalid, match=r"write \{\{params\.NAME"):
        list(template.used("{{secrets.a}}", "f"))
