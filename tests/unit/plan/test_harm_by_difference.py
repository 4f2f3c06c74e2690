"""A margin in percentage points is judged by the exact test of a difference; an older rollout ends as it began."""

from __future__ import annotations

import json

from tests.unit.plan.rollout_world import Sim, spec

from fairlead.cli.replay import replay
from fairlead.verdict import difference, guards
from fairlead.verdict.guards import Arm, GuardState, Window

ERRORS = {"metric": "errors", "worseBy": "1%"}


def begun(errors: dict[str, float]) -> Sim:
    """A world in which a rollout has begun."""
    sim = Sim(spec(ERRORS, steps=((20, "60s", 1000),)), store=True, errors=errors)
    sim.go_live()
    sim.traffic(2000)
    sim.begin()
    return sim


def test_what_counts_is_the_difference() -> None:
    sim = begun({"m-1": 0.02, "m-2": 0.3})
    guard = sim.candidate["guards"][0]
    assert guard["beyond"]["worseBy"] == "0.01"
    assert guard["beyond"]["began"] == guard["beyond"]["rate"]
    sim.run(60, 100)
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "ErrorsWorse")
    last = record["guards"][0]
    kept = tuple(float(value) for value in last["beyond"]["logE"])
    state = difference.DifferenceState("harm", 0.01, 0.02, log_e=kept)
    assert float(last["logEvidence"]) == state.log_evidence >= float(last["bound"])


def test_a_rollout_that_began_with_the_older_margin_goes_on_by_it() -> None:
    sim = begun({"m-1": 0.02, "m-2": 0.3})
    del sim.status["candidate"]["guards"][0]["beyond"]
    sim.tick(100)
    guard = sim.candidate["guards"][0]
    assert "beyond" not in guard
    older = GuardState(
        odds=float(guard["odds"]), floor=float(guard["floor"]), log_lr=tuple(map(float, guard["logLr"])),
        candidate=Arm(guard["candidate"]["requests"], guard["candidate"]["failures"]),
    )  # fmt: skip
    assert float(guard["logEvidence"]) == older.log_evidence


def test_a_ledger_says_by_what_it_was_judged() -> None:
    sim = begun({"m-1": 0.02, "m-2": 0.05})
    sim.run(8, 100)
    lines = [json.loads(line) for line in sim.candidate["ledger"]["lines"]]
    told = next(line["margins"] for line in lines if "margins" in line)["0/errors"]
    assert told["by"] == "difference"
    found = replay(sim.candidate["ledger"]["lines"])
    assert found.different == []
    assert found.judged[-1].state.guards[0].beyond is not None  # type: ignore[union-attr]
    del told["by"]
    older = replay([json.dumps(line) for line in lines])
    assert older.different  # judged by the other test, it is other evidence


def test_requests_that_fail_together_count_less() -> None:
    window = Window(Arm(90, 2), Arm(10, 5))
    one, two = (
        guards.step(GuardState(beyond=difference.start("harm", 0.02, 0.01), design_effect=effect), window).beyond
        for effect in (1.0, 2.0)
    )
    assert one is not None
    assert two is not None
    assert [value / 2 for value in one.log_e] == list(two.log_e)
