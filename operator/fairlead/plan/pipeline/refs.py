"""`step.output`, as people write it."""

from __future__ import annotations

from fairlead.api.pipelinerun import OutputRecord, PipelineRunStatus


def split(ref: str) -> tuple[str, str]:
    """Step and output."""
    step, _, output = ref.partition(".")
    return step, output


def output(run: PipelineRunStatus, ref: str) -> OutputRecord:
    """What a completed step committed under it."""
    step, name = split(ref)
    outputs = next(s.outputs for s in run.steps if s.name == step)
    return next(o for o in outputs if o.name == name)


def values(run: PipelineRunStatus) -> dict[str, str]:
    """The texts of outputs of type `value` that are committed, by `step.output`."""
    every = ((step.name, one) for step in run.steps for one in step.outputs)
    return {f"{step}.{one.name}": one.value for step, one in every if one.value is not None}
