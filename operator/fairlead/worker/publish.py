"""publish: commit a step's outputs. The first attempt that writes the outcome wins; a late one adopts it."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fairlead.api import logged
from fairlead.api.logged import ArtifactRecord
from fairlead.api.pipelinerun import OutputRecord
from fairlead.api.tasks import PublishItem, PublishResult, PublishTask
from fairlead.store.errors import StoreError
from fairlead.store.layout import join
from fairlead.store.names import LONGEST_KEY, short
from fairlead.store.s3 import Bucket
from fairlead.worker import digests, kept, series
from fairlead.worker.access import place
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import parallel
from fairlead.worker.leave import leave
from fairlead.worker.paths import files_under, unfit

log = logging.getLogger(__name__)

VALUE_LIMIT = 1024
"""Bytes of an output of type `value`."""


INDEX_ENV = "FAIRLEAD_WORKER_INDEX"
"""Which of several pods that work together this is."""


def commits(task: PublishTask, index: str | None) -> bool:
    """Whether this pod commits the step's outputs: of several, only the one with index 0 does. index: what the pod has
    been told; raises TaskFailed for what is none, for nobody knows then who else commits."""
    if task.workers is None:
        return True
    if index is None or not index.isascii() or not index.isdecimal() or str(int(index)) != index:
        raise TaskFailed("BadTask", f"{INDEX_ENV} is {index!r}, and not the pod's index: nothing is committed")
    if int(index) >= task.workers:
        raise TaskFailed("BadTask", f"{INDEX_ENV} is {index}, and there are {task.workers}: nothing is committed")
    return int(index) == 0


def publish(task: PublishTask) -> PublishResult:
    """Upload, then commit by a conditional put; then leave it for later runs, if asked to. Raises TaskFailed or
    StoreError."""
    committed = _commit(task)
    return leave(task.cache, committed) if task.cache is not None else committed


def _commit(task: PublishTask) -> PublishResult:
    store = place(task.store)
    outcome = task.outcome or join(task.store.prefix, "outcome.json")
    if (committed := _committed(store, outcome)) is not None:
        return committed
    attempt = join(task.store.prefix, str(task.attempt))
    records = [_upload(store, attempt, item) for item in task.outputs]
    result = PublishResult(attempt=task.attempt, outputs=records, outcome=store.uri(outcome), item=task.item)
    result = _logged(store, attempt, Path(task.logged), result) if task.logged else result
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


def _logged(store: Bucket, attempt: str, folder: Path, result: PublishResult) -> PublishResult:
    """The result with the metrics and artifacts that the program has logged; they are uploaded first."""
    if folder.is_symlink() or not folder.is_dir():  # this container holds the store's keys: no way to them
        other = folder.is_symlink() or folder.exists()
        return result.model_copy(update={"left_out": [f"{folder.name} is no folder"]}) if other else result
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / logged.METRICS
        found = series.read(folder, path)
        over_time = _series(store, attempt, path) if found.values else None
    artifacts, left = kept.keep(store, attempt, folder)
    return result.model_copy(update={
        "metrics": found.shown, "values": found.values, "series": over_time, "artifacts": artifacts,
        "left_out": [*found.left_out(), *left][:16],
    })  # fmt: skip


def _series(store: Bucket, attempt: str, path: Path) -> ArtifactRecord:
    digest, size, media = digests.of_file(path), path.stat().st_size, logged.SUFFIXES["jsonl"]
    key = join(attempt, logged.FOLDER, digest[:16], logged.METRICS)
    store.upload(key, path, media)
    return ArtifactRecord(name=logged.METRICS, uri=store.uri(key), sha256=digest, bytes=size, media=media)


def _upload(store: Bucket, attempt: str, item: PublishItem) -> OutputRecord:
    path = _place(item)
    if not path.exists() and not path.is_symlink():
        raise _missing(item)
    root = path.parent.resolve()
    if item.type == "value" and path.is_dir():
        raise _no_value(item, "it is a folder")
    if path.is_dir() and path.resolve().is_relative_to(root):  # this container holds the store's keys: no way to them
        return _upload_folder(store, attempt, item, path)
    if why := unfit(path, root):
        raise TaskFailed("BadData", f"output {item.name} can't be stored: at {path}, {why}")
    value = _value(item, path) if item.type == "value" else None
    media = kept.media(path) if item.type == "preview" else ""
    _look_at(item, path.stat().st_size)
    digest, size = digests.of_file(path), path.stat().st_size
    key = _key(attempt, digest, item, path)
    store.upload(key, path, media)
    return OutputRecord(
        name=item.name, type=item.type, uri=store.uri(key), sha256=digest, bytes=size, media=media, value=value
    )  # fmt: skip


def _value(item: PublishItem, path: Path) -> str:
    """The text of an output of type `value`, without the line's end. Raises TaskFailed for what is none."""
    with path.open("rb") as file:
        body = file.read(VALUE_LIMIT + 3)  # a line's end may follow
    body = body.removesuffix(b"\n").removesuffix(b"\r")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _no_value(item, "it is not UTF-8") from None
    if len(body) > VALUE_LIMIT:
        raise _no_value(item, f"it is longer than {VALUE_LIMIT} bytes")
    if any(ord(c) < 32 and c not in "\t\n\r" for c in text):
        raise _no_value(item, "it has control characters")
    return text


