"""How many runs triggers may start: in a day, in a month, whatever is killed and cleared away."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pipeline.trigger_examples import eta, flights
from tests.unit.plan.littleworld import START, Crash, LittleWorld

from fairlead.api.pipeline import LastRun, PipelineSpec, PipelineStatus, Starts
from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Json, epoch, rfc3339
from fairlead.plan.pipeline import limits
from fairlead.plan.pipeline import plan as pipeline

DAY = 86400.0
STEPS = [{"name": "train", "image": "i"}]


def spec(**said: Any) -> PipelineSpec:
    return PipelineSpec.model_validate({"steps": STEPS} | said)


def after(*starts: float) -> PipelineStatus:
    """A status after starts at these times."""
    kept = None
    for at in starts:
        kept = limits.started(kept, at)
    return PipelineStatus(starts=kept)


@pytest.mark.parametrize(("said", "starts", "now", "standing", "because", "until"), [
    ({}, [0.0] * 50, 1.0, False, "", 0.0),
    ({}, [float(i) for i in range(23)], 100.0, True, "", 0.0),
    ({}, [float(i) for i in range(24)], 100.0, True, "StormLimit", DAY),
    ({"limits": {"perDay": 2}}, [0.0, 5.0], DAY - 1, False, "StormLimit", DAY),
    ({"limits": {"perDay": 2}}, [0.0, 5.0], DAY, False, "", 0.0),
    ({"limits": {"perDay": 2}}, [0.0, 5.0, 9.0], 10.0, False, "StormLimit", DAY + 5),
    ({"limits": {"perDay": 100}}, [float(i) for i in range(150)], 200.0, False, "StormLimit", DAY + 50),
    ({"limits": {"perMonth": 2}}, [0.0, DAY], 2 * DAY, False, "MonthlyBudget", 31 * DAY),
    ({"limits": {"perMonth": 2}}, [0.0, DAY], 31 * DAY, False, "", 0.0),
    ({"limits": {"perMonth": 2}}, [0.0, 0.0, DAY, DAY], 2 * DAY, False, "MonthlyBudget", 32 * DAY),
    ({"limits": {"perMonth": 3}}, [0.0, DAY], 2 * DAY, False, "", 0.0),
])  # fmt: skip
def test_the_limits(
    said: Json, starts: list[float], now: float, standing: bool, because: str, until: float
) -> None:  # fmt: skip
    begun = epoch("2026-03-02T00:00:00Z")
    held = limits.held(spec(**said), after(*(begun + one for one in starts)), begun + now, standing)
    assert (held.because if held else "") == because
    assert held is None or (held.until is not None and held.until - begun == pytest.approx(until))


def test_the_cooldown_comes_first() -> None:
    status = PipelineStatus(last_run=LastRun(number=1, name="p-1", at=rfc3339(START)))
    held = limits.held(spec(cooldown="1h", limits={"perDay": 1}), status, START + 1, False)
    assert held is not None
    assert (held.because, held.until) == ("CoolDown", START + 3600)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([60.0, 3600.0, DAY / 3, DAY - 1, DAY * 1.4, 29.8 * DAY]), min_size=1, max_size=200),
    st.integers(1, 10), st.integers(1, 10),
)  # fmt: skip
def test_never_more_than_asked_for_in_any_window(gaps: list[float], per_day: int, per_month: int) -> None:
    wanted = spec(limits={"perDay": per_day, "perMonth": per_month})
    made, kept, now = list[float](), Starts(), START
    for gap in gaps:
        now += gap
        if limits.held(wanted, PipelineStatus(starts=kept), now, False) is None:
            made.append(now)
            kept = limits.started(kept, now)
        assert len(kept.recent) <= 100
        assert len(kept.days) <= 32
        assert sum(one > now - DAY for one in made) <= per_day
        assert sum(one > now - 30 * DAY for one in made) <= per_month
    held = limits.held(wanted, PipelineStatus(starts=kept), now, False)
    assert held is None or (held.until is not None and now < held.until <= now + 31 * DAY)


def world(**more: Any) -> LittleWorld:
    where = LittleWorld()
    flights(where, 0)
    said = {"steps": STEPS, "triggers": [{"dataset": {"name": "flights"}}], "history": {"succeeded": 1, "failed": 1}}
    where.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": said | more})
    return where


def look(where: LittleWorld) -> Json:
    where.settle(pipeline.SPEC, "p")
    return where.status(PIPELINE, "p")


def done(where: LittleWorld) -> None:
    for run in where.select(PIPELINE_RUN):
        run["status"] = {"phase": "Completed", "message": ""}


@pytest.mark.parametrize(("more", "because", "opens"), [
    ({"perDay": 2}, "StormLimit", DAY), ({"perMonth": 2}, "MonthlyBudget", 31 * DAY),
])  # fmt: skip
def test_runs_that_are_cleared_away_count_and_it_goes_on_by_itself(more: Json, because: str, opens: float) -> None:
    where = world(limits=more)
    for number in (1, 2, 3):
        flights(where, number)
        look(where)
        done(where)
    status = look(where)
    assert (status["runs"], len(where.select(PIPELINE_RUN))) == (2, 1)
    assert status["decisions"][0]["because"] == because
    writes, left = where.writes, where.settle(pipeline.SPEC, "p").requeue_after
    assert left is not None
    assert left <= opens
    where.now += left - 1
    assert (look(where)["runs"], where.writes) == (2, writes)
    where.now += 1
    status = look(where)
    assert (status["runs"], status["lastRun"]["key"]) == (3, "v3")


def test_a_pipeline_of_an_earlier_release_goes_on_as_it_did() -> None:
    where = world(triggers=[{"dataset": {"name": "flights"}}, {"schedule": {"cron": "0 12 * * *"}}])
    flights(where, 2)
    told = "Dataset flights has version v2 (last run: v1); waits for run p-7, because spec.concurrency is Forbid"
    at = rfc3339(where.now - 60)
    made = where.put({
        "kind": "PipelineRun",
        "metadata": {
            "name": "p-7", "labels": {"fairlead.dev/pipeline": "p"}, "ownerReferences": [
                {"kind": "Pipeline", "name": "p", "uid": where.objects["Pipeline", "p"]["metadata"]["uid"],
                 "controller": True},
            ],
        },
        "spec": {"pipeline": "p"}, "status": {"phase": "Running"},
    })  # fmt: skip
    where.objects["Pipeline", "p"]["status"] = {
        "phase": "Running",
        "runs": 7,
        "handled": {"dataset/flights": "v1", "schedule/0 12 * * *": at},
        "lastRun": {"number": 7, "name": "p-7", "uid": made["metadata"]["uid"], "at": at},
        "decisions": [{"at": at, "trigger": "dataset/flights", "key": "v2", "run": "", "reason": told}],
    }
    status = look(where)
    assert (status["runs"], [one["reason"] for one in status["decisions"]]) == (7, [told])
    done(where)
    status = look(where)
    assert (status["runs"], status["handled"]["dataset/flights"]) == (8, "v2")
    done(where)
    where.now = epoch("2026-03-02T12:00:01Z")
    assert look(where)["lastRun"]["key"] == "2026-03-02T12:00:00.000000Z"


def test_a_definition_that_knows_no_reasons_in_a_word_makes_no_look_a_write() -> None:
    where = world()
    for number in (1, 2):
        flights(where, number)
        look(where)
    written = where.objects["Pipeline", "p"]["status"]["decisions"]
    for one in written:
        del one["because"]  # as an API server with an earlier definition leaves it
    where.now += 60
    plan = where.plan(pipeline.SPEC, "p")
    assert [one.at for one in plan.status.decisions] == [one["at"] for one in written]  # type: ignore[attr-defined]


def test_a_run_by_hand_is_neither_held_back_nor_counted() -> None:
    where = world(limits={"perDay": 1})
    for number in range(5):
        labels = {"fairlead.dev/pipeline": "p"}
        where.put({"kind": "PipelineRun", "metadata": {"name": f"m-{number}", "labels": labels},
                   "spec": {"pipeline": "p"}})  # fmt: skip
        done(where)
    flights(where, 1)
    assert look(where)["runs"] == 1


@pytest.mark.parametrize("written", range(3))
def test_a_start_counts_once_whatever_is_killed(written: int) -> None:
    where = world()
    flights(where, 1)
    try:
        where.look(pipeline.SPEC, "p", crash_after=written)
    except Crash:
        where.now += 1
    status = look(where)
    assert (len(status["starts"]["recent"]), sum(status["starts"]["days"].values())) == (1, 1)


def test_a_storm_of_cases_is_limited_though_nobody_has_said_how_many() -> None:
    where = LittleWorld()
    eta(where, 0)
    where.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": {
        "steps": STEPS, "triggers": [{"condition": {"deployment": "eta", "type": "WorldChanged"}}],
    }})  # fmt: skip
    for _ in range(60):
        where.now += 60
        eta(where, 1)
        status = look(where)
        done(where)
        eta(where, 0)
        look(where)
    assert (status["runs"], status["decisions"][0]["because"]) == (limits.STORM, "StormLimit")
