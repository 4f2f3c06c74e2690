"""Many lives of a Deployment with real harm, its Pipeline beside it: a rollback where the version is to blame, one run
where the world is, and no circle where training does not help."""

from __future__ import annotations

import random

import pytest
from tests.unit.plan.littleworld import LittleWorld
from tests.unit.plan.rollout_world import Json
from tests.unit.plan.test_confirming import Counting, asked, comes, goes_live, harmed, says

from fairlead.plan.core import DATASET, PIPELINE_RUN
from fairlead.plan.pipeline import plan as pipeline

STEPS: list[Json] = [{"name": "train", "image": "i", "outputs": {"model": {"type": "model"}}}]
MAKES: list[Json] = [{"model": "m", "from": "train.model", "version": {}}]
TRIGGER: Json = {"condition": {"deployment": "web", "type": "WorldChanged"}}


def begun() -> Counting:
    """Labels show real harm of m-2, and go on coming."""
    sim = harmed(monitors={"labels": {"dataset": "outcomes"}})
    sim.of(DATASET)["outcomes"] = {
        "metadata": {"name": "outcomes"}, "spec": {"source": {"s3": {"bucket": "b" * 3}}, "format": "parquet"},
        "status": {},
    }  # fmt: skip
    sim.look()
    return sim


class Factory:
    """A Pipeline that sees the Deployment as it is."""

    def __init__(self, sim: Counting) -> None:
        self.sim, self.where = sim, LittleWorld()
        self.where.now = sim.now
        spec = {"steps": STEPS, "triggers": [TRIGGER], "produces": MAKES}
        self.where.put({"kind": "Pipeline", "metadata": {"name": "p", "generation": 1}, "spec": spec})
        self.look()

    def look(self) -> list[str]:
        """The runs so far."""
        self.where.now = max(self.where.now, self.sim.now)
        self.where.put({"kind": "Deployment", "metadata": {"name": "web"}, "spec": self.sim.spec,
                        "status": self.sim.form(self.sim.status)})  # fmt: skip
        self.where.settle(pipeline.SPEC, "p")
        return [run["metadata"]["name"] for run in self.where.select(PIPELINE_RUN)]

    def end(self, run: str, phase: str) -> None:
        """A run has made a version."""
        self.where.objects["PipelineRun", run]["status"] = {"phase": "Completed", "models": [f"r-{run}"]}
        told = {"type": "Approved", "status": "True", "lastTransitionTime": "2026-03-02T09:00:00Z"}
        uid = self.where.objects["PipelineRun", run]["metadata"]["uid"]
        self.where.put({
            "kind": "ModelVersion",
            "metadata": {"name": f"r-{run}", "labels": {"fairlead.dev/run": run, "fairlead.dev/pipeline": "p"},
                         "annotations": {"fairlead.dev/created-by-uid": uid}},
            "spec": {"model": "m", "artifact": {"uri": "s3://b/m", "sha256": "0" * 64}},
            "status": {"phase": phase, "message": "so it is", "conditions": [told] if phase == "Approved" else []},
        })  # fmt: skip


def answers(rng: random.Random, live: float, before: float, disagree: float) -> list[float]:
    """Of some requests, what the live version lost more."""
    more = live - before
    return [
        (1.0 if drawn < (disagree + more) / 2 else -1.0 if drawn < disagree else 0.0)
        for drawn in (rng.random() for _ in range(rng.randrange(50, 400)))
    ]


def found_out(sim: Counting, factory: Factory, rng: random.Random, live: float, before: float) -> str:
    """Labels come, in batches, until it is known; looks come and go between."""
    disagree = max(abs(live - before), rng.uniform(0.03, 0.12))
    for _ in range(80):
        comes(sim, answers(rng, live, before, disagree), refused=rng.choice([0, 0, 1]))
        sim.now += rng.uniform(1, 20)
        sim.look()
        factory.look()
        if asked(sim).get("state") != "Asking":
            break
    return str(asked(sim).get("state"))


@pytest.mark.parametrize("seed", range(12))
def test_a_changed_world_is_no_rollback_and_one_run(seed: int) -> None:
    rng, sim = random.Random(seed), begun()
    factory = Factory(sim)
    bad = rng.uniform(0.2, 0.5)
    assert found_out(sim, factory, rng, bad, bad) == "NotBetter"
    for _ in range(5):
        says(sim, *rng.choice([("Harmed", "RealHarm"), ("Ok", "Fine"), ("Unknown", "RecorderAway")]))
        sim.now += rng.uniform(1, 3000)
        sim.look()
        factory.look()
    assert factory.look() == ["p-1"]
    assert sim.events.count("WorldChanged") == 1
    assert "RolledBack" not in sim.events
    assert "RollingBack" not in sim.events
    assert sim.status["live"]["version"] == "m-2"


@pytest.mark.parametrize("seed", range(12))
def test_a_bug_in_the_data_of_one_version_is_a_rollback_and_no_run(seed: int) -> None:
    rng, sim = random.Random(seed), begun()
    factory = Factory(sim)
    assert found_out(sim, factory, rng, rng.uniform(0.25, 0.6), rng.uniform(0.05, 0.15)) == "Better"
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    for _ in range(3):
        sim.now += 3600
        sim.look()
        assert factory.look() == []
    assert sim.events.count("RolledBack") == 1
    assert "WorldChanged" not in sim.events


