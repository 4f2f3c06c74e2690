"""In an experiment too, what is absent or confused is no good zero."""

from __future__ import annotations

from tests.effort import few
from tests.unit.experiment.test_experiment_way import contender, experiment, opened, run
from tests.unit.plan.rollout_world import PodCounts, Sim

from fairlead.plan.requests import Answer, PromQuery, Vector

WRONG = {"m-1": 0.5, "m-2": 0.5, "m-3": 0.2}


def test_b02_an_arm_of_several_processes_is_not_taken_out_and_wins_nothing() -> None:
    for seed in range(few(2, 4)):
        sim = opened(Sim(experiment(), seed=seed, wrong=WRONG, errors=dict.fromkeys(("m-1", "m-2", "m-3"), 0.03)))
        sim.processes = {"m-1": 3, "m-2": 3, "m-3": 3}
        run(sim, 60, 100)
        assert sim.status["experiment"]["phase"] == "Running"
        assert not [one for one in sim.status.get("history", []) if one["result"] == "RolledBack"]
        told = sim.condition("EvidenceAvailable")
        assert (told["status"], told["reason"]) == ("False", "SeveralProcesses")
        assert all(len(arm["cursors"]) <= 8 for arm in sim.status["experiment"]["arms"])


def test_b03_an_arm_whose_counters_have_another_name_gets_no_users() -> None:
    def page(counts: PodCounts) -> str:
        return f"# TYPE infer_total counter\ninfer_total {counts.requests}\n"

    sim = opened(Sim(experiment(), wrong=WRONG, pages={"m-3": page}))
    run(sim, 20, 100)
    assert sim.status["experiment"]["phase"] == "Starting"
    assert sim.shares() == {"m-1": 100}
    told = sim.condition("Experiment")
    assert told["reason"] == "MetricMissing"
    assert "requests_total" in told["message"]


def test_b03_no_traffic_in_an_experiment_is_told() -> None:
    sim = opened(Sim(experiment(), wrong=WRONG))
    sim.tick(100)
    for _ in range(15):
        sim.tick(0, seconds=10)
    assert sim.condition("Experiment")["reason"] == "NoTraffic"
    sim.tick(300)
    assert sim.condition("Experiment")["reason"] != "NoTraffic"


class NoSuccess(Sim):
    """The application names successes otherwise."""

    def _query(self, request: PromQuery) -> Answer:
        return Vector(()) if request.expression.startswith("successes") else super()._query(request)


def test_b03_a_reward_that_nobody_ever_gets_is_asked_about() -> None:
    sim = opened(NoSuccess(experiment(), wrong=WRONG))
    run(sim, 30, 100)
    told = sim.condition("EvidenceAvailable")
    assert (told["status"], told["reason"]) == ("False", "NoSeries")
    assert "successes:m-1" in told["message"]
    assert sim.status["experiment"]["phase"] == "Running"


def test_b04_an_arm_whose_readiness_flaps_is_taken_out() -> None:
    sim = opened(Sim(experiment(), wrong=dict.fromkeys(WRONG, 0.5)))
    for second in range(400):
        sim.ready("m-2", second % 60 < 40)
        sim.tick(3)
        if contender(sim, "m-2")["state"] == "Out":
            break
    assert contender(sim, "m-2")["reason"] == "CandidateUnready"
    assert contender(sim, "m-3")["state"] == "In"
