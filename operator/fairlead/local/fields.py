"""What of a Pipeline this machine can do, field by field: done, told to have no effect here, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead.api.pipeline import PipelineSpec, Step
from fairlead.api.schema import Model
from fairlead.local.trouble import Trouble

STEP = {
    "name",
    "needs",
    "inputs",
    "outputs",
    "retry",
    "timeout",
    "command",
    "args",
    "env",
    "when",
    "if_",
    "notebook",
    "report",
    "evaluate",
    "each",
    "workers",
    "component",
    "params",
}
"""Fields of a step that mean the same here."""
PIPELINE = {"params", "steps", "produces", "author", "code", "timeout"}
"""Fields of a Pipeline that mean the same here."""
INPUT = {"dataset", "output", "after", "item"}
"""What a step can read here."""
ELSEWHERE = {"triggers", "cooldown", "limits", "concurrency", "history", "store", "suspend", "cache"}
"""Fields of a Pipeline that are of a cluster: when runs start, where outputs are kept, and for how long."""
PLACED = {
    "node_selector",
    "tolerations",
    "queue",
    "priority_class",
    "claims",
    "queue_timeout",
    "start_timeout",
    "cache",
}
"""Fields of a step that choose a node, or say when it is given one."""
ENGINE = {"image", "resources"}
"""Fields of a step that only containers have."""
NAMESPACE = {"secrets"}
"""Fields of a step that need what only a namespace has."""


def check(spec: PipelineSpec) -> None:
    """Raises Trouble that names the first field which this machine can't do: nothing is left out in silence."""
    for name in _written(spec, PIPELINE | ELSEWHERE):
        raise Trouble(_refused(f"spec.{name}"))
    for index, step in enumerate(spec.steps):
        for name in _written(step, STEP | PLACED | ENGINE | NAMESPACE):
            raise Trouble(_refused(f"spec.steps[{index}].{name}"))
        for key, source in step.inputs.items():
            for name in _written(source, INPUT):
                raise Trouble(_refused(f"spec.steps[{index}].inputs.{key}.{name}"))


def check_chosen(spec: PipelineSpec) -> None:
    """The same for what only counts in the steps that are to run."""
    for step in spec.steps:
        if step.evaluate is not None:
            raise Trouble(
                f"step {step.name}: evaluate asks a model server that runs beside the step in a pod, and on this "
                "machine none does: name the steps to try by --step, without those that come after it, or run it in a cluster"
            )


def local(spec: PipelineSpec) -> PipelineSpec:
    """The Pipeline without what is of a cluster: what is left, a run can do here."""
    steps = [step.model_copy(update=_defaults(Step, PLACED)) for step in spec.steps]
    return spec.model_copy(update={**_defaults(PipelineSpec, ELSEWHERE), "code": None, "steps": steps})


def _defaults(model: type[Model], names: set[str]) -> dict[str, Any]:
    return {name: model.model_fields[name].get_default(call_default_factory=True) for name in names}


def _refused(path: str) -> str:
    return f"{path} can't be done on this machine yet: take it out to try the rest, or run it in a cluster"


def _written(found: Model, known: set[str]) -> Iterator[str]:
    """Fields that a person has written, that say something, and that are not known; as they are written."""
    fields = type(found).model_fields
    for name in sorted(found.model_fields_set - known):
        if getattr(found, name) != fields[name].get_default(call_default_factory=True):
            yield fields[name].alias or name


def notes(spec: PipelineSpec, *, containers: bool) -> list[str]:
    """What people should know that is not as in a cluster."""
    found = []
    if not containers:
        found.append(
            "steps run as processes of this machine, with its programs: images are not used, and resources are no "
            "limits (--containers runs them as docker, podman or nerdctl do)"
        )
    found += [
        f"step {step.name}: Secrets of a namespace are not here, so there is no /fairlead/secrets for "
        f"{', '.join(step.secrets)}"
        for step in spec.steps if step.secrets
    ]  # fmt: skip
    unused = [type(spec).model_fields[name].alias or name for name in sorted(ELSEWHERE & spec.model_fields_set)]
    placed = {name for step in spec.steps for name in PLACED & step.model_fields_set}
    unused += [f"steps[].{Step.model_fields[name].alias or name}" for name in sorted(placed)]
    unused += ["steps[].retry.memory"] if any(step.retry.memory for step in spec.steps) else []
    if unused:
        found.append(f"without effect here: {', '.join(unused)}")
    return found
