"""What the rollback benchmark reads out of the client's record and the status."""

from __future__ import annotations

from hack.bench.lane import _seen, record
from hack.bench.load import Answer
from hack.bench.rollback import SCENARIOS, _spread
from hack.bench.verdicts import Pod, Rollout, rolled_back
from numpy.random import default_rng


def test_reaction_is_from_the_first_to_the_last_request_of_the_version():
    answers = [
        Answer(100.0, 0.1, 200, "a"), Answer(101.0, 0.1, 500, "b"), Answer(102.5, 0.1, 200, "b"),
        Answer(104.0, 0.1, 503, ""), Answer(104.5, 0.1, 500, "b"), Answer(109.0, 0.1, 500, "a"),
    ]  # fmt: skip
    ended = {"result": "RolledBack", "reason": "Harm", "guards": [{"windows": 3}], "endedAt": "1970-01-01T00:01:44Z"}
    found = _seen("b", answers, 99.0, ended)
    assert (found.reaction, found.hits, found.failed, found.lost, found.start, found.windows) == (3.5, 3, 2, 1, 2.0, 3)
    assert (found.verdict, found.effect, found.lost_codes) == (3.0, 0.5, {"503": 1})
    none = _seen("c", answers, 99.0, {})
    assert (none.reaction, none.hits, none.start, none.result) == (0.0, 0, 0.0, "")


def test_the_record_of_a_version_is_found_once_it_has_ended():
    obj = {"status": {"history": [{"version": "b", "result": "Live"}, {"version": "a", "result": "RolledBack"}]}}
    assert (record(obj, "a") or {})["result"] == "RolledBack"
    assert record(obj, "c") is None
    assert record({}, "a") is None


def test_spreads_and_scenarios():
    assert _spread([3.0, 1.0, 2.0]) == "1 / 2 / 3"
    assert _spread([]) == "-"
    assert set(SCENARIOS) == {"bad", "healthy", "outage", "blind", "promotion", "shadow", "after"}


def test_simulated_counters_and_rollouts():
    rng = default_rng(5)
    pod = Pod()
    pod.answer(rng, 10, 1.0)
    assert (pod.look().failures, pod.look().requests) == (10, 0)
    pod.restart()
    pod.answer(rng, 3, 0.0)
    assert pod.look().requests == 3
    assert rolled_back(Rollout(rng, base=0.02, worse=10.0), 0.01)
    assert not rolled_back(Rollout(rng, base=0.0), 0.01)
