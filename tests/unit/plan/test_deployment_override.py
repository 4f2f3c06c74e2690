"""A person's decisions in a tiny world: carried out once, recorded with their reason, never onto cold pods."""

from __future__ import annotations

from typing import Any

from tests.unit.plan.rollout_world import Sim, rfc3339, spec

from fairlead.plan.core import MODEL_VERSION


def started(**more: Any) -> Sim:
    """m-1 is live, m-2 at its first step."""
    sim = Sim(spec(steps=[(10, "1h", 10)], **more))
    sim.go_live()
    sim.begin()
    sim.run(2, 50)
    return sim


def promoted(*names: str) -> Sim:
    """m-1, m-2 … have gone live one after the other, and the old ones are gone."""
    sim = Sim(spec())
    sim.go_live()
    for name in names:
        sim.now += 1
        sim.begin(name)
        sim.run(60, 100)
        assert live(sim) == name
        sim.tick(seconds=20)
    return sim


def decide(sim: Sim, action: str, version: str, reason: str = "it insults people") -> None:
    sim.spec["override"] = {"action": action, "version": version, "reason": reason, "at": rfc3339(sim.now)}
    sim.look()


def live(sim: Sim) -> str:
    return str(sim.status["live"]["version"])


def test_a_rollback_by_hand_starts_and_warms_the_version_first() -> None:
    sim = promoted("m-2")
    decide(sim, "Rollback", "m-1")
    assert sim.shares() == {"m-2": 100}
    assert sim.status["wayBack"]["forced"] is True
    sim.ready("m-1")
    sim.look()
    assert sim.shares() == {"m-1": 100}
    record = sim.status["history"][0]
    assert (record["version"], record["result"], record["reason"]) == ("m-2", "RolledBack", "Forced")
    assert "rolled back by hand: it insults people" in record["message"]
    assert sim.status["refused"] == ["m-2"]
    assert "watch" not in sim.status


def test_it_is_carried_out_once() -> None:
    sim = promoted("m-2")
    decide(sim, "Rollback", "m-1")
    sim.ready("m-1")
    sim.look()
    sim.annotations = {"fairlead.dev/retry": "m-2"}
    sim.look()
    sim.ready("m-2")
    sim.run(60, 100)
    assert live(sim) == "m-2"
    sim.look()
    assert live(sim) == "m-2"
    decide(sim, "Rollback", "m-1", "once more")
    assert live(sim) == "m-1"  # its pods were still there


def test_a_rollback_to_an_older_version_refuses_all_newer_ones() -> None:
    sim = promoted("m-2", "m-3")
    decide(sim, "Rollback", "m-1")
    sim.ready("m-1")
    sim.look()
    assert live(sim) == "m-1"
    assert sim.status["refused"] == ["m-2", "m-3"]
    sim.run(30, 100)
    assert "candidate" not in sim.status


def test_a_rollback_takes_back_what_is_on_its_way() -> None:
    sim = started()
    decide(sim, "Rollback", "m-1")
    assert "candidate" not in sim.status
    assert sim.shares() == {"m-1": 100}
    record = sim.status["history"][0]
    assert (record["version"], record["result"], record["reason"]) == ("m-2", "RolledBack", "Forced")
    assert sim.status["refused"] == ["m-2"]
    assert "wayBack" not in sim.status


def test_a_pinned_version_that_was_rolled_back_is_not_rolled_out_again() -> None:
    sim = promoted("m-2")
    sim.spec["model"] = {"version": "m-2"}
    decide(sim, "Rollback", "m-1")
    sim.ready("m-1")
    sim.look()
    assert live(sim) == "m-1"
    assert "candidate" not in sim.status
    assert sim.condition("Progressing")["reason"] == "VersionRefused"


def test_a_forced_promotion_waits_for_nothing_but_warm_pods() -> None:
    sim = Sim(spec(steps=[(10, "1h", 10)]))
    sim.go_live()
    sim.version("m-2")
    sim.look()
    decide(sim, "Promote", "m-2", "a fix for the outage")
    assert sim.shares() == {"m-1": 100}
    sim.ready("m-2")
    sim.look()
    assert sim.shares() == {"m-2": 100}
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("Live", "Forced")
    assert "forced: a fix for the outage" in record["message"]
    # there is nothing to compare it with, unless the old version keeps a share
    sim.tick(100, seconds=10.0)
    assert sim.condition("Watched")["reason"] == "TooFewSamples"


