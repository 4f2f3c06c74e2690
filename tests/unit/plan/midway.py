"""Deployments in the middle of things, and how they go on: what a release leaves to the next one.

`python -m tests.unit.plan.midway` writes how the present code leaves them, and how it goes on itself, as test data
(`tests/golden/statuses/record-<version>/`): done once for each version of the record.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.unit.experiment import test_experiment_way as experiments
from tests.unit.plan import label_world, test_deployment_ledger, test_deployment_shadow, test_deployment_watch
from tests.unit.plan.rollout_world import Json, Sim, in_halves
from tests.unit.plan.test_backlog import SILENT

from fairlead.api import halves

RECORDED = Path(__file__).parents[2] / "golden" / "statuses"


class Case(NamedTuple):
    """A world in the middle of something, and what comes then."""

    begin: Callable[[], Sim]
    go_on: Callable[[Any], object]


def canary(bad: float = 0.02) -> Sim:
    """Under traffic, with three guards and a ledger."""
    sim = test_deployment_ledger.begun(errors={"m-1": 0.02, "m-2": bad}, wrong={"m-1": 0.1, "m-2": 0.1})
    sim.run(4, 60)
    return sim


def shadow() -> Sim:
    """Copies are compared."""
    wanted = test_deployment_shadow.shadowed(steps=[test_deployment_shadow.SHADOW | {"requests": 200}])
    sim = test_deployment_shadow.begun(wanted, says={"m-2": test_deployment_shadow.sometimes(0.05)}, store=True)
    sim.run(4, 20)
    return sim


def experiment() -> Sim:
    """Two candidates have their shares, and some rewards."""
    wanted = experiments.experiment(then="Promote")
    sim = experiments.begun(wanted, wrong={"m-1": 0.5, "m-2": 0.5, "m-3": 0.2}, store=True)
    experiments.run(sim, 6, 50)
    return sim


def watch() -> Sim:
    """Promoted a while ago, with detectors that have seen a little too much."""
    sim = test_deployment_watch.promoted(errors={"m-1": 0.02, "m-2": 0.02})
    test_deployment_watch.windows(sim, 5)
    sim.errors["m-2"] = 0.08
    test_deployment_watch.windows(sim, 4)
    return sim


def question() -> Sim:
    """An alarm has asked whether it is the version: the one before answers its share again."""
    sim = test_deployment_watch.promoted(errors={"m-1": 0.02, "m-2": 0.02})
    sim.errors["m-2"] = 0.3
    for _ in range(40):
        sim.tick(50)
        if test_deployment_watch.asked(sim):
            break
    test_deployment_watch.settle(sim)
    sim.run(2, 20)
    return sim


def rolled_back() -> Sim:
    """m-2 was taken back, and its last lines wait for the store."""
    sim = test_deployment_ledger.begun(errors={"m-1": 0.02, "m-2": 0.6})
    sim.store_says = SILENT
    sim.run(60, 100)
    return sim


def way_back() -> Sim:
    """The live version is taken back by its labels; the pods of the one before still start."""
    sim = label_world.begun(wrong={"m-1": 0.1, "m-2": 0.6}, delay=1000.0)
    sim.until(lambda: "candidate" not in sim.status, every=1000)
    sim.now += 1000
    sim.publish()
    sim.look()
    return sim


def labels() -> Sim:
    """A Job that joins labels is under way."""
    sim = label_world.begun(wrong={"m-1": 0.1, "m-2": 0.1}, delay=1.0)
    for _ in range(3):
        sim.tick(100)
        sim.publish()
        sim.look()
    sim.holds = True
    sim.tick(100)
    sim.publish()
    sim.look()
    return sim


def _windows(many: int, requests: int) -> Callable[[Sim], None]:
    def passed(sim: Sim) -> None:
        for _ in range(many):
            sim.tick(requests)

    return passed


def _harm(sim: Sim) -> None:
    sim.errors["m-2"] = 0.6
    _windows(40, 60)(sim)


def _saved(sim: Sim) -> None:
    sim.store_says = None
    _windows(5, 60)(sim)
    sim.begin("m-3")
    _windows(5, 60)(sim)


def _back(sim: Sim) -> None:
    sim.ready("m-1")
    _windows(5, 60)(sim)


def _joined(sim: label_world.LabelWorld) -> None:
    sim.holds = False
    sim.end()
    for _ in range(30):
        sim.tick(200)
        sim.publish()
        sim.look()


CASES = {
    "canary": Case(canary, _windows(60, 100)),
    "canary-harm": Case(canary, _harm),
    "shadow": Case(shadow, _windows(20, 30)),
    "experiment": Case(experiment, _windows(60, 100)),
    "watch": Case(watch, _windows(30, 100)),
    "question": Case(question, _windows(30, 50)),
    "rolled-back": Case(rolled_back, _saved),
    "way-back": Case(way_back, _back),
    "labels": Case(labels, _joined),
}


def recorded(case: Case) -> Json:
    """The status in the middle of it, and the one after the rest."""
    sim = case.begin()
    left = in_halves(sim.status)
    case.go_on(sim)
    return {"left": left, "after": in_halves(sim.status)}


def main() -> None:
    """Write what the present code makes of all cases."""
    folder = RECORDED / f"record-{halves.VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, case in CASES.items():
        (folder / f"{name}.json").write_text(json.dumps(recorded(case), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
