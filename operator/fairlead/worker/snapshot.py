"""snapshot: read a listing to an end, keep the bytes, check the rows, publish a version."""

from __future__ import annotations

import json
import logging
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Lock

import duckdb
from pydantic import ValidationError

from fairlead.api.dataset import CheckResult, DatasetVersion
from fairlead.api.schema import Model
from fairlead.api.tasks import FetchItem, SnapshotResult, SnapshotTask
from fairlead.store import keys, layout, listing
from fairlead.store.errors import StoreError
from fairlead.store.s3 import Bucket, Object
from fairlead.worker import checks, columns, digests, tables
from fairlead.worker.access import located, place
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import parallel, reader
from fairlead.worker.manifest import File, Manifest, SourceBucket, parse
from fairlead.worker.paths import fetchable

log = logging.getLogger(__name__)


class Handled(Model):
    """What became of a listing, by which rules."""

    rules: str
    """Digest of the format, the schema and the checks."""
    result: SnapshotResult


@dataclass
class Reading:
    """A listing that is being read."""

    task: SnapshotTask
    source: Bucket
    store: Bucket
    folder: Path
    database: duckdb.DuckDBPyConnection
    previous: Manifest | None
    root: str
    """How the keys of all files begin; the rest is a file's path."""
    ignored: int
    """Objects that are no data."""
    problems: columns.Problems = field(default_factory=columns.Problems)
    files: dict[str, File] = field(default_factory=dict)
    local: dict[str, Path] = field(default_factory=dict)
    read: int = 0
    lock: Lock = field(default_factory=Lock)
    numbers: count[int] = field(default_factory=count)

    @property
    def whole(self) -> bool:
        """Whether a check needs all rows at once."""
        return any(check.rows is None for check in self.task.checks)


def snapshot(task: SnapshotTask) -> SnapshotResult:
    """Publish the listing as a version, or say which checks refuse it. Raises TaskFailed or StoreError."""
    source, store = place(task.source), place(task.store)
    record = layout.listing(task.store.prefix, task.listing)
    if (done := _handled(task, store, record)) is not None:
        return done
    found = keys.Source(source, task.source.prefix, task.exclude or ())
    objects = _listed(task, source, found)
    if task.pin == "reference" and not source.versioned():
        raise TaskFailed("BadTask", f"bucket {source.name} keeps no versions; turn versioning on, or set pin: copy")
    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder, tables.connect(Path(folder)) as database:
        reading = Reading(
            task, source, store, Path(folder), database, _previous(task, store), found.root, found.ignored
        )
        _read(reading, objects)
        results = _checked(reading)
    if any(not r.passed and r.severity == "error" for r in results):
        result = SnapshotResult(checks=results, read=reading.read)
    else:
        result = SnapshotResult(version=_publish(reading), checks=results, read=reading.read)
    handled = Handled(rules=_rules(task), result=result)
    store.put(record, digests.canonical(handled.model_dump(mode="json", by_alias=True)))
    return result


def _listed(task: SnapshotTask, source: Bucket, found: keys.Source) -> list[Object]:
    objects = sorted(found.data(), key=lambda o: o.key)
    if not objects:
        raise TaskFailed("ObjectMissing", f"there is nothing under {source.uri(task.source.prefix)}; put files there")
    if listing.digest(lambda: objects).digest != task.listing:
        raise TaskFailed(
            "ObjectChanged", f"{source.uri(task.source.prefix)} changed since it was listed; it is listed again",
            transient=True,
        )  # fmt: skip
    paths = [entry.key.removeprefix(found.root) for entry in objects]
    remedy = "Rename the objects, or leave them out by spec.source.exclude"
    fetchable(paths, source.uri(found.root), remedy, strict=True)  # what is published can be fetched
    return objects


def _rules(task: SnapshotTask) -> str:
    """What decides about a listing besides the listing: the memory too, for a query may need more than there is."""
    return digests.of_bytes(digests.canonical([
        tables.memory_limit(), task.source.prefix, _schema_digest(task), task.pin,
        [c.model_dump(mode="json", exclude_none=True) for c in task.checks],
    ]))  # fmt: skip


def _schema_digest(task: SnapshotTask) -> str:
    schema = task.schema_.model_dump(mode="json", exclude_none=True) if task.schema_ else None
    return digests.of_bytes(digests.canonical([task.format, schema]))


def _handled(task: SnapshotTask, store: Bucket, record: str) -> SnapshotResult | None:
    """What an earlier attempt at the same listing by the same rules came to."""
    try:
        found = Handled.model_validate(json.loads(store.read(record)))
    except StoreError as error:
        if error.reason == "ObjectMissing":
            return None
        raise
    except (ValueError, ValidationError):
        log.warning("unreadable record is written anew", extra={"record": store.uri(record)})
        return None
    version = found.result.version
    if found.rules != _rules(task) or (version and not store.exists(located(version.manifest, task.store)[1])):
        return None
    return found.result


def _previous(task: SnapshotTask, store: Bucket) -> Manifest | None:
    if task.previous is None:
        return None
    bucket, key = located(task.previous, task.store)
    try:
        found = parse(bucket.read(key), task.previous)
    except StoreError as error:
        if error.reason != "ObjectMissing":
            raise
        log.warning("the last manifest is gone: everything is read", extra={"manifest": task.previous})
        return None
    same_place = bucket.name == store.name and layout.dataset_of(key) == task.store.prefix.strip("/")
    return found if found.pin == task.pin and same_place else None