def test_a_forced_promotion_with_a_holdback_is_watched_from_the_first_request() -> None:
    sim = Sim(spec(rollout={"afterPromotion": {"holdback": "20%"}}), errors={"m-2": 0.6})
    sim.go_live()
    sim.version("m-2")
    sim.look()
    decide(sim, "Promote", "m-2")
    sim.ready("m-2")
    sim.look()
    assert sim.shares() == {"m-1": 20, "m-2": 80}
    for _ in range(4):
        sim.tick(100, seconds=10.0)
    assert live(sim) == "m-1"


def test_a_forced_promotion_in_the_middle_is_watched_like_any_other() -> None:
    sim = started()
    decide(sim, "Promote", "m-2")
    assert live(sim) == "m-2"
    sim.errors["m-2"] = 0.9
    for _ in range(10):
        sim.tick(100, seconds=10.0)
    sim.ready("m-1")
    sim.look()
    assert live(sim) == "m-1"


def test_what_has_no_object_is_said_and_changes_nothing() -> None:
    for action, version in (("Promote", "m-9"), ("Rollback", "m-9"), ("Rollback", "m-2")):
        sim = promoted("m-2")
        before = sim.shares()
        decide(sim, action, version)
        assert (sim.events[-1], sim.shares()) == ("OverrideIgnored", before)
        assert "wayBack" not in sim.status
        events = len(sim.events)
        sim.look()
        assert len(sim.events) == events
    sim = promoted("m-2")
    sim.of(MODEL_VERSION)["m-1"]["spec"]["revoked"] = "it is biased"
    decide(sim, "Rollback", "m-1")
    assert sim.events[-1] == "OverrideIgnored"


def test_paused_does_not_stop_a_person() -> None:
    sim = started()
    sim.spec["paused"] = True
    decide(sim, "Promote", "m-2")
    assert live(sim) == "m-2"


def test_a_person_may_cancel_a_rollback_that_waits() -> None:
    sim = promoted("m-2")
    sim.errors["m-2"] = 0.9
    for _ in range(4):
        sim.tick(100, seconds=10.0)
    assert sim.status["wayBack"]["version"] == "m-1"
    decide(sim, "Rollback", "m-2", "it is the upstream")
    assert "wayBack" not in sim.status
    assert "watch" not in sim.status
    sim.tick(100, seconds=20.0)
    assert live(sim) == "m-2"
    assert sim.shares() == {"m-2": 100}


def test_a_better_version_that_overtakes_a_blocked_rollback_keeps_the_last_good_way_back() -> None:
    sim = promoted("m-2")
    sim.of(MODEL_VERSION)["m-1"]["spec"]["revoked"] = "not now"
    sim.errors["m-2"] = 0.9
    for _ in range(4):
        sim.tick(100, seconds=10.0)
    assert sim.status["phase"] == "Holding"
    sim.begin("m-3")
    sim.run(60, 100)
    assert live(sim) == "m-3"
    assert (sim.status["previous"], sim.status["watch"]["against"]) == ("m-1", "m-1")
    assert "wayBack" not in sim.status
    del sim.of(MODEL_VERSION)["m-1"]["spec"]["revoked"]
    sim.tick(seconds=20)
    assert sim.condition("RollbackReady")["status"] == "True"


def test_a_rollback_past_the_holdback_lets_its_pods_drain() -> None:
    sim = promoted("m-2")
    sim.spec["rollout"]["afterPromotion"] = {"holdback": "10%"}
    sim.now += 1
    sim.begin("m-3")
    sim.run(60, 100)
    assert sim.shares() == {"m-2": 10, "m-3": 90}
    decide(sim, "Rollback", "m-1")
    assert sim.shares() == {"m-2": 10, "m-3": 90}
    sim.ready("m-1")
    sim.look()
    assert sim.shares() == {"m-1": 100}
    assert {one["version"] for one in sim.status["retiring"]} == {"m-2", "m-3"}
    assert sim.status["refused"] == ["m-2", "m-3"]
