"""A step that is a program of the user's, in a container: inputs are fetched, it runs, its outputs are published."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fairlead.api.pipeline import Step
from fairlead.plan.component.texts import texts
from fairlead.plan.core import Invalid, Json
from fairlead.plan.pipeline import memory, refs, template
from fairlead.plan.pipeline.types import jobs
from fairlead.plan.pipeline.types.base import Order, StepType


class ContainerStep(StepType):
    """The type of every step that is of no other."""

    def takes(self, _step: Step) -> bool:
        """All that are left."""
        return True

    def check(self, path: str, step: Step, params: Collection[str]) -> None:
        """Its texts use declared parameters only, and more memory is more than it has."""
        for field, text in texts(step):
            for one in template.used(text, f"{path}.{field}"):
                if one.param and one.param not in params:
                    raise Invalid(f"{path}.{field}", f"parameter {one.param!r} is not declared; add it to spec.params")
        if why := memory.problem(step.retry, self.memory(step)):
            raise Invalid(f"{path}.retry.memory", why)

    def values(self, step: Step) -> Iterator[tuple[str, str]]:
        """Those in command, args and env."""
        for field, text in texts(step):
            yield from ((field, one.output) for one in template.used(text, field) if one.output)

    def texts(self, step: Step) -> Iterator[tuple[str, str]]:
        """Command, arguments and environment."""
        return texts(step)

    def program(self, step: Step) -> str:
        """The image; of a step with a component, which one."""
        ref = step.component
        if ref is None:
            return step.image
        name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
        word = f"builtin {ref.builtin}" if ref.builtin else f"component {name}"
        return f"{word} {ref.version}" if ref.version else word

    def job(self, order: Order) -> Json:
        """fetch → step → publish."""
        step = order.step
        return jobs.program_job(order, rendered(order), step.inputs, step.outputs)


def rendered(order: Order) -> Step:
    """A step with the values of parameters, outputs and its item in place, and its image as the run has pinned it."""
    step, run = order.step, order.run
    said = refs.values(run)

    def render(text: str) -> str:
        return template.render(text, run.params, said, order.values)

    return step.model_copy(
        update={
            "image": template.pinned(step.image, run.images),
            "command": [render(text) for text in step.command],
            "args": [render(text) for text in step.args],
            "env": [v.model_copy(update={"value": render(v.value)}) for v in step.env],
        }
    )
