"""`fairlead cancel RUN`, `fairlead pause DEPLOYMENT`, `fairlead resume DEPLOYMENT`: one field each."""

from __future__ import annotations

import argparse

from fairlead.cli.session import OK, Json, Problem, Session, add_options, command, tell

_ENDED = ("Completed", "Failed", "Aborted")
_STRONGER = {"drain": ("finally", "now"), "finally": ("now",), "now": ()}
_CANCELS = {
    "now": "is being stopped", "finally": "is being stopped, and then its steps with `when: always` run",
    "drain": "begins no other step, but for those with `when: always` when the running ones have ended",
}  # fmt: skip


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    for name, help_, metavar, run in (
        ("cancel", "stop a run", "RUN", cancel),
        ("pause", "freeze a deployment: its weights stay; harm still rolls back", "DEPLOYMENT", pause),
        ("resume", "let a paused deployment go on", "DEPLOYMENT", resume),
    ):
        parser = subparsers.add_parser(name, help=help_)
        parser.add_argument("name", metavar=metavar)
        if run is cancel:
            how = parser.add_mutually_exclusive_group()
            how.add_argument(
                "--finally",
                dest="how",
                action="store_const",
                const="finally",
                help="stop what runs, and then run the steps with `when: always`",
            )
            how.add_argument(
                "--drain",
                dest="how",
                action="store_const",
                const="drain",
                help="let running steps end, and then run the steps with `when: always`",
            )
            parser.set_defaults(how="now")
        add_options(parser)
        parser.set_defaults(run=run)


@command
async def cancel(session: Session, args: argparse.Namespace) -> int:
    """Ask a run to stop."""
    from fairlead.plan.core import PIPELINE_RUN

    await session.change(PIPELINE_RUN, args.name, lambda raw: set_cancel(raw, args.how))
    tell(f"pipelinerun {args.name} {_CANCELS[args.how]}; it is Aborted when its pods are gone")
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


def set_cancel(raw: Json, how: str = "now") -> bool:
    """Put the wish into the run. Raises Problem if it has ended, or is being stopped in a stronger way."""
    phase, name = raw.get("status", {}).get("phase"), raw["metadata"]["name"]
    if phase in _ENDED:
        raise Problem(f"pipelinerun {name!r} has ended already: {phase}")
    before = raw["spec"].get("cancel")
    if before == how:
        return False
    if before in _STRONGER[how]:
        raise Problem(f"pipelinerun {name!r} is being stopped already ({before}), which can't be made weaker")
    raw["spec"]["cancel"] = how
    return True


def set_paused(raw: Json, value: bool) -> bool:
    """Put the wish into the deployment."""
    if bool(raw["spec"].get("paused")) == value:
        return False
    raw["spec"]["paused"] = value
    return True
