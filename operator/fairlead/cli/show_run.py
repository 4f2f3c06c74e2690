"""A PipelineRun as people look at it: its steps with their durations, and what it read and made."""

from __future__ import annotations

from fairlead.api.pipelinerun import PipelineRun, StepStatus
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_common import conditions, message
from fairlead.cli.text import short, size, took


def blocks(name: str, found: PipelineRun, now: float) -> list[Block]:
    """The view."""
    status = found.status
    note = f"pipeline {found.spec.pipeline}, {status.progress or '0'} steps, {_duration(found, now)}"
    shown: list[Block] = [Title(f"pipelinerun {name}", status.phase or "Pending", note), *message(status.message)]
    facts = [f"because  {found.spec.reason}"] if found.spec.reason else []
    facts += [f"data     {pinned.name}@{pinned.version}" for pinned in status.datasets]
    facts += [f"after    {taken.run} {taken.output} {short(taken.artifact.sha256)}" for taken in status.after]
    facts += [f"param    {key}={value}" for key, value in sorted((status.params or found.spec.params).items())]
    facts += [f"model    {model}" for model in status.models]
    if facts:
        shown.append(Lines(facts))
    if status.steps:
        shown.append(_steps(status.steps, now))
    return shown + conditions(status.conditions, now)


def _duration(found: PipelineRun, now: float) -> str:
    return took(found.status.started_at, found.status.finished_at, now)


def _steps(steps: list[StepStatus], now: float) -> Table:
    rows = [
        [
            step.name, step.phase, took(step.started_at, step.finished_at, now), str(step.attempt or "-"),
            ", ".join(f"{o.name} {size(o.bytes)} {short(o.sha256)}" for o in step.outputs) or "-",
            " ".join(part for part in (step.reason, step.message) if part),
        ]
        for step in steps
    ]  # fmt: skip
    return Table(["STEP", "PHASE", "TOOK", "ATTEMPT", "OUTPUTS", "MESSAGE"], rows)
