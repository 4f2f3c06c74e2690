"""An operator that dies between any two writes of a question: whoever looks next goes on, and ends the same way."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from tests.unit.plan.rollout_world import Json, Sim, dump
from tests.unit.plan.test_confirmation import question, until_asked
from tests.unit.plan.test_deployment_watch import live, promoted, versions, watch

KILLS = range(4)


class Dying(Sim):
    """Each look is cut short: the status is written, and only so many of the objects that follow from it; then the
    next one looks."""

    writes: int = 99

    def carry_out(self, found):  # type: ignore[no-untyped-def]
        self.plans += 1
        status, self.events = dump(found.status), self.events + [event.reason for event in found.events]
        changed, self.status = status != self.status, status
        for wanted in found.apply[: self.writes]:
            changed |= self._apply(copy.deepcopy(wanted))
        if self.writes < 99:
            self.writes = 99  # the next operator lives
            return True
        return changed | super().carry_out(found)


def dying(errors: dict[str, float], bad: dict[str, float]) -> Dying:
    sim = promoted(errors=errors)
    sim.__class__ = Dying
    assert isinstance(sim, Dying)
    sim.tick(100, seconds=20)
    assert versions(sim) == {"m-2"}
    sim.errors = bad
    return sim


def to_the_end(sim: Dying, writes: int) -> list[str]:
    """Each look's operator dies; the phases that were gone through."""
    seen = []
    for _ in range(900):
        if "wayBack" in sim.status or not watch(sim) or (seen and not question(sim)):
            break
        sim.ready("m-1")
        sim.traffic(60)
        sim.now += 1
        sim.writes = writes
        sim.look(passes=12)
        phase = question(sim).get("phase", "")
        seen += [phase] if phase and phase not in seen[-1:] else []
    sim.ready("m-1")
    sim.look()
    return seen


@pytest.mark.parametrize("writes", KILLS)
def test_b01_killed_after_each_write_the_worse_one_still_goes_back_once(writes: int) -> None:
    sim = dying({"m-1": 0.01, "m-2": 0.01}, {"m-1": 0.01, "m-2": 0.5})
    sim.writes = writes
    until_asked(sim)
    assert "Asking" in to_the_end(sim, writes)
    assert (live(sim), sim.shares()) == ("m-1", {"m-1": 100})
    assert sim.events.count("RolledBack") == 1
    assert [one["version"] for one in sim.status["history"]].count("m-2") == 2  # it went live, and was taken back


@pytest.mark.parametrize("writes", KILLS[:2])
def test_b01_killed_after_each_write_the_world_is_still_found_to_have_changed(writes: int) -> None:
    sim = dying({"m-1": 0.01, "m-2": 0.01}, {"m-1": 0.4, "m-2": 0.4})
    sim.spec["rollout"]["afterPromotion"] = {"confirm": {"for": "1m"}}
    sim.writes = writes
    until_asked(sim)
    assert "Asking" in to_the_end(sim, writes)
    assert (live(sim), sim.shares()) == ("m-2", {"m-2": 100})
    assert sim.condition("WorldChanged")["status"] == "True"
    assert sim.events.count("WorldChanged") == 1
    assert "RolledBack" not in sim.events


def each_state(sim: Sim, number: int) -> list[Json]:
    """The statuses that are written one after the other."""
    found = []
    for _ in range(number):
        sim.ready("m-1")
        sim.tick(60)
        found.append(copy.deepcopy(sim.status))
    return found


@pytest.mark.parametrize("then", [
    lambda sim: sim.errors.update({"m-2": 0.01}), lambda sim: sim.unreadable.add("m-1"),
])  # fmt: skip
def test_b01_from_each_recorded_status_a_fresh_operator_plans_the_same_twice(then: Callable[[Sim], object]) -> None:
    sim = dying({"m-1": 0.01, "m-2": 0.01}, {"m-1": 0.2, "m-2": 0.2})
    until_asked(sim)
    for status in each_state(sim, 6):
        again = copy.deepcopy(sim)
        again.status = copy.deepcopy(status)
        then(again)
        again.look(passes=12)
        settled = copy.deepcopy(again.status)
        again.look(passes=12)
        assert again.status == settled
        assert sum(again.shares().values()) == 100
