"""A step that runs a notebook: papermill of the user's image runs it with the run's parameters, and the executed one is
kept for people to look at."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fairlead.api.component import Output
from fairlead.api.pipeline import Step
from fairlead.api.tasks import OUTPUTS
from fairlead.manifests import pod
from fairlead.plan.core import Invalid, Json
from fairlead.plan.pipeline.types import jobs
from fairlead.plan.pipeline.types.base import Order
from fairlead.plan.pipeline.types.container import ContainerStep, rendered

EXECUTED = "notebook"
"""Name of the output."""


class NotebookStep(ContainerStep):
    """A step with `notebook`. Its `args` are papermill's, after those that are made here."""

    def takes(self, step: Step) -> bool:
        """By its field."""
        return step.notebook is not None

    def check(self, path: str, step: Step, params: Collection[str]) -> None:
        """It takes the place of a command, and of an output."""
        super().check(path, step, params)
        if step.command:
            raise Invalid(f"{path}.command", "papermill runs the notebook; leave command out")
        if EXECUTED in step.outputs:
            raise Invalid(f"{path}.outputs.{EXECUTED}", "the executed notebook has this name; choose another one")

    def outputs(self, step: Step) -> Mapping[str, Output]:
        """The step's own, and the executed notebook."""
        return step.outputs | {EXECUTED: Output(type="preview")}

    def program(self, step: Step) -> str:
        """The image and the notebook."""
        return f"{step.image} {step.notebook}"

    def job(self, order: Order) -> Json:
        """fetch → papermill → publish. Parameters, and values of its item, are no texts here: papermill makes numbers
        of what looks like one."""
        step, said = order.step, order.run.params | {name: one or "" for name, one in (order.values or {}).items()}
        given = [part for name, value in sorted(said.items()) for part in ("-p", name, pod.literal(value))]
        command = ["papermill", step.notebook or "", f"{OUTPUTS}/{EXECUTED}.ipynb", *given]
        program = rendered(order).model_copy(update={"command": command})
        return jobs.program_job(order, program, step.inputs, self.outputs(step))
