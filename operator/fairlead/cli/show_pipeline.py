"""A Pipeline as people look at it: why it did, or did not, run."""

from __future__ import annotations

from fairlead.api.pipeline import Pipeline, Step
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_common import conditions, message
from fairlead.cli.show_why import gpu_hours
from fairlead.cli.text import ago
from fairlead.plan.pipeline.types import registry as types

CLEARED = 5
"""So many versions that were cleared away are shown, the last ones."""


def blocks(name: str, found: Pipeline, now: float) -> list[Block]:
    """The view."""
    status = found.status
    counts = f"{status.active} active, {status.succeeded} succeeded, {status.failed} failed"
    last = f", last {status.last_run.name} {ago(status.last_run.at, now)}" if status.last_run else ""
    state = "Suspended" if found.spec.suspend else status.phase or "Pending"
    shown: list[Block] = [Title(f"pipeline {name}", state, counts + last), *message(status.message)]
    if used := gpu_hours(found, now):
        shown.append(Lines(used))
    steps = [_step(step) for step in found.spec.steps]
    shown.append(Table(["STEP", "IMAGE", "NEEDS", "OUTPUTS"], steps))
    if status.decisions:
        rows = [[ago(d.at, now), d.trigger, d.key, d.run or "-", d.reason] for d in status.decisions]
        shown.append(Table(["DECIDED", "TRIGGER", "SAW", "RUN", "WHY"], rows))
    if status.cleared:
        gone = [[one.name, ago(one.at, now), one.reason] for one in status.cleared[:CLEARED]]
        shown.append(Table([f"CLEARED ({status.cleared_versions})", "AGO", "WHY"], gone))
    return shown + conditions(status.conditions, now)


def _step(step: Step) -> list[str]:
    kind = types.of(step)
    return [step.name, kind.program(step), ", ".join(step.needs) or "-", ", ".join(kind.outputs(step)) or "-"]
