"""A gauge guard in a rollout: pairs that are new, what is no value, the ledger, and what is waited for."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.api.config import PrometheusConfig
from fairlead.api.guard import Guard
from fairlead.cli import verdict
from fairlead.cli.replay import replay
from fairlead.plan.deployment.metrics import gauge as gauges
from fairlead.plan.requests import Answer, Failed, Vector
from fairlead.verdict.trace import BadTrace, read

Json = dict[str, Any]


def gauge(**more: Any) -> Json:
    return {"metric": "gauge", "gauge": {"value": "gauge:{{version}}", **more}}


def one(value: float) -> Vector:
    return Vector((("series", value),))


def rollout(*guards: Json, **more: Any) -> Sim:
    sim = Sim(spec({"metric": "errors"}, *(guards or (gauge(),)), **more))
    sim.go_live()
    sim.gauges |= {"m-1": one(1.0), "m-2": one(1.0)}
    sim.begin()
    return sim


def run(sim: Sim, windows: int, worse: float = 0.0, seed: int = 0) -> None:
    rng = random.Random(seed)
    for _ in range(windows):
        if "candidate" not in sim.status:
            return
        sim.gauges |= {"m-1": one(rng.gauss(1.0, 0.1)), "m-2": one(rng.gauss(1.0 + worse, 0.2))}
        sim.tick(100)


def test_a_worse_value_is_taken_back() -> None:
    sim = rollout()
    run(sim, 60, worse=0.5)
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "GaugeWorse")
    assert "the value of m-2 was 1.4" in record["message"]
    assert "on average of 24 readings, that of m-1 1.0" in record["message"]


def test_a_value_that_is_no_worse_goes_live_when_there_was_enough_of_it() -> None:
    sim = rollout(gauge(tolerance="0.6"))
    run(sim, 15, worse=0.5)
    assert "more pairs of values" in sim.condition("Progressing")["message"] or sim.candidate["step"] == 0
    run(sim, 60, worse=0.5, seed=1)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.status["history"][0]["guards"][1]["windows"] >= gauges.FEWEST
    assert [guard["guard"] for guard in sim.status["watch"]["guards"]] == ["0/errors"]


def test_higher_may_be_better() -> None:
    sim = rollout(gauge(better="Higher"))
    run(sim, 60, worse=-0.5)
    assert sim.status["history"][0]["reason"] == "GaugeWorse"


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (Vector((), 1), "UnusableValue", "not a finite number"), (one(1e200), "UnusableValue", "not a finite number"),
        (Vector(()), "NoSeries", "is m-2 scraped"), (Vector((("a", 1.0), ("b", 2.0))), "SeveralSeries", "avg()"),
        (Failed("BadQuery", "Prometheus refused it"), "BadQuery", "correct the expression"),
        (Failed("Timeout", "no answer within 2 s"), "Timeout", "asked again"),
        (Failed("HttpStatus", "503"), "HttpStatus", "asked again"),
    ],
)  # fmt: skip
def test_what_is_no_value_freezes_and_goes_on_when_it_is_over(answer: Answer, reason: str, words: str) -> None:
    sim = rollout()
    run(sim, 6)
    seen = sim.candidate
    for _ in range(8):
        sim.gauges["m-2"] = answer
        sim.tick(100)
    told = sim.condition("EvidenceAvailable")
    assert (told["status"], told["reason"]) == ("False", reason)
    assert words in told["message"]
    assert "spec.rollout.guard[1].gauge.value" in told["message"]
    assert sim.candidate["weight"] == seen["weight"]
    assert sim.candidate["guards"][1]["values"] == seen["guards"][1]["values"]
    run(sim, 60)
    assert sim.status["live"]["version"] == "m-2"


def test_what_has_not_changed_counts_once_a_minute() -> None:
    sim = rollout(steps=[(10, "10m", 10)])
    for _ in range(12):
        sim.tick(10, seconds=4.9)
    assert sim.candidate["guards"][1]["windows"] == 1
    for _ in range(25):
        sim.tick(10, seconds=4.9)
    assert sim.candidate["guards"][1]["windows"] == 3
    sim.gauges["m-1"] = one(1.1)
    sim.tick(100)
    assert sim.candidate["guards"][1]["windows"] == 3  # the candidate's has not been read anew
    sim.gauges["m-2"] = one(1.1)
    sim.tick(100)
    assert sim.candidate["guards"][1]["windows"] == 4


def test_what_has_data_in_common_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "longest_range", lambda _: 20.0)
    sim = rollout(steps=[(10, "10m", 10)])
    run(sim, 18)
    assert sim.candidate["guards"][1]["windows"] == 0  # a range of 20 s has data from before the step
    run(sim, 43, seed=1)
    assert sim.candidate["guards"][1]["windows"] == 3


@pytest.mark.parametrize(
    ("expression", "longest"),
    [
        ("up{v='{{version}}'}", 0.0), ("rate(a{v='{{version}}'}[5m])", 300.0),
        ("rate(a[1m]) / rate(b{v='{{version}}'}[1h30m])", 5400.0), ("avg_over_time(a[90s:500ms])", 90.0),
        ('a{path="/x[9y]"}', 0.0), ("max_over_time(a[ 2m ] offset 1h)", 120.0),
    ],
)  # fmt: skip
def test_the_longest_range(expression: str, longest: float) -> None:
    guard = Guard.model_validate({"metric": "gauge", "gauge": {"value": expression}})
    assert gauges.longest_range(guard) == longest


def finish(sim: Sim) -> list[str]:
    """The rollout's lines, when all are saved."""
    for _ in range(50):
        if "candidate" not in sim.status and not sim.status.get("unsaved"):
            break
        sim.tick(100)
    mine = sorted(key for key in sim.documents if "/evidence/m-2-" in key)
    return [line for key in mine for line in sim.documents[key].splitlines()]


