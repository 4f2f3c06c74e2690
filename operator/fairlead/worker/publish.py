"""publish: commit a step's outputs. The first attempt that writes the outcome wins; a late one adopts it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fairlead.api.pipelinerun import OutputRecord
from fairlead.api.tasks import PublishItem, PublishResult, PublishTask
from fairlead.store.errors import StoreError
from fairlead.store.layout import join
from fairlead.store.names import LONGEST_KEY, short
from fairlead.store.s3 import Bucket
from fairlead.worker import digests
from fairlead.worker.access import place
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import parallel
from fairlead.worker.paths import files_under, unfit

log = logging.getLogger(__name__)


def publish(task: PublishTask) -> PublishResult:
    """Upload, then commit by a conditional put. Raises TaskFailed or StoreError."""
    store = place(task.store)
    outcome = task.outcome or join(task.store.prefix, "outcome.json")
    if (committed := _committed(store, outcome)) is not None:
        return committed
    records = [_upload(store, join(task.store.prefix, str(task.attempt)), item) for item in task.outputs]
    result = PublishResult(attempt=task.attempt, outputs=records, item=task.item)
    if store.put_if_absent(outcome, digests.canonical(_written(result))):
        log.info("committed", extra={"outcome": store.uri(outcome), "attempt": task.attempt})
        return result
    committed = _committed(store, outcome)
    if committed is None:
        raise TaskFailed("Unreachable", f"{store.uri(outcome)} is being written by another attempt", transient=True)
    return committed


def _written(result: PublishResult) -> dict[str, Any]:
    found = result.model_dump(by_alias=True)
    return found if result.item is not None else {name: value for name, value in found.items() if name != "item"}


def _committed(store: Bucket, outcome: str) -> PublishResult | None:
    try:
        body = store.read(outcome)
    except StoreError as error:
        if error.reason == "ObjectMissing":
            return None
        raise
    try:
        found = PublishResult.model_validate(json.loads(body))
    except (ValueError, ValidationError) as error:
        raise TaskFailed("CorruptFile", f"{store.uri(outcome)} is not an outcome: {error}; remove it") from error
    log.info("adopted", extra={"outcome": store.uri(outcome), "attempt": found.attempt})
    return found


def _upload(store: Bucket, attempt: str, item: PublishItem) -> OutputRecord:
    path = Path(item.path)
    if not path.exists() and not path.is_symlink():
        raise _missing(item)
    root = path.parent.resolve()
    if path.is_dir() and path.resolve().is_relative_to(root):  # this container holds the store's keys: no way to them
        return _upload_folder(store, attempt, item, path)
    if why := unfit(path, root):
        raise TaskFailed("BadData", f"output {item.name} can't be stored: at {path}, {why}")
    digest, size = digests.of_file(path), path.stat().st_size
    key = _key(attempt, digest, item)
    store.upload(key, path)
    return OutputRecord(name=item.name, type=item.type, uri=store.uri(key), sha256=digest, bytes=size)


def _key(attempt: str, digest: str, item: PublishItem) -> str:
    """Content is in the key: a pod that the cluster started twice can't write over what its twin committed."""
    return join(attempt, item.name, digest[:16], Path(item.path).name)


def _upload_folder(store: Bucket, attempt: str, item: PublishItem, folder: Path) -> OutputRecord:
    files = list(files_under(folder))
    if not files:
        raise _missing(item)
    found = {relative: (digests.of_file(path), path.stat().st_size) for relative, path in files}
    digest = digests.of_folder((path, sha256) for path, (sha256, _) in found.items())
    key = _key(attempt, digest, item)
    for relative, _ in files:
        if (length := len(f"{key}/{relative}".encode())) > LONGEST_KEY:
            raise TaskFailed(
                "BadData", f"{short(relative)} of output {item.name} would have a key of {length} bytes, and S3 allows "
                f"{LONGEST_KEY}; give it a shorter name",
            )  # fmt: skip
    parallel(lambda entry: store.upload(f"{key}/{entry[0]}", entry[1]), files)
    size = sum(size for _, size in found.values())
    return OutputRecord(name=item.name, type=item.type, uri=f"{store.uri(key)}/", sha256=digest, bytes=size)


def _missing(item: PublishItem) -> TaskFailed:
    return TaskFailed(
        "OutputMissing",
        f"output {item.name} is missing: the step should have written a file or a folder with files at {item.path}",
    )
