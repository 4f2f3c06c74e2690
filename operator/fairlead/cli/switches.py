"""`fairlead cancel RUN`, `fairlead pause DEPLOYMENT`, `fairlead resume DEPLOYMENT`: one field each."""

from __future__ import annotations

import argparse

from fairlead.cli.session import OK, Json, Problem, Session, add_options, command, tell

_ENDED = ("Completed", "Failed", "Aborted")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    for name, help_, metavar, run in (
        ("cancel", "stop a run", "RUN", cancel),
        ("pause", "freeze a deployment: its weights stay; harm still rolls back", "DEPLOYMENT", pause),
        ("resume", "let a paused deployment go on", "DEPLOYMENT", resume),
    ):
        parser = subparsers.add_parser(name, help=help_)
        parser.add_argument("name", metavar=metavar)
        add_options(parser)
        parser.set_defaults(run=run)


@command
async def cancel(session: Session, args: argparse.Namespace) -> int:
    """Ask a run to stop now."""
    from fairlead.plan.core import PIPELINE_RUN

    await session.change(PIPELINE_RUN, args.name, set_cancel)
    tell(f"pipelinerun {args.name} is being stopped; it is Aborted when its pods are gone")
    return OK


@command
async def pause(session: Session, args: argparse.Namespace) -> int:
    """Freeze."""
    return await _paused(session, args.name, True)


@command
async def resume(session: Session, args: argparse.Namespace) -> int:
    """Go on."""
    return await _paused(session, args.name, False)


async def _paused(session: Session, name: str, value: bool) -> int:
    from fairlead.plan.core import DEPLOYMENT

    await session.change(DEPLOYMENT, name, lambda raw: set_paused(raw, value))
    tell(f"deployment {name} is {'paused: weights stay, harm still rolls back' if value else 'going on'}")
    return OK


def set_cancel(raw: Json) -> bool:
    """Put the wish into the run. Raises Problem if it has ended."""
    phase = raw.get("status", {}).get("phase")
    if phase in _ENDED:
        raise Problem(f"pipelinerun {raw['metadata']['name']!r} has ended already: {phase}")
    if raw["spec"].get("cancel") == "now":
        return False
    raw["spec"]["cancel"] = "now"
    return True


def set_paused(raw: Json, value: bool) -> bool:
    """Put the wish into the deployment."""
    if bool(raw["spec"].get("paused")) == value:
        return False
    raw["spec"]["paused"] = value
    return True
