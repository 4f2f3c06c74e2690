"""`kubectl fairlead monitor deployment/x`: what the monitors of a live model have found, window by window.

What each monitor says is in the status. Its windows are judged once more from their ledger (of which only the end is
read) and the profile, both in the store. What can't be had is told, and the rest is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairlead.cli import stores
from fairlead.cli.session import NOT_FOUND, OK, USAGE, Json, Problem, Session, print_json
from fairlead.cli.text import amount

if TYPE_CHECKING:
    from fairlead.api.deployment import Deployment
    from fairlead.api.ledger import Ledger
    from fairlead.api.monitors import Monitored
    from fairlead.cli.monitor_view import Seen, View
    from fairlead.monitor.profile import Profile
    from fairlead.plan.deployment.monitors.book import Again
    from fairlead.store.s3 import Bucket

WINDOWS, MOST = 24, 1000
"""Windows that are shown, and the most that can be asked for."""
_KINDS = ("deployment", "mdeploy")
_READY = "MonitorReady"
_OWN = {"gaps", "digest", "job", "used", "pending"}
"""Of labels: what only Fairlead reads."""
_SHARED = "of its budget of false alarms: the namespace's Deployments ask for more than they may have together."


@dataclass
class Found:
    """What is known of a version's windows."""

    profile: Profile | None = None
    windows: list[Again] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What could not be had, and why."""


async def show(session: Session, args: argparse.Namespace) -> int:
    """Show it. Returns the exit code. Raises Problem."""
    from fairlead.api.deployment import Deployment
    from fairlead.plan.core import DEPLOYMENT

    kind, slash, name = args.what.partition("/")
    if not slash or kind not in _KINDS:
        raise Problem(
            f"{args.what!r} is not deployment/NAME; of rows on this machine: --profile FILE --rows FILE", USAGE
        )
    if not 1 <= args.windows <= MOST:
        raise Problem(f"--windows is a number from 1 to {MOST}", USAGE)
    raw = await session.get(DEPLOYMENT, name)
    found = Deployment.model_validate(raw)
    if args.outliers:
        from fairlead.cli import strange

        return await strange.show(session, args, name, found)
    known = await gathered(session, args, found, name)
    _tell(args, name, found, known)
    return OK


def _tell(args: argparse.Namespace, name: str, found: Deployment, known: Found) -> None:
    from fairlead.cli import blocks, monitor_page, monitor_table

    version = args.version or (found.status.monitors.version if found.status.monitors else "")
    if args.output == "json":
        print_json(as_json(name, found, known, version))
        return
    view = view_of(name, found, known, version, time.time())
    if monitor_page.wanted(args.output):
        monitor_page.tell(view, args.output)
    else:
        blocks.show(monitor_table.blocks(view, monitor_table.width()))


# --- what there is ---------------------------------------------------------------------------------------------------


async def gathered(session: Session, args: argparse.Namespace, found: Deployment, name: str) -> Found:
    """The last windows of the version that is asked for. Raises Problem for one of which nothing is known."""
    kept = found.status.monitors
    if args.version and (kept is None or args.version != kept.version):
        book = await _before(session, args, found, name)
    elif kept is None or not kept.ledger.name:
        return Found(notes=[_nothing(found)])
    else:
        book = kept.ledger
    lines, notes = await _tail(session, args, book)
    profile, why = await _profile(session, args, lines)
    known = Found(profile, notes=[*notes, *why])
    if profile is not None:
        _judge(known, profile, lines, args.windows)
    return known


def _nothing(found: Deployment) -> str:
    """Why there is no window of the live version."""
    if found.spec.monitors is None:
        return "It is not monitored: spec.monitors turns it on (monitors: {} is enough)."
    if found.status.live is None:
        return "No version is live yet: monitors begin with the first one."
    ready = next((one for one in found.status.conditions if one.type == _READY), None)
    told = f" {_READY} says: {ready.reason}: {ready.message}." if ready and ready.message else ""
    return f"Its monitors have seen nothing yet.{told}"


def _judge(known: Found, profile: Profile, lines: list[str], windows: int) -> None:
    from fairlead.plan.deployment.monitors.book import replayed

    try:
        every = list(replayed(profile, lines))
    except (ValueError, KeyError, TypeError) as bad:
        known.notes.append(f"The ledger of the monitors can't be judged: {bad}.")
        return
    known.windows = every[-windows:]
    if not all(one.same for one in known.windows):
        known.notes.append("Some windows give another state now than at the time: kubectl fairlead replay says which.")
    if skipped := sum(one.skipped for one in known.windows[1:]):
        known.notes.append(f"{skipped} windows could not be judged, because lines before them are lost.")


async def _tail(session: Session, args: argparse.Namespace, book: Ledger) -> tuple[list[str], list[str]]:
    """The end of a ledger: as many lines as the windows need; and what could not be had."""
    from fairlead.store.layout import split

    if not book.uri or book.segment == 0:
        less = "Without a store only the last few windows are kept: set store in Fairlead's values."
        return book.lines, [] if book.uri else [less]
    bucket, prefix = split(book.uri)
    below = None if book.segment < 0 else book.segment
    try:
        async with stores.opened(session, args, bucket) as store:
            saved = await asyncio.to_thread(saved_tail, store, prefix, below, args.windows - _windows(book.lines))
    except Problem as refused:
        return book.lines, [f"Only windows that the store does not have yet are shown, for it can't be read: {refused}"]
    return [*saved, *book.lines], []


def saved_tail(bucket: Bucket, prefix: str, below: int | None, windows: int) -> list[str]:
    """The last lines that the store has: so many windows at least, from a line on from which they can be judged."""
    from fairlead.cli.replay import segments
    from fairlead.plan.deployment.monitors.book import starts

    lines: list[str] = []
    for key in reversed(segments(bucket, prefix, below)):
        lines = [*(line for line in bucket.read(key).decode(errors="replace").split("\n") if line), *lines]
        first = next((at for at, line in enumerate(lines) if starts(line)), None)
        if first is not None and _windows(lines[first:]) >= windows:
            return lines[first:]
    return lines


def _windows(lines: list[str]) -> int:
    return sum('"counts":' in line[:48] for line in lines)


async def _profile(session: Session, args: argparse.Namespace, lines: list[str]) -> tuple[Profile | None, list[str]]:
    from fairlead.cli.remonitor import head
    from fairlead.monitor.profile import SIZE, BadProfile, parse
    from fairlead.store.layout import split

    uri = str((head(lines) or {}).get("uri", ""))
    if not uri:
        return None, ["Windows can't be judged: no line that is left of the ledger names the profile."]
    try:
        bucket, key = split(uri)
        async with stores.opened(session, args, bucket) as store:
            return parse(await asyncio.to_thread(store.read, key, SIZE + 1)), []
    except (Problem, BadProfile, ValueError) as failed:
        return None, [f"Windows can't be judged without the version's profile: {failed}"]


async def _before(session: Session, args: argparse.Namespace, found: Deployment, name: str) -> Ledger:
    """The last ledger of a version that was live before. Raises Problem."""
    from fairlead.api.ledger import Ledger
    from fairlead.plan.deployment.monitors.book import SUFFIX
    from fairlead.store.layout import split

    mine = f"{args.version}-"
    for book in reversed(found.status.unsaved):
        if book.name.startswith(mine) and book.name.endswith(SUFFIX):
            return book
    kept = found.status.monitors
    known = [kept.ledger.uri if kept else "", *(one.ledger for one in found.status.history)]
    folder = next((one.rstrip("/").rpartition("/")[0] for one in known if one), "")
    if not folder:
        raise Problem(f"of {args.version} no windows are kept: deployment/{name} has no ledger in a store", NOT_FOUND)
    bucket, prefix = split(f"{folder}/")
    async with stores.opened(session, args, bucket) as store:
        keys = await asyncio.to_thread(lambda: [one.key for one in store.list(f"{prefix}{mine}")])
    books = {key.removeprefix(prefix).partition("/")[0] for key in keys}
    books = {one for one in books if one.endswith(SUFFIX) and _is_of(one.removesuffix(SUFFIX), args.version)}
    if not books:
        raise Problem(f"of {args.version} no windows are kept: the store has no ledger of its monitors", NOT_FOUND)
    return Ledger(name=max(books), uri=f"{folder}/{max(books)}/", segment=-1)


def _is_of(book: str, version: str) -> bool:
    """A ledger is named by its version and when it began."""
    return book.rpartition("-")[0] == version


# --- what is shown ---------------------------------------------------------------------------------------------------


def view_of(name: str, found: Deployment, known: Found, version: str, now: float) -> View:
    """As people look at it."""
    from fairlead.cli.monitor_view import View
    from fairlead.cli.text import ago

    kept = found.status.monitors
    live = kept if kept is not None and kept.version == version else None
    rows = (
        [[one.monitor, one.state, ago(one.since, now), one.reason, one.message] for one in live.lines] if live else []
    )
    said = [
        *known.notes,
        *(_labels(live, now) if live else []),
        *(_next(live, now) if live else _replaced(found, version)),
    ]
    task = known.profile.task if known.profile else ""
    return View(f"monitors of deployment {name}", _note(kept, version, now), task, _seen(known), rows, said)


def _seen(known: Found) -> list[Seen]:
    from fairlead.cli.monitor_view import Seen

    return [Seen(_stamp(one.at), one.tally.rows, one.report, one.tally.unread) for one in known.windows]


def _note(kept: Monitored | None, version: str, now: float) -> str:
    from fairlead.cli.text import ago, count

    if kept is None or kept.version != version:
        return version
    seen = (
        f"{amount(kept.windows, 'window')}, the last one of {amount(kept.rows, 'row')}"
        if kept.windows
        else "no window yet"
    )
    closed = f", closed {ago(kept.closed_at, now)}" if kept.closed_at else ""
    lost = f"; {count(kept.lost)} times a pod's rows were not counted" if kept.lost else ""
    return f"{version}, since {ago(kept.since, now)}: {seen}{closed}{lost}"


def _labels(kept: Monitored, now: float) -> list[str]:
    """How far labels have been joined with the version's answers, and why they say nothing."""
    from fairlead.cli.show_deployment import labels

    return [labels(kept.labels, now)] if kept.labels else []


