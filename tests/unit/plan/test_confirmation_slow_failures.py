"""A dependency that hangs: requests that fail do so late. Those from before a question must not count in it."""

from __future__ import annotations

from tests.unit.plan.rollout_world import Sim
from tests.unit.plan.test_confirmation import question
from tests.unit.plan.test_deployment_watch import live, promoted, settle, watch

HANGS = 12
"""Seconds after which a request that hangs fails."""


class Hanging:
    """Traffic of which a share hangs at any version, and then fails."""

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self.late: list[tuple[float, str]] = []

    def tick(self, requests: int, share: float) -> None:
        sim, shares = self.sim, self.sim.shares()
        for version in sim.random.choices(list(shares), list(shares.values()), k=requests):
            if sim.random.random() < share:
                self.late.append((sim.now + HANGS, version))
            elif sim.answering(version):
                self._count(version, bad=False)
        for _, version in [one for one in self.late if one[0] <= sim.now]:
            self._count(version, bad=True)
        self.late = [one for one in self.late if one[0] > sim.now]
        sim.now += 1
        sim.look()

    def _count(self, version: str, *, bad: bool) -> None:
        if not self.sim.answering(version):
            return
        counts = self.sim.process(self.sim.answering(version)[0])
        counts.requests += 1
        counts.failures += bad
        counts.hung += bad


def test_b01_requests_that_hang_since_before_the_question_do_not_speak_against_the_live_version() -> None:
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01})
    sim.tick(100, seconds=20)
    world = Hanging(sim)
    for _ in range(120):
        world.tick(50, 0.3)
        if question(sim):
            break
    settle(sim)
    assert question(sim)["phase"] == "Asking"
    for _ in range(100):
        world.tick(50, 0.3)
        assert live(sim) == "m-2"
    assert "wayBack" not in sim.status
    assert watch(sim)
    assert question(sim)["guards"][0]["windows"] > 50
