"""What people see of an experiment: the table, the metrics, and each candidate's ledger, judged once more."""

from __future__ import annotations

import re
from typing import Any

from tests.unit.experiment.test_experiment_way import begun, contender, experiment, run
from tests.unit.plan.rollout_world import Documents, Sim

from fairlead.cli.blocks import plain
from fairlead.cli.replay import choose, replay, saved_lines
from fairlead.cli.show_deployment import blocks
from fairlead.plan.deployment.plan import SPEC

Json = dict[str, Any]
BETTER = {"m-1": 0.5, "m-2": 0.5, "m-3": 0.3}


def table(sim: Sim) -> str:
    return plain(blocks("web", sim.subject().body, sim.now))


def test_the_versions_stand_side_by_side() -> None:
    sim = begun(experiment(), wrong=BETTER)
    run(sim, 9, 60)
    shown = table(sim)
    assert "experiment m-2, m-3" in shown
    row = next(line for line in shown.splitlines() if line.strip().startswith("m-3"))
    assert re.search(r"In +30 % +\d+ +\d+ +\d+\.\d\d % ", row), row
    assert "LIES IN" in shown
    assert "new users are divided as asked is not known" in shown
    run(sim, 100, 100)
    assert "Won" in table(sim)
    assert "m-3 has won" in table(sim)


def test_metrics_by_version() -> None:
    sim = begun(experiment(), wrong=BETTER)
    run(sim, 12, 60)
    raw = {"metadata": {"name": "web", "namespace": "team"}, "spec": sim.spec, "status": sim.status}
    found = {(g.name, g.labels.get("version", "")): g.value for g in SPEC.gauges(raw) if "experiment" in g.name}
    assert found["fairlead_deployment_experiment_share", "m-2"] == 30
    assert found["fairlead_deployment_experiment_total", "m-3"] == contender(sim, "m-3")["total"] > 0
    assert sum(value for (name, _), value in found.items() if name.endswith("_best")) > 0.99
    assert found["fairlead_deployment_experiment_info", ""] == 1


def kept_lines(sim: Sim, version: str) -> list[str]:
    """The whole ledger of a candidate: what the store has, and what the status still has."""
    chosen = choose(sim.subject().body, version)
    folder = chosen.uri.removeprefix("s3://fairlead/")
    return [*(saved_lines(Documents(sim), folder, chosen.below) if folder else []), *chosen.lines]  # type: ignore[arg-type]


def test_each_ledger_gives_the_same_evidence_once_more() -> None:
    sim = begun(
        experiment(),
        wrong={"m-1": 0.5, "m-2": 0.5, "m-3": 0.5},
        errors=dict.fromkeys(["m-1", "m-2", "m-3"], 0.02),
        store=True,
    )
    run(sim, 40, 50)
    for version in ("m-2", "m-3"):
        found = replay(kept_lines(sim, version))
        assert len(found.judged) >= 35
        assert found.different == []
        assert found.judged[-1].rules.false_alarms == 0.005, "the half of 1 %"


def test_the_ledger_of_one_that_did_harm_says_how_it_ended() -> None:
    sim = begun(experiment(), wrong={"m-1": 0.5, "m-2": 0.5, "m-3": 0.5}, errors={"m-2": 0.5}, store=True)
    run(sim, 20, 100)
    found = replay(kept_lines(sim, "m-2"))
    assert found.ended is not None
    assert (found.ended.result, found.different) == ("RolledBack", [])
    assert found.judged[-1].conclusion.verdict == "harm"