def _next(kept: Monitored, now: float) -> list[str]:
    """When more is known; and of how much of its budget."""
    from fairlead.api.units import human
    from fairlead.plan.core import epoch

    if not kept.next_at:
        return []
    left = epoch(kept.next_at) - now
    when = f"in {human(left)}" if left >= 1 else "now"
    what = "The next window closes" if kept.opened_at else "Recorders are read next"
    shared = f" It may spend {float(kept.part):.0%} {_SHARED}" if kept.part else ""
    return [f"{what} {when}.{shared}"]


def _replaced(found: Deployment, version: str) -> list[str]:
    live = found.status.live
    return [f"{version} is not live any more: {live.version} is."] if version and live else []


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))


def as_json(name: str, found: Deployment, known: Found, version: str) -> Json:
    """For programs: all that is known."""
    from fairlead.cli.past_json import finite, parts

    kept = found.status.monitors
    live = kept if kept is not None and kept.version == version else None
    windows = [
        {"to": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.at)), "rows": one.tally.rows,
         "requests": one.tally.requests, "sampled": one.tally.sampled, "unread": dict(one.tally.unread),
         "same": one.same} | parts(one.report)
        for one in known.windows
    ]  # fmt: skip
    told: Json = finite({
        "deployment": name, "version": version, "profile": known.profile.digest if known.profile else None,
        "monitors": [one.model_dump(mode="json", by_alias=True) for one in live.lines] if live else [],
        "closed": live.windows if live else None, "next": live.next_at if live else None,
        "labels": live.labels.model_dump(mode="json", by_alias=True, exclude=_OWN) if live and live.labels else None,
        "windows": windows, "notes": known.notes,
    })  # fmt: skip
    return told
