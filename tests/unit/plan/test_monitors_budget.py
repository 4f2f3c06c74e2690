"""The Deployments of a namespace share their false alarms: each gets its part, and no evidence begins anew."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.plan.monitor_world import Counting, lines, profile, watched

from fairlead.api.config import MonitorsConfig
from fairlead.monitor.profile import Profile
from fairlead.monitor.series import Settings, State, fold
from fairlead.monitor.watched import Rule
from fairlead.plan.core import DEPLOYMENT
from fairlead.plan.deployment.monitors import book, budget


class Sharing(Counting):
    """A namespace may have four false alarms a year."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.config = self.config.model_copy(update={"monitors": MonitorsConfig(false_alarms_per_year=4)})


def other(sim: Counting, name: str, monitors: Any, **meta: Any) -> None:
    """Another Deployment of the namespace."""
    spec = {} if monitors is None else {"monitors": monitors}
    sim.of(DEPLOYMENT)[name] = {"metadata": {"name": name, "labels": {}, **meta}, "spec": spec}


def part(sim: Counting) -> float:
    return budget.told(sim.monitored.get("part", ""))


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], 1.0),
        ([{}] * 3, 1.0),
        ([{}] * 7, 0.5),
        ([{"falseAlarmsPerYear": "15"}], 0.25),
        ([None] * 9, 1.0),
        ([{"falseAlarmsPerYear": "0.5"}] * 6, 1.0),
        ([{"falseAlarmsPerYear": "nonsense"}] * 7, 0.5),
        ([{"falseAlarmsPerYear": "9999"}] * 1000, 4 / 9_999_001),
    ],
)
def test_each_gets_its_part_of_what_all_ask_for(others: list[Any], expected: float) -> None:
    sim = watched(made=Sharing)
    for number, monitors in enumerate(others):
        other(sim, f"other-{number}", monitors)
    other(sim, "gone", {"falseAlarmsPerYear": "9000"}, deletionTimestamp="2026-01-01T00:00:00Z")
    sim.passes(200)
    assert part(sim) == expected


def test_without_a_limit_each_has_what_it_asks_for() -> None:
    sim = watched()
    other(sim, "other", {"falseAlarmsPerYear": "9000"})
    sim.passes(200)
    assert part(sim) == 1.0
    assert "part" not in lines(sim)[-1]


def test_as_others_come_and_go_evidence_goes_on_and_the_replay_gives_the_same_bits() -> None:
    sim = watched(made=Sharing)
    began = [line for line in lines(sim) if "monitors" in line]
    seen = []
    for number in range(6):
        if number in (1, 2):
            other(sim, f"other-{number}", {"falseAlarmsPerYear": "4"})
        if number == 4:
            del sim.of(DEPLOYMENT)["other-1"]
        seen.append(part(sim))
        sim.moved = 8.0
        sim.passes(600)
    assert seen == [1.0, 1.0, 4 / 5, 4 / 9, 4 / 9, 4 / 5]
    assert [line for line in lines(sim) if "monitors" in line][:1] == (began or [lines(sim)[0]])
    windows = [line for line in lines(sim) if "counts" in line]
    assert [budget.told(line.get("part", "")) for line in windows] == seen  # fixed before the window began
    again = list(book.replayed(profile(), [json.dumps(one) for one in lines(sim)]))
    assert [one.same for one in again] == [True] * 6


def test_unfair_at_once_with_any_part() -> None:
    """The evidence of a gap is all or nothing: with a part its interval is wider, and one window is still enough."""
    learnt: Profile = profile()
    sim = watched({"fairness": [{"by": "c"}]}, made=Sharing)
    other(sim, "other", {"falseAlarmsPerYear": "39"})
    sim.passes(200)
    assert part(sim) == 0.1
    sim.hard_on = "y"
    sim.passes(4000)
    assert sim.line("fairness")["state"] == "Unfair"
    settings = Settings(600.0, fairness=(Rule("c"),))
    with pytest.raises(ValueError, match="a part of the budget"):
        fold(learnt, settings, State(learnt.digest), book.counts_of(lines(sim)[-1]["counts"]), until=1.0, part=0.0)
