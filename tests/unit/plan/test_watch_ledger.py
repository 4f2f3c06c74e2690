"""The ledger of a watch: whole, written once, and judged again with the same result to the last bit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.plan.rollout_world import OUTCOMES, Sim, spec

from fairlead.api.deployment import Deployment
from fairlead.cli import rewatch
from fairlead.cli.replay import choose
from fairlead.cli.session import Problem
from fairlead.plan.core import epoch
from fairlead.plan.requests import Failed
from fairlead.verdict.watchtrace import Answered, is_one, read

ALL = ({"metric": "errors", "worseBy": "1%"}, {"metric": "latency", "quantile": "p90"}, OUTCOMES)


def promoted(*guards: Any, store: bool = True, **after: Any) -> Sim:
    """m-2 has just gone live over m-1."""
    wanted = spec(*guards, rollout={"afterPromotion": after, "designEffect": "1.5"})
    sim = Sim(wanted, errors={"m-1": 0.02, "m-2": 0.02}, store=store)
    sim.go_live()
    sim.traffic(1000)
    sim.begin()
    sim.run(80, 200)
    assert sim.status["live"]["version"] == "m-2", sim.status
    return sim


def pass_windows(sim: Sim, number: int, requests: int = 200) -> None:
    """So many windows pass, or until the watch is over."""
    for _ in range(number):
        if "watch" not in sim.status:
            return
        since = epoch(sim.status["watch"]["since"])
        sim.tick(requests, seconds=min(60.0, max(10.0, 0.01 * (sim.now - since))))


def saved(sim: Sim) -> list[str]:
    """All lines of watches that the store has."""
    return [line for key in sorted(sim.documents) if "-watch/" in key for line in sim.documents[key].splitlines()]


@pytest.mark.parametrize("holdback", ["0%", "20%"])
def test_a_rollback_after_the_promotion_is_judged_once_more(holdback: str) -> None:
    sim = promoted(*ALL, holdback=holdback)
    pass_windows(sim, 40)
    sim.errors["m-2"] = 0.2
    pass_windows(sim, 60)
    sim.ready("m-1")
    sim.look()
    for _ in range(30):
        sim.tick(50)
    assert sim.status["live"]["version"] == "m-1"
    assert not sim.status.get("unsaved")
    record = sim.status["history"][0]
    lines = saved(sim)
    assert record["ledger"].endswith("-watch/")
    assert is_one(lines)
    found, ended = rewatch.replay(lines)
    assert rewatch.differences(found) == []
    told = "0/errors" if holdback != "0%" else "0/errors/question"
    assert found[-1].alarm == told
    assert found[-1].guards[told].log_evidence == record["guards"][0]["logEvidence"]
    assert ended is not None
    assert (ended.result, ended.reason) == ("RolledBack", "ErrorsWorseAfterPromotion")
    assert len(found) > 30
    assert set(found[-1].guards) - {told} == {"0/errors", "1/latency", "2/outcomes"} - {told}


@pytest.mark.parametrize("guard", [{"metric": "errors"}, {"metric": "errors", "worseBy": "1%"}])
def test_b01_a_question_and_its_answer_are_judged_once_more_to_the_last_bit(guard: Any) -> None:
    """Two questions: the first one finds that the world has changed, the second one that it is the version."""
    sim = promoted(guard, confirm={"for": "30s"})
    pass_windows(sim, 10)
    for errors in ({"m-1": 0.3, "m-2": 0.3}, {"m-1": 0.3, "m-2": 0.9}):
        sim.errors = errors
        for _ in range(60):
            pass_windows(sim, 1)
            if "confirmation" in sim.status.get("watch", {}):
                break
        sim.ready("m-1")
        sim.look()
        for _ in range(120):
            if "confirmation" not in sim.status.get("watch", {}):
                break
            sim.tick(60)
    for _ in range(5):
        sim.tick(50)
    assert sim.status["live"]["version"] == "m-1"
    record, lines = sim.status["history"][0], saved(sim)
    found, ended = rewatch.replay(lines)
    assert rewatch.differences(found) == []
    assert sum("0/errors/question" in one.told for one in found) > 25
    assert sum("0/errors" in one.told for one in found) > 10
    assert found[-1].alarm == "0/errors/question"
    assert found[-1].guards["0/errors/question"].log_evidence == record["guards"][0]["logEvidence"]
    assert ended is not None
    assert ended.reason == "ErrorsWorseAfterPromotion"
    results = [item.result for item in read(lines) if isinstance(item, Answered)]
    assert results == ["WorldChanged", "Worse"]
    assert rewatch.tell("deployment/web", lines, "table") == 0


def test_all_that_was_counted_is_in_it_and_a_watch_that_ends_well_is_saved_too() -> None:
    sim = promoted(**{"for": "10m"})
    counted = 0
    while "watch" in sim.status:
        counted = sim.status["watch"]["guards"][0]["live"]["requests"]
        assert len(sim.status["watch"]["ledger"]["lines"]) <= 40
        pass_windows(sim, 1)
    sim.tick(0)
    items = list(read(saved(sim)))
    windows = [item for item in items if hasattr(item, "windows")]
    assert counted <= sum(item.windows["0/errors"][0].requests for item in windows) <= counted + 400
    assert items[-1].result == "Ended"  # type: ignore[union-attr]
    keys = [key for key in sim.documents if "-watch/" in key]
    assert len(keys) > 1
    assert len(keys) == len(set(keys))


def test_it_stays_small_while_nothing_takes_it() -> None:
    sim = promoted(**{"for": "3d"})
    sim.store_says = Failed("Unreachable", "the store does not answer")
    pass_windows(sim, 200)
    book = sim.status["watch"]["ledger"]
    assert len(book["lines"]) <= 120
    assert book["dropped"] > 0
    with pytest.raises(Problem, match="the store did not take them"):
        choose(Deployment.model_validate({"spec": sim.spec, "status": sim.status}), None, watch=True)
    sim.store_says = None
    pass_windows(sim, 3)
    assert len(sim.status["watch"]["ledger"]["lines"]) < 60
    with pytest.raises(Problem, match="earlier lines are missing"):
        rewatch.replay(saved(sim)[-20:])


def test_without_a_store_the_last_lines_are_kept() -> None:
    sim = promoted(store=False, **{"for": "3d"})
    pass_windows(sim, 150)
    assert len(sim.status["watch"]["ledger"]["lines"]) == 30


def test_what_is_replayed_is_chosen() -> None:
    sim = promoted(**{"for": "1h"})
    pass_windows(sim, 5)
    running = Deployment.model_validate({"spec": sim.spec, "status": sim.status})
    chosen = choose(running, None, watch=True)
    assert (chosen.below, len(chosen.lines)) == (0, 6)
    assert choose(running, None).uri.endswith("Z/")
    assert not is_one(choose(running, None, watch=False).lines)
    sim.errors["m-2"] = 0.6
    pass_windows(sim, 5)
    sim.ready("m-1")
    sim.look()
    for _ in range(10):
        sim.tick(50)
    over = Deployment.model_validate({"spec": sim.spec, "status": sim.status})
    assert choose(over, "m-2").uri.endswith("-watch/")
    assert not choose(over, "m-2", watch=False).uri.endswith("-watch/")


def test_the_tables_and_the_json_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    sim = promoted(*ALL)
    pass_windows(sim, 8)
    lines = sim.status["watch"]["ledger"]["lines"]
    assert rewatch.tell("deployment/web", lines, "table") == 0
    assert "all 8 windows give the same evidence" in capsys.readouterr().out
    wrong = [line.replace('"failures":', '"failures":1') if "after" in line else line for line in lines]
    assert rewatch.tell("deployment/web", wrong, "json") == 1
    assert json.loads(capsys.readouterr().out)["same"] is False


@pytest.mark.parametrize(("line", "why"), [
    ('{"t": 1, "after": {"0/errors": {"live": {"requests": 3, "failures": 4}}}}', "no more fail than come"),
    ('{"t": 1, "after": {"0/errors": {"live": {"requests": 3.5, "failures": 0}}}}', "whole numbers"),
    ('{"t": 1, "after": {}, "designEffect": 0.5}', "at least 1"),
    ('{"t": "x", "after": {}}', "number of seconds"),
    ('{"t": 1, "watch": {"0/errors": {"bound": "nan"}}}', "odds of at least 1"),
    ('{"t": 1, "watch": ', "line 1"), (f'{{"t": {10**400}, "after": {{}}}}', "line 1"),
])  # fmt: skip
def test_lines_that_make_no_sense_are_refused(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        list(read([line]))