@pytest.mark.parametrize(("worse", "result", "end"), [(1.0, "RolledBack", "harm"), (0.0, "Live", "continue")])
def test_the_ledger_gives_the_same_evidence(worse: float, result: str, end: str) -> None:
    body = spec({"metric": "errors"}, gauge(tolerance="0.1"), rollout={"designEffect": "1.5"})
    sim = Sim(body, store=True, errors={"m-1": 0.02, "m-2": 0.02})
    sim.go_live()
    sim.begin()
    run(sim, 120, worse=worse, seed=5)
    assert sim.status["history"][0]["result"] == result
    found = replay(finish(sim))
    assert found.different == []
    assert found.judged[-1].conclusion.verdict == end
    gauged = found.judged[-1].state.guards[1]
    record = sim.status["history"][0]["guards"][1]
    assert repr(gauged.log_evidence) == record["logEvidence"]
    assert gauged.windows == record["windows"] == record["values"]["pairs"]


def test_a_changed_guard_begins_anew_in_the_ledger_too() -> None:
    sim = Sim(spec({"metric": "errors"}, gauge(), steps=[(10, "30s", 10)]), store=True)
    sim.go_live()
    sim.begin()
    run(sim, 12)
    sim.spec["rollout"]["guard"][1] = gauge(tolerance="0.3")
    run(sim, 120, seed=1)
    assert sim.status["history"][0]["result"] == "Live"
    assert replay(finish(sim)).different == []


def test_no_prometheus_is_said() -> None:
    sim = rollout()
    sim.config = sim.config.model_copy(update={"prometheus": PrometheusConfig()})
    run(sim, 8)
    assert sim.condition("EvidenceAvailable")["reason"] == "NoPrometheus"


def test_what_the_command_line_shows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    rng = random.Random(3)
    lines = [
        {"t": float(t), "arms": {"stable": {"values": {"gauge": rng.gauss(1, 0.1)}},
                                 "candidate": {"values": {"gauge": rng.gauss(2, 0.1)}}}}
        for t in range(60)
    ]  # fmt: skip
    trace.write_text("\n".join(map(json.dumps, lines)))
    rules = tmp_path / "rollout.yaml"
    rules.write_text(json.dumps({"guard": [gauge()]}))
    for output in ("table", "json"):
        args = argparse.Namespace(rollout=str(rules), trace=str(trace), output=output)
        assert verdict.run(args) == 0
        told = capsys.readouterr().out
        assert "harm" in told
        assert ("batchOf" if output == "json" else "BATCHES") in told


@pytest.mark.parametrize("value", ["true", "NaN", "1e999", '"1"'])
def test_a_value_that_is_none_is_refused(value: str) -> None:
    line = '{"t": 1, "arms": {"stable": {"values": {"gauge": 1}}, "candidate": {"values": {"gauge": HERE}}}}'
    with pytest.raises(BadTrace, match="line 1"):
        list(read([line.replace("HERE", value)]))
