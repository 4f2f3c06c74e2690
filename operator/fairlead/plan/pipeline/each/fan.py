"""One look at a step with `each`: items begin, are followed, tried again, stopped; and when it is over.

An item is followed as a step is (see `steps`), and recorded in fewer words: those that have begun and are not over, one
by one; the others as bits. What an item has left stands in the store, in a place that follows from its number and its
values. So a look costs as much as there are items alive, and a status has as many bytes, however many items there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from fairlead.api.each import SHOWN, Each, FailedItem, Items, LiveItem
from fairlead.api.items import counted, left, mask_of, said, tally_digest, text_of
from fairlead.api.pipeline import Step
from fairlead.api.pipelinerun import GpuTime, ItemStatus, StepStatus
from fairlead.api.units import many
from fairlead.plan import store
from fairlead.plan.core import JOB, LABEL_PREFIX, Delete, Json, epoch
from fairlead.plan.jobs import failures
from fairlead.plan.pipeline import clocks, logs, metering, steps
from fairlead.plan.pipeline import items as lists
from fairlead.plan.pipeline.each import asking
from fairlead.plan.pipeline.steps import View
from fairlead.plan.pipeline.types import registry as types

ENDED = "ItemsFailed"
WAITING = 50
"""Items that may wait for another attempt, besides those that run: else a record could become as long as the list."""
_BLANK = ItemStatus(name="item")
"""Copied for each item: cheaper than to make one."""
_WORDS = 128
_WHY = 160
"""Characters of a failed item's message."""


def step_of(view: View, status: StepStatus) -> Step:
    """The step as the run has it."""
    assert view.template is not None
    return next(step for step in view.template.steps if step.name == status.name)


def each_of(view: View, status: StepStatus) -> Each:
    """What it runs for."""
    found = step_of(view, status).each
    assert found is not None
    return found


def pieces(view: View, status: StepStatus) -> list[ItemStatus]:
    """The items that are alive, each as a step is recorded; made once of each record in a look."""
    if status.items is None:
        return []
    shared, key = view.world.shared, ("pieces", status.name)
    kept: tuple[Items, list[ItemStatus]] | None = shared.get(key) if shared is not None else None
    if kept is not None and kept[0] is status.items:
        return kept[1]
    found = [_piece(view, status, one) for one in status.items.live]
    if shared is not None:
        shared[key] = (status.items, found)
    return found


def _piece(view: View, status: StepStatus, live: LiveItem) -> ItemStatus:
    job = "" if live.not_before else steps.job_name(
        view, status.name, live.attempt, live.item, recall=bool(live.recall)
    )  # fmt: skip
    return _BLANK.model_copy(update={
        "name": status.name, "item": live.item, "phase": live.phase or "Pending",
        "reason": live.reason or steps.STARTING, "message": live.message or "", "attempt": live.attempt,
        "failures": live.failures or 0, "disruptions": live.disruptions or 0, "not_before": live.not_before,
        "job": job, "job_uid": live.job_uid or "", "finished_at": live.ended_at, "memory": live.memory or "",
        "gpu": GpuTime(since=live.gpu_since, count=live.gpus or "0") if live.gpu_since else None,
    })  # fmt: skip


def _recorded(view: View, piece: ItemStatus, told: bool) -> LiveItem:
    """An item in few words. told: whether there is room for what it waits for."""
    plain, told = piece.reason in ("", steps.STARTING), told or piece.reason in clocks.FAULTS
    return LiveItem(
        item=piece.item, attempt=piece.attempt, phase="Running" if piece.phase == "Running" else None,
        reason=None if plain else piece.reason, message=None if plain or not told else piece.message[:_WORDS] or None,
        failures=piece.failures or None, disruptions=piece.disruptions or None, not_before=piece.not_before,
        job_uid=piece.job_uid or None, memory=piece.memory or None,
        gpu_since=piece.gpu.since if piece.gpu else None, gpus=piece.gpu.count if piece.gpu else None,
        ended_at=piece.finished_at if piece.job else None,
        recall=(bool(piece.job) and steps.is_recall(view, piece)) or None,
    )  # fmt: skip


