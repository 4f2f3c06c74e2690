"""`fairlead dev run pipeline.yaml --data DIR`: a Pipeline on this machine, without a cluster."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from fairlead.cli.session import FAILED, INTERRUPTED, OK, USAGE, Json, Problem, guarded, print_json, tell
from fairlead.cli.text import amount

if TYPE_CHECKING:
    from fairlead.api.pipelinerun import PipelineRunStatus, StepStatus
    from fairlead.local.dev import Prepared

UNUSED = "fairlead.local/none"
"""Image of steps that name none: processes need none."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    dev = subparsers.add_parser("dev", help="try things on this machine, without a cluster")
    below = dev.add_subparsers(title="commands", required=True, metavar="COMMAND")
    parser = below.add_parser(
        "run", help="run a Pipeline on this machine",
        description="Run the steps of a Pipeline on this machine: no cluster, no store. Data is checked as a Dataset's "
        "is, steps find the same folders, outputs are checked and named by the same digests. Exit code 0: it "
        "completed; 1: a step failed; 2: the manifest, the data or the options are wrong; 130: interrupted.",
    )  # fmt: skip
    parser.add_argument(
        "file", metavar="PIPELINE.yaml|FILE.py[:NAME]",
        help="with one Pipeline, and perhaps its Datasets; or a function with @fairlead.pipeline",
    )  # fmt: skip
    parser.add_argument(
        "--data", action="append", default=[], metavar="[NAME=]PATH",
        help="folder or file of a Dataset; without a name: of the only one, or with a folder for each",
    )  # fmt: skip
    parser.add_argument(
        "--components", action="append", default=[], metavar="FILE", help="with Components that the Pipeline uses"
    )
    parser.add_argument("-p", "--param", action="append", default=[], metavar="KEY=VALUE", help="override a parameter")
    parser.add_argument(
        "--step", action="append", default=[], metavar="NAME", help="run only this one, and those that it needs"
    )
    parser.add_argument("--out", default=".fairlead/runs", metavar="DIR", help="where runs lie (default: %(default)s)")
    parser.add_argument("--keep-going", action="store_true", help="a failed step stops only those that wait for it")
    parser.add_argument(
        "--containers", action="store_true", help="run steps in their images, by docker, podman or nerdctl"
    )
    parser.add_argument("--parallel", type=_parallel, default=1, metavar="N", help="steps at a time (default: 1)")
    parser.add_argument(
        "--workdir", metavar="DIR", help="where programs run (default: this folder; of FILE.py: where it is imported)"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="don't show what programs print; it is in their logs"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: for programs")
    parser.set_defaults(run=run)


def _parallel(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 256:
        raise argparse.ArgumentTypeError("from 1 to 256")
    return number


def run(args: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    return guarded(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    from fairlead.cli.start import pairs
    from fairlead.local import dev
    from fairlead.local.trouble import Trouble

    documents, workdir = _given(args.file, None if args.containers else UNUSED)
    if documents == []:
        return FAILED  # the person's own code, whose error was shown
    asked = dev.Asked(
        file=Path(args.file), documents=documents, components=[Path(one) for one in args.components],
        data=args.data, params=pairs(args.param, "param"), steps=args.step,
        out=Path(args.out), keep_going=args.keep_going, containers=args.containers, parallel=args.parallel,
        workdir=Path(args.workdir or workdir),
    )  # fmt: skip
    screen = Screen(sys.stderr if args.output == "json" else sys.stdout, quiet=args.quiet)
    try:
        made = dev.prepared(asked, screen)
        screen.begins(made)
        with _interrupted(made) as stopped:
            made.run.to_its_end(made.machine)
    except Trouble as trouble:
        raise Problem(str(trouble), USAGE) from None
    dev.finish(made)
    earlier = dev.before(asked.out, made.number, made.run.spec.pipeline)
    if args.output == "json":
        _print_json(made, earlier)
    else:
        _print(made, earlier)
    return INTERRUPTED if stopped.is_set() else OK if made.run.status.phase == "Completed" else FAILED


def _given(file: str, image: str | None) -> tuple[list[Json] | None, Path]:
    """Of a pipeline that is written in Python its manifest, and where it is imported from; none: its code has failed.
    None of a file with manifests. image: of steps that have none. Raises Problem."""
    from fairlead.cli import export
    from fairlead.sdk.modules import named

    if not export.is_python(file):
        return None, Path()
    made = export.manifest(file, None, image)
    return [] if made is None else [made], named(Path(file.partition(":")[0]).resolve())[0]


@contextmanager
def _interrupted(made: Prepared) -> Iterator[threading.Event]:
    """The first signal cancels the run, as a person would in the cluster; a second one ends all at once."""
    stopped = threading.Event()
    heard, told = os.pipe()
    os.set_blocking(told, False)

    def stop() -> None:
        if os.read(heard, 1):
            stopped.set()
            tell("stopping; once more: at once", sys.stderr)
            made.run.cancel()
        if os.read(heard, 1):
            made.machine.kill()
        os.close(heard)

    # The main thread waits, and Python would run a handler only once it does not; the pipe is written at once. And what
    # a signal does is done elsewhere: whatever holds a lock may be interrupted.
    threading.Thread(target=stop, daemon=True).start()
    wakeup = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    try:
        yield stopped
    finally:
        made.machine.kill()
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(told)


# --- what people see -----------------------------------------------------------------------------------------------


class Screen:
    """What is told while it runs.

    Args:
        file: Where.
        quiet: Without what the programs print.
    """

    def __init__(self, file: TextIO, *, quiet: bool) -> None:
        self._file, self._quiet = file, quiet
        self._said: dict[str, tuple[str, int, int]] = {}
        self._lock = threading.Lock()

    def begins(self, made: Prepared) -> None:
        """What runs, over which data, and where it lies."""
        from fairlead.cli.text import size

        self._tell(f"run {made.run.name} in {made.folder}")
        for one in made.versions:
            files = amount(one.found.files, "file")
            found, how = one.found, f"{one.format}, by the files' names" if one.inferred else one.format
            self._tell(
                f"data {one.name}@{found.version}: {amount(found.rows, 'row')}, {files}, "
                f"{size(found.bytes)} ({how}), from {one.path}"
            )
            for check in one.warnings:
                self._tell(f"  warning: {check.check}: {check.message}")
            if one.inferred and one.reading is not None and one.reading.columns:
                self._tell("  read as " + ", ".join(f"{c.name} {c.type}" for c in one.reading.columns[:12]))
        for note in made.notes:
            self.told(note)

    def told(self, note: str) -> None:
        """What people should know."""
        self._tell(f"note: {note}")

    def heard(self, step: str, line: str) -> None:
        """A line that a step has printed."""
        if not self._quiet:
            self._tell(f"  {step} | {line}")

    def changed(self, status: PipelineRunStatus) -> None:
        """Steps that have moved on."""
        for step in status.steps:
            before, now = self._said.get(step.name), (step.phase, step.attempt, step.failures + step.disruptions)
            self._said[step.name] = now
            if before is not None and now[2] > before[2] and step.phase == "Pending":
                self._tell(_retried(step, before[1]))
            if now != (before or ("Pending", 0, 0)):
                self._step(step)

    def _step(self, step: StepStatus) -> None:
        from fairlead.cli.text import short, size, took
        from fairlead.plan.pipeline.steps import SKIPPED

        again = f" (attempt {step.attempt})" if step.attempt > 1 else ""
        why = ": ".join(part for part in (step.reason, step.message) if part)
        if step.reason == SKIPPED:
            self._tell(f"– {step.name}: {why}")
        elif step.phase == "Completed":
            outputs = ", ".join(f"{o.name} {size(o.bytes)} {short(o.sha256)}" for o in step.outputs)
            self._tell(f"✓ {step.name}  {took(step.started_at, step.finished_at, 0.0)}  {outputs}".rstrip())
        elif step.phase == "Failed":
            self._tell(f"✗ {step.name}: {why}")
        elif step.phase == "Aborted":
            self._tell(f"– {step.name}: {why or 'Aborted'}")
        elif step.phase == "Pending" and step.attempt and step.job:
            self._tell(f"▸ {step.name}{again}")

    def _tell(self, text: str) -> None:
        with self._lock:
            tell(text, self._file)


def _retried(step: StepStatus, attempt: int) -> str:
    """An attempt has failed, and there is another one: later, or it has begun already."""
    if not step.not_before:
        return f"↻ {step.name}: attempt {attempt} failed; again"
    return f"↻ {step.name}: attempt {attempt} failed: {step.reason}: {step.message}; again at {step.not_before}"


def _print(made: Prepared, earlier: tuple[int, dict[str, object]] | None) -> None:
    from fairlead.cli.blocks import show
    from fairlead.cli.dev_view import blocks

    tell("")
    show(blocks(made, earlier))


def _print_json(made: Prepared, earlier: tuple[int, dict[str, object]] | None) -> None:
    from fairlead.local import changes

    record = made.record()
    here = {
        "folder": str(made.folder), "data": {one.name: str(one.path) for one in made.versions}, "notes": made.notes,
        "models": made.here(made.models()),
        "since": {"run": earlier[0], "changes": changes.between(earlier[1], record)} if earlier else None,
    }  # fmt: skip
    print_json(record | {"here": here})