def _read(reading: Reading, objects: list[Object]) -> None:
    kept = {(f.path, f.size, f.etag): f for f in reading.previous.files} if reading.previous else {}

    def one(entry: Object) -> None:
        path = entry.key.removeprefix(reading.root)
        old = kept.get((path, entry.size, entry.etag))
        if old is not None and _unchanged(reading, old):
            return
        _read_new(reading, entry, path)

    parallel(one, objects)


def _unchanged(reading: Reading, file: File) -> bool:
    """Take a file over from the last version; its rows are read from the store if a check needs them."""
    assert reading.previous is not None
    by_same_schema = reading.previous.schema_digest == _schema_digest(reading.task)
    rows = file.rows
    if reading.whole or not by_same_schema:
        local = _new_path(reading)
        item = FetchItem(access=reading.task.store, source=reading.task.source, uri="", sha256="", dest="")
        try:
            _, got = reader(reading.previous, reading.store, reading.task.store.prefix, item)(file, local)
        except StoreError as error:
            if error.reason != "ObjectMissing":
                raise
            return False
        if got.sha256 != file.sha256:
            return False
        rows = _inspect(reading, local, file.path) if not by_same_schema else rows
        _keep(reading, file.path, local)
    with reading.lock:
        reading.files[file.path] = file.model_copy(update={"rows": rows})
    return True


def _read_new(reading: Reading, entry: Object, path: str) -> None:
    local = _new_path(reading)
    got = reading.source.download(entry.key, local, etag=entry.etag)
    if reading.task.pin == "reference" and not got.version_id:
        raise TaskFailed("BadTask", f"{reading.source.uri(entry.key)} has no version id; upload it again, or pin: copy")
    rows = _inspect(reading, local, path)
    if reading.task.pin == "copy":
        blob = layout.blob(reading.task.store.prefix, got.sha256)
        if not reading.store.exists(blob):
            reading.store.upload(blob, local)
    _keep(reading, path, local)
    pinned = got.version_id if reading.task.pin == "reference" else None
    with reading.lock:
        reading.read += 1
        reading.files[path] = File(
            path=path, size=got.size, sha256=got.sha256, rows=rows, etag=entry.etag, version_id=pinned
        )
    log.info("read", extra={"path": path, "bytes": got.size, "rows": rows})


def _new_path(reading: Reading) -> Path:
    return reading.folder / f"{next(reading.numbers)}.{reading.task.format}"


def _inspect(reading: Reading, local: Path, path: str) -> int:
    problems, task = columns.Problems(), reading.task
    try:
        rows = columns.inspect(reading.database, task.format, local, path, task.schema_, problems)
    except columns.Unreadable as error:
        raise TaskFailed(
            "CorruptFile", f"{reading.source.uri(reading.root + path)} is not {task.format}: {error}; replace it, or "
            f"leave it out: spec.source.exclude: [{json.dumps(path.rpartition('/')[2])}]",
        ) from error  # fmt: skip
    with reading.lock:
        reading.problems.merge(problems)
    return rows


def _keep(reading: Reading, path: str, local: Path) -> None:
    if reading.whole:
        with reading.lock:
            reading.local[path] = local
    else:
        local.unlink()


def _checked(reading: Reading) -> list[CheckResult]:
    """All results, failed ones first."""
    task, number = reading.task, sum(f.rows for f in reading.files.values())
    results = reading.problems.results() if task.schema_ else []
    sound = all(r.passed for r in results)
    results += [checks.rows(c, number) for c in task.checks if c.rows is not None]
    if reading.whole:
        results += _over_all(reading, sound)
    return sorted(results, key=lambda r: (r.passed, r.severity != "error"))[:64]


def _over_all(reading: Reading, sound: bool) -> list[CheckResult]:
    """Checks over the rows of all files together. `sound`: the columns are as declared; if they are not, they have
    been complained of already, and files that make no table are no second complaint."""
    task = reading.task
    declared = task.schema_.columns if task.schema_ else []
    files = [reading.local[path] for path in sorted(reading.local)]
    try:
        reading.database.execute(f"CREATE VIEW data AS {tables.scan(task.format, files, declared)}")
    except duckdb.Error as error:
        if not sound:
            return []
        text = str(error).splitlines()[0]
        raise TaskFailed("BadData", f"the files don't make one table: {text}; give them the same columns") from error
    return checks.over_all(task.checks, reading.database)


def _publish(reading: Reading) -> DatasetVersion:
    task, files = reading.task, [reading.files[path] for path in sorted(reading.files)]
    origin = SourceBucket(
        bucket=task.source.bucket, prefix=reading.root, endpoint=task.source.endpoint, region=task.source.region
    )
    manifest = Manifest(
        dataset=task.dataset, format=task.format, pin=task.pin, source=origin, schema_digest=_schema_digest(task),
        files=files,
    )  # fmt: skip
    key = layout.manifest(task.store.prefix, manifest.version)
    if not reading.store.put_if_absent(key, manifest.encoded()):
        log.info("these bytes are a version already", extra={"version": manifest.version})
    return DatasetVersion(
        version=manifest.version, digest=manifest.digest, manifest=reading.store.uri(key),
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), rows=sum(f.rows for f in files),
        bytes=sum(f.size for f in files), files=len(files), ignored=reading.ignored,
    )  # fmt: skip
