"""An experiment from its first pod to its end, in a tiny world."""

from __future__ import annotations

from typing import Any, TypeVar

from tests.unit.plan.rollout_world import Sim, spec

REWARD = {"total": "total:{{version}}", "successes": "successes:{{version}}"}
Json = dict[str, Any]
World = TypeVar("World", bound=Sim)


def experiment(**more: Any) -> Json:
    """What is wanted."""
    wanted = {"versions": ["m-2", "m-3"], "share": "60%", "reward": REWARD, "for": "10s", "requests": 50}
    return spec(experiment=wanted | more)


def begun(wanted: Json, **sim: Any) -> Sim:
    """Both candidates have their shares."""
    return opened(Sim(wanted, **sim))


def opened(made: World) -> World:
    """A world in which both candidates have their shares."""
    made.go_live("m-1")
    for version in made.spec["experiment"]["versions"]:
        made.version(version)
    made.look()
    for version in made.spec["experiment"]["versions"]:
        made.ready(version)
    made.look()
    return made


def contender(sim: Sim, version: str) -> Json:
    return next(dict(one) for one in sim.status["experiment"]["contenders"] if one["version"] == version)


def run(sim: Sim, windows: int, requests: int) -> None:
    for _ in range(windows):
        sim.tick(requests)
        if sim.status["experiment"]["phase"] == "Ended":
            return


def test_the_best_one_wins_and_goes_live() -> None:
    sim = begun(experiment(then="Promote"), wrong={"m-1": 0.5, "m-2": 0.5, "m-3": 0.2})
    assert sim.shares() == {"m-1": 40, "m-2": 30, "m-3": 30}
    run(sim, 200, 100)
    found = sim.status["experiment"]
    assert (found["result"], found["winner"]) == ("Won", "m-3"), found["contenders"]
    assert sim.status["live"]["version"] == "m-3"
    assert sim.shares() == {"m-3": 100}
