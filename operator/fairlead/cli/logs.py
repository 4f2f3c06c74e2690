"""`fairlead logs run/NAME [STEP]`: what a step's program has written: from its pod while that is there, else as it was
kept."""

from __future__ import annotations

import argparse
import asyncio
import codecs
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from fairlead.cli import items, runs, stores
from fairlead.cli.session import NOT_FOUND, OK, USAGE, Problem, Session, add_options, command, tell

if TYPE_CHECKING:
    from fairlead.api.pipelinerun import StepStatus

Json = dict[str, Any]
KEPT = 16 << 20
"""Bytes of a log that are read from the store: more than is kept."""
_COLOURS = re.compile(r"(\x1b\[[0-9;]{0,32}m)")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("logs", help="what a step of a run has written, also when its pod is gone")
    parser.add_argument("what", metavar="run/NAME")
    parser.add_argument("step", nargs="?", help="default: the one that failed, or runs, or is the only one")
    parser.add_argument("--attempt", type=int, metavar="N", help="of this attempt (default: the last one)")
    parser.add_argument("--item", type=int, metavar="NUMBER", help="of this item of a step with each, as it was kept")
    parser.add_argument("--worker", type=int, metavar="INDEX", default=0,
                        help="of this worker of a step with several (default: 0, whose outputs are kept)")  # fmt: skip
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the program ends")
    stores.add_options(parser)
    add_options(parser)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Print it."""
    name, found = await runs.found(session, args.what)
    step = runs.step_of(name, found, args.step)
    if (item := items.chosen(step, args.item)) is not None:
        writer = Writer()
        writer.write(await items.log(session, args, step, item))
        writer.end()
        return OK
    attempt = args.attempt or step.attempt
    if not step.attempt:
        raise Problem(f"step {step.name} of run {name!r} has not begun: {step.message or step.phase}", NOT_FOUND)
    if not 1 <= attempt <= step.attempt:
        raise Problem(f"step {step.name} of run {name!r} has had attempts 1 to {step.attempt}", USAGE)
    if args.worker < 0:
        raise Problem(f"--worker {args.worker}: workers are counted from 0", USAGE)
    if not await _from_pod(session, name, step, Which(attempt, args.worker), args.follow):
        await _from_store(session, args, step, Which(attempt, args.worker))
    return OK


class Which(NamedTuple):
    """Whose log."""

    attempt: int
    worker: int = 0

    def __str__(self) -> str:
        """In words."""
        return f"attempt {self.attempt}" + (f", worker {self.worker}" if self.worker else "")


async def _from_pod(session: Session, run: str, step: StepStatus, which: Which, follow: bool) -> bool:
    """Whether the pod is there, and has said what its log is. Whoever may not read it may read what was kept."""
    from fairlead.cluster.errors import Forbidden, NotFound, Refused, Unavailable
    from fairlead.manifests.job import STEP
    from fairlead.manifests.meta import LABEL_PREFIX
    from fairlead.manifests.workers import INDEX_MARK
    from fairlead.plan.core import POD

    def is_wanted(pod: Json) -> bool:
        return int((pod["metadata"].get("annotations") or {}).get(INDEX_MARK, 0)) == which.worker

    wanted = {"run": run, "step": step.name, "attempt": str(which.attempt)}
    selector = ",".join(f"{LABEL_PREFIX}{key}={value}" for key, value in wanted.items())
    writer = Writer()
    try:
        pods = [
            pod async for page in session.kube.pages(POD, session.namespace, selector=selector) for pod in page.items
            if is_wanted(pod)
        ]  # fmt: skip
        for pod in pods:
            try:
                async for part in session.kube.stream(session.namespace, pod["metadata"]["name"], STEP, follow):
                    writer.write(part)
            except (NotFound, Refused) as refused:  # it is gone by now, asks the store what was committed, or waits
                if len(pods) == 1 and step.log is None:
                    raise Problem(f"the program has not begun: {step.message or refused.message}", NOT_FOUND) from None
                continue
            writer.end()
            return True
    except (Forbidden, Unavailable) as failed:
        if step.log is None or not (step.log.uri or which.worker):
            raise
        tell(f"{failed.message}; this is what was kept of it:", sys.stderr)
    return False


async def _from_store(session: Session, args: argparse.Namespace, step: StepStatus, which: Which) -> None:
    from fairlead.store.errors import StoreError
    from fairlead.store.layout import split

    uri = where(step, which)
    bucket, key = split(uri)
    async with stores.opened(session, args, bucket) as store:
        try:
            body = await asyncio.to_thread(store.read, key, KEPT)
        except StoreError as failed:
            if failed.reason != "ObjectMissing":
                raise
            raise Problem(f"the log of {which} is not kept: {uri} does not exist", NOT_FOUND) from None
    writer = Writer()
    writer.write(body)
    writer.end()
    if step.log is not None and step.log.cut and step.log.attempt == which.attempt and not which.worker:
        tell(f"only the last {len(body)} bytes of it were kept", sys.stderr)


def where(step: StepStatus, which: Which) -> str:
    """The address of an attempt's log in the store. Raises Problem."""
    from fairlead.plan.pipeline.logs import name_of

    log, attempt = step.log, which.attempt
    if which.worker and log is not None and log.uri:
        folder, _, _ = log.uri.rpartition(f"/{log.attempt}/")
        return f"{folder}/{attempt}/{name_of(which.worker)}"
    if log is not None and log.attempt == attempt and log.uri:
        return log.uri
    if log is not None and log.attempt == attempt:
        why = log.problem or "it is being kept; try again in a moment"
        raise Problem(f"the log of attempt {attempt} of step {step.name} is not kept: {why}", NOT_FOUND)
    if log is None or not log.uri:
        raise Problem(f"attempt {attempt} of step {step.name} has no log: its program has not run, or its pod was gone",
                      NOT_FOUND)  # fmt: skip
    folder, _, rest = log.uri.rpartition(f"/{log.attempt}/")
    return f"{folder}/{attempt}/{rest}"


class Writer:
    """Writes a log on standard output: as it is for programs; for a terminal without what could steer it, but for
    colours."""

    def __init__(self) -> None:
        self._plain = not sys.stdout.isatty()
        self._text = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, part: bytes) -> None:
        """The next part."""
        if self._plain:
            sys.stdout.flush()
            raw = getattr(sys.stdout, "buffer", None)
            if raw is not None:
                raw.write(part)
                raw.flush()
                return
        text = self._text.decode(part)
        sys.stdout.write(text if self._plain else harmless(text))
        sys.stdout.flush()

    def end(self) -> None:
        """There is nothing more."""
        rest = self._text.decode(b"", final=True)
        sys.stdout.write(rest if self._plain else harmless(rest))
        sys.stdout.flush()


def harmless(text: str) -> str:
    """A text for a terminal: line breaks, tabs and colours stay; all else that it would obey is shown as an escape."""
    parts = _COLOURS.split(text)
    return "".join(part if index % 2 else _shown(part) for index, part in enumerate(parts))


def _shown(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in lines)
