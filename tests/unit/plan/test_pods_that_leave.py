"""Evidence stays exact while pods come and go: what a pod counts is counted once, up to its last reading."""

from __future__ import annotations

from typing import Any

from tests.unit.plan.rollout_world import Sim, spec
from tests.unit.plan.test_scaling import ask, scaled, settle, started

from fairlead.plan.core import POD, rfc3339

Json = dict[str, Any]
LONG = ((10, "10m", 100_000),)


def counted(sim: Sim) -> int:
    """Requests of both versions that are evidence."""
    return sum(int(sim.candidate[arm]["requests"]) for arm in ("answered", "liveAnswered"))


def told_to_go(sim: Sim, version: str) -> Json:
    """One of a version's pods is told to go: no new request comes to it."""
    pod = sim.answering(version)[-1]
    pod["metadata"]["deletionTimestamp"] = rfc3339(sim.now)
    pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    return pod


def gone(sim: Sim, pod: Json) -> None:
    """It has ended; another one of its name begins at zero."""
    del sim.of(POD)[pod["metadata"]["uid"]]
    sim.counted.pop(pod["metadata"]["uid"])


def served(sim: Sim) -> int:
    return sum(sim.served.values())


def test_b20_pods_that_come_and_go_are_counted_once() -> None:
    sim = scaled(1, steps=LONG)
    started(sim)
    before = served(sim)
    sim.run(1, 200)
    for round_ in range(6):
        ask(sim, 5 + round_)
        settle(sim)
        sim.run(3, 200)
        leaving = [told_to_go(sim, "m-1"), told_to_go(sim, "m-1")]
        for pod in leaving:
            sim.process(pod).requests += 7  # it finishes what it has begun
            sim.served["m-1"] += 7
        sim.run(2, 200)
        for pod in leaving:
            gone(sim, pod)
        sim.run(2, 200)
    assert counted(sim) == served(sim) - before


def test_b20_what_a_pod_answers_after_its_last_reading_is_lost_and_nothing_else() -> None:
    sim = scaled(4, steps=LONG)
    started(sim)
    before = served(sim)
    sim.run(5, 200)
    pod = told_to_go(sim, "m-1")
    sim.run(2, 200)
    sim.process(pod).requests += 9  # in its last second
    gone(sim, pod)
    sim.run(5, 200)
    assert counted(sim) == served(sim) - before


def test_a_pod_that_leaves_and_does_not_answer_holds_up_no_window() -> None:
    sim = scaled(4, steps=LONG)
    started(sim)
    sim.run(3, 200)
    pod = told_to_go(sim, "m-1")
    pod["status"]["podIP"] = ""
    told = counted(sim)
    sim.run(3, 200)
    assert counted(sim) > told


def test_a_pod_that_leaves_is_no_pod_to_rely_on() -> None:
    sim = Sim(spec(steps=LONG, replicas={"min": 1}))
    sim.go_live()
    sim.begin()
    sim.run(3, 200)
    pod = told_to_go(sim, "m-2")
    pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]  # so a kubelet says until it has ended
    sim.tick(200)
    assert sim.candidate["step"] == -1


def test_b20_a_pod_that_leaves_after_the_promotion_is_counted_too() -> None:
    sim = Sim(spec(replicas={"min": 3}, rollout={"afterPromotion": {"for": "1h"}}))
    sim.go_live()
    sim.begin()
    sim.run(30, 500)
    assert sim.status["live"]["version"] == "m-2"
    before = sim.served["m-2"]
    for _ in range(15):
        sim.tick(50)
    pod = told_to_go(sim, "m-2")
    sim.process(pod).requests += 7
    sim.served["m-2"] += 7
    for _ in range(30):
        sim.tick(50)
    (errors,) = sim.status["watch"]["guards"]
    seen = int(errors["live"]["requests"])
    assert sim.served["m-2"] - before - 10 * 50 <= seen <= sim.served["m-2"] - before  # a window is open still
    sim.now += 10  # and is closed now
    sim.look()
    (errors,) = sim.status["watch"]["guards"]
    assert int(errors["live"]["requests"]) == sim.served["m-2"] - before
