"""`fairlead history deployment NAME`: how its rollouts ended, and why."""

from __future__ import annotations

import argparse
import time

from fairlead.cli.session import OK, Session, add_options, command, print_json


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("history", help="how a deployment's rollouts ended, and why")
    parser.add_argument("kind", choices=("deployment", "mdeploy"), metavar="deployment")
    parser.add_argument("name", metavar="NAME")
    add_options(parser, output=True)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Show the records."""
    from fairlead.api import halves
    from fairlead.api.deployment import Deployment
    from fairlead.api.deploymentstatus import DeploymentStatus
    from fairlead.cli.blocks import Lines, Title, show
    from fairlead.cli.show_deployment import history
    from fairlead.plan.core import DEPLOYMENT

    raw = await session.get(DEPLOYMENT, args.name)
    found = Deployment.model_validate(raw)
    if args.output == "json":
        print_json(halves.joined(DeploymentStatus, raw.get("status", {})).get("history", []))
    elif found.status.history:
        show([Title(f"deployment {args.name}", found.status.phase), history(found, time.time())])
    else:
        show([Lines([f"deployment {args.name} has had no rollout yet"])])
    return OK
