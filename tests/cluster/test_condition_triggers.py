"""Runs that the state of things asks for, on the real cluster: a condition, a value in Prometheus, an old model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hack.install.chart import environment
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.loop import worker_image
from hack.testbed.serving import deploy, make_version

PIPELINE = """
kind: Pipeline
metadata: {{name: p}}
spec:
  triggers: {triggers}
  concurrency: Allow
  limits: {{backoff: 1s, giveUp: 2}}
  steps:
  - name: only
    image: {image}
    command: [python3, -c, "{program}"]
    resources: {{cpu: 50m}}
"""
RUN = """
kind: PipelineRun
metadata: {name: p-by-hand, labels: {fairlead.dev/pipeline: p}}
spec: {pipeline: p}
"""


def write(team: Team, program: str, *triggers: str) -> None:
    """Apply the Pipeline."""
    team.apply(PIPELINE.format(triggers=f"[{', '.join(triggers)}]", image=worker_image(team), program=program))


def why(team: Team) -> str:
    """What `fairlead why` says, as a person at this machine."""
    command = [str(Path(sys.executable).parent / "fairlead"), "why", "pipeline/p", "-n", team.namespace]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def started(obj: Json) -> dict[str, str]:
    """The runs that triggers have started, by trigger."""
    said = obj.get("status", {}).get("decisions", [])
    return {one["trigger"]: one["run"] for one in said if one.get("run")}


def test_a_condition_that_stays_true_gets_its_tries_and_then_a_person_is_asked(team: Team) -> None:
    deploy(team)  # there is no version of its model: it waits for one
    write(team, "raise SystemExit(7)", "{condition: {deployment: web, type: Reconciling}}")
    seen = team.wait_condition("pipeline", "p", "GaveUp", "True", "NoBetterVersion", timeout=120)
    assert seen["status"]["runs"] == 2
    assert seen["status"]["problem"].startswith("NoBetterVersion")
    said = why(team)
    assert "2 runs in a row have not helped" in said
    assert "Reconciling of Deployment web is True" in said
    team.apply(RUN)
    team.wait("pipeline", "p", lambda o: not condition(o, "GaveUp"), 30, "beginning anew after a run by hand")


def test_a_value_and_an_old_model_start_runs_and_a_series_that_is_missing_is_told(team: Team) -> None:
    make_version(team, "m-1")
    write(
        team, "pass", "{prometheus: {query: vector(7), above: '5', for: 5s, every: 5s}}",
        "{stale: {model: m, after: 3s}}", "{prometheus: {query: no_such_series, above: '5'}}",
    )  # fmt: skip
    wanted = {"prometheus/vector(7) above 5", "stale/m"}
    seen = team.wait("pipeline", "p", lambda o: set(started(o)) == wanted, 60, f"started by {wanted}")
    assert {one["last"]["begun"] for one in seen["status"]["seen"] if one.get("last")}
    told = condition(seen, "TriggersObserved")
    assert (told["status"], told["reason"]) == ("Unknown", "NoSeries")
    assert "prometheus/no_such_series above 5: Prometheus has no series" in told["message"]
    assert "the value is 7, which is above 5" in why(team)
