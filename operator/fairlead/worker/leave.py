"""What a step that is committed leaves for later runs with the same key (`api/cached.py`). Who comes first wins."""

from __future__ import annotations

import logging

from fairlead.api import cached
from fairlead.api.cached import Entry
from fairlead.api.tasks import PublishEntry, PublishResult
from fairlead.store import cached as kept
from fairlead.store import layout
from fairlead.store.errors import StoreError
from fairlead.store.s3 import Bucket
from fairlead.worker import digests
from fairlead.worker.access import place

log = logging.getLogger(__name__)


def leave(task: PublishEntry, committed: PublishResult) -> PublishResult:
    """Write the entry; of an audit, one that drops what stands there, if that differs. A step is not tried again for
    want of an entry: the result says why there is none. Raises StoreError where what differs can't be dropped."""
    store = place(task.store)
    entry = Entry(
        key=task.key, run=task.run, run_uid=task.run_uid, step=task.step, at=task.at, image=task.image, result=committed
    )
    if task.expected is not None:
        _audit(store, task, entry)
        return committed
    try:
        seals = {one.name: kept.seal(store, layout.split(one.uri)[1]) for one in committed.outputs}
        _write(store, task, entry.model_copy(update={"seals": seals}))
    except StoreError as error:
        log.warning("nothing is left for later runs", extra={"reason": error.reason, "why": error.message})
        return committed.model_copy(update={"uncached": error.message[:256]})
    return committed


def _audit(store: Bucket, task: PublishEntry, entry: Entry) -> None:
    made, expected = {one.name: one.sha256 for one in entry.result.outputs}, task.expected or {}
    differ = sorted(name for name in {*made, *expected} if made.get(name) != expected.get(name))
    if not differ:
        return
    text = f"run {task.run} made other outputs of the same: {', '.join(differ)}"
    _write(store, task, entry.model_copy(update={"dropped": text}))


def _write(store: Bucket, task: PublishEntry, entry: Entry) -> None:
    key = layout.join(task.store.prefix, cached.document(task.number))
    body = digests.canonical(entry.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    if len(body) > cached.LIMIT:
        raise StoreError("BadTask", f"{store.uri(key)} would have {len(body)} bytes, and may have {cached.LIMIT}")
    won = store.put_if_absent(key, body)
    log.info("left for later runs" if won else "another run has left the same", extra={"entry": store.uri(key)})
