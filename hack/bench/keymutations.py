"""Steps with everything that their result can follow from, and what can be changed in one: for `make bench ONLY=cache`,
and a few of them for the unit tests.

What a program can see is told from the Job that is made (`Case.visible`), by other code than what makes keys.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from fairlead.api.config import OperatorConfig
from fairlead.api.pipeline import PipelineSpec, Step
from fairlead.api.pipelinerun import PipelineRun, PipelineRunStatus, StepStatus
from fairlead.plan.core import Json, Meta, Subject
from fairlead.plan.pipeline.cache import keys
from fairlead.plan.pipeline.steps import View
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.pipeline.types.base import Order

_CONFIG = OperatorConfig.model_validate({"images": {"worker": "w"}, "store": {"bucket": "store"}})
_NAMES = ("alpha", "beta", "gamma", "delta", "PATH", "a_b", "x1")
_VALUES = ("", "1", "1.0", "true", "null", "a b", "ä→", "{{params.alpha}}", '"', "sha256:" + "0" * 64, "y" * 300)
_GPUS: tuple[Json, ...] = ({}, {"gpu": {}}, {"gpu": {"count": 2}}, {"gpu": {"count": 1, "product": "A100"}})
_MANIFEST = "s3://store/team/datasets/flights/versions/v.json"


@dataclass(frozen=True)
class Case:
    """A step, and the run that it is in."""

    step: Json
    params: dict[str, str]
    digests: dict[str, str]
    """Of the image `r/app:1`, of what each input consists of, by the input's name."""
    files: dict[str, str]
    """Of inputs that are one file: its name."""
    changed: frozenset[str] = frozenset()
    """Parts of the key that were made otherwise."""
    kinds: tuple[str, ...] = ()

    def with_env(self, name: str, value: str) -> Case:
        """With one variable more, or another one."""
        env = [one for one in self.step["env"] if one["name"] != name] + [{"name": name, "value": value}]
        return replace(self, step=self.step | {"env": env})

    def run(self) -> tuple[Step, PipelineRunStatus]:
        """The step, and the record of its run."""
        outputs = [
            {"name": name, "sha256": self.digests[name], "uri": f"s3://store/o/{self.files.get(name, f'{name}/')}"}
            for name, source in self.step["inputs"].items() if "output" in source
        ]  # fmt: skip
        datasets = [
            {"name": source["dataset"], "version": "v", "digest": self.digests[name], "manifest": _MANIFEST}
            for name, source in self.step["inputs"].items() if "dataset" in source
        ]  # fmt: skip
        status = {
            "params": self.params, "images": {"r/app:1": self.digests["image"]}, "datasets": datasets,
            "steps": [{"name": "before", "phase": "Completed", "outputs": outputs}, {"name": self.step["name"]}],
        }  # fmt: skip
        return Step.model_validate(self.step), PipelineRunStatus.model_validate(status)

    def parts(self) -> dict[str, str]:
        """Of its key."""
        return keys.parts(*self.run())

    def visible(self) -> str:
        """What its program can see, as its Job has it."""
        step, run = self.run()
        meta = Meta("p-1", "team", "uid", 1, "1", 0.0)
        body = PipelineRun.model_validate({"spec": {"pipeline": "p"}})
        world: Any = SimpleNamespace(config=_CONFIG, get=lambda *_: None)
        status = StepStatus(name=step.name, attempt=1, job="p-1-x")
        view = View(Subject(meta, body, {}), world, 0.0)
        steps = [Step(name="before", image="i"), step]
        job = types.job(Order(view, run, PipelineSpec(steps=steps), step, status))
        return json.dumps(_seen(job["spec"]["template"]["spec"]), sort_keys=True)


def _seen(spec: Json) -> Json:
    every = {one["name"]: one for one in [*spec.get("initContainers", []), *spec["containers"]]}
    program, publish = every["step"], _task(every["publish"])
    resources = program.get("resources", {})
    wanted = {**resources.get("requests", {}), **resources.get("limits", {})}
    return {
        "image": program["image"].rpartition("@")[2], "command": program.get("command"), "args": program.get("args"),
        "env": {one["name"]: one["value"] for one in program["env"]
                if one["name"] not in ("FAIRLEAD_RUN", "FAIRLEAD_ATTEMPT")},
        "devices": {name: much for name, much in wanted.items() if name not in ("cpu", "memory")},
        "claims": [resources.get("claims"), spec.get("resourceClaims")],
        "mounts": sorted(one["mountPath"] for one in program["volumeMounts"]),
        "nodes": spec.get("nodeSelector"),
        "inputs": sorted(_input(one) for one in _task(every["fetch"])["items"]) if "fetch" in every else [],
        "outputs": sorted([one["name"], one["type"]] for one in publish["outputs"]),
    }  # fmt: skip


