"""The recipes of docs/how-to/wait.md, run by the real kubectl on the real API server. (The kinds have another group
here: nobody works on what is applied, and the statuses are written as plans write them.)"""

from __future__ import annotations

import json
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hack.gen.crds import definition
from hack.install.chart import environment

from fairlead.api.kinds import KINDS
from fairlead.plan import standing
from fairlead.plan.conditions import AVAILABLE, Conditions
from tests.contract.test_bad_manifests import GOOD
from tests.contract.test_docs import ROOT, blocks

Json = dict[str, Any]
GROUP, ELSEWHERE = "fairlead.dev", "waiting.fairlead.dev"
PAGE = "docs/how-to/wait.md"
EXAMPLES = {
    "datasets": "dataset-most", "pipelines": "pipeline-most", "pipelineruns": "pipelinerun",
    "modelversions": "modelversion-custom", "deployments": "deployment-most",
}  # fmt: skip
PLURALS = {info.short: info.plural for info in KINDS}
RECIPES = [line for where, text in blocks("bash") if where.startswith(PAGE) for line in text.splitlines()]


def elsewhere(manifest: Json) -> Json:
    """A definition or an object, in the group that nobody looks after."""
    return dict(json.loads(json.dumps(manifest, default=str).replace(GROUP, ELSEWHERE)))


def run(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, env=environment())


def kubectl(*words: str, stdin: str | None = None) -> str:
    """What kubectl prints. Fails where it does."""
    done = run("kubectl", *words, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def space(kubeconfig: str) -> Iterator[str]:  # noqa: ARG001 - there must be a cluster
    """The kinds in the other group, and a namespace."""
    made = [elsewhere(definition(info)) for info in KINDS]
    for one in made:
        one["spec"]["names"].pop("categories", None)
        one["spec"]["names"].pop("shortNames", None)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    kubectl("apply", "--server-side", "-f", "-", stdin=text)
    kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{one['metadata']['name']}" for one in made))
    name = f"fl-wait-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
    kubectl("delete", "--wait=false", "-f", "-", stdin=text)


def make(space: str, plural: str, name: str) -> str:
    """An object; what kubectl calls it."""
    manifest = yaml.safe_load(next(path for path in GOOD if path.stem == EXAMPLES[plural]).read_text())
    manifest["metadata"] = {"name": name}
    kubectl("apply", "-n", space, "-f", "-", stdin=json.dumps(elsewhere(manifest)))
    return f"{plural}.{ELSEWHERE}/{name}"


def say(space: str, what: str, found: standing.Standing) -> None:
    """Write a status as a plan does, of the generation that there is."""
    generation = int(kubectl("get", "-n", space, what, "-o=jsonpath={.metadata.generation}"))
    told = Conditions([], 1_800_000_000.0, generation)
    told.set(AVAILABLE, True, "Serving", "m-1 answers")
    standing.tell(told, found)
    said = told.said()
    status = {
        "observedGeneration": generation, "problem": said["problem"],
        "conditions": [one.model_dump(mode="json", by_alias=True) for one in said["conditions"]],
    }  # fmt: skip
    kubectl("patch", "-n", space, what, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))


def waits(space: str, what: str, condition: str, seconds: float = 20) -> bool:
    """Whether `kubectl wait` is met within so many seconds."""
    words = ["wait", "-n", space, f"--for=condition={condition}", what, f"--timeout={seconds:g}s"]
    return run("kubectl", *words).returncode == 0


def test_b13_kubectl_waits_for_what_was_asked_for(space: str) -> None:
    web = make(space, "deployments", "web")
    say(space, web, standing.ready("Live", "m-1 is live"))
    assert waits(space, web, "Ready")
    kubectl("patch", "-n", space, web, "--type=merge", "-p", '{"spec": {"model": {"name": null, "version": "m-2"}}}')
    assert not waits(space, web, "Ready", 1.5), "what was said of the spec before says nothing of this one"
    say(space, web, standing.reconciling("Observing", "m-2 gets 10 %"))
    assert not waits(space, web, "Ready", 1.5)
    say(space, web, standing.stalled("ErrorsWorse", "m-2 was taken back: 40 of 100 requests failed"))
    assert waits(space, web, "Stalled")
    assert not waits(space, web, "Ready", 1.5)
    assert waits(space, web, "Available")
    shown = kubectl("get", "-n", space, f"deployments.{ELSEWHERE}", "web")
    assert shown.splitlines()[0].split()[-1] == "PROBLEM"
    assert shown.rstrip().endswith("ErrorsWorse: m-2 was taken back: 40 of 100 requests failed")


def test_b13_each_recipe_is_met_by_what_it_waits_for(space: str) -> None:
    assert {shlex.split(one)[3].split("/")[0] for one in RECIPES} == set(PLURALS)
    for recipe in RECIPES:
        words = shlex.split(recipe)
        short, name = words[3].split("/")
        what = make(space, PLURALS[short], name)
        found = standing.stalled if words[2].endswith("Stalled") else standing.ready
        say(space, what, found("Reason", "because"))
        kubectl(words[1], "-n", space, words[2], what, "--timeout=20s")


@pytest.mark.parametrize("good", [True, False])
def test_b13_a_script_that_waits_for_both_ends(space: str, good: bool) -> None:
    text = next(text for where, text in blocks("sh") if where.startswith(PAGE))
    what = make(space, "deployments", "delay")
    found = standing.ready("Live", "m-2 is live") if good else standing.stalled("ErrorsWorse", "taken back")
    say(space, what, found)
    script = text.replace("kubectl wait", f"kubectl wait -n {space}").replace("mdeploy/delay", what)
    assert run("bash", "-c", script).returncode == (0 if good else 1)
    assert (ROOT / PAGE).is_file()
