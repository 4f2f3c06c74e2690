"""Each row is counted once at most, whatever dies: the operator between any two writes, recorders, pods, versions."""

from __future__ import annotations

import copy
import json

import pytest
from tests.unit.plan.monitor_world import Counting, counted, lines, profile, watched
from tests.unit.plan.rollout_world import dump

from fairlead.plan.core import POD, Plan
from fairlead.plan.deployment.monitors import book
from fairlead.plan.requests import Failed


def rows(sim: Counting) -> int:
    """All that were counted."""
    return sum(one.rows for one in counted(sim))


def pod_names(sim: Counting) -> list[str]:
    return [one["metadata"]["uid"] for one in sim.pods("m-1")]


def pods(sim: Counting, many: int) -> None:
    """Somebody scales."""
    sim.spec = {**sim.spec, "replicas": {"min": many}}
    sim.generation += 1
    sim.look()
    for name in pod_names(sim)[many:]:
        del sim.of(POD)[name]
    sim.ready("m-1")
    sim.look()


def test_what_came_before_the_first_reading_is_not_counted_and_all_after_it_is() -> None:
    sim = watched(pods=2)
    sim.rows("m-1", 300)
    sim.now += 300
    sim.look()
    for many in (2000, 1500, 3000):
        sim.passes(many)
    assert (rows(sim), sim.monitored["windows"], sim.monitored.get("lost", 0)) == (6800, 3, 0)


class Dying(Counting):
    """Its operator dies after the status and so many objects were written."""

    writes: int = 99

    def carry_out(self, found: Plan) -> bool:
        """See above; the next operator lives."""
        if self.writes == 99:
            return super().carry_out(found)
        self.plans += 1
        status, self.events = dump(found.status), self.events + [event.reason for event in found.events]
        self.status = status
        for wanted in found.apply[: self.writes]:
            self._apply(copy.deepcopy(wanted))
        self.writes = 99
        return True


@pytest.mark.parametrize("writes", range(4))
def test_an_operator_that_dies_after_any_write_counts_each_row_once(writes: int) -> None:
    sim, undisturbed = watched(pods=2), watched(pods=2)
    sim.__class__ = Dying
    assert isinstance(sim, Dying)
    for moved in (0.0, 0.0, 40.0, 40.0, 40.0):
        sim.writes = writes
        for one in (sim, undisturbed):
            one.moved = moved
            one.passes(2000)
    assert rows(sim) == 10000
    assert sim.monitored == undisturbed.monitored
    assert sim.line("drift")["state"] == "Drifting"
    assert sim.events.count("Drifting") == 1


@pytest.mark.parametrize("window", range(3))
def test_an_operator_that_dies_before_its_status_is_written_counts_nothing_twice(window: int) -> None:
    sim, undisturbed = watched(pods=2), watched(pods=2)
    for index in range(4):
        for one in (sim, undisturbed):
            one.rows("m-1", 2000)
            one.now += 600
        if index == window:
            sim.plan()  # all is read and planned, nothing is written
            sim.now += 1
            undisturbed.now += 1
        sim.look()
        undisturbed.look()
    assert rows(sim) == 8000
    assert sim.monitored == undisturbed.monitored


def test_a_recorder_that_has_forgotten_the_mark_is_begun_with_anew_and_it_is_said() -> None:
    sim = watched(pods=2)
    sim.passes(2000)
    sim.marks.clear()
    sim.passes(2000)
    assert rows(sim) == 2000
    assert sim.monitored["lost"] == 2
    sim.passes(3000)
    assert rows(sim) == 5000


def test_a_recorder_that_begins_anew_is_counted_from_its_beginning() -> None:
    sim = watched(pods=1)
    sim.passes(2000)
    sim.rows("m-1", 700)  # these it takes with it
    sim.begin_anew_counting(pod_names(sim)[0])
    sim.passes(1500)
    assert rows(sim) == 3500


def test_pods_that_come_are_counted_from_their_beginning_and_those_that_go_until_they_were_read() -> None:
    sim = watched(pods=1)
    sim.passes(2000)
    sim.now += 10
    pods(sim, 3)
    sim.passes(3000)
    assert rows(sim) == 5000
    gone = sum(sim.tallies[name].rows for name in pod_names(sim)[1:])
    sim.rows("m-1", 300)
    gone = sum(sim.tallies[name].rows for name in pod_names(sim)[1:]) - gone
    pods(sim, 1)
    sim.passes(2000)
    assert rows(sim) == 5000 + 300 - gone + 2000
    assert [one["pod"] for one in sim.monitored["marks"]] == pod_names(sim)


