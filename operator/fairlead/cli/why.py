"""`fairlead why pipeline/NAME`: which triggers there are, why each did or did not start a run, and what comes next."""

from __future__ import annotations

import argparse
import time

from fairlead.cli.session import OK, USAGE, Problem, Session, add_options, command, print_json

_KINDS = ("pipeline", "pipelines", "mlpipe")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("why", help="why a pipeline did, or did not, start a run, and what comes next")
    parser.add_argument("what", metavar="pipeline/NAME")
    add_options(parser, output=True)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Show it."""
    from fairlead.api.pipeline import Pipeline
    from fairlead.cli import show_why
    from fairlead.cli.blocks import show
    from fairlead.plan.core import PIPELINE, Invalid

    kind, slash, name = args.what.partition("/")
    if not slash or not name or kind not in _KINDS:
        raise Problem(f"{args.what!r} is not pipeline/NAME", USAGE)
    found, now = Pipeline.model_validate(await session.get(PIPELINE, name)), time.time()
    try:
        if args.output == "json":
            print_json(show_why.as_json(found, now))
        else:
            show(show_why.blocks(name, found, now))
    except Invalid as why:
        raise Problem(f"pipeline {name!r}: {why}") from None
    return OK