def following(items: Items) -> int | None:
    """The next item that has not begun; None: there is none."""
    assert items.total is not None
    free = ((1 << items.total) - 1 & ~mask_of(items.left_out)) >> items.next
    return items.next + (free & -free).bit_length() - 1 if free else None


def stopping(view: View, status: StepStatus) -> bool:
    """Whether what runs is to end: an item has failed, and the others are not to go on."""
    items = status.items
    return items is not None and bool(items.failed) and each_of(view, status).failures == "Fail"


# --- it begins -----------------------------------------------------------------------------------------------------


def due(view: View, status: StepStatus) -> bool:
    """Whether it may begin, or further items of it may."""
    recorded = {one.name: one for one in view.subject.body.status.steps}
    if status.items is None:
        return all(steps.over(recorded[name]) for name in _before(view, status)) and steps.due(view, status)
    if asking.under_way(status):
        return not steps.over(status) and asking.due(view, recorded[status.name])
    known = recorded[status.name].items  # what was heard in this look is recorded first
    return known is not None and known.total is not None and not steps.over(status) and not stopping(view, status)


def _before(view: View, status: StepStatus) -> list[str]:
    assert view.template is not None
    step = step_of(view, status)
    return lists.before(view.template, step, types.inputs(step).values())


def begin(view: View, status: StepStatus) -> StepStatus:
    """Record what begins: the step, items that are due again, the next ones."""
    if status.items is None:
        begun = status.model_copy(update={"started_at": status.started_at or view.stamp, "items": _first(view, status)})
        return begin(view, begun) if begun.items is not None and begun.items.total is not None else begun
    if asking.under_way(status):
        return asking.begin(view, status)
    items, most = status.items, each_of(view, status).max_parallel
    room = most - sum(one.not_before is None for one in items.live)
    live, after = list(items.live), items.next
    for at, one in enumerate(live):
        if one.not_before and room > 0 and steps.due(view, piece := _piece(view, status, one)):
            live[at], room = _begun(view, piece), room - 1
    while room > 0 and len(live) < most + min(most, WAITING):
        number = following(items.model_copy(update={"next": after}))
        if number is None:
            break
        live.append(_begun(view, _BLANK.model_copy(update={"name": status.name, "item": number})))
        room, after = room - 1, number + 1
    if live == items.live:
        return status
    return _told(view, status.model_copy(update={"items": items.model_copy(update={"live": live, "next": after})}))


def _begun(view: View, piece: ItemStatus) -> LiveItem:
    found = steps.begin(view, piece)
    assert isinstance(found, ItemStatus)
    return _recorded(view, found, told=False)


def _first(view: View, status: StepStatus) -> Items:
    """Which items there are, as far as that is known."""
    each, folder = each_of(view, status), _folder(view, status).uri()
    if each.matrix is not None:
        return Items(total=lists.count(each.matrix), folder=folder)
    if each.dataset is not None:
        return Items(asked=asking.first(view, status), folder=folder)
    recorded = {one.name: one.items for one in view.subject.body.status.steps}
    source, lacking = recorded[each.items_of or ""], 0
    assert source is not None
    for name in _before(view, status):
        other = recorded[name]
        assert other is not None
        lacking |= lists.not_completed(other)
    return Items(total=source.total, left_out=text_of(lacking), folder=folder)


def _folder(view: View, status: StepStatus) -> store.Location:
    """Where what its items leave is kept."""
    assert view.template is not None
    pipeline = view.subject.body.spec.pipeline
    return store.step_folder(view.template.store, view.world.config, view.namespace, pipeline, view.uid, status.name)


# --- it is followed ------------------------------------------------------------------------------------------------


