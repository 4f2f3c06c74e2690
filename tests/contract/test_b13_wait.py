"""The recipes of docs/how-to/wait.md, run by the real kubectl on the real API server. (The kinds have another group
here: nobody works on what is applied, and the statuses are written as plans write them.)"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from fairlead.api.kinds import KINDS
from fairlead.plan import standing
from fairlead.plan.conditions import AVAILABLE, Conditions
from tests.contract import elsewhere
from tests.contract.elsewhere import kubectl, run
from tests.contract.test_bad_manifests import GOOD
from tests.contract.test_docs import ROOT, blocks

PAGE = "docs/how-to/wait.md"
EXAMPLES = {
    "datasets": "dataset-most", "pipelines": "pipeline-most", "pipelineruns": "pipelinerun",
    "modelversions": "modelversion-custom", "deployments": "deployment-most", "components": "component",
}  # fmt: skip
PLURALS = {info.short: info.plural for info in KINDS}
RECIPES = [line for where, text in blocks("bash") if where.startswith(PAGE) for line in text.splitlines()]


@dataclass(frozen=True)
class Space:
    """A namespace, and the group of the kinds in it."""

    name: str
    group: str

    def make(self, plural: str, name: str) -> str:
        """An object; what kubectl calls it."""
        manifest = yaml.safe_load(next(path for path in GOOD if path.stem == EXAMPLES[plural]).read_text())
        manifest["metadata"] = {"name": name}
        kubectl("apply", "-n", self.name, "-f", "-", stdin=json.dumps(elsewhere.moved(manifest, self.group)))
        return f"{plural}.{self.group}/{name}"

    def say(self, what: str, found: standing.Standing) -> None:
        """Write a status as a plan does, of the generation that there is."""
        generation = int(kubectl("get", "-n", self.name, what, "-o=jsonpath={.metadata.generation}"))
        told = Conditions([], 1_800_000_000.0, generation)
        told.set(AVAILABLE, True, "Serving", "m-1 answers")
        standing.tell(told, found)
        said = told.said()
        status = {
            "observedGeneration": generation, "problem": said["problem"],
            "conditions": [one.model_dump(mode="json", by_alias=True) for one in said["conditions"]],
        }  # fmt: skip
        patch = json.dumps({"status": status})
        kubectl("patch", "-n", self.name, what, "--subresource=status", "--type=merge", "-p", patch)

    def waits(self, what: str, condition: str, seconds: float = 60) -> bool:
        """Whether `kubectl wait` is met within so many seconds."""
        words = ["wait", "-n", self.name, f"--for=condition={condition}", what, f"--timeout={seconds:g}s"]
        return run("kubectl", *words).returncode == 0


@pytest.fixture(scope="module")
def space(kubeconfig: str) -> Iterator[Space]:  # noqa: ARG001 - there must be a cluster
    """The kinds in another group, and a namespace."""
    with elsewhere.kinds() as group, elsewhere.namespace("wait") as name:
        yield Space(name, group)


def test_b13_kubectl_waits_for_what_was_asked_for(space: Space) -> None:
    web = space.make("deployments", "web")
    space.say(web, standing.ready("Live", "m-1 is live"))
    assert space.waits(web, "Ready")
    kubectl(
        "patch", "-n", space.name, web, "--type=merge", "-p", '{"spec": {"model": {"name": null, "version": "m-2"}}}'
    )
    assert not space.waits(web, "Ready", 1.5), "what was said of the spec before says nothing of this one"
    space.say(web, standing.reconciling("Observing", "m-2 gets 10 %"))
    assert not space.waits(web, "Ready", 1.5)
    space.say(web, standing.stalled("ErrorsWorse", "m-2 was taken back: 40 of 100 requests failed"))
    assert space.waits(web, "Stalled")
    assert not space.waits(web, "Ready", 1.5)
    assert space.waits(web, "Available")
    shown = kubectl("get", "-n", space.name, f"deployments.{space.group}", "web")
    assert shown.splitlines()[0].split()[-1] == "PROBLEM"
    assert shown.rstrip().endswith("ErrorsWorse: m-2 was taken back: 40 of 100 requests failed")


def test_b13_each_recipe_is_met_by_what_it_waits_for(space: Space) -> None:
    assert {shlex.split(one)[3].split("/")[0] for one in RECIPES} == set(PLURALS)
    for recipe in RECIPES:
        words = shlex.split(recipe)
        short, name = words[3].split("/")
        what = space.make(PLURALS[short], name)
        found = standing.stalled if words[2].endswith("Stalled") else standing.ready
        space.say(what, found("Reason", "because"))
        kubectl(words[1], "-n", space.name, words[2], what, "--timeout=60s")


@pytest.mark.parametrize("good", [True, False])
def test_b13_a_script_that_waits_for_both_ends(space: Space, good: bool) -> None:
    text = next(text for where, text in blocks("sh") if where.startswith(PAGE))
    what = space.make("deployments", "delay")
    found = standing.ready("Live", "m-2 is live") if good else standing.stalled("ErrorsWorse", "taken back")
    space.say(what, found)
    script = text.replace("kubectl wait", f"kubectl wait -n {space.name}").replace("mdeploy/delay", what)
    assert run("bash", "-c", script).returncode == (0 if good else 1)
    assert (ROOT / PAGE).is_file()
