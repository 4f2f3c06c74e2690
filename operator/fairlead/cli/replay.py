"""`fairlead replay`: judge a rollout's recorded evidence once more, and compare with what was found at the time."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead.api.units import many
from fairlead.cli import remonitor, stores
from fairlead.cli.session import FAILED, OK, Problem, Session, add_options, command, guarded, print_json

if TYPE_CHECKING:
    from fairlead.api.deployment import Deployment
    from fairlead.api.ledger import Ledger
    from fairlead.cli.blocks import Block
    from fairlead.plan.deployment.rollout.whatif import Judged
    from fairlead.store.s3 import Bucket
    from fairlead.verdict.trace import Ended

Json = dict[str, Any]
WATCHES = "-watch/"
"""How the folder of a watch's ledger ends."""
_SEGMENT = re.compile(r"/(\d{5,})\.jsonl$")
"""How the key of a segment ends: with its number."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "replay", help="judge a rollout's recorded evidence once more",
        description="Judge a rollout's recorded evidence once more, window by window, and compare with what was found "
        "at the time, to the last bit. The exit code is 1 if anything differs.",
    )  # fmt: skip
    parser.add_argument("what", metavar="deployment/NAME", help="the Deployment; or - with --file")
    parser.add_argument(
        "--version", help="the version whose rollout, or part in an experiment, is replayed (default: the last rollout)"
    )
    parser.add_argument(
        "--watch", action=argparse.BooleanOptionalAction,
        help="what was seen after the promotion (default: if that took the version back)",
    )  # fmt: skip
    parser.add_argument(
        "--monitors", action="store_true", help="what the monitors of the live version have seen, window by window"
    )
    parser.add_argument(
        "--profile", metavar="FILE", help="with --file of monitors: the profile that their counts are of"
    )
    parser.add_argument("--file", action="append", default=[], metavar="FILE",
                        help="a segment of a ledger, repeated in their order: no cluster is needed")  # fmt: skip
    stores.add_options(parser)
    add_options(parser, output=True)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class Chosen:
    """Where the lines of a ledger are."""

    uri: str
    """Of the folder with its segments; empty without a store."""
    below: int | None
    """Only segments with smaller numbers are read: of this one on, the status that was read has the lines, though the
    operator may save them at the same time. None: the store has all of them."""
    lines: list[str]
    """Those of the status, which come last."""


@dataclass(frozen=True)
class Replayed:
    """What came of it."""

    judged: list[Judged]
    ended: Ended | None
    different: list[str]
    """Windows whose evidence differs from what was found at the time, in words."""


def run(args: argparse.Namespace) -> int:
    """From files nothing else is needed."""
    if args.file:
        name = "-".join(Path(name).name for name in args.file)
        return guarded(lambda: _of_files(args, name))
    return int(_from_cluster(args))


def _of_files(args: argparse.Namespace, name: str) -> int:
    lines = [line for one in args.file for line in _lines(Path(one))]
    if not remonitor.is_one(lines):
        return _tell(args, name, lines)
    if not args.profile:
        raise Problem("these are windows of monitors: name the profile that their counts are of by --profile", 2)
    try:
        body = Path(args.profile).read_bytes()
    except OSError as failed:
        raise Problem(str(failed)) from None
    return remonitor.tell(name, lines, body, args.output)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except OSError as failed:
        raise Problem(str(failed)) from None
    except UnicodeDecodeError as bad:
        raise Problem(f"{path} is no segment of a ledger, which is text in UTF-8: {bad}") from None


@command
async def _from_cluster(session: Session, args: argparse.Namespace) -> int:
    from fairlead.api.deployment import Deployment
    from fairlead.plan.core import DEPLOYMENT

    kind, slash, name = args.what.partition("/")
    if not slash or kind not in ("deployment", "mdeploy"):
        raise Problem(f"{args.what!r} is not deployment/NAME", 2)
    found = Deployment.model_validate(await session.get(DEPLOYMENT, name))
    if args.monitors:
        return await _monitors(session, args, name, found)
    chosen = choose(found, args.version, args.watch)
    saved = await _segments(session, args, chosen) if chosen.uri and chosen.below != 0 else []
    return _tell(args, f"deployment/{name}", [*saved, *chosen.lines])


async def _monitors(session: Session, args: argparse.Namespace, name: str, found: Deployment) -> int:
    """What the monitors have seen since they began with their settings and the live version's profile."""
    import asyncio

    from fairlead.store.layout import split

    kept = found.status.monitors
    if kept is None or not kept.ledger.name:
        raise Problem(f"deployment/{name}: its monitors have seen nothing yet; its condition MonitorReady says why", 3)
    chosen = Chosen(kept.ledger.uri, kept.ledger.segment, kept.ledger.lines)
    saved = await _segments(session, args, chosen) if chosen.uri and chosen.below != 0 else []
    lines = [*saved, *chosen.lines]
    uri = str((remonitor.head(lines) or {}).get("uri", ""))
    if not uri:
        raise Problem(
            f"deployment/{name}: no line that is left of its monitors' ledger names the profile of its windows"
        )
    bucket, key = split(uri)
    async with stores.opened(session, args, bucket) as opened:
        body = await asyncio.to_thread(opened.read, key)
    return remonitor.tell(f"deployment/{name}", lines, body, args.output)


