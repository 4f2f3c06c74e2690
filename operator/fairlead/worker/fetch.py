"""fetch: bring inputs into the pod. Nothing is left in place whose digest differs."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from fairlead.api.fetching import FetchItem, FetchTask
from fairlead.store import layout
from fairlead.store.keys import hidden
from fairlead.store.objects import Received
from fairlead.store.s3 import Bucket
from fairlead.worker import digests
from fairlead.worker.access import located
from fairlead.worker.errors import TaskFailed
from fairlead.worker.paths import fetchable, inside

if TYPE_CHECKING:
    from fairlead.worker.manifest import File, Manifest

THREADS = 8
T = TypeVar("T")
Run = Callable[[Callable[[str], object], Iterable[str]], None]
log = logging.getLogger(__name__)


def fetch(task: FetchTask) -> int:
    """Bring all items; returns the bytes. Raises TaskFailed or StoreError; what failed is not in place then."""
    total = 0
    for item in task.items:
        try:
            got = _fetch_item(item)
        except TaskFailed as failed:
            failed.error = failed.error.model_copy(update={"dest": item.dest})
            raise
        log.info("fetched", extra={"uri": item.uri, "bytes": got, "dest": item.dest})
        total += got
    if task.code is not None:
        from fairlead.worker.code import checkout

        total += checkout(task.code)
    return total


def _fetch_item(item: FetchItem) -> int:
    store, key = located(item.uri, item.access)
    with _staged(Path(item.dest)) as staging:
        if item.outcomes is not None:
            from fairlead.worker.gather import gather

            return gather(item, item.outcomes, store, key, staging)
        if item.manifest:
            return _manifest(item, store, key, staging)
        return one_output(item, store, key, staging)


def one_output(item: FetchItem, store: Bucket, key: str, folder: Path, *, alone: bool = True) -> int:
    """Bring an object or a folder of objects, verified; returns the bytes. Raises TaskFailed or StoreError. alone: no
    others are under way, so its files may come several at a time."""
    if not key.endswith("/"):
        return _object(item, store, key, folder)
    return _folder(item, store, key, folder, parallel if alone else in_turn)


@contextmanager
def _staged(dest: Path) -> Iterator[Path]:
    """A folder beside what is in place; its content moves into `dest` if all went well, and is gone otherwise."""
    dest.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".fairlead-", dir=dest))
    try:
        yield staging
        for path in sorted(p for p in staging.rglob("*") if p.is_file()):
            target = dest / path.relative_to(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def in_turn(work: Callable[[T], object], items: Iterable[T]) -> None:
    """Do all, one after the other."""
    for item in items:
        work(item)


def parallel(work: Callable[[T], object], items: Iterable[T]) -> None:
    """Do all, at most THREADS at a time; after a failure no further one begins, and the failure is raised."""
    pending: set[Future[object]] = set()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for item in items:
                pending.add(pool.submit(work, item))
                if len(pending) >= 2 * THREADS:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    _raise_first(done)
            _raise_first(as_completed(pending))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _raise_first(done: Iterable[Future[object]]) -> None:
    for future in done:
        future.result()


def _object(item: FetchItem, store: Bucket, key: str, staging: Path) -> int:
    got = store.download(key, inside(staging, PurePosixPath(key).name))
    _same(item.uri, item.sha256, got.sha256)
    return got.size


def _folder(item: FetchItem, store: Bucket, prefix: str, staging: Path, run: Run) -> int:
    found: dict[str, Received] = {}

    def one(key: str) -> None:
        path = key.removeprefix(prefix)
        target = inside(staging, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        found[path] = store.download(key, target)

    keys = [entry.key for entry in store.list(prefix)]
    fetchable([key.removeprefix(prefix) for key in keys], item.uri, "Make it anew with other names", strict=False)
    run(one, keys)
    if not found:
        raise TaskFailed("ObjectMissing", f"there is nothing under {item.uri}; put the files back")
    _same(item.uri, item.sha256, digests.of_folder((path, got.sha256) for path, got in found.items()))
    return sum(got.size for got in found.values())


def _manifest(item: FetchItem, store: Bucket, key: str, staging: Path) -> int:
    from fairlead.worker.manifest import ALL, READING, parse

    manifest = parse(store.read(key), item.uri)
    # a version that is known by its name only is named by the beginning of its digest
    _same(item.uri, item.sha256, manifest.digest[: max(len(manifest.version), len(item.sha256))])
    download = reader(manifest, store, layout.dataset_of(key), item)

    def one(file: File) -> None:
        target = inside(staging, file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        uri, got = download(file, target)
        _same(uri, file.sha256, got.sha256)

    parallel(one, manifest.files)
    if manifest.reading is not None:
        kept = manifest.reading.model_dump(mode="json", by_alias=True, exclude_none=True)
        inside(staging, READING).write_bytes(digests.canonical(kept))
    if any(hidden(file.path) for file in manifest.files):
        inside(staging, ALL).touch()
    return sum(file.size for file in manifest.files)


def reader(
    manifest: Manifest, store: Bucket, folder: str, item: FetchItem
) -> Callable[[File, Path], tuple[str, Received]]:
    """How a version's files are read: from the Dataset's blobs, or by version id from the source."""
    if manifest.pin == "copy":

        def copied(file: File, to: Path) -> tuple[str, Received]:
            key = layout.blob(folder, file.sha256)
            return store.uri(key), store.download(key, to)

        return copied
    from fairlead.store.sources.registry import held

    source = held(manifest.source, item.source or item.access)

    def pinned(file: File, to: Path) -> tuple[str, Received]:
        return source.uri(file.path), source.read(file.path, file.version_id, to)

    return pinned


def _same(uri: str, expected: str, found: str) -> None:
    if expected != found:
        raise TaskFailed(
            "DigestMismatch",
            f"{uri} has sha256 {found}, expected {expected}: its bytes were changed or damaged; restore them, "
            "or make a new version from what is there",
        )