def test_a_retrained_version_that_is_rejected_starts_no_circle() -> None:
    rng, sim = random.Random(1), begun()
    factory = Factory(sim)
    found_out(sim, factory, rng, 0.3, 0.3)
    for _ in range(60):
        sim.now += 1800
        sim.look()
        for run in factory.look():
            if not factory.where.objects["PipelineRun", run].get("status", {}).get("models"):
                factory.end(run, "Rejected")
    assert factory.look() == ["p-1", "p-2", "p-3"]
    told = factory.where.objects["Pipeline", "p"]["status"]["conditions"]
    assert next(one["status"] for one in told if one["type"] == "GaveUp") == "True"


def test_versions_that_go_live_and_are_as_bad_come_to_an_end_too() -> None:
    """Each is better by its gates, and by its labels no better than the one before, which come a day later: a person is
    asked after three."""
    rng, sim = random.Random(2), begun()
    factory = Factory(sim)
    for number in range(1, 7):
        if number > 1:
            says(sim, "Harmed", "RealHarm")
        assert found_out(sim, factory, rng, 0.3, 0.3) == "NotBetter"
        runs = factory.look()
        if len(runs) < number:
            break
        factory.end(runs[-1], "Approved")
        factory.look()
        goes_live(sim, f"r-{runs[-1]}")
        factory.look()
        assert (sim.condition("WorldChanged")["status"], sim.condition("WorldChanged")["reason"]) == (
            "Unknown", "LabelsAwaited",
        )  # fmt: skip
        sim.now += 86400
        sim.passes(500)
        factory.look()
    assert factory.look() == ["p-1", "p-2", "p-3"]
    assert "RolledBack" not in sim.events


def test_a_version_whose_labels_are_well_ends_the_change() -> None:
    rng, sim = random.Random(3), begun()
    found_out(sim, Factory(sim), rng, 0.3, 0.3)
    goes_live(sim, "m-3")
    assert sim.condition("WorldChanged")["reason"] == "LabelsAwaited"
    real = {"at": sim.status["monitors"]["since"], "rows": 2000, "state": "Ok", "message": "it is right"}
    labels = sim.status["monitors"].setdefault("labels", {})
    labels["real"] = real
    sim.look()
    assert sim.condition("WorldChanged")["reason"] == "LabelsAwaited", "a few that are right show nothing"
    sim.status["monitors"]["labels"]["well"] = ["4.0"] * 6
    sim.look()
    assert sim.condition("WorldChanged")["status"] == "False"
    assert "world" not in sim.status


def test_what_labels_would_say_is_not_waited_for_where_nobody_asks_them() -> None:
    rng, sim = random.Random(3), begun()
    found_out(sim, Factory(sim), rng, 0.3, 0.3)
    goes_live(sim, "m-3")
    assert sim.condition("WorldChanged")["reason"] == "LabelsAwaited"
    sim.spec = {**sim.spec, "monitors": {**sim.spec["monitors"], "without": ["quality"]}}
    sim.generation += 1
    sim.look()
    assert sim.condition("WorldChanged")["status"] == "False"


def test_a_change_is_the_same_one_whichever_version_is_live_until_labels_are_well() -> None:
    """The next one comes before the labels of the last one do, or is taken back; neither shows that it is over."""
    rng, sim = random.Random(4), begun()
    found_out(sim, Factory(sim), rng, 0.3, 0.3)
    why = sim.condition("WorldChanged")["message"]
    for name in ("m-3", "m-4"):
        goes_live(sim, name)
        told = sim.condition("WorldChanged")
        assert (told["status"], told["reason"]) == ("Unknown", "LabelsAwaited")
        assert told["message"].startswith(f"{name} is live since then")
        assert told["message"].endswith(f"Before: {why}"[-300:])
        assert told["message"].count("Before: ") == 1
    sim.passes(500)
    says(sim, "Harmed", "RealHarm")
    comes(sim, [1.0] * 30 + [0.0] * 70)
    assert sim.status["wayBack"]["version"] == "m-3"
    sim.ready("m-3")
    sim.look()
    assert sim.status["live"]["version"] == "m-3"
    assert (sim.condition("WorldChanged")["status"], sim.condition("WorldChanged")["reason"]) == (
        "Unknown", "LabelsAwaited",
    )  # fmt: skip


def test_versions_that_go_live_and_are_taken_back_come_to_an_end_too() -> None:
    """Each is worse than the one before, which is live again, and as bad as ever."""
    rng, sim = random.Random(2), begun()
    factory = Factory(sim)
    assert found_out(sim, factory, rng, 0.3, 0.3) == "NotBetter"
    for number in range(1, 6):
        runs = factory.look()
        if len(runs) < number:
            break
        factory.end(runs[-1], "Approved")
        factory.look()
        goes_live(sim, f"r-{runs[-1]}")
        harm_is_shown(sim, factory)
        comes(sim, [1.0] * 30 + [0.0] * 70)
        sim.ready("m-2")
        sim.look()
        assert sim.status["live"]["version"] == "m-2"
        harm_is_shown(sim, factory)
        assert found_out(sim, factory, rng, 0.3, 0.3) == "NotBetter"
    assert factory.look() == ["p-1", "p-2", "p-3"]
    told = factory.where.objects["Pipeline", "p"]["status"]["conditions"]
    assert next(one["status"] for one in told if one["type"] == "GaveUp") == "True"


def harm_is_shown(sim: Counting, factory: Factory) -> None:
    """A day later, by the labels of whichever version is live."""
    factory.look()
    sim.now += 86400
    sim.passes(500)
    factory.look()
    says(sim, "Harmed", "RealHarm")
    factory.look()