def choose(found: Deployment, version: str | None, watch: bool | None = None) -> Chosen:
    """The ledger of the rollout, or of the watch after the promotion. watch: only that, or only the rollout. Raises
    Problem."""
    status = found.status
    arms = status.experiment.arms if status.experiment else []
    candidate = status.candidate or next((arm for arm in arms if arm.version == version), None)
    watched = status.watch
    if watch and watched and watched.ledger.name and version in (None, watched.version):
        return _kept(watched.ledger)
    if candidate and not watch and version in (None, candidate.version):
        return _kept(candidate.ledger)
    mine = [r for r in status.history if r.against and version in (None, r.version)]
    if not mine:
        known = ", ".join(r.version for r in status.history if r.against) or "none"
        raise Problem(f"no rollout of {version or 'any version'} is recorded; there are: {known}", 3)
    record = next((r for r in mine if r.ledger and (watch is None or r.ledger.endswith(WATCHES) == watch)), None)
    if record is None and watch:
        raise Problem("no rollback after a promotion is recorded; watches that ended well are in the store alone", 3)
    if record is None:
        raise Problem("without a store the evidence of ended rollouts is not kept; set store in Fairlead's values")
    book = next((book for book in status.unsaved if book.uri == record.ledger), None)
    return _kept(book) if book else Chosen(record.ledger, None, [])


def _kept(book: Ledger) -> Chosen:
    """A ledger of which the status has the end. Raises Problem for one whose beginning is lost."""
    if not book.dropped:
        return Chosen(book.uri, book.segment, book.lines)
    if book.uri:
        raise Problem(f"{book.dropped} lines of this ledger are nowhere any more (the store did not take them), so it "
                      f"can't be replayed. {book.message}".strip())  # fmt: skip
    raise Problem(
        f"the first {book.dropped} lines of this ledger are nowhere any more (no store could keep them), so it can't "
        "be replayed; set store in Fairlead's values"
    )


async def _segments(session: Session, args: argparse.Namespace, chosen: Chosen) -> list[str]:
    """The lines that the store has."""
    import asyncio

    from fairlead.store.layout import split

    name, prefix = split(chosen.uri)
    async with stores.opened(session, args, name) as bucket:
        return await asyncio.to_thread(saved_lines, bucket, prefix, chosen.below)


def saved_lines(bucket: Bucket, prefix: str, below: int | None) -> list[str]:
    """The lines of a ledger's segments with smaller numbers than `below`, or of all, in their order."""
    keys = segments(bucket, prefix, below)
    return [line for key in keys for line in bucket.read(key).decode().split("\n") if line]


def segments(bucket: Bucket, prefix: str, below: int | None) -> list[str]:
    """The keys of a ledger's segments with smaller numbers than `below`, or of all, in their order."""
    found = {int(known[1]): entry.key for entry in bucket.list(prefix) if (known := _SEGMENT.search(entry.key))}
    return [key for number, key in sorted(found.items()) if below is None or number < below]


# --- the replay ----------------------------------------------------------------------------------------------------


def replay(lines: Iterable[str]) -> Replayed:
    """Judge all lines. Raises Problem for what can't be read."""
    from fairlead.api.deployment import Rollout
    from fairlead.plan.deployment.rollout.whatif import judge
    from fairlead.verdict.trace import BadTrace, read

    try:
        play = judge(Rollout(), read(lines))
    except ValueError as bad:
        what = "the ledger" if isinstance(bad, BadTrace) else "the ledger's counts"
        raise Problem(f"{what} can't be read: {bad}") from None
    return Replayed(play.judged, play.ended, [words for one in play.judged for words in differences(one)])


def differences(judged: Judged) -> list[str]:
    """Where the evidence is not, bit for bit, what was found at the time."""
    from fairlead.verdict.guards import encode

    names = [metric.name for metric in judged.rules.metrics]
    return [
        f"t {judged.t:.3f}, {name}: {encode(guard.log_evidence)} now, {judged.told[name]} then"
        for name, guard in zip(names, judged.state.guards, strict=True)
        if name in judged.told and judged.told[name] != encode(guard.log_evidence)
    ]


def _tell(args: argparse.Namespace, name: str, lines: list[str]) -> int:
    from fairlead.cli import rewatch
    from fairlead.cli.blocks import show
    from fairlead.cli.verdict import report
    from fairlead.verdict import watchtrace

    if watchtrace.is_one(lines):
        return rewatch.tell(name, lines, args.output)
    found = replay(lines)
    if not found.judged:
        raise Problem(f"{name}: no window is recorded (yet)")
    if args.output == "json":
        ended = {"result": found.ended.result, "reason": found.ended.reason} if found.ended else None
        print_json(report(found.judged) | {"ended": ended, "same": not found.different, "different": found.different})
    else:
        show(blocks(name, found))
    return FAILED if found.different else OK


def blocks(name: str, found: Replayed) -> list[Block]:
    """A table of the windows, a chart of the evidence, how it ended, and whether it is the same."""
    from fairlead.cli.blocks import Lines, Title
    from fairlead.cli.chart import chart
    from fairlead.cli.verdict import blocks as table

    began = found.judged[0].t
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(began))
    shown: list[Block] = [
        Title(f"replay {name}", found.judged[-1].conclusion.verdict, f"from {when}"),
        *table(found.judged),
    ]
    for index, metric in enumerate(found.judged[-1].rules.metrics):
        series = [one.state.guards[index].log_evidence for one in found.judged if index < len(one.state.guards)]
        shown.append(Lines([f"{metric.name}: log evidence of harm over {many(len(series), 'window')}, bound ─",
                            *chart(series, found.judged[-1].rules.bound)]))  # fmt: skip
    if found.ended:
        shown.append(Title("at the time", found.ended.result, f"{found.ended.reason}: {found.ended.message}"))
    same = f"all {len(found.judged)} windows give the same evidence, to the last bit"
    return [*shown, Lines(found.different[:20] or [same])]
