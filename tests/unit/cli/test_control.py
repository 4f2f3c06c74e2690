"""What the command line says and does of a run's course."""

from __future__ import annotations

import pytest

from fairlead.api.pipeline import Pipeline
from fairlead.api.pipelinerun import PipelineRun
from fairlead.cli import show_pipeline, show_run
from fairlead.cli.blocks import plain
from fairlead.cli.main import parser
from fairlead.cli.session import Problem
from fairlead.cli.switches import set_cancel
from fairlead.plan.core import epoch

AT, NO = "2026-03-02T09:00:00Z", "if: parameter region is NW, none of NE"
NOW = epoch("2026-03-02T09:10:00Z")


@pytest.mark.parametrize(("words", "how"), [([], "now"), (["--finally"], "finally"), (["--drain"], "drain")])
def test_the_ways_to_cancel(words: list[str], how: str) -> None:
    assert parser("fairlead").parse_args(["cancel", "fares-7", *words]).how == how


@pytest.mark.parametrize(("before", "how", "after"), [
    (None, "drain", "drain"), ("drain", "finally", "finally"), ("finally", "now", "now"), ("drain", "now", "now"),
    ("finally", "drain", None), ("now", "finally", None), ("now", "drain", None),
])  # fmt: skip
def test_a_cancel_is_made_stronger_only(before: str | None, how: str, after: str | None) -> None:
    raw = {"metadata": {"name": "r"}, "spec": {"cancel": before} if before else {}}
    if after is None:
        with pytest.raises(Problem, match="can't be made weaker"):
            set_cancel(raw, how)
        return
    assert set_cancel(raw, how)
    assert raw["spec"] == {"cancel": after}
    assert not set_cancel(raw, how), "asked twice, written once"


def test_a_run_shows_its_verdict_what_was_skipped_its_clock_and_its_memory() -> None:
    steps = [
        {"name": "search", "phase": "Completed", "attempt": 2, "memory": "8Gi",
         "outputs": [{"name": "best", "type": "value", "uri": "s3://b/k", "sha256": "0" * 64, "value": "\x1b[2J0.05"}]},
        {"name": "coast", "phase": "Completed", "reason": "Skipped", "message": NO},
        {"name": "notify", "phase": "Pending", "attempt": 1, "stage": "Queued", "stageAt": AT},
    ]  # fmt: skip
    verdict = {
        "phase": "Completed",
        "reason": "Completed",
        "message": "all steps completed",
        "at": AT,
    }
    status = {"phase": "Running", "steps": steps, "verdict": verdict, "replacedBy": ""}
    found = PipelineRun.model_validate({"spec": {"pipeline": "fares"}, "status": status})
    text = plain(show_run.blocks("fares-7", found, NOW))
    for words in ("verdict  Completed: all steps completed", "coast  Completed  Skipped", "memory raised to 8Gi",
                  NO, "queued for 10m"):  # fmt: skip
        assert words in text
    assert "\x1b" not in text


def test_a_pipeline_shows_whose_turn_it_is_and_when_steps_run() -> None:
    steps = [
        {"name": "a", "image": "i", "if": [{"metric": "b.x", "above": "1"}, {"param": "p", "in": ["1", "2"]}]},
        {"name": "b", "image": "i"}, {"name": "c", "image": "i", "when": "always"},
        {"name": "d", "image": "i", "when": "failed", "if": [{"param": "p", "below": "3"}]},
    ]  # fmt: skip
    turn = {"run": "r-1", "uid": "u", "at": AT}
    found = Pipeline.model_validate({
        "spec": {"concurrency": "Queue", "params": {"p": "1"}, "steps": steps},
        "status": {"turn": turn, "queue": ["r-2", "r-3"], "queued": 7},
    })  # fmt: skip
    text = plain(show_pipeline.blocks("p", found, NOW))
    for words in ("7 queued", "turn     r-1 (concurrency Queue)", "waiting  r-2, r-3 and 5 more",
                  "if b.x > 1 and p in 1, 2", "always, at last", "at last, if failed if p < 3"):  # fmt: skip
        assert words in text