@dataclass
class Round:
    """What one look finds of a step's items."""

    view: View
    status: StepStatus
    items: Items
    kept: list[ItemStatus] = field(default_factory=list)
    completed: int = 0
    tally: str = ""
    failed: int = 0
    stopped: int = 0
    """Both as bits."""
    why: list[FailedItem] = field(default_factory=list)
    image: str = ""
    gpu_seconds: int = 0

    def metered(self, before: ItemStatus, after: ItemStatus) -> ItemStatus:
        """An item with the GPUs that it has; what it has used counts for the step."""
        assert self.view.template is not None
        found = metering.metered(self.view, self.view.template, before, after)
        assert isinstance(found, ItemStatus)
        self.gpu_seconds += found.gpu_seconds
        return found

    def take(self, piece: ItemStatus, *, ending: bool) -> None:
        """An item after a look at it. ending: it was to be stopped."""
        if piece.phase == "Completed":
            self.completed += 1
            outputs = [(one.name, one.uri, one.sha256) for one in piece.outputs]
            self.tally = counted(self.tally, left(piece.item, outputs))
            self.image = self.image or piece.image
        elif piece.phase == "Failed" and not ending:
            self.failed |= 1 << piece.item
            self.why.append(_why(self.view, self.status, piece))
        elif piece.phase == "Failed":
            self.stopped |= 1 << piece.item
        else:
            self.kept.append(piece)

    def stop(self, piece: ItemStatus, why: str) -> None:
        """An item that is to end: over as soon as nothing of its attempt is left."""
        job = self.view.job(piece)
        uid = job["metadata"]["uid"] if job else piece.job_uid
        if piece.job and (job is not None or self.view.pods(uid)):
            self.kept.append(piece.model_copy(update={"job_uid": uid, "reason": why, "message": ""}))
        else:
            self.metered(piece, piece.model_copy(update={"phase": "Aborted"}))
            self.stopped |= 1 << piece.item

    def record(self) -> StepStatus:
        """The step with all that."""
        before = self.items
        live, told = [], 0
        for piece in self.kept:
            live.append(_recorded(self.view, piece, told < SHOWN))
            told += live[-1].message is not None
        items = before.model_copy(update={
            "live": live, "completed": before.completed + self.completed, "tally": self.tally,
            "failed": text_of(mask_of(before.failed) | self.failed) if self.failed else before.failed,
            "stopped": text_of(mask_of(before.stopped) | self.stopped) if self.stopped else before.stopped,
            "why": [*before.why, *self.why][:SHOWN],
        })  # fmt: skip
        return self.status.model_copy(update={
            "items": items, "image": self.status.image or self.image,
            "gpu_seconds": self.status.gpu_seconds + self.gpu_seconds,
        })  # fmt: skip


def _round(view: View, status: StepStatus) -> Round:
    assert status.items is not None
    return Round(view, status, status.items, tally=status.items.tally)


def advance(view: View, status: StepStatus) -> StepStatus:
    """The step after a look at its items."""
    if steps.over(status) or status.items is None:
        return status
    if status.items.total is None:
        return asking.advance(view, status)
    found, ending = _round(view, status), stopping(view, status)
    for piece in pieces(view, status):
        seen = steps.advance(view, piece)
        assert isinstance(seen, ItemStatus)
        found.take(found.metered(piece, _held(view, piece, seen)), ending=ending or piece.reason == steps.RUN_FAILED)
    if ending or (found.failed and each_of(view, status).failures == "Fail"):
        running, found.kept = found.kept, []
        for piece in running:
            found.stop(piece, ENDED)
    return _told(view, found.record())


def _held(view: View, before: ItemStatus, after: ItemStatus) -> ItemStatus:
    """An item after a look at it: that its attempt has ended is not recorded before its log is kept, or has been waited
    for long enough, for then its Job goes."""
    if not logs.pending(after) or (after.job and not steps.over(after)):
        return after
    since = before.finished_at or view.stamp
    if view.now - epoch(since) >= logs.HOLD:
        return after
    view.look_again.append(0.5)
    return before.model_copy(update={"finished_at": since, "job_uid": after.job_uid or before.job_uid})


def _why(view: View, status: StepStatus, piece: ItemStatus) -> FailedItem:
    return FailedItem(
        item=piece.item, values=_words(view, status, piece.item)[:_WORDS], reason=piece.reason,
        message=piece.message[:_WHY],
    )  # fmt: skip


def _words(view: View, status: StepStatus, number: int) -> str:
    """An item's values in words, as far as they are at hand."""
    try:
        return said(shelf(view, status).item(number).values)
    except lists.Unread:
        return ""


