"""A question after a promotion while people, pods and traffic do what they like, at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.effort import few
from tests.unit.plan.rollout_world import OUTCOMES, Json, Sim
from tests.unit.plan.test_confirmation import question, until_asked
from tests.unit.plan.test_deployment_watch import live, promoted, versions, watch

from fairlead.plan.core import MODEL_VERSION, rfc3339

GUARDS: list[list[Json]] = [[], [{"metric": "errors"}, OUTCOMES], [{"metric": "errors", "worseBy": "5%"}]]
AFTER: list[Json] = [{}, {"for": "20m"}, {"standby": "5m", "confirm": {"for": "1m"}}]
EDITS: list[Json] = [{"for": "0s"}, {"holdback": "10%"}, {"confirm": {"for": "10s"}}, {"confirm": {"for": "20m"}}]


class Anything:
    """What may happen next."""

    def __init__(self, sim: Sim, rng: random.Random) -> None:
        self.sim, self.rng, self.made = sim, rng, 2
        self.deeds: list[Callable[[], object]] = [
            *[self.traffic] * 5, self.pods_come, self.pods_come, self.pods_go, self.a_version, self.pause, self.decide,
            self.decide, self.edit, self.revoke, self.allow, self.unreadable, self.readable, self.errors, self.restart,
            self.pin,
        ]  # fmt: skip

    def happens(self) -> None:
        self.rng.choice(self.deeds)()

    def traffic(self) -> None:
        every = self.rng.choice([1, 1, 1, 10, 60, 400])
        for _ in range(self.rng.choice([1, 5, 20]) if every == 1 else 1):
            self.sim.tick(self.rng.choice([1, 20, 50]), seconds=every)

    def pods_come(self) -> None:
        for version in versions(self.sim):
            self.sim.ready(version)

    def pods_go(self) -> None:
        self.sim.ready(self.rng.choice(sorted(versions(self.sim))), False)

    def a_version(self) -> None:
        self.sim.now, self.made = self.sim.now + 1, self.made + 1
        self.sim.version(f"m-{self.made}")

    def pause(self) -> None:
        self.sim.spec["paused"] = not self.sim.spec.get("paused", False)

    def decide(self) -> None:
        action, mine = "Rollback", self.rng.choice([live(self.sim), self.sim.status.get("previous") or "m-1"])
        if "candidate" in self.sim.status and self.rng.random() < 0.3:
            action, mine = "Promote", self.sim.candidate["version"]
        self.sim.spec["override"] = {"action": action, "version": mine, "reason": "x", "at": rfc3339(self.sim.now)}

    def edit(self) -> None:
        self.sim.spec["rollout"]["afterPromotion"] = dict(self.rng.choice(EDITS))

    def revoke(self) -> None:
        self.sim.of(MODEL_VERSION)[self.rng.choice(["m-1", "m-2"])]["spec"]["revoked"] = "it is biased"

    def allow(self) -> None:
        for version in self.sim.of(MODEL_VERSION).values():
            version["spec"].pop("revoked", None)

    def unreadable(self) -> None:
        self.sim.unreadable.add(self.rng.choice(["m-1", "m-2"]))

    def readable(self) -> None:
        self.sim.unreadable.clear()

    def errors(self) -> None:
        self.sim.errors[self.rng.choice(["m-1", "m-2", "m-3"])] = self.rng.choice([0.01, 0.4, 1.0])

    def restart(self) -> None:
        self.sim.restart(self.rng.choice(sorted(versions(self.sim))))

    def pin(self) -> None:
        self.sim.spec["model"] = self.rng.choice([{"version": "m-1"}, {"name": "m"}])


def holds(sim: Sim) -> None:
    """What must be so after each look."""
    again, kept, candidate = sim.look().requeue_after, watch(sim), sim.status.get("candidate")
    assert again is None or again > 0.05, "it looks again all the time"
    asked, shares = question(sim).get("share", 0), sim.shares()
    assert sum(shares.values()) == 100
    assert not candidate or candidate["version"] != live(sim)
    wanted = {live(sim)} | ({kept["against"]} if asked or kept.get("holdback") else set())
    wanted |= {candidate["version"]} if candidate and candidate["step"] >= 0 and not asked else set()
    assert set(shares) <= wanted
    revoked = {name for name, one in sim.of(MODEL_VERSION).items() if one["spec"].get("revoked")}
    assert not revoked & set(shares) - {live(sim)}


def at_the_end(sim: Sim) -> None:
    """When all is over the live version is alone."""
    sim.spec.pop("override", None)
    sim.spec |= {"paused": True}
    sim.spec["rollout"]["afterPromotion"] = {"for": "0s"}
    for _ in range(20):  # a standby lasts for five minutes
        for version in versions(sim):
            sim.ready(version)
        sim.tick(50, seconds=20)
    assert "watch" not in sim.status
    if not sim.status.get("candidate") and "wayBack" not in sim.status:
        assert sim.shares() == {live(sim): 100}
        assert versions(sim) == {live(sim)}


@pytest.mark.parametrize("seed", range(few(5, 12)))
def test_b01_whatever_happens_in_a_question_nothing_is_left_behind(seed: int) -> None:
    rng = random.Random(seed)
    after: dict[str, Any] = rng.choice(AFTER)
    sim = promoted(*rng.choice(GUARDS), errors={"m-1": 0.01, "m-2": 0.01}, seed=seed, **after)
    sim.tick(100, seconds=20)
    sim.errors |= {"m-1": rng.choice([0.01, 0.4, 1.0]), "m-2": rng.choice([0.4, 1.0])}
    until_asked(sim)
    world = Anything(sim, rng)
    for _ in range(60):
        world.happens()
        holds(sim)
    world.allow()
    world.readable()
    at_the_end(sim)