def _no_value(item: PublishItem, why: str) -> TaskFailed:
    text = f"output {item.name} at {item.path} is no value: {why}; write a short text, or make it a file"
    return TaskFailed("BadData", text)


def _place(item: PublishItem) -> Path:
    """Where an output lies. A preview may have a suffix, by which programs tell what to write. Raises TaskFailed."""
    path = Path(item.path)
    if item.type != "preview" or path.exists() or path.is_symlink():
        return path
    try:
        found = sorted(one for one in path.parent.iterdir() if one.name.startswith(f"{path.name}."))
    except OSError:
        return path
    if len(found) > 1:
        shown = ", ".join(short(one.name) for one in found[:3])
        raise TaskFailed("BadData", f"output {item.name} is one preview, and there are {shown}; make a folder of them")
    return found[0] if found else path


def _look_at(item: PublishItem, size: int) -> None:
    if item.type == "preview" and size > logged.PREVIEW_BYTES:
        raise TaskFailed(
            "BadData", f"output {item.name} has {size >> 20} MiB, and a preview has at most "
            f"{logged.PREVIEW_BYTES >> 20}; write less, or make its type file",
        )  # fmt: skip


def _key(attempt: str, digest: str, item: PublishItem, path: Path) -> str:
    """Content is in the key: a pod that the cluster started twice can't write over what its twin committed."""
    return join(attempt, item.name, digest[:16], path.name)


def _upload_folder(store: Bucket, attempt: str, item: PublishItem, folder: Path) -> OutputRecord:
    files = list(files_under(folder))
    if not files:
        raise _missing(item)
    _look_at(item, sum(path.stat().st_size for _, path in files))
    found = {relative: (digests.of_file(path), path.stat().st_size) for relative, path in files}
    digest = digests.of_folder((path, sha256) for path, (sha256, _) in found.items())
    key = _key(attempt, digest, item, folder)
    for relative, _ in files:
        if (length := len(f"{key}/{relative}".encode())) > LONGEST_KEY:
            raise TaskFailed(
                "BadData", f"{short(relative)} of output {item.name} would have a key of {length} bytes, and S3 allows "
                f"{LONGEST_KEY}; give it a shorter name",
            )  # fmt: skip
    looked_at = item.type == "preview"
    parallel(lambda one: store.upload(f"{key}/{one[0]}", one[1], kept.media(one[1]) if looked_at else ""), files)
    size = sum(size for _, size in found.values())
    return OutputRecord(name=item.name, type=item.type, uri=f"{store.uri(key)}/", sha256=digest, bytes=size)


def _missing(item: PublishItem) -> TaskFailed:
    return TaskFailed(
        "OutputMissing",
        f"output {item.name} is missing: the step should have written a file or a folder with files at {item.path}",
    )
