"""`fairlead why pipeline/NAME`: which triggers there are, why each did or did not start a run, and what comes next.

`fairlead why run/NAME --cache`: where the outputs of its steps come from, and why those ran that did."""

from __future__ import annotations

import argparse
import time

from fairlead.cli.session import OK, USAGE, Problem, Session, add_options, command, print_json

_KINDS = ("pipeline", "pipelines", "mlpipe")
_RUNS = ("run", "runs", "pipelinerun", "pipelineruns", "mlrun")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "why", help="why a pipeline did, or did not, start a run, and what comes next; why a run's steps ran"
    )
    parser.add_argument("what", metavar="pipeline/NAME | run/NAME")
    parser.add_argument("--cache", action="store_true", help="of a run: where each step's outputs come from, and which "
                        "part of its key differs from the last run of the same step")  # fmt: skip
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
    if args.cache:
        return await _cache(session, args, kind, name)
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


async def _cache(session: Session, args: argparse.Namespace, kind: str, name: str) -> int:
    from fairlead.api.pipelinerun import PipelineRun
    from fairlead.cli import show_cache
    from fairlead.cli.blocks import show
    from fairlead.plan.core import PIPELINE_RUN
    from fairlead.plan.pipeline.cache import why

    if not name or kind not in _RUNS:
        raise Problem(f"{args.what!r} is not run/NAME: --cache is about the steps of a run", USAGE)
    raw = await session.get(PIPELINE_RUN, name)
    found = PipelineRun.model_validate(raw)
    each = why.explained(found.status, show_cache.earlier(raw, await session.all(PIPELINE_RUN)))
    if args.output == "json":
        print_json(show_cache.as_json(each))
    else:
        show(show_cache.blocks(name, found, each))
    return OK
