"""What happens to a rollout at odd moments: steps edited under it, a pause while nothing is seen, servers that restart
again and again, a store that stays away, a live version that is beyond help."""

from __future__ import annotations

import json
from typing import Any

import pytest
from annotated_types import MaxLen
from tests.unit.plan.rollout_world import Sim, spec
from tests.unit.plan.test_deployment_rollout import live

from fairlead.api.candidate import Candidate
from fairlead.api.confirmation import Confirmation
from fairlead.api.watch import WayBack
from fairlead.plan.core import WORKLOAD
from fairlead.plan.deployment.evidence import ledger, signals
from fairlead.plan.requests import Failed
from fairlead.verdict import trace
from fairlead.verdict.trace import BadTrace

Json = dict[str, Any]


def under_way(*steps: tuple[int, str, int], **kwargs: Any) -> Sim:
    sim = Sim(spec(steps=list(steps)), **kwargs)
    sim.go_live()
    sim.tick(300)
    sim.begin()
    sim.run(10, 100)
    return sim


def steps(sim: Sim, *wanted: Json) -> None:
    sim.spec["rollout"]["steps"] = list(wanted)


# --- steps edited, and pauses -------------------------------------------------------------------------------------


def test_a_step_may_be_turned_into_a_preview_under_way() -> None:
    sim = under_way((10, "60s", 1000), (50, "60s", 1000))
    steps(sim, {"weight": 0, "for": "60s"}, {"weight": 20}, {"weight": 50})
    sim.tick(100)
    assert (sim.candidate["step"], sim.candidate["weight"]) == (0, 0)
    sim.run(5, 100)
    assert sim.shares() == {"m-1": 100}


def test_a_step_that_comes_or_goes_before_its_own_changes_nothing() -> None:
    sim = under_way((5, "3s", 10), (10, "60s", 1000), (50, "60s", 1000))
    assert sim.candidate["weight"] == 10
    before = sim.candidate["stepRequests"]
    steps(sim, {"weight": 10, "for": "60s", "requests": 1000}, {"weight": 50, "for": "60s"})
    sim.run(2, 100)
    assert (sim.candidate["step"], sim.candidate["weight"]) == (0, 10)
    assert sim.candidate["stepRequests"] > before
    steps(sim, {"weight": 1}, {"weight": 2}, {"weight": 10, "for": "60s", "requests": 1000}, {"weight": 50})
    sim.run(2, 100)
    assert (sim.candidate["step"], sim.candidate["weight"]) == (2, 10)


@pytest.mark.parametrize("how", ["paused", "unseen"])
def test_edited_steps_do_not_raise_a_frozen_weight(how: str) -> None:
    sim = under_way((10, "60s", 1000), (50, "60s", 1000))
    if how == "paused":
        sim.spec["paused"] = True
    else:
        sim.unreadable.add("m-1")
    sim.run(6, 100)
    steps(sim, {"weight": 90, "for": "60s"})
    sim.run(3, 100)
    assert sim.candidate["weight"] == 10
    sim.spec["paused"] = False
    sim.unreadable.clear()
    sim.run(3, 100)
    assert sim.candidate["weight"] == 90


def test_a_pause_does_not_hide_that_nothing_is_seen() -> None:
    sim = under_way((10, "60s", 1000), (50, "60s", 1000))
    sim.spec["paused"] = True
    sim.unreadable.add("m-2")
    sim.run(20, 100)
    assert sim.candidate["weight"] == 0
    assert sim.condition("EvidenceAvailable")["status"] == "False"
    sim.unreadable.clear()
    sim.run(5, 100)
    assert sim.condition("Progressing")["reason"] == "Paused"
    assert sim.condition("EvidenceAvailable") == {}


# --- restarts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [0, 1, 3])
@pytest.mark.parametrize("times", [1, 2])
def test_a_restart_that_the_pods_status_tells_of_late_is_counted_once(late: int, times: int) -> None:
    sim = under_way((50, "1h", 10), errors={"m-1": 0.02, "m-2": 0.02})
    for _ in range(times):
        sim.begin_anew("m-2")
        began = sim.now
        for _ in range(late):
            sim.tick(40)
        sim.tell_of_restart("m-2", began)
        sim.run(4, 40)
    guard = sim.candidate["guards"][0]
    assert guard["candidate"] == {"requests": sim.served["m-2"], "failures": sim.failed["m-2"]}


def test_two_restarts_that_are_told_of_together_are_counted_once() -> None:
    sim = under_way((50, "1h", 10), errors={"m-1": 0.02, "m-2": 0.02})
    for requests in (60, 40):
        sim.begin_anew("m-2")
        began = sim.now
        sim.tick(requests)
    sim.tell_of_restart("m-2", began)
    sim.tell_of_restart("m-2", began)
    sim.run(3, 40)
    guard = sim.candidate["guards"][0]
    assert guard["candidate"]["requests"] == sim.served["m-2"]


