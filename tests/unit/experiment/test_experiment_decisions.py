"""A candidate of an experiment is judged as its replay judges it: at each look, while shares move and pods go away."""

from __future__ import annotations

import random
from math import inf

import pytest
from tests.effort import few
from tests.unit.experiment.test_experiment_seen import kept_lines
from tests.unit.experiment.test_experiment_way import begun, experiment
from tests.unit.plan.rollout_world import OUTCOMES, Json, Sim, View
from tests.unit.plan.test_one_decision import decided

from fairlead.api.deployment import Rollout
from fairlead.cli.replay import differences
from fairlead.plan.deployment.context import look_at
from fairlead.plan.deployment.experiment import arms
from fairlead.plan.deployment.rollout.known import known
from fairlead.plan.deployment.rollout.whatif import Play
from fairlead.verdict import engine
from fairlead.verdict.trace import read

GUARDS: list[Json] = [{"metric": "errors"}, {"metric": "latency"}, OUTCOMES]


def wanted(rng: random.Random) -> Json:
    found = experiment(allocation="Bandit", requests=20, **{"for": "600s"})
    found["rollout"] |= {"guard": rng.sample(GUARDS, rng.randint(1, 3)), "falseAlarms": "5%"}
    return found


def happens(sim: Sim, rng: random.Random) -> None:
    """Something, or nothing."""
    version = rng.choice(["m-1", "m-2", "m-3"])
    match rng.randrange(30):
        case 0:
            sim.errors[version] = rng.choice([0.0, 0.02, 0.3])
        case 1:
            sim.slow[version] = rng.choice([0.02, 0.3])
        case 2:
            sim.begin_anew(version)
        case 3:
            sim.ready(version, rng.random() < 0.7)
        case 4:
            sim.unreadable = {version} if rng.random() < 0.5 else set()
        case 5:
            sim.spec["rollout"]["falseAlarms"] = rng.choice(["1%", "50%"])


class Replays:
    """Of the arms' ledgers, as far as they are."""

    def __init__(self) -> None:
        self.plays: dict[str, Play] = {}
        self.read: dict[str, int] = {}

    def of(self, sim: Sim, version: str) -> Play:
        play = self.plays.setdefault(version, Play(Rollout()))
        lines, seen = kept_lines(sim, version), self.read.get(version, 0)
        for item in read(lines[seen:]):
            play.take(item)
        self.read[version] = len(lines)
        return play


def decides_alike(sim: Sim, replays: Replays) -> None:
    look = look_at(sim.subject(), View(sim), sim.now)
    kept = sim.subject().body.status.experiment
    assert kept
    for arm in kept.arms:
        play = replays.of(sim, arm.version)
        if play.rules is None or play.state is None:
            continue
        mine, theirs = known(arms.look_at(look, kept, arm), arm), engine.known(play.rules, play.state)
        assert decided(mine) == decided(theirs)
        assert all(one.proof in (-inf, two.proof) for one, two in zip(mine.metrics, theirs.metrics, strict=True))
        assert play.over is None


@pytest.mark.parametrize("seed", range(few(4, 60)))
def test_an_arm_and_its_replay_decide_the_same_at_each_look(seed: int) -> None:
    rng, replays, moved = random.Random(seed), Replays(), set[str]()
    versions = ("m-1", "m-2", "m-3")
    rates = {"wrong": {"m-1": 0.5, "m-2": 0.6, "m-3": 0.3}, "errors": dict.fromkeys(versions, 0.02)}
    sim = begun(wanted(rng), seed=seed, store=True, **rates)
    for _ in range(40):
        happens(sim, rng)
        sim.tick(rng.choice([0, 60, 60, 150]), rng.choice([1.0, 1.0, 3.0]))
        moved.add(str(sim.shares()))
        if sim.status["experiment"]["phase"] == "Ended":
            break
        decides_alike(sim, replays)
    assert len(moved) > 1, "another share than at first"
    assert [words for play in replays.plays.values() for one in play.judged for words in differences(one)] == []
