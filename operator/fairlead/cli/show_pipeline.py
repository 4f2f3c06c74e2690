"""A Pipeline as people look at it: why it did, or did not, run."""

from __future__ import annotations

from fairlead.api.pipeline import Pipeline, Step, StepCondition
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_common import conditions, message
from fairlead.cli.show_why import gpu_hours
from fairlead.cli.text import ago
from fairlead.plan.pipeline import turns
from fairlead.plan.pipeline.types import registry as types

CLEARED = 5
"""So many versions that were cleared away are shown, the last ones."""


def blocks(name: str, found: Pipeline, now: float) -> list[Block]:
    """The view."""
    status = found.status
    waiting = f", {status.queued} queued" if status.queued else ""
    counts = f"{status.active} active{waiting}, {status.succeeded} succeeded, {status.failed} failed"
    last = f", last {status.last_run.name} {ago(status.last_run.at, now)}" if status.last_run else ""
    state = "Suspended" if found.spec.suspend else status.phase or "Pending"
    shown: list[Block] = [Title(f"pipeline {name}", state, counts + last), *message(status.message)]
    if found.spec.concurrency in turns.ORDERED:
        shown.append(Lines(_turn(found)))
    if used := gpu_hours(found, now):
        shown.append(Lines(used))
    steps = [_step(step) for step in found.spec.steps]
    shown.append(Table(["STEP", "PROGRAM", "RUNS", "NEEDS", "OUTPUTS"], steps))
    if status.decisions:
        rows = [[ago(d.at, now), d.trigger, d.key, d.run or "-", d.reason] for d in status.decisions]
        shown.append(Table(["DECIDED", "TRIGGER", "SAW", "RUN", "WHY"], rows))
    if status.cleared:
        gone = [[one.name, ago(one.at, now), one.reason] for one in status.cleared[:CLEARED]]
        shown.append(Table([f"CLEARED ({status.cleared_versions})", "AGO", "WHY"], gone))
    return shown + conditions(status.conditions, now)


def _turn(found: Pipeline) -> list[str]:
    """Which run has its turn, and which ones wait."""
    status = found.status
    more = f" and {status.queued - len(status.queue)} more" if status.queued > len(status.queue) else ""
    waits = f"{', '.join(status.queue)}{more}" if status.queue else "none"
    return [f"turn     {status.turn.run if status.turn else 'nobody'} (concurrency {found.spec.concurrency})",
            f"waiting  {waits}"]  # fmt: skip


def _step(step: Step) -> list[str]:
    kind = types.of(step)
    needs = ", ".join(step.needs) or "-"
    return [step.name, kind.program(step), _when(step), needs, ", ".join(kind.outputs(step)) or "-"]


def _when(step: Step) -> str:
    """When a step runs, in a few words."""
    word = {"succeeded": "", "always": "always, at last", "failed": "at last, if failed"}[step.when]
    found = f"if {' and '.join(map(_condition, step.if_))}" if step.if_ else ""
    return " ".join(part for part in (word, found) if part) or "-"


def _condition(one: StepCondition) -> str:
    name = one.metric or one.param or one.value
    if one.in_ is not None:
        return f"{name} in {', '.join(one.in_)}"
    return f"{name} > {one.above}" if one.above is not None else f"{name} < {one.below}"