def shelf(view: View, status: StepStatus) -> lists.Shelf:
    """Where its items are found."""
    assert view.template is not None
    run = view.subject.body
    return lists.shelf(
        view.world, view.namespace, view.uid, run.spec.pipeline, run.status, view.template, step_of(view, status)
    )


def values_asked(view: View, status: StepStatus) -> Iterator[Any]:
    """What has to be read before the Jobs of its items can be made, or compared with what was made."""
    items = status.items
    if items is None or items.total is None or steps.over(status):
        return
    new = [one.item for one in items.live if not one.job_uid]
    wanted = sum(1 << number for number in new)
    if (first := following(items)) is not None:
        wanted |= ((1 << each_of(view, status).max_parallel) - 1) << first
    yield from shelf(view, status).requests(wanted)


# --- what is said of it --------------------------------------------------------------------------------------------


def _told(view: View, status: StepStatus) -> StepStatus:
    """The step with its phase and what people read; over, if nothing is left to be done."""
    items = status.items
    assert items is not None
    if not items.live and (stopping(view, status) or following(items) is None):
        return _ended(view, status)
    moves = items.completed or items.failed or any(one.phase for one in items.live)
    held = next((one for one in items.live if _waits(one)), None)
    if held is not None and not any(one.phase for one in items.live):
        text = f"item {held.item}: {held.message or ''}"
        return _with(status, phase="Pending", reason=held.reason or "", message=text)
    return _with(status, phase="Running" if moves else "Pending", reason="" if moves else steps.STARTING,
                 message=progress(items))  # fmt: skip


def _waits(one: LiveItem) -> bool:
    """Whether its pod can't begin."""
    return bool(one.reason) and one.reason not in clocks.FAULTS and not one.not_before


def progress(items: Items) -> str:
    """How far it is, in words: `412 of 10000 items, 10 under way, 3 failed`."""
    waiting = sum(one.not_before is not None for one in items.live)
    failed = mask_of(items.failed).bit_count()
    parts = [f"{items.completed} of {many(expected(items), 'item')}", f"{len(items.live) - waiting} under way"]
    parts += [f"{waiting} wait for another attempt"] if waiting else []
    parts += [f"{failed} failed"] if failed else []
    return ", ".join(parts)


def expected(items: Items) -> int:
    """How many items it has, without those that were left out."""
    return (items.total or 0) - mask_of(items.left_out).bit_count()


def _ended(view: View, status: StepStatus) -> StepStatus:
    items, each = status.items, each_of(view, status)
    assert items is not None
    of, failed = expected(items), mask_of(items.failed).bit_count()
    closed = items.model_copy(update={"digest": tally_digest(items.tally), "tally": ""})
    part = Decimal((each.min_success or "100%").removesuffix("%"))
    enough = not failed or (each.failures == "Continue" and items.completed * 100 >= part * of)
    status = _with(status, items=closed, finished_at=view.stamp)
    if items.stopped and not stopping(view, status):  # it was let end only because the run was to end
        why = steps.CANCELLED if view.subject.body.spec.cancel else steps.RUN_FAILED
        return _with(status, phase="Aborted", reason=why, message="")
    if enough:
        text = f"{items.completed} of {many(of, 'item')}; {failed} failed" if failed else ""
        return _with(status, phase="Completed", reason="", message=text)
    first = items.why[0]
    text = f"{failed} of {many(of, 'item')} failed; item {first.item} ({first.values}): {first.reason}: {first.message}"
    return _with(status, phase="Failed", reason=ENDED, message=text)


def _with(status: StepStatus, **changes: Any) -> StepStatus:
    if "message" in changes:
        changes["message"] = changes["message"][: steps.MESSAGE]
    return status.model_copy(update=changes)


# --- it is stopped -------------------------------------------------------------------------------------------------


def aborted(view: View, before: StepStatus, after: StepStatus, why: str) -> StepStatus:
    """A step that is to end: over as soon as nothing of its items is left."""
    if steps.over(before) or after.phase == "Completed":
        return after
    if before.items is None:
        return before.model_copy(update={"phase": "Aborted", "reason": why, "message": ""})
    if before.items.total is None:
        return asking.aborted(view, before, why)
    if steps.over(after):  # its last item has failed in this look
        return after.model_copy(update={"phase": "Aborted", "reason": why})
    found = _round(view, after)
    for piece in pieces(view, after):
        found.stop(piece, why)
    status = found.record()
    return _stopped(view, status, why) if not found.kept else _with(
        status, reason=why, message=f"the pods of {many(len(found.kept), 'item')} are being stopped")  # fmt: skip


