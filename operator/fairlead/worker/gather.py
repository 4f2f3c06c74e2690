"""What the items of a step have left, by the outcomes that they have committed.

All of them: a folder for each item, and `items.json`, which says which is which. The tally of the outcomes must be the
one that the operator has counted; so none is missing, added, or another one. One of them: just its output, as its
outcome has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pydantic import ValidationError

from fairlead.api.fetching import FetchItem, Outcomes
from fairlead.api.items import counted, item_hash, left, mask_of, said, tally_digest
from fairlead.api.pipelinerun import OutputRecord
from fairlead.api.schema import Model
from fairlead.store.errors import StoreError
from fairlead.store.s3 import Bucket
from fairlead.worker import digests, fetch
from fairlead.worker.access import located
from fairlead.worker.errors import TaskFailed
from fairlead.worker.paths import inside

INDEX = "items.json"


class Left(Model):
    """Of an outcome, what is needed here: thousands of them are in memory, and some tell of many artifacts."""

    outputs: list[OutputRecord]
    item: dict[str, str | None] | None = None


class Outcome(NamedTuple):
    """What an item has committed."""

    id: str
    result: Left

    @property
    def number(self) -> int:
        """The item's."""
        return int(self.id.partition("-")[0])


def gather(item: FetchItem, wanted: Outcomes, store: Bucket, prefix: str, staging: Path) -> int:
    """Bring them; returns the bytes. Raises TaskFailed or StoreError."""
    if wanted.only is not None:
        return _bring(item, wanted, _read(store, prefix, wanted.only), staging, alone=True)
    if wanted.values is not None:
        return _bring(item, wanted, _named(item, wanted.values, store, prefix), staging, alone=True)
    found = _all(item, wanted, store, prefix)

    def one(outcome: Outcome) -> None:
        _bring(item, wanted, outcome, inside(staging, outcome.id), alone=False)

    fetch.parallel(one, found)
    index = [_entry(wanted, outcome) for outcome in found]
    inside(staging, INDEX).write_bytes(digests.canonical(index))
    return sum(entry["bytes"] for entry in index)


def _all(item: FetchItem, wanted: Outcomes, store: Bucket, prefix: str) -> list[Outcome]:
    without = mask_of(wanted.without)
    ids = [name for name in _ids(store, prefix) if not without >> int(name.partition("-")[0]) & 1]
    read: dict[str, Outcome] = {}
    fetch.parallel(lambda name: read.update({name: _read(store, prefix, name)}), ids)
    found, tally = [read[name] for name in ids], ""
    for outcome in found:
        tally = counted(tally, left(outcome.number, ((o.name, o.uri, o.sha256) for o in outcome.result.outputs)))
    if len(found) != wanted.count or tally_digest(tally) != item.sha256:
        raise TaskFailed(
            "DigestMismatch", f"below {item.uri} there are {len(found)} outcomes of items that are not those "
            f"{wanted.count} that were committed: they were changed, or some are gone; restore them, or run the step "
            "again",
        )  # fmt: skip
    return found


def _ids(store: Bucket, prefix: str) -> Iterable[str]:
    """Of the outcomes, in the order of the items. Raises TaskFailed for what is none."""
    for entry in store.list(prefix):
        name = entry.key.removeprefix(prefix).removesuffix(".json")
        number, _, rest = name.partition("-")
        if not (number.isdigit() and len(number) == 5 and rest.isalnum()):
            raise TaskFailed("CorruptFile", f"{store.uri(entry.key)} is no item's outcome; move it away")
        yield name


def _read(store: Bucket, prefix: str, name: str) -> Outcome:
    key = f"{prefix}{name}.json"
    try:
        return Outcome(name, Left.model_validate(json.loads(store.read(key))))
    except (ValueError, ValidationError) as error:
        raise TaskFailed("CorruptFile", f"{store.uri(key)} is not an outcome: {error}; restore it") from error


def _named(item: FetchItem, values: dict[str, str | None], store: Bucket, prefix: str) -> Outcome:
    """The item with these values: its key ends with their hash."""
    for name in _ids(store, prefix):
        if name.endswith(f"-{item_hash(values)}") and (found := _read(store, prefix, name)).result.item == values:
            return found
    raise TaskFailed("ObjectMissing", f"no item with {said(values)} has left anything below {item.uri}: there is none, "
                     "or it was not completed")  # fmt: skip


def _bring(item: FetchItem, wanted: Outcomes, outcome: Outcome, folder: Path, *, alone: bool) -> int:
    found = next((one for one in outcome.result.outputs if one.name == wanted.output), None)
    if found is None:
        text = f"item {outcome.id} has left no output {wanted.output}, by its outcome below {item.uri}; restore that"
        raise TaskFailed("CorruptFile", text)
    folder.mkdir(parents=True, exist_ok=True)
    store, key = located(found.uri, item.access)
    mine = FetchItem(access=item.access, uri=found.uri, sha256=found.sha256, dest=item.dest)
    try:
        return fetch.one_output(mine, store, key, folder, alone=alone)
    except StoreError as error:
        raise StoreError(error.reason, f"item {outcome.id}: {error.message}", transient=error.transient) from error


def _entry(wanted: Outcomes, outcome: Outcome) -> dict[str, Any]:
    found = next(one for one in outcome.result.outputs if one.name == wanted.output)
    name = outcome.id if found.uri.endswith("/") else f"{outcome.id}/{PurePosixPath(found.uri).name}"
    return {"id": outcome.id, "item": outcome.result.item, "path": name, "sha256": found.sha256, "bytes": found.bytes}