def test_a_recorder_that_was_away_is_caught_up_with() -> None:
    sim = watched(pods=2)
    away = pod_names(sim)[0]
    sim.silent = {away}
    sim.passes(4000)
    missed = sim.tallies[away].rows
    assert rows(sim) == 4000 - missed
    sim.silent = set()
    sim.passes(2000)
    assert rows(sim) == 6000


def test_a_recorder_whose_counts_fall_is_begun_with_anew() -> None:
    sim = watched(pods=1)
    sim.passes(2000)
    sim.tallies.clear()  # with the same name of its process
    sim.passes(1500)
    assert rows(sim) == 2000
    assert sim.monitored["lost"] == 1
    sim.passes(1200)
    assert rows(sim) == 3200


def test_a_new_version_begins_anew_with_its_own_profile_and_the_old_ledger_is_saved() -> None:
    sim = watched(rollout={"afterPromotion": {"for": "0s"}})
    sim.passes(2000)
    sim.version("m-2")
    sim.learns("m-2", profile(more=320))
    sim.look()
    sim.ready("m-2")
    sim.look()
    sim.run(60, 100)
    assert sim.status["live"]["version"] == "m-2"
    assert (sim.monitored["version"], sim.monitored.get("windows", 0)) == ("m-2", 0)
    sim.rows("m-2", 2000, profile(more=320))
    sim.now += 600
    sim.look()
    assert sim.monitored["windows"] == 1
    assert {one["profile"] for one in lines(sim) if "monitors" in one} == {profile().digest, profile(320).digest}


def test_the_ledger_gives_the_same_bits_once_more() -> None:
    sim = watched()
    for moved in (0, 0, 30, 30, 30, 0):
        sim.moved = moved
        sim.passes(2000)
    again = list(book.replayed(profile(), [json.dumps(one) for one in lines(sim)]))
    assert [one.same for one in again] == [True] * 6


def again(sim: Counting) -> list[book.Again]:
    return list(book.replayed(profile(), [json.dumps(one) for one in lines(sim)]))


def test_a_ledger_can_be_read_from_its_middle_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long one need not be read whole to see its last windows: the same reports, to the last bit."""
    monkeypatch.setattr(book, "EACH", 3)
    sim = watched()
    for moved in (0, 30, 30, 30, 0, 0, 0, 0):
        sim.moved = moved
        sim.passes(500)
    whole, all_of_it = lines(sim), again(sim)
    states = [at for at, line in enumerate(whole) if book.ANEW in line]
    assert len(states) == 2
    tail = list(book.replayed(profile(), [json.dumps(one) for one in whole[states[0] - 1 :]]))
    assert [one.at for one in tail] == [one.at for one in all_of_it[3:]]
    assert [one.report for one in tail] == [one.report for one in all_of_it[3:]]
    assert (tail[0].skipped, all(one.same for one in all_of_it)) == (1, True)


def test_without_a_store_that_takes_them_the_last_windows_are_kept_and_can_be_judged() -> None:
    sim = watched()
    sim.store_says = Failed("CredentialsForbidden", "allow it by: kubectl …")
    seen = []
    for number in range(20):
        sim.passes(200)
        kept = sim.monitored["ledger"]["lines"]
        assert len(kept) <= book.MOST + 1  # with that which says that some are lost
        found = list(book.replayed(profile(), kept))
        assert all(one.same for one in found)
        assert found[-1].at == sim.now
        seen.append((number, len(found)))
    assert min(many for number, many in seen if number > book.MOST) >= book.FEW


def test_after_lines_that_are_lost_the_next_state_is_begun_from() -> None:
    sim = watched()
    sim.store_says = Failed("Unreachable", "it is away")
    sim.passes(200)
    old = sim.monitored["ledger"]
    sim.status["monitors"]["ledger"] = old | {"dropped": 2, "sealed": 0, "lines": ['{"dropped":2}']}
    for _ in range(3):
        sim.passes(200)
    sim.store_says = None
    sim.look()
    found = again(sim)
    assert [one.same for one in found] == [True, True, True]
    assert [one.report.again for one in found] == [False] * 3