def test_a_server_that_restarts_all_night_leaves_no_trail_of_cursors() -> None:
    sim = under_way((10, "10h", 10_000_000))
    for _ in range(40):
        sim.restart("m-1")
        sim.run(2, 50)
    assert len(sim.candidate["cursors"]) < 6


# --- a store that stays away ---------------------------------------------------------------------------------------


def test_harm_is_still_found_when_the_store_has_been_away_for_hours() -> None:
    sim = Sim(spec(steps=[(10, "9h", 100000), (50, "60s", 1000)]), store=True)
    sim.go_live()
    sim.tick(300)
    sim.begin()
    sim.store_says = Failed("Unreachable", "no route to the store")
    while len(sim.candidate["ledger"]["lines"]) < ledger.MOST or not sim.candidate["ledger"]["dropped"]:
        sim.tick(50, seconds=max(1.0, ledger.PACES[0][1] if len(sim.candidate["ledger"]["lines"]) >= 60 else 1.0))
        assert sim.candidate["weight"] == 10
    lines = sim.candidate["ledger"]["lines"]
    assert len(lines) == ledger.MOST
    assert [n for n, line in enumerate(lines) if "dropped" in json.loads(line)] == [0]
    assert json.loads(lines[0]) == {"dropped": sim.candidate["ledger"]["dropped"]}
    with pytest.raises(BadTrace, match="lines before it are missing"):
        list(trace.read(lines))
    assert sim.condition("EvidenceAvailable")["reason"] == "EvidenceUnsaved"
    sim.unreadable.add("m-2")  # once, just when a window is due
    sim.tick(50, seconds=60.0)
    assert sim.candidate["weight"] == 10
    sim.unreadable.clear()
    sim.errors = {"m-2": 1.0}
    for _ in range(5):
        sim.tick(60, seconds=60.0)
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"


# --- a live version beyond help --------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.95, 0.999, 1.0])
def test_what_mends_a_live_version_that_fails_goes_live(share: float) -> None:
    sim = Sim(spec(steps=[(10, "5s", 10), (50, "5s", 10)]), errors={"m-1": share, "m-2": 0.0}, seed=3)
    sim.go_live()
    for _ in range(20):
        sim.tick(100)
    sim.begin()
    sim.run(60, 60)
    assert live(sim) == "m-2"


# --- what is left of a version ----------------------------------------------------------------------------------------


def test_a_rollback_that_is_cancelled_lets_the_holdbacks_pods_finish() -> None:
    sim = Sim(spec(rollout={"afterPromotion": {"for": "1h", "holdback": "20%"}}, steps=[(50, "3s", 10)]))
    sim.go_live()
    sim.tick(300)
    sim.begin()
    sim.run(30, 100)
    assert sim.shares() == {"m-1": 20, "m-2": 80}
    workload = next(
        one for one in sim.of(WORKLOAD).values() if one["metadata"]["labels"]["fairlead.dev/version"] == "m-1"
    )
    workload["status"]["readyReplicas"] = 0  # so that the way back takes its time
    sim.errors = {"m-2": 0.5}
    while "wayBack" not in sim.status:
        sim.tick(100)
    sim.spec["override"] = {
        "action": "Rollback", "version": "m-2", "reason": "it was the network", "at": "2027-01-15T08:00:00Z",
    }  # fmt: skip
    sim.carry_out(sim.plan())
    assert [one["version"] for one in sim.status["retiring"]] == ["m-1"]
    sim.look()
    assert len(sim.of(WORKLOAD)) == 2


def test_copies_that_are_used_up_before_scores_are_known_are_told_of() -> None:
    wanted = spec({"metric": "errors"}, {"metric": "scores"}, record={"output": {"type": "number"}})
    step = {"shadow": "100%", "for": "3s", "requests": 50, "copies": 150}
    wanted["rollout"]["steps"] = [step, {"weight": 50, "for": "3s", "requests": 20}]
    says = {"m-1": lambda n: [float(n % 10)], "m-2": lambda n: [float(n % 10)]}
    sim = Sim(wanted, says=says)
    sim.go_live()
    sim.tick(300)
    sim.begin()
    sim.run(30, 30)
    assert sim.condition("EvidenceAvailable")["reason"] == "CopiesUsedUp"
    assert sim.candidate["step"] == 0
    sim.spec["rollout"]["steps"][0]["copies"] = 5000
    sim.run(60, 30)
    assert live(sim) == "m-2" or sim.candidate["step"] == 1


def test_more_ready_pods_than_can_be_remembered_refuse_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment, while pods are replaced."""
    for model in (Candidate, WayBack, Confirmation):
        assert MaxLen(signals.WARMED) in model.model_fields["warmed"].metadata
    sim = Sim(spec(replicas={"min": 3}))
    sim.go_live()
    monkeypatch.setattr(signals, "WARMED", 2)
    sim.begin("m-2")
    assert len(sim.candidate["warmed"]) == 2
    assert sim.candidate["step"] == -1
