"""Labels in the ledger of a watch: all that they show after a promotion is judged again, to the last bit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import few
from tests.unit.plan.label_world import LabelWorld, begun, labels
from tests.unit.plan.rollout_world import dump
from tests.unit.plan.test_deployment_labels import ALIKE, WRONG, live, promoted
from tests.unit.plan.test_deployment_ledger import saved as saved_rollout
from tests.unit.plan.test_watch_ledger import saved

from fairlead.cli import rewatch
from fairlead.cli.replay import replay
from fairlead.cli.session import Problem
from fairlead.verdict import latetrace
from fairlead.verdict.guards import encode
from fairlead.verdict.latetrace import Late
from fairlead.verdict.watchtrace import After, Ruled, Watched, is_one, read

LONG = {"rollout": {"afterPromotion": {"for": "7d"}, "designEffect": "1.5"}}
ROLLOUT = "1/labels/rollout"


def whole(sim: LabelWorld) -> list[str]:
    """All lines of the watch, saved or not."""
    unsaved = [line for book in sim.status.get("unsaved", []) if "-watch" in book["name"] for line in book["lines"]]
    running = sim.status.get("watch", {}).get("ledger", {}).get("lines", [])
    sealed = set(saved(sim))
    return [*saved(sim), *(line for line in [*unsaved, *running] if line not in sealed)]


def minutes(sim: LabelWorld, number: int, requests: int = 100) -> None:
    """Labels are published each minute, until the version goes back."""
    for _ in range(number):
        if "wayBack" in sim.status or "watch" not in sim.status:
            return
        sim.tick(requests, seconds=60)
        sim.publish()


def same(sim: LabelWorld) -> list[rewatch.Rewatched]:
    """The windows of the watch, judged again as they were at the time."""
    found, _ = rewatch.replay(whole(sim))
    assert rewatch.differences(found) == []
    return found


def test_labels_of_the_rollouts_time_take_a_version_back_and_that_is_replayed() -> None:
    sim = promoted(wrong=WRONG, more=LONG)
    sim.tick(0, seconds=2 * 86400)
    sim.publish()
    sim.look()
    sim.ready("m-1")
    sim.look()
    sim.tick(0)
    assert live(sim) == "m-1"
    assert not sim.status.get("unsaved")
    found, ended = rewatch.replay(saved(sim))
    assert rewatch.differences(found) == []
    record = sim.status["history"][0]["guards"][1]
    last = found[-1]
    assert last.alarm == ROLLOUT
    assert last.guards[ROLLOUT].log_evidence == record["logEvidence"]
    assert last.guards[ROLLOUT].windows == record["windows"]
    assert last.guards[ROLLOUT].live.requests == record["candidate"]["requests"]
    assert ended is not None
    assert ended.reason == "LabelsWorseAfterPromotion"


@pytest.mark.parametrize("holdback", ["0%", "20%"])
def test_answers_since_the_promotion_are_replayed_with_what_became_tolerated(holdback: str) -> None:
    after = {"for": "7d", "holdback": holdback}
    sim = promoted(wrong=ALIKE, delay=10.0, more={"rollout": {"afterPromotion": after, "designEffect": "1.5"}})
    minutes(sim, 5)
    watched = sim.guard()
    assert same(sim)[-1].guards["1/labels"].log_evidence == watched["logEvidence"]
    sim.wrong["m-2"] = 0.6
    minutes(sim, 10)
    sim.ready("m-1")
    sim.tick(0)
    found = same(sim)
    assert found[-1].alarm == "1/labels"
    if holdback == "0%":
        assert sim.status["world"]["guard"] == "1/labels"  # a person is asked
        return
    record = sim.status["history"][0]
    assert record["reason"] == "LabelsWorseAfterPromotion"
    ours, seen = found[-1].guards["1/labels"], record["guards"][1]
    assert (ours.live.model_dump(), ours.previous.model_dump()) == (seen["candidate"], seen["stable"])
    assert (ours.log_evidence, ours.windows) == (seen["logEvidence"], seen["windows"])
    assert any(isinstance(item, Ruled) for item in read(whole(sim)))


def test_a_margin_that_becomes_known_only_then_and_pairs_are_replayed() -> None:
    sim = begun(labels(worseBy="2%"), wrong=ALIKE, delay=100.0, more=LONG)
    sim.copies(60)
    sim.until(lambda: live(sim) == "m-2", every=1000)
    first = next(item for item in read(whole(sim)) if isinstance(item, Watched))
    assert first.late["1/labels"].state.odds == 1.0
    minutes(sim, 6)
    late = [item for item in read(whole(sim)) if isinstance(item, Late)]
    assert sum(one.guards["1/labels"].margin is not None for one in late) == 1
    assert sum(one.guards["1/labels"].pairs.alike for one in late) > 20
    found = same(sim)
    canary = sim.canary()
    assert found[-1].guards[ROLLOUT].log_evidence == canary["log_evidence"]
    assert found[-1].guards[ROLLOUT].windows == canary["windows"]
    assert found[-1].guards[ROLLOUT].odds == canary["odds"]


def test_the_watch_goes_on_where_the_rollouts_own_replay_ends() -> None:
    sim = begun(wrong=ALIKE, delay=1.0, more={**LONG, "steps": ((50, "20s", 20),)})
    sim.until(lambda: live(sim) == "m-2", every=2)
    rollout = replay(saved_rollout(sim, "m-2"))
    first = next(item for item in read(whole(sim)) if isinstance(item, Watched))
    mine = [metric.name for metric in rollout.judged[-1].rules.metrics].index("labels")
    then = rollout.judged[-1].state.guards[mine]
    assert first.late["1/labels"].state.windows > 0
    assert encode(first.late["1/labels"].state.log_evidence) == encode(then.log_evidence)


def test_a_detector_stops_at_its_alarm_and_a_test_at_harm() -> None:
    """Good news in the same join must not hide bad news."""
    sim = promoted(wrong=WRONG, more=LONG)
    sim.tick(0, seconds=2 * 86400)
    sim.publish()
    sim.look()
    assert sim.joined()["pending"]
    (late,) = [item for item in read(whole(sim)) if isinstance(item, Late)]
    shown = late.guards["1/labels"]
    shorter = replace(shown, cohorts=shown.cohorts[:-1])
    first = next(item for item in read(whole(sim)) if isinstance(item, Watched))
    assert latetrace.after(first.late["1/labels"], shown, 1.5).harm
    assert not latetrace.after(first.late["1/labels"], shorter, 1.5).harm


@settings(max_examples=few(5, 12))
@given(st.lists(st.sampled_from(["pass", "publish", "dies", "lost", "worse", "well"]), max_size=14), st.integers(0, 99))
def test_whatever_happens_the_ledger_is_whole(happenings: list[str], seed: int) -> None:
    sim = promoted(wrong=ALIKE, delay=20.0, seed=seed, more=LONG)
    for what in happenings:
        match what:
            case "pass":
                sim.tick(80, seconds=45)
            case "publish":
                sim.publish()
                sim.look()
            case "dies":
                sim.status = dump(sim.plan().status)
            case "lost":
                sim.plan()  # what it would have written is lost
            case _:
                sim.wrong["m-2"] = 0.6 if what == "worse" else 0.1
    found, _ = rewatch.replay(whole(sim))
    assert rewatch.differences(found) == []
    windows = [item for item in read(whole(sim)) if isinstance(item, After) and "1/labels" in item.windows]
    if "watch" in sim.status:
        assert sum(item.windows["1/labels"][0].requests for item in windows) == sim.guard()["live"]["requests"]


def test_what_is_shown_and_that_a_changed_line_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    sim = promoted(wrong=ALIKE, delay=10.0, more=LONG)
    minutes(sim, 4)
    lines = whole(sim)
    assert rewatch.tell("deployment/web", lines, "table") == 0
    printed = capsys.readouterr().out
    assert "1/LABELS/ROLLOUT (BOUND" in printed
    assert "to the last bit" in printed
    assert rewatch.tell("deployment/web", lines, "json") == 0
    assert ROLLOUT in json.loads(capsys.readouterr().out)["windows"][-1]["guards"]
    changed = [_one_more_wrong(line) for line in lines]
    assert changed != lines
    assert rewatch.tell("deployment/web", changed, "json") == 1
    capsys.readouterr()
    assert is_one([line for line in lines if '"late":' in line][1:])
    with pytest.raises(Problem, match="earlier lines are missing"):
        rewatch.replay(lines[1:])


def _one_more_wrong(line: str) -> str:
    body: dict[str, Any] = json.loads(line)
    for one in body.get("late", {}).values():
        if one.get("cohorts"):
            one["cohorts"][0][3] += one["cohorts"][0][3] < one["cohorts"][0][2]
    return json.dumps(body, separators=(",", ":"))


TEST = {
    "odds": "1.0", "floor": "0.0", "logLr": ["0.0"] * 5, "windows": 0, "stable": {"requests": 0, "failures": 0},
    "candidate": {"requests": 0, "failures": 0}, "worseBy": 0, "bound": "5",
    "pairs": {"alike": 0, "candidateWrong": 0, "stableWrong": 0},
}  # fmt: skip


@pytest.mark.parametrize(("body", "why"), [
    ({"late": {"1/labels": {"cohorts": [[3, 4, 0, 0]], "bound": "5"}}}, "no more fail than come"),
    ({"late": {"1/labels": {"cohorts": [[3, 1, 0]], "bound": "5"}}}, "missing"),
    ({"late": {"1/labels": {"cohorts": [], "bound": "nan"}}}, "a bound"),
    ({"late": {"1/labels": {"cohorts": [], "bound": "5", "odds": "0.5", "floor": "0"}}}, "odds of at least 1"),
    ({"late": {"1/labels": {"cohorts": [], "bound": "5", "pairs": {"alike": -1}}}}, "not negative"),
    ({"late": {}, "designEffect": 0.5}, "at least 1"),
    ({"watch": {}, "late": {"1/labels": {**TEST, "logLr": ["0"]}}}, "not the state of a test"),
    ({"watch": {}, "late": {"1/labels": {**TEST, "worseBy": 1}}}, "not the state of a test"),
    ({"rules": {"1/labels": {"bound": "nan"}}}, "odds of at least 1"),
])  # fmt: skip
def test_lines_on_labels_that_make_no_sense_are_refused(body: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        list(read([json.dumps({"t": 1, **body})]))