def _stopped(view: View, status: StepStatus, why: str) -> StepStatus:
    assert status.items is not None
    closed = status.items.model_copy(update={"digest": tally_digest(status.items.tally), "tally": ""})
    return _with(status, phase="Aborted", reason=why, message="", items=closed, finished_at=view.stamp)


def without(view: View, before: StepStatus, after: StepStatus) -> StepStatus:
    """A step of a run in which another one has failed: items that run may end; no further one begins."""
    if steps.over(after) or after.items is None or stopping(view, after):
        return after
    if after.items.total is None:
        return asking.aborted(view, before, steps.RUN_FAILED)
    found = _round(view, after)
    for piece in pieces(view, after):
        if piece.reason in (steps.RUN_FAILED, *failures.CANT_START) or not piece.job or _was_stopped(before, piece):
            found.stop(piece, steps.RUN_FAILED)
        else:
            found.kept.append(piece)
    status = found.record()
    return status if found.kept else _stopped(view, status, steps.RUN_FAILED)


def drained(view: View, before: StepStatus, after: StepStatus) -> StepStatus:
    """A step of a run that ends when what runs has ended: what waits for another attempt gets none."""
    if steps.over(after) or after.items is None:
        return after
    asked = before.items.asked if before.items is not None else None
    if asked is not None and asked.not_before:
        return asking.aborted(view, before, steps.CANCELLED)
    if after.items.total is None or (after.items.live and not any(one.not_before for one in after.items.live)):
        return after
    found = _round(view, after)
    for piece in pieces(view, after):
        if piece.job:
            found.kept.append(piece)
        else:
            found.stop(piece, steps.CANCELLED)
    status = found.record()
    return status if found.kept else _stopped(view, status, steps.CANCELLED)


def _was_stopped(before: StepStatus, piece: ItemStatus) -> bool:
    assert before.items is not None
    return any(one.item == piece.item and one.reason == steps.RUN_FAILED for one in before.items.live)


def stops(view: View, status: StepStatus, *, every: bool) -> Iterator[Delete]:
    """What ends attempts that run: of every item, or of those that are to be stopped."""
    for piece in pieces(view, status):
        job = view.job(piece)
        if job is not None and "deletionTimestamp" not in job["metadata"] and (
            every or piece.reason in (steps.RUN_FAILED, ENDED, *clocks.FAULTS)
        ):  # fmt: skip
            yield Delete(JOB, piece.job, job["metadata"]["uid"], "Foreground")
    yield from asking.stops(view, status)


def leftovers(view: View, status: StepStatus) -> Iterator[Delete]:
    """Jobs of what is recorded: thousands would burden the cluster. Those of failed items of which it is said why stay
    for their logs."""
    items = status.items
    if items is None:
        return
    alive = {one.item: one.attempt for one in items.live}
    spoken = {one.item for one in items.why}
    for job in view.world.owned(JOB):
        labels = job["metadata"].get("labels") or {}
        if labels.get(f"{LABEL_PREFIX}step") != status.name or "deletionTimestamp" in job["metadata"]:
            continue
        if _is_left(labels, items, alive, spoken):
            yield Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"])


def _is_left(labels: Json, items: Items, alive: dict[int, int], spoken: set[int]) -> bool:
    """Never of an item, or an attempt, of which this record does not know: another operator may know more."""
    number = str(labels.get(f"{LABEL_PREFIX}item", "")).partition("-")[0]
    if not number:
        return items.total is not None and f"{LABEL_PREFIX}asks" in labels
    attempt = str(labels.get(f"{LABEL_PREFIX}attempt", ""))
    if not (number.isdigit() and attempt.isdigit()) or int(number) >= items.next or int(number) in spoken:
        return False
    return int(number) not in alive or int(attempt) < alive[int(number)]
