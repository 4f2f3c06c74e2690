"""A rollout's steps and guards as people see them: shadow, preview, people's judgements, proofs, and the way so far."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.unit.cli.test_views import DEPLOYMENT, NOW, START

from fairlead.cli.blocks import plain
from fairlead.cli.get import view
from fairlead.cli.trail import Trail, sparkline

Json = dict[str, Any]
BOUND = "4.605170185988091"


def shown(guards: list[Json], steps: list[Json] | None = None, trail: Trail | None = None, **more: Any) -> str:
    raw = copy.deepcopy(DEPLOYMENT)
    raw["spec"]["rollout"] = {"steps": steps or [{"weight": 10}, {"weight": 50}]}  # type: ignore[index]
    raw["status"]["candidate"] |= {"guards": guards, **more}  # type: ignore[index]
    return plain(view("deployment", raw, NOW, trail))


def guard(metric: str, seen: int = 0, bad: int = 0, **more: Any) -> Json:
    counts = {"candidate": {"requests": seen, "failures": bad}, "stable": {"requests": seen, "failures": 0}}
    return {"guard": f"0/{metric}", "state": "Watching", "bound": BOUND, "windows": 3, **counts, **more}


def line(text: str, word: str) -> str:
    return next(one for one in text.splitlines() if word in one)


def test_a_shadow_step_shows_copies_pairs_and_where_the_share_of_different_answers_lies() -> None:
    text = shown(
        [guard("disagreement", 1000, 40)], steps=[{"shadow": "25%", "for": "60s", "copies": 5000}],
        weight=0, shadow="25%", copies={"pairs": 1000, "different": 40, "unclear": 2, "alone": 7},
    )  # fmt: skip
    assert "step 1 of 1, copies of 25%, observed 12.5s of 1m00s, 1,042 of 100 copies" in text
    assert "1,000 pairs of answers, 40 differ, 2 can't be compared, 7 without a twin; at most 5,000 copies" in text
    assert "4.00 %" in line(text, "answers differ")
    low, high = line(text, "at all times").split("at all times")[1].replace("…", " ").split()[:2]
    assert 2.0 < float(low) < 4.0 < float(high) < 7.0


def test_a_preview_says_who_reaches_it() -> None:
    text = shown([guard("errors")], steps=[{"weight": 0, "for": "10m"}, {"weight": 5}], weight=0, stepSince=START)
    assert "step 1 of 2, preview: only requests that ask for it by header; 1m00s of 10m00s" in text


def test_people_are_counted() -> None:
    review = {"judged": ["1", "2", "3", "4"], "worse": 1, "better": 2, "same": 1, "bothBad": 0,
              "pairs": [{"id": "5"}, {"id": "6"}]}  # fmt: skip
    text = shown([guard("review", 4, 1)], review=review)
    assert "25.00 %" in line(text, "found worse")
    assert "50.00 %" in line(text, "found better")
    assert "1, 0  2 wait" in line(text, "alike, both bad")


def test_values_show_their_means_and_proofs_their_bound() -> None:
    values = {"pairs": 4, "sums": ["10", "12"], "at": START}
    proven = {"logEvidence": "1.0986122886681098", "bound": "2.995732273553991"}
    text = shown([guard("gauge", values=values), guard("outcomes", 10, 1, guard="1/outcomes", proven=proven)])
    assert "mean 3" in line(text, "0/gauge")
    assert "mean 2.5" in text
    assert "3 of 20" in line(text, "proof")
    assert "mean" not in shown([guard("gauge")])


def test_how_the_requests_were_divided() -> None:
    assert "divided 9.00 % of 1,000 requests" in shown([], split={"stable": 910, "candidate": 90})
    assert "requests: not as asked" in shown([], split={"stable": 10, "candidate": 90, "wrong": True})


def ledger(*values: float, name: str = "a", start: int = 0) -> Json:
    lines = [json.dumps({"t": start + i, "logEvidence": {"0/errors": str(value)}}) for i, value in enumerate(values)]
    return {"name": name, "lines": [*lines, '{"t": 1, "now": "Continue"}']}


def test_the_way_of_the_evidence_is_drawn_and_remembered_while_it_is_watched() -> None:
    trail = Trail()
    assert "ITS WAY" not in shown([guard("errors", 10)], ledger=ledger(0.1), trail=trail)
    assert line(shown([guard("errors", 10)], ledger=ledger(0.0, 2.4, 9.0), trail=trail), "0/errors").endswith("▁▅█")
    text = shown([guard("errors", 10)], ledger=ledger(1.2, start=3), trail=trail)
    assert line(text, "0/errors").endswith("▁▅█▃")
    assert "ITS WAY" not in shown([guard("errors", 10)], ledger=ledger(1.2, name="another"), trail=trail)


@pytest.mark.parametrize(("value", "drawn"), [(-3.0, "▁"), (float("-inf"), "▁"), (float("inf"), "█"), (4.59, "█")])
def test_a_value_is_drawn_between_nothing_and_the_bound(value: float, drawn: str) -> None:
    assert sparkline([value], 4.6) == drawn
