"""The commands against a real API server: what it accepts, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from fairlead.cli import new, session
from fairlead.cli.main import main
from fairlead.manifests.meta import child_name

DIGEST = "ab" * 32
FLOW = Path(__file__).parents[2] / "unit" / "sdk" / "flow.py"
MANIFESTS = f"""
apiVersion: fairlead.dev/v1alpha1
kind: Pipeline
metadata: {{name: delay}}
spec: {{suspend: true, params: {{alpha: "1"}}, steps: [{{name: train, image: example.invalid/none}}]}}
---
apiVersion: fairlead.dev/v1alpha1
kind: ModelVersion
metadata: {{name: m-1}}
spec:
  model: m
  artifact: {{uri: "s3://bucket/none", sha256: "{DIGEST}"}}
  approval: {{required: 1}}
---
apiVersion: fairlead.dev/v1alpha1
kind: Deployment
metadata: {{name: web}}
spec: {{model: {{name: m}}, route: {{gateway: {{name: none}}}}}}
"""

Kubectl = Callable[..., str]
Fairlead = Callable[..., int]


@pytest.fixture(autouse=True)
def objects(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=MANIFESTS)


def spec(kubectl: Kubectl, namespace: str, kind: str, name: str) -> dict:
    return json.loads(kubectl("get", f"{kind}.fairlead.dev", name, "-n", namespace, "-o", "json"))["spec"]


def test_two_runs_in_one_second_get_two_names(fairlead: Fairlead, kubectl: Kubectl, namespace: str) -> None:
    assert fairlead("run", "delay", "-p", "alpha=0.1") == 0
    assert fairlead("run", "delay", "--dataset", "flights=7c1e") == 0
    runs = json.loads(kubectl("get", "pipelineruns", "-n", namespace, "-o", "json"))["items"]
    assert {json.dumps(run["spec"].get("params", {})) for run in runs} == {'{"alpha": "0.1"}', "{}"}
    assert fairlead("cancel", runs[0]["metadata"]["name"]) == 0
    assert spec(kubectl, namespace, "pipelineruns", runs[0]["metadata"]["name"])["cancel"] == "now"


def test_the_api_server_knows_who_approves(fairlead: Fairlead, kubectl: Kubectl, namespace: str) -> None:
    assert fairlead("approve", "m-1") == session.FAILED
    status = {"phase": "AwaitingApproval", "evidence": {"digest": DIGEST}}
    kubectl("patch", "modelversion", "m-1", "-n", namespace, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": status}))  # fmt: skip
    assert fairlead("approve", "m-1", "--comment", "good") == 0
    who = json.loads(kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    expected = [{"user": who, "evidence": DIGEST, "comment": "good"}]
    assert spec(kubectl, namespace, "modelversions", "m-1")["approvals"] == expected


def test_pause_and_resume(fairlead: Fairlead, kubectl: Kubectl, namespace: str) -> None:
    assert fairlead("pause", "web") == 0
    assert spec(kubectl, namespace, "deployments", "web")["paused"] is True
    assert fairlead("resume", "web") == 0
    assert spec(kubectl, namespace, "deployments", "web")["paused"] is False


def test_a_pipeline_written_in_python_is_accepted_as_it_is_exported(
    fairlead: Fairlead, kubectl: Kubectl, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(FLOW), "-n", namespace]) == 0
    text = capsys.readouterr().out
    kubectl("apply", "-f", "-", stdin=text)
    exported = yaml.safe_load(text)["spec"]
    kubectl(
        "patch",
        "pipeline.fairlead.dev",
        "whole-flow",
        "-n",
        namespace,
        "--type=merge",
        "-p",
        '{"spec": {"suspend": true}}',
    )
    assert fairlead("submit", str(FLOW)) == 0
    assert fairlead("submit", str(FLOW)) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == ["pipeline whole-flow changed", "pipeline whole-flow unchanged"]
    found = spec(kubectl, namespace, "pipelines", "whole-flow")
    assert found["suspend"] is True, "what somebody has suspended stays so"
    assert [one["args"] for one in found["steps"] if "args" in one] == [
        one["args"] for one in exported["steps"] if "args" in one
    ]


def test_what_is_not_there(fairlead: Fairlead, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("get", "deployment", "none"), ("run", "none"), ("lineage", "none"), ("cancel", "none")):
        assert fairlead(*words) == session.NOT_FOUND
        assert "kubectl get" in capsys.readouterr().err


def test_views_of_real_objects(fairlead: Fairlead, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ("get", "mdeploy", "web"),
        ("get", "mv", "m-1"),
        ("history", "deployment", "web"),
        ("lineage", "m-1"),
    ):
        assert fairlead(*words) == 0
    printed = capsys.readouterr().out
    assert "deployment web" in printed
    assert "not live anywhere" in printed


@pytest.mark.parametrize("kind", new.KINDS)
def test_b17_what_new_writes_is_accepted(kubectl: Kubectl, namespace: str, kind: str) -> None:
    made = new.manifests(kind, "tips", namespace)
    answer = kubectl("apply", "--dry-run=server", "-f", "-", stdin=made)
    assert answer.count("created (server dry run)") == made.count("kind: ")


def test_b17_what_answers_behind_a_service_is_asked_through_the_api_server(
    fairlead: Fairlead, kubectl: Kubectl, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing stands behind this one: the API server itself says so, in words."""
    status = {"live": {"version": "m-1", "since": "2026-01-01T00:00:00Z"}}
    kubectl("patch", "mdeploy", "web", "-n", namespace, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": status}))  # fmt: skip
    assert fairlead("ask", "deployment/web", "--row", '{"x": 1}') == session.UNREACHABLE
    told = capsys.readouterr().err
    assert "through the API server: services" in told
    assert child_name("web", "m-1") in told
