"""The types of steps that there are. Adding one ends with a line here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fairlead.api.component import Output
from fairlead.api.pipeline import Input, PipelineSpec, Step
from fairlead.api.pipelinerun import StepEdit
from fairlead.plan.core import Json
from fairlead.plan.pipeline.reading import Reading
from fairlead.plan.pipeline.steps import is_recall
from fairlead.plan.pipeline.types import jobs
from fairlead.plan.pipeline.types.base import Order, StepType
from fairlead.plan.pipeline.types.container import ContainerStep
from fairlead.plan.pipeline.types.evaluate import EvaluateStep
from fairlead.plan.pipeline.types.notebook import NotebookStep
from fairlead.plan.pipeline.types.report import ReportStep

TYPES: tuple[StepType, ...] = (
    EvaluateStep(),
    NotebookStep(),
    ReportStep(),
    ContainerStep(),  # stays the last: it takes every step
)


def of(step: Step) -> StepType:
    """The type of a step."""
    return next(one for one in TYPES if one.takes(step))


def inputs(step: Step) -> Mapping[str, Input]:
    """What a step reads, by name."""
    return of(step).inputs(step)


def outputs(step: Step) -> Mapping[str, Output]:
    """What a step leaves, by name."""
    return of(step).outputs(step)


def needs_inputs(step: Step) -> bool:
    """Whether it can't run without all of its inputs."""
    return of(step).needs_inputs


def own_run(step: Step) -> str:
    """Why what a step leaves is its own run's only; empty: it is not."""
    return of(step).own_run


def program(step: Step) -> str:
    """What runs, in a word for people."""
    return of(step).program(step)


def values(step: Step) -> Iterable[tuple[str, str]]:
    """The outputs of type `value` that a step's texts use: (path of the field below the step, `step.output`)."""
    return of(step).values(step)


def memory(step: Step) -> str:
    """What a step's program may use at first; empty: as much as its node has."""
    return of(step).memory(step)


def gpus(step: Step) -> float:
    """How many GPUs a step's pod has."""
    return of(step).gpus(step)


def workers(step: Step) -> int:
    """How many pods an attempt of a step has."""
    return of(step).workers(step)


def datasets(step: Json) -> Iterator[str]:
    """Names of the Datasets that a step (as JSON) reads."""
    yield from (name for one in TYPES for name in one.datasets(step))
    if name := (step.get("each") or {}).get("dataset"):
        yield name


def edited(step: Step, edit: StepEdit) -> Step:
    """The step as one run wants it otherwise."""
    return of(step).edited(step, edit)


def parts(step: Step, spec: PipelineSpec | None) -> Mapping[str, Any]:
    """What its result can follow from, besides inputs, outputs and images. spec: the Pipeline."""
    return of(step).parts(step, spec)


def reading(step: Step) -> Reading:
    """What the containers of its pod mean."""
    return of(step).reading


def images(step: Step) -> tuple[str, ...]:
    """Images whose programs make its result."""
    return tuple(of(step).images(step))


def job(order: Order) -> Json:
    """The Job of a recorded attempt. Raises NotReadable for a Dataset that can't be read."""
    kind = of(order.step)
    return jobs.recall_job(order, kind.outputs(order.step)) if is_recall(order.view, order.status) \
        else kind.job(order)  # fmt: skip
