"""What the commands share that show what a run has left: which run and step are meant, and what was committed."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from fairlead.cli.session import FAILED, NOT_FOUND, USAGE, Problem, Session

if TYPE_CHECKING:
    from fairlead.api.pipelinerun import PipelineRun, StepStatus
    from fairlead.api.tasks import PublishResult

KINDS = ("run", "runs", "pipelinerun", "pipelineruns", "mlrun")
OUTCOME = 4 << 20
"""Bytes of a document that says what a step has committed."""


async def found(session: Session, what: str) -> tuple[str, PipelineRun]:
    """The run that `run/NAME` means. Raises Problem."""
    from fairlead.api.pipelinerun import PipelineRun
    from fairlead.plan.core import PIPELINE_RUN

    kind, slash, name = what.partition("/")
    if not slash or not name or kind not in KINDS:
        raise Problem(f"{what!r} is not run/NAME", USAGE)
    return name, PipelineRun.model_validate(await session.get(PIPELINE_RUN, name))


def step_of(name: str, run: PipelineRun, asked: str | None) -> StepStatus:
    """The step that is meant; without a name the one that has failed, or runs, or is the only one. Raises Problem."""
    steps = run.status.steps
    if not steps:
        raise Problem(f"run {name!r} has not started: {run.status.message or 'no step has begun'}", NOT_FOUND)
    if asked is not None:
        step = next((one for one in steps if one.name == asked), None)
        if step is None:
            raise Problem(f"run {name!r} has no step {asked!r}; it has {_names(steps)}", NOT_FOUND)
        return step
    for phase in ("Failed", "Running"):
        mine = [one for one in steps if one.phase == phase]
        if len(mine) == 1:
            return mine[0]
    if len(steps) == 1:
        return steps[0]
    raise Problem(f"say which step of run {name!r}: {_names(steps)}", USAGE)


def _names(steps: list[StepStatus]) -> str:
    return ", ".join(one.name for one in steps)


async def committed(session: Session, args: argparse.Namespace, step: StepStatus) -> PublishResult | None:
    """All that a step has committed, as the store has it; None if it has logged nothing. Raises Problem."""
    if step.logged is None or not step.logged.outcome:
        return None
    from pydantic import ValidationError

    from fairlead.api import foreign
    from fairlead.api.tasks import PublishResult
    from fairlead.cli import stores
    from fairlead.store.layout import split

    bucket, key = split(step.logged.outcome)
    async with stores.opened(session, args, bucket) as store:
        body = await asyncio.to_thread(store.read, key, OUTCOME)
    try:
        return PublishResult.model_validate(foreign.parse(body, parts=foreign.FEW))
    except (foreign.Unreadable, ValidationError) as error:
        why = str(error).splitlines()[0]
        raise Problem(f"{step.logged.outcome} does not say what step {step.name} has left: {why}", FAILED) from None
