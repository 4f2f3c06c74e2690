"""What a type of step is: what a step of it reads and leaves, and the Job of an attempt.

How attempts follow each other is the same for all types (see `steps`), and asks this of every Job: one pod; a container
`publish`, in whose answer stands what was committed; a failure of the container `step`, if there is one, is the step's
own. That a run makes models of outputs is no type of step but a trait of the Pipeline (see `produce`): it goes by
committed outputs, whatever has made them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from fairlead.api.component import Output
from fairlead.api.items import Values
from fairlead.api.pipeline import Input, PipelineSpec, Step
from fairlead.api.pipelinerun import PipelineRunStatus, StepEdit, StepStatus
from fairlead.plan.core import Json
from fairlead.plan.pipeline.items import Item
from fairlead.plan.pipeline.reading import PROGRAM, Reading
from fairlead.plan.pipeline.steps import View

SLICES = 7
"""Parts that a GPU can have at most."""
_APART = {
    "name", "image", "inputs", "outputs", "needs", "when", "if_", "retry", "queue_timeout", "start_timeout", "timeout",
    "cache", "tolerations", "priority_class", "component", "params",
}  # fmt: skip
"""Fields of a step that are told elsewhere, and those that can't change what its program makes."""


class Before(NamedTuple):
    """A step that is over before another one begins."""

    runs: str
    """What it is, in a word for people."""
    after: list[str]
    """What it has waited for itself."""


@dataclass(frozen=True)
class Order:
    """What a Job is made for: a recorded attempt of a step."""

    view: View
    run: PipelineRunStatus
    pipeline: PipelineSpec
    """As it was when the run started."""
    step: Step
    status: StepStatus
    item: Item | None = None
    """Of a step with `each`."""
    before: Mapping[str, Before] = field(default_factory=dict)
    """The steps that are over in any case, by name."""

    @property
    def values(self) -> Values | None:
        """The item's."""
        return self.item.values if self.item is not None else None


class StepType(ABC):
    """Steps of one type. Pure, and without a state of its own."""

    needs_inputs: ClassVar[bool] = True
    """Whether it is skipped where a step from which it reads has not completed; else it runs with what is there."""
    own_run: ClassVar[str] = ""
    """Why what it leaves is its own run's only, and never an earlier one's; empty: it is not."""
    reading: Reading = PROGRAM
    """What the containers of its pod mean, besides `publish`."""

    @abstractmethod
    def takes(self, step: Step) -> bool:
        """Whether a step is of this type; the first of the registry that takes it has it."""

    def check(self, _path: str, _step: Step, _params: Collection[str]) -> None:  # noqa: B027 - may be nothing
        """Raises Invalid for what the CRD's schema can't check, but for references: the graph checks inputs. params:
        names of those that the Pipeline declares."""

    def texts(self, _step: Step) -> Iterable[tuple[str, str]]:
        """What people write in which values are put: (path of the field below the step, text)."""
        return ()

    def inputs(self, step: Step) -> Mapping[str, Input]:
        """What it reads, by name: `/fairlead/in/<name>`. Needs no step that `needs` names."""
        return step.inputs

    def wants(self, step: Step) -> Mapping[str, str]:  # noqa: ARG002 - a type may take whatever is given
        """Of which type the outputs must be that it reads, by the input's name; a Dataset is a `dataset`. Of a step
        with `each` these are one item's."""
        return {}

    def outputs(self, step: Step) -> Mapping[str, Output]:
        """What it leaves when it has succeeded, by name: `/fairlead/out/<name>`."""
        return step.outputs

    def values(self, step: Step) -> Iterable[tuple[str, str]]:  # noqa: ARG002 - a type may use none
        """The outputs of type `value` that its texts use: (path of the field below the step, `step.output`)."""
        return ()

    def memory(self, step: Step) -> str:
        """What its program may use at first; empty: as much as its node has."""
        return step.resources.memory or ""

    def gpus(self, step: Step) -> float:
        """How many GPUs its pod has while it is on a node. Of a part of one, as many sevenths as its MIG profile has
        slices; devices that it claims otherwise are not known here."""
        gpu = step.resources.gpu
        if gpu is None:
            return 0.0
        return gpu.count * (int(gpu.mig[0]) / SLICES if gpu.mig else 1.0)

    def workers(self, step: Step) -> int:
        """How many pods an attempt of it has."""
        return step.workers.count if step.workers is not None else 1

    def datasets(self, step: Json) -> Iterable[str]:
        """Names of the Datasets among the inputs of a step as JSON. For every change of a Dataset and every Pipeline of
        the namespace, so it must be cheap; what it gets may be of another type, or malformed."""
        return (found for one in (step.get("inputs") or {}).values() if (found := one.get("dataset")))

    @abstractmethod
    def program(self, step: Step) -> str:
        """What runs, in a word for people: an image."""

    def edited(self, step: Step, edit: StepEdit) -> Step:
        """The step as one run wants it otherwise. Raises Invalid for one that can't be."""
        changes = edit.model_dump(include={"image", "command", "args"}, exclude_none=True)
        env = {one.name: one for one in (*step.env, *edit.env)}
        resources = edit.resources or step.resources
        return step.model_copy(update=changes | {"env": list(env.values()), "resources": resources})

    def images(self, step: Step) -> Iterable[str]:
        """The images whose programs make its result, as people write them."""
        return (step.image,)

    def parts(self, step: Step, spec: PipelineSpec | None = None) -> Mapping[str, Any]:  # noqa: ARG002 - of others' fields few follow
        """All that is asked for in a step, and that its result can follow from, but for inputs, outputs and images: by
        the name that people know it by, as JSON. What is not here is not asked about when the result of an earlier run
        is taken; so a field counts unless it is known that it can't change a result. spec: the Pipeline, as the run has
        pinned it."""
        said = step.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_APART)
        env = {f"env {one['name']}": one.get("value", "") for one in said.pop("env", ())}
        secrets = sorted(said.pop("secrets", ()))  # each is mounted by its name: their order is nothing to see
        gpu = (said.pop("resources", None) or {}).get("gpu")  # {} is one, of any product
        rest = ({"secrets": secrets} if secrets else {}) | ({} if gpu is None else {"gpu": gpu})
        return env | rest | said

    @abstractmethod
    def job(self, order: Order) -> Json:
        """The Job of an attempt; the same again whenever it is asked. Raises NotReadable for what can't be read at the
        moment: the attempt waits for that."""