def _task(container: Json) -> Json:
    text = next(one["value"] for one in container["env"] if one["name"] == "FAIRLEAD_TASK")
    found: Json = json.loads(text.replace("$$", "$"))
    return found


def _input(item: Json) -> list[str]:
    file = "" if item.get("manifest") or item["uri"].endswith("/") else item["uri"].rpartition("/")[2]
    return [item["dest"], item["sha256"], "version" if item.get("manifest") else "", file]


# --- drawing -------------------------------------------------------------------------------------------------------


def _digest(rng: random.Random) -> str:
    return f"{rng.getrandbits(256):064x}"


def original(rng: random.Random) -> Case:
    """A step of any shape."""
    inputs: Json = {}
    for name in rng.sample(_NAMES, rng.randint(1, 3)):
        inputs[name] = {"output": f"before.{name}"}
    if rng.random() < 0.7:
        inputs["raw"] = {"dataset": "flights"}
    step: Json = {
        "name": "train", "image": "r/app:1", "needs": ["before"],
        "command": [rng.choice(_VALUES) for _ in range(rng.randint(1, 4))],
        "args": [rng.choice(_VALUES) for _ in range(rng.randint(1, 4))],
        "env": [{"name": name, "value": rng.choice(_VALUES)} for name in rng.sample(_NAMES, rng.randint(1, 4))],
        "secrets": rng.sample(["one", "two", "three"], rng.randint(1, 2)),
        "nodeSelector": {"zone": rng.choice(["a", "b"])},
        "resources": {"cpu": "1", "memory": "1Gi"} | rng.choice(_GPUS),
        "inputs": inputs,
        "outputs": {name: {"type": rng.choice(["file", "dataset"])} for name in rng.sample(_NAMES, rng.randint(1, 3))},
    }  # fmt: skip
    params = {name: rng.choice(_VALUES) for name in ("alpha", *rng.sample(["p", "q", "r"], 2))}
    digests = {"image": f"sha256:{_digest(rng)}"} | {name: _digest(rng) for name in inputs}
    files = {name: f"{name}.bin" for name in inputs if name != "raw" and rng.random() < 0.5}
    return Case(step, params, digests, files)


Mutation = Callable[[random.Random, Case], tuple[Case, set[str]]]


def _fresh(rng: random.Random) -> str:
    return f"v{rng.getrandbits(64):x}"


