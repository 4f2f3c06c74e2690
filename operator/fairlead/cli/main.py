"""The entry point of `fairlead` and of `kubectl fairlead`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from fairlead.cli import extras


def parser(program: str) -> argparse.ArgumentParser:
    """The parser of all sub-commands. Each sets `run`, a function from the arguments to the exit code."""
    from fairlead.cli import commands, operator

    found = argparse.ArgumentParser(
        prog=program, description="The machine-learning loop on Kubernetes: data, training, proof, delivery, rollback."
    )
    subparsers = found.add_subparsers(title="commands", required=True, metavar="COMMAND")
    commands.register(subparsers)
    operator.register(subparsers)
    worker = subparsers.add_parser("worker", help="run a task inside a Job (started by the operator)")
    worker.add_argument("task", help="what to do; the details are in the environment")
    worker.set_defaults(run=_worker)
    return found


def _worker(args: argparse.Namespace) -> NoReturn:
    from fairlead.worker.main import run

    code = run(str(args.task))
    # Threads of Arrow and DuckDB that are still there when the interpreter takes itself apart can end the process by an
    # abort, and a Job that has done its work would have failed. What matters is written by now.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    try:
        return _run(given)
    except ModuleNotFoundError as missing:
        if (extra := extras.needed(given, missing.name)) is None:
            raise
        print(f"error: {missing.name} is not installed: pip install 'fairlead[{extra}]'", file=sys.stderr)
        return 2


def _run(given: list[str]) -> int:
    if len(given) == 2 and given[0] == "worker" and not given[1].startswith("-"):
        # each pod that serves starts with one: it must not wait until all that people can type is loaded
        _worker(argparse.Namespace(task=given[1]))
    program = "kubectl fairlead" if Path(sys.argv[0]).name.startswith("kubectl") else "fairlead"
    args = parser(program).parse_args(given)
    return int(args.run(args))
