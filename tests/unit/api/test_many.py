"""One is one, in words too."""

from __future__ import annotations

import pytest

from fairlead.api.pipelinerun import PipelineRun
from fairlead.api.units import many
from fairlead.cli import show_run
from fairlead.cli.blocks import plain
from fairlead.cli.text import amount


@pytest.mark.parametrize(("number", "noun", "said"), [
    (0, "row", "0 rows"), (1, "row", "1 row"), (2, "row", "2 rows"), (12345, "row", "12345 rows"),
    (1, "copy", "1 copy"), (2, "copy", "2 copies"), (2, "day", "2 days"), (-1, "row", "-1 rows"),
    (1, "more file", "1 more file"), (3, "more file", "3 more files"),
])  # fmt: skip
def test_the_noun_goes_with_the_number(number: int, noun: str, said: str) -> None:
    assert many(number, noun) == said


def test_verbs_go_along_and_people_get_thin_groups() -> None:
    assert (many(1, "check warns", "checks warn"), many(2, "check warns", "checks warn")) == (
        "1 check warns", "2 checks warn")  # fmt: skip
    assert (amount(336776, "row"), amount(1, "row")) == ("336,776 rows", "1 row")


def test_a_step_that_logged_one_artifact() -> None:
    step = {"name": "train", "phase": "Completed", "logged": {"outcome": "x", "artifacts": 1, "values": 1}}
    found = PipelineRun.model_validate({"spec": {"pipeline": "p"}, "status": {"phase": "Completed", "steps": [step]}})
    shown = plain(show_run.blocks("p-1", found, 0.0))
    assert "1 artifact" in shown
    assert "1 artifacts" not in shown
    assert "1 values" not in shown