def _list(field: str) -> Mutation:
    def mutate(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
        values = list(case.step[field])
        at = rng.randrange(len(values))
        how = rng.randrange(3)
        values[at : at + (how != 1)] = [] if how == 2 else [_fresh(rng)]
        if not values:
            values = [_fresh(rng)]
        return replace(case, step=case.step | {field: values}), {field}

    return mutate


def _env_value(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    name = rng.choice(case.step["env"])["name"]
    return case.with_env(name, _fresh(rng)), {f"env {name}"}


def _env_new(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    name = f"N{rng.getrandbits(32):x}"
    return case.with_env(name, rng.choice(_VALUES)), {f"env {name}"}


def _env_order(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    env = list(case.step["env"])
    rng.shuffle(env)
    return replace(case, step=case.step | {"env": env}), set()


def _param(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    name = rng.choice(sorted(case.params))
    return replace(case, params=case.params | {name: _fresh(rng)}), {f"param {name}"}


def _param_new(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    name = f"n{rng.getrandbits(32):x}"
    return replace(case, params=case.params | {name: rng.choice(_VALUES)}), {f"param {name}"}


def _content(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    name = rng.choice(sorted(case.step["inputs"]))
    return replace(case, digests=case.digests | {name: _digest(rng)}), {f"input {name}"}


def _bit(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    """One bit of a digest."""
    name = rng.choice(sorted(case.step["inputs"]))
    value = int(case.digests[name], 16) ^ (1 << rng.randrange(256))
    return replace(case, digests=case.digests | {name: f"{value:064x}"}), {f"input {name}"}


def _file(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    """The same bytes as a file, as a folder, or by another name."""
    name = rng.choice([one for one in sorted(case.step["inputs"]) if one != "raw"])
    files = dict(case.files)
    if name in files and rng.random() < 0.5:
        del files[name]
    else:
        files[name] = f"{_fresh(rng)}.bin"
    return replace(case, files=files), {f"input {name}"}


def _input_name(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    old = rng.choice([one for one in sorted(case.step["inputs"]) if one != "raw"])
    new = f"n{rng.getrandbits(32):x}"
    inputs = {new if name == old else name: one for name, one in case.step["inputs"].items()}
    inputs[new] = {"output": f"before.{new}"}
    digests = {new if name == old else name: one for name, one in case.digests.items()}
    files = {new if name == old else name: one for name, one in case.files.items()}
    found = replace(case, step=case.step | {"inputs": inputs}, digests=digests, files=files)
    return found, {f"input {old}", f"input {new}"}


def _image(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    return replace(case, digests=case.digests | {"image": f"sha256:{_digest(rng)}"}), {"image"}


def _image_name(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    image = f"mirror{rng.randrange(9)}/app@{case.digests['image']}"
    return replace(case, step=case.step | {"image": image}), set()


def _set(field: str, value: Callable[[random.Random, Case], Any], part: str | None) -> Mutation:
    def mutate(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
        return replace(case, step=case.step | {field: value(rng, case)}), {part} if part else set()

    return mutate


def _gpu(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    resources = case.step["resources"]
    gpu: Json | None = resources.get("gpu")
    other: Json | None = {}
    if gpu is not None:
        other = rng.choice([gpu | {"count": gpu.get("count", 1) + 1}, gpu | {"product": _fresh(rng)}, None])
    found = {name: one for name, one in (resources | {"gpu": other}).items() if one is not None}
    return replace(case, step=case.step | {"resources": found}), {"gpu"}


def _size(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    resources = case.step["resources"] | {"cpu": str(rng.randint(2, 9)), "memory": f"{rng.randint(2, 9)}Gi"}
    return replace(case, step=case.step | {"resources": resources}), set()


def _output_type(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    name = rng.choice(sorted(case.step["outputs"]))
    outputs = case.step["outputs"] | {name: {"type": "model"}}
    return replace(case, step=case.step | {"outputs": outputs}), {f"output {name}"}


def _output_new(rng: random.Random, case: Case) -> tuple[Case, set[str]]:
    name = f"n{rng.getrandbits(32):x}"
    return replace(case, step=case.step | {"outputs": case.step["outputs"] | {name: {}}}), {f"output {name}"}


_CASES: dict[str, Mutation] = {
    "command": _list("command"), "args": _list("args"), "env value": _env_value, "env new": _env_new,
    "env order": _env_order, "param": _param, "param new": _param_new, "content": _content, "bit": _bit,
    "file or folder": _file, "input's name": _input_name, "image": _image, "image's name": _image_name, "gpu": _gpu,
    "cpu and memory": _size, "output's type": _output_type, "output new": _output_new,
    "step's name": _set("name", lambda rng, _: f"s{rng.getrandbits(32):x}", "step"),
    "secrets": _set("secrets", lambda rng, case: [*case.step["secrets"], f"s{rng.getrandbits(32):x}"], "secrets"),
    "nodes": _set("nodeSelector", lambda rng, _: {"zone": _fresh(rng)}, "nodeSelector"),
    "claims": _set("claims", lambda rng, _: [{"name": "d", "template": _fresh(rng)}], "claims"),
    "timeout": _set("timeout", lambda rng, _: f"{rng.randint(1, 99)}h", None),
    "retry": _set("retry", lambda rng, _: {"limit": rng.randint(1, 9)}, None),
    "tolerations": _set("tolerations", lambda rng, _: [{"key": _fresh(rng), "operator": "Exists"}], None),
}  # fmt: skip
_TOGETHER = ({"content", "bit", "file or folder", "input's name"}, {"env value", "env new", "env order"},
             {"image", "image's name"}, {"gpu", "cpu and memory"}, {"output's type", "output new"})  # fmt: skip
"""Of these only one is drawn at a time: the second could undo the first, or act on what it has taken away."""


def cases() -> dict[str, Mutation]:
    """By what they change."""
    return dict(_CASES)


def mutated(rng: random.Random, case: Case, count: int) -> Case:
    """The case with so many things otherwise, of which each is told."""
    left, found = sorted(_CASES), replace(case, changed=frozenset(), kinds=())
    for _ in range(count):
        name = rng.choice(left)
        beside = next((one for one in _TOGETHER if name in one), {name})
        left = [one for one in left if one not in beside]
        after, changed = _CASES[name](rng, found)
        found = replace(after, changed=found.changed | changed, kinds=(*found.kinds, name))
    return found
