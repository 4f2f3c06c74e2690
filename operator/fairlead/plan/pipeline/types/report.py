"""A step that makes a page of its run: Fairlead's own program, which is told what became of the steps before it.

It is for runs that went wrong, too: it does without inputs that are not there, and says so on the page.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from fairlead.api.common import EnvVar, Resources
from fairlead.api.component import Output
from fairlead.api.pipeline import Step
from fairlead.api.report import OUTPUT, Fact, InputFacts, ReportTask
from fairlead.api.tasks import TASK_ENV
from fairlead.plan.core import Invalid, Json
from fairlead.plan.pipeline import facts, memory
from fairlead.plan.pipeline.types import jobs
from fairlead.plan.pipeline.types.base import Order, StepType

COMMAND = ["python", "-P", "-m", "fairlead.worker.reporting"]  # -P: not what lies where it runs
MEMORY, CPU = "1Gi", "50m"
"""What its program may use, where the step does not say more; it reads the beginnings of files."""


class ReportStep(StepType):
    """A step with `report`."""

    needs_inputs = False
    own_run = "a report tells of its own run"

    def takes(self, step: Step) -> bool:
        """By its field."""
        return step.report is not None

    def check(self, path: str, step: Step, _params: Collection[str]) -> None:
        """It runs no program of the user's, and comes after something."""
        for field in ("env", "secrets", "claims", "image", "command", "args"):
            if getattr(step, field):
                raise Invalid(f"{path}.{field}", f"a report is Fairlead's own program; leave {field} out")
        if step.resources.gpu is not None:
            raise Invalid(f"{path}.resources.gpu", "a report needs no GPU; leave gpu out")
        if step.when == "succeeded" and not (step.needs or step.inputs or step.if_):
            raise Invalid(f"{path}.when", "it would be made before anything has run: write `when: always`, or name in "
                          "needs or inputs what it comes after")  # fmt: skip
        if why := memory.problem(step.retry, self.memory(step)):
            raise Invalid(f"{path}.retry.memory", why)

    def outputs(self, _step: Step) -> Mapping[str, Output]:
        """The page."""
        return {OUTPUT: Output(type="preview")}

    def memory(self, step: Step) -> str:
        """What the step says, or enough for the beginnings of files."""
        return step.resources.memory or MEMORY

    def program(self, _step: Step) -> str:
        """It has no image that people chose."""
        return "report"

    def images(self, _step: Step) -> Iterator[str]:
        """None of the user's."""
        return iter(())

    def job(self, order: Order) -> Json:
        """fetch (of what is there) → the page → publish."""
        step, wanted = order.step, self.inputs(order.step)
        told = [facts.input_facts(order.run, order.pipeline, name, source) for name, source in wanted.items()]
        there = {one.name: wanted[one.name] for one in told if not one.missing}
        said = EnvVar.model_construct(name=TASK_ENV, value=facts.text(facts.bounded(_task(order, told))))
        uses = Resources(cpu=step.resources.cpu or CPU, memory=self.memory(step))
        image = order.view.world.config.images.worker
        program = step.model_copy(update={"image": image, "command": COMMAND, "env": [said], "resources": uses})
        return jobs.program_job(order, program, there, self.outputs(step), with_code=False)


def _task(order: Order, inputs: list[InputFacts]) -> ReportTask:
    view, run, verdict = order.view, order.run, order.run.verdict
    over = [one for one in run.steps if one.name in order.before]
    others = [one.name for one in run.steps if one.name not in order.before and one.name != order.step.name]
    return ReportTask(
        title=(order.step.report.title if order.step.report else "") or f"Run {view.name}",
        run=view.name, namespace=view.namespace, pipeline=view.subject.body.spec.pipeline,
        facts=facts.of_run(view, run, order.pipeline), params=dict(run.params), started_at=run.started_at or "",
        verdict=Fact(label=verdict.phase, text=facts.words(verdict.message)) if verdict is not None else None,
        steps=[facts.of_step(one, order.before[one.name].runs, order.before[one.name].after) for one in over],
        others=others, earlier=facts.earlier(view), inputs=inputs,
    )  # fmt: skip
