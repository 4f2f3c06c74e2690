"""Steps that measure a model: what `produces` says of it is filled in where the step leaves it open.

A step with `evaluate` is measured as the ModelVersion made of it will be. So what it reads, and the server in its pod,
follow from the entry of that model, and stand in the step from then on: everything else (the graph, cache keys, GPU
hours, where the pod may run) sees a step as all others are. What is filled in once is not changed by filling it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fairlead.api.common import Resources
from fairlead.api.config import Images
from fairlead.api.evaluating import DATA, MODEL
from fairlead.api.modelversion import EvaluationTemplate
from fairlead.api.pipeline import Input, PipelineSpec, Produces, Step
from fairlead.api.pipelinerun import StepStatus
from fairlead.api.server import Server
from fairlead.plan.core import Invalid, Json

_PLACED = ("resources", "node_selector", "tolerations")
"""Fields that the server of the model decides."""
_OTHERS = ("env", "secrets", "claims")
"""Fields of a program, and the step has none of its own."""


def entry(spec: PipelineSpec, step: Step) -> tuple[int, Produces]:
    """The entry of `produces` by which a step measures, and its place. Raises StopIteration where there is none, which
    `filled` has refused before."""
    assert step.evaluate is not None
    return next((at, one) for at, one in enumerate(spec.produces) if one.model == step.evaluate.model)


def evaluation(spec: PipelineSpec, step: Step) -> EvaluationTemplate:
    """How the model is measured."""
    found = entry(spec, step)[1].version.evaluation
    assert found is not None  # `filled` has refused it
    return found


def filled(spec: PipelineSpec, images: Images | None) -> PipelineSpec:
    """The Pipeline with what its measuring steps leave open. images: of the installation; None: not known here. Raises
    Invalid."""
    if all(step.evaluate is None for step in spec.steps):
        return spec
    steps = [
        _filled(f"spec.steps[{index}]", spec, step, images) if step.evaluate is not None else step
        for index, step in enumerate(spec.steps)
    ]
    return spec.model_copy(update={"steps": steps})


def read_by(spec: PipelineSpec) -> Iterator[str]:
    """Names of the Datasets that measuring steps read because `produces` says so."""
    models = {step.evaluate.model for step in spec.steps if step.evaluate and DATA not in step.inputs}
    for one in spec.produces if models else ():
        found = one.version.evaluation
        if one.model in models and found is not None and found.data.dataset is not None:
            yield found.data.dataset.name


def datasets(spec: Json) -> Iterator[str]:
    """The same of a Pipeline as JSON, perhaps malformed: for every change of a Dataset, so it must be cheap."""
    steps = [step for step in spec.get("steps") or () if step.get("evaluate")]
    models = {step["evaluate"].get("model") for step in steps if DATA not in (step.get("inputs") or {})}
    for one in spec.get("produces") or () if models else ():
        data = ((one.get("version") or {}).get("evaluation") or {}).get("data") or {}
        if one.get("model") in models and (name := (data.get("dataset") or {}).get("name")):
            yield name


def servers(spec: PipelineSpec | None, steps: Iterable[StepStatus]) -> Iterator[Server]:
    """Those of steps that are not over, which may need something of the namespace. spec: as `filled` has made it."""
    if spec is None:
        return
    left = {one.name for one in steps if one.phase in ("Pending", "Running")}
    for step in spec.steps:
        if step.evaluate is not None and step.name in left:
            yield entry(spec, step)[1].version.server


def _filled(path: str, spec: PipelineSpec, step: Step, images: Images | None) -> Step:
    at, produced = _entry(path, spec, step)
    where, server = f"spec.produces[{at}]", produced.version.server
    if produced.version.evaluation is None:
        raise Invalid(
            f"{path}.evaluate.model", f"{where}.version has no evaluation: say there by which features, target and "
            f"metrics model {produced.model} is measured",
        )  # fmt: skip
    placed = _of_server(server)
    _check_fields(path, step, placed, f"{where}.version.server")
    inputs = {
        MODEL: step.inputs.get(MODEL) or Input(output=produced.from_),
        DATA: step.inputs.get(DATA) or _data(path, produced.version.evaluation, f"{where}.version.evaluation.data"),
    }
    image = _image(server, images, f"{where}.version.server")
    return step.model_copy(update={"inputs": inputs, "image": image, **placed})


def _entry(path: str, spec: PipelineSpec, step: Step) -> tuple[int, Produces]:
    assert step.evaluate is not None
    name, known = step.evaluate.model, [one.model for one in spec.produces]
    if name not in known:
        there = f"produces has {', '.join(known)}" if known else "the Pipeline has no produces"
        raise Invalid(
            f"{path}.evaluate.model", f"model {name!r} is not in spec.produces, where it stands how it is served and "
            f"evaluated; {there}",
        )  # fmt: skip
    return entry(spec, step)


def _of_server(server: Server) -> dict[str, Any]:
    """What the server asks of a pod, as a step says it."""
    asked = server.resources
    return {
        "resources": Resources(cpu=asked.cpu, memory=asked.memory, gpu=asked.gpu),
        "node_selector": dict(server.node_selector), "tolerations": list(server.tolerations),
    }  # fmt: skip


def _check_fields(path: str, step: Step, placed: dict[str, Any], server: str) -> None:
    fields = Step.model_fields
    for name in (*_PLACED, *_OTHERS):
        own, default = getattr(step, name), fields[name].get_default(call_default_factory=True)
        if own not in (default, placed.get(name, default)):
            raise Invalid(
                f"{path}.{fields[name].alias or name}", "the model is measured by the server that it will have: what "
                f"it needs is in {server}; take this out",
            )  # fmt: skip
    if step.retry.memory is not None:
        raise Invalid(f"{path}.retry.memory", f"the server's memory is {server}.resources.memory; take this out")
    if step.notebook is not None:
        raise Invalid(f"{path}.notebook", "the step measures a model, and runs no notebook; take one of them out")
    if extra := sorted(step.inputs.keys() - {MODEL, DATA}):
        raise Invalid(f"{path}.inputs.{extra[0]}", f"a step that measures reads {MODEL} and {DATA}; take it out")


def _data(path: str, evaluated: EvaluationTemplate, where: str) -> Input:
    """The evaluation's rows as an input."""
    if evaluated.data.output:
        return Input(output=evaluated.data.output)
    assert evaluated.data.dataset is not None
    name, version = evaluated.data.dataset.name, evaluated.data.dataset.version
    if version is not None:
        raise Invalid(
            f"{path}.inputs.{DATA}", f"{where} names version {version} of Dataset {name}, and a run reads the one that "
            f"it has pinned: write inputs.{DATA}, such as {{dataset: {name}}}",
        )  # fmt: skip
    return Input(dataset=name)


def _image(server: Server, images: Images | None, where: str) -> str:
    found = server.image or (images.runtimes.get(server.runtime) if images is not None else "")
    if found or images is None:
        return found or ""
    raise Invalid(
        f"{where}.image", f"there is no image for runtime {server.runtime}: write one, or set images.runtimes."
        f"{server.runtime} in the installation's values",
    )  # fmt: skip
