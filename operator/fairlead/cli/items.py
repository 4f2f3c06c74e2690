"""`fairlead get run/NAME --items`: the items of a run's steps, as if all of them stood in its status. What is under way
or has failed is told by the status; what was completed, by the store."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fairlead.cli import runs, stores
from fairlead.cli.session import FAILED, NOT_FOUND, OK, USAGE, Problem, Session, print_json

if TYPE_CHECKING:
    from fairlead.api.each import Items
    from fairlead.api.pipelinerun import OutputRecord, PipelineRun, StepStatus
    from fairlead.api.tasks import PublishResult
    from fairlead.store.s3 import Bucket

Json = dict[str, Any]
READERS = 16
"""Documents that are read at a time."""


@dataclass(frozen=True)
class Row:
    """An item as people see it."""

    step: str
    number: int
    phase: str
    values: Json | None = None
    """None: they can't be had."""
    attempt: int | None = None
    outputs: list[OutputRecord] = field(default_factory=list)
    message: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of `get`."""
    parser.add_argument("--items", action="store_true", help="of a run: the items of its steps with each")
    parser.add_argument("--failed", action="store_true", help="with --items: only those that have failed")
    parser.add_argument("--step", metavar="STEP", help="with --items: of this step only")
    stores.add_options(parser)


async def show(session: Session, args: argparse.Namespace, what: str) -> int:
    """Print them."""
    from fairlead.cli.blocks import Table
    from fairlead.cli.blocks import show as shown

    name, run = await runs.found(session, what)
    chosen = [one for one in run.status.steps if one.items is not None and args.step in (None, one.name)]
    if not chosen:
        which = f"step {args.step!r}" if args.step else "a step with `each` that has begun"
        raise Problem(f"run {name!r} has no items of {which}", NOT_FOUND)
    rows = [row for step in chosen for row in await _rows(session, args, run, step)]
    if args.output == "json":
        print_json([_told(row) for row in rows])
        return OK
    shown([Table(["STEP", "ITEM", "VALUES", "PHASE", "ATTEMPT", "OUTPUTS", "MESSAGE"], [_cells(row) for row in rows])])
    return OK


async def _rows(session: Session, args: argparse.Namespace, run: PipelineRun, step: StepStatus) -> list[Row]:
    from fairlead.store.layout import split

    items = step.items
    assert items is not None
    if items.total is None:
        raise Problem(f"step {step.name} is still asking the data for its items: {step.message}", NOT_FOUND)
    wanted = _phases(items)
    if args.failed:
        wanted = {number: phase for number, phase in wanted.items() if phase == "Failed"}
    bucket, folder = split(items.folder)
    async with stores.opened(session, args, bucket) as store:
        values = await asyncio.to_thread(_values, store, run, step, list(wanted))
        done = [number for number, phase in wanted.items() if phase == "Completed"]
        left = await asyncio.to_thread(_left, store, folder, values, done)
    return list(_told_by(step.name, items, wanted, values, left))


def _phases(items: Items) -> dict[int, str]:
    """Where each item stands."""
    from fairlead.api.items import mask_of, numbers

    found = dict.fromkeys(range(items.next), "Completed") | dict.fromkeys(
        range(items.next, items.total or 0), "Pending"
    )
    for mask, phase in ((items.failed, "Failed"), (items.stopped, "Aborted"), (items.left_out, "LeftOut")):
        found.update(dict.fromkeys(numbers(mask_of(mask)), phase))
    return found | {one.item: one.phase or "Pending" for one in items.live}


def _values(store: Bucket, run: PipelineRun, step: StepStatus, wanted: list[int]) -> dict[int, Json]:
    """The values of items: of a matrix by the run's own copy of the pipeline, of a Dataset by the store."""
    from fairlead.api import foreign
    from fairlead.api.items import PAGE
    from fairlead.plan.pipeline import items as lists
    from fairlead.store.layout import split

    assert run.status.template is not None
    steps = {one.name: one for one in run.status.template.steps}
    first = lists.root(steps, steps[step.name])
    assert first.each is not None
    if first.each.matrix is not None:
        return {number: dict(lists.of_matrix(first.each.matrix, number)) for number in wanted}
    said = next(one.items for one in run.status.steps if one.name == first.name)
    assert said is not None
    found: dict[int, Json] = {}
    for page in sorted({number // PAGE for number in wanted}):
        _, folder = split(said.folder)
        try:
            rows = foreign.parse(store.read(f"{folder}pages/{said.pages[page]}.json"))
        except foreign.Unreadable as bad:
            raise Problem(f"the values of items {page * PAGE} and after can't be read: {bad}", FAILED) from bad
        for number in wanted:
            if number // PAGE == page:
                found[number] = dict(zip(lists.names(first), rows[number % PAGE], strict=True))
    return found


def _left(store: Bucket, folder: str, values: dict[int, Json], done: list[int]) -> dict[int, PublishResult]:
    """What completed items have committed. Raises Problem for a document that can't be read."""
    from concurrent.futures import ThreadPoolExecutor

    from pydantic import ValidationError

    from fairlead.api import foreign
    from fairlead.api.items import item_id
    from fairlead.api.tasks import PublishResult

    def one(number: int) -> PublishResult:
        key = f"{folder}outcomes/{item_id(number, values[number])}.json"
        try:
            return PublishResult.model_validate(foreign.parse(store.read(key, runs.OUTCOME), parts=foreign.FEW))
        except (foreign.Unreadable, ValidationError) as error:
            raise Problem(f"{store.uri(key)} is no outcome: {str(error).splitlines()[0]}", FAILED) from None

    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(done, pool.map(one, done), strict=True))


def _told_by(
    step: str, items: Items, wanted: dict[int, str], values: dict[int, Json], left: dict[int, PublishResult]
) -> Iterator[Row]:  # fmt: skip
    live, why = {one.item: one for one in items.live}, {one.item: one for one in items.why}
    for number, phase in sorted(wanted.items()):
        if number in left:
            yield Row(step, number, phase, values.get(number), left[number].attempt, left[number].outputs)
        elif number in live:
            one = live[number]
            text = " ".join(part for part in (one.reason, one.message) if part)
            again = f"again at {one.not_before}" if one.not_before else ""
            message = ", ".join(part for part in (text, again) if part)
            yield Row(step, number, phase, values.get(number), one.attempt, message=message)
        else:
            said = why.get(number)
            text = f"{said.reason}: {said.message}" if said else ""
            more = "why is told of the first few only; see its log" if phase == "Failed" and not said else ""
            yield Row(step, number, phase, values.get(number), message=text or more)


def _cells(row: Row) -> list[str]:
    from fairlead.api.items import said
    from fairlead.cli.text import short, size

    outputs = ", ".join(f"{one.name} {size(one.bytes)} {short(one.sha256)}" for one in row.outputs)
    return [row.step, str(row.number), said(row.values or {}) or "-", row.phase, str(row.attempt or "-"),
            outputs or "-", row.message]  # fmt: skip


def _told(row: Row) -> Json:
    return {
        "step": row.step, "item": row.number, "values": row.values, "phase": row.phase, "attempt": row.attempt,
        "outputs": [one.model_dump(mode="json", by_alias=True) for one in row.outputs], "message": row.message,
    }  # fmt: skip


# --- the log of one ------------------------------------------------------------------------------------------------


def chosen(step: StepStatus, asked: int | None) -> int | None:
    """Which item's log is meant; None: the step has none. Raises Problem."""
    if step.items is None:
        if asked is not None:
            raise Problem(f"step {step.name} has no items; leave --item out", USAGE)
        return None
    if asked is None or not 0 <= asked < (step.items.total or 0):
        shown = "fairlead get run/NAME --items"
        raise Problem(f"step {step.name} has {step.items.total or 0} items: say which by --item NUMBER; {shown} has "
                      "their numbers", USAGE)  # fmt: skip
    return asked


async def log(session: Session, args: argparse.Namespace, step: StepStatus, number: int) -> bytes:
    """The log of an item as it was kept. Raises Problem."""
    from fairlead.store.layout import split

    assert step.items is not None
    bucket, folder = split(step.items.folder)
    mine = f"{folder}logs/{number:05d}/"
    async with stores.opened(session, args, bucket) as store:
        keys = await asyncio.to_thread(lambda: [one.key for one in store.list(mine)])
        tries = {int(part): key for key in keys if (part := key.removeprefix(mine).partition("/")[0]).isdigit()}
        attempt = args.attempt or max(tries, default=0)
        if attempt not in tries:
            known = ", ".join(map(str, sorted(tries))) or "none"
            raise Problem(f"item {number} of step {step.name} has no log of attempt {attempt or 1}; kept are those of "
                          f"attempts: {known}", NOT_FOUND)  # fmt: skip
        return await asyncio.to_thread(store.read, tries[attempt])
