"""snapshot: read a listing to an end, keep the bytes, check the rows, publish a version."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Lock

import duckdb
from pydantic import ValidationError

from fairlead.api.dataset import CheckResult, DatasetVersion
from fairlead.api.formats import options, self_describing
from fairlead.api.reading import Reading, shown
from fairlead.api.schema import Model
from fairlead.api.tasks import FetchItem, SnapshotResult, SnapshotTask
from fairlead.store import keys, layout, listing
from fairlead.store.errors import StoreError
from fairlead.store.objects import Object
from fairlead.store.s3 import DOCUMENT_LIMIT, Bucket
from fairlead.store.sources.base import Source
from fairlead.store.sources.registry import opened
from fairlead.worker import checks, columns, digests, tables
from fairlead.worker.access import located, place
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import parallel, reader
from fairlead.worker.formats.base import Declared, LocalFile, Misfit, Unreadable, distinct
from fairlead.worker.formats.registry import FORMATS
from fairlead.worker.formats.words import line
from fairlead.worker.manifest import File, Manifest, parse
from fairlead.worker.paths import fetchable

log = logging.getLogger(__name__)
READERS = 3
"""Grows when files are read in another way than before, so that earlier answers are not taken over."""
LEAST = 116
"""Bytes that a manifest has of each file besides its path and etag."""


class Handled(Model):
    """What became of a listing, by which rules."""

    rules: str
    """Digest of the format, the schema and the checks."""
    result: SnapshotResult


@dataclass
class Work:
    """A listing that is being read."""

    task: SnapshotTask
    source: Source
    store: Bucket
    folder: Path
    database: duckdb.DuckDBPyConnection
    previous: Manifest | None
    paths: Sequence[str]
    """Of all files."""
    problems: columns.Problems = field(default_factory=columns.Problems)
    files: dict[str, File] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    """Files that the last version had."""
    local: dict[str, LocalFile] = field(default_factory=dict)
    read: int = 0
    lock: Lock = field(default_factory=Lock)
    numbers: count[int] = field(default_factory=count)

    @property
    def whole(self) -> bool:
        """Whether a check needs all rows at once."""
        return any(check.rows is None for check in self.task.checks)

    @property
    def fixed(self) -> Reading | None:
        """How the last version was read: so are later files, while nothing else is declared."""
        same = self.previous is not None and self.previous.schema_digest == _schema_digest(self.task)
        return self.previous.reading if self.previous is not None and same else None

    @property
    def streams(self) -> bool:
        """Whether files are looked at as they come: they describe themselves. Those of text do so all together."""
        return self_describing(self.task.format)


def snapshot(task: SnapshotTask) -> SnapshotResult:
    """Publish the listing as a version, or say which checks refuse it. Raises TaskFailed or StoreError."""
    source, store = opened(task.source, task.exclude or ()), place(task.store)
    record = layout.listing(task.store.prefix, task.listing)
    if (done := _handled(task, source, store, record)) is not None:
        return done
    objects = _listed(task, source)
    if task.pin == "reference" and (why := source.fleeting()):
        raise TaskFailed("BadTask", why)
    paths = [source.path(entry) for entry in objects]
    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder, tables.connect(Path(folder)) as database:
        work = Work(task, source, store, Path(folder), database, _previous(task, store), paths)
        try:
            _read(work, objects)
            reading = _understood(work)
            results = _checked(work, reading)
        except duckdb.OutOfMemoryException as error:
            text = "the rows can't be read with what the Job has; raise spec.resources, or write smaller files"
            raise TaskFailed("OutOfMemory", f"{text}: {line(error, 300)}") from error
    if reading is None or any(not r.passed and r.severity == "error" for r in results):
        result = SnapshotResult(checks=results, read=work.read)
    else:
        result = SnapshotResult(version=_publish(work, reading), checks=results, read=work.read, reading=shown(reading))
    handled = Handled(rules=_rules(task, source), result=result)
    store.put(record, digests.canonical(handled.model_dump(mode="json", by_alias=True)))
    return result


def _listed(task: SnapshotTask, source: Source) -> list[Object]:
    objects = sorted(source.list(), key=lambda o: o.key)
    if not objects:
        raise TaskFailed("ObjectMissing", f"there is nothing under {source.uri()}; put files there")
    if listing.digest(lambda: objects).digest != task.listing:
        raise TaskFailed(
            "ObjectChanged", f"{source.uri()} changed since it was listed; it is listed again",
            transient=True,
        )  # fmt: skip
    paths = [source.path(entry) for entry in objects]
    remedy, root = "Rename the objects, or leave them out by spec.source.exclude", source.uri("")
    fetchable(paths, root, remedy, strict=True)  # what is published can be fetched
    least = sum(LEAST + len(path.encode()) + len(entry.etag) for path, entry in zip(paths, objects, strict=True))
    if least > DOCUMENT_LIMIT:  # said before all of them are read
        raise TaskFailed(
            "BadData", f"there are {len(objects)} objects under {root}, and a manifest that names "
            f"all of them would have more than {DOCUMENT_LIMIT >> 20} MiB; put the data into fewer, larger files",
        )  # fmt: skip
    return objects


def _rules(task: SnapshotTask, source: Source) -> str:
    """What decides about a listing besides the listing: the limits too, for a query may need more than there is."""
    return digests.of_bytes(digests.canonical([
        READERS, tables.memory_limit(), tables.spill_limit(), source.part, _schema_digest(task), task.pin,
        [c.model_dump(mode="json", exclude_none=True) for c in task.checks],
    ]))  # fmt: skip


def _schema_digest(task: SnapshotTask) -> str:
    schema = task.schema_.model_dump(mode="json", exclude_none=True) if task.schema_ else None
    declared = options(task)
    written = declared.model_dump(mode="json", exclude_none=True) if declared else None
    return digests.of_bytes(digests.canonical([task.format, schema, *([written] if written else [])]))


def _handled(task: SnapshotTask, source: Source, store: Bucket, record: str) -> SnapshotResult | None:
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
    if found.rules != _rules(task, source) or (version and not store.exists(located(version.manifest, task.store)[1])):
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


def _read(work: Work, objects: list[Object]) -> None:
    kept = {(f.path, f.size, f.etag): f for f in work.previous.files} if work.previous else {}

    def one(entry: Object) -> None:
        path = work.source.path(entry)
        old = kept.get((path, entry.size, entry.etag))
        if old is not None and _unchanged(work, old):
            return
        _read_new(work, entry, path)

    parallel(one, objects)


def _unchanged(work: Work, file: File) -> bool:
    """Take a file over from the last version; its rows are read from the store if a check needs them, or if it is to be
    read in another way."""
    assert work.previous is not None
    if work.whole or work.fixed is None:
        local = _new_file(work, file.path)
        item = FetchItem(access=work.task.store, source=work.task.source, uri="", sha256="", dest="")
        try:
            _, got = reader(work.previous, work.store, work.task.store.prefix, item)(file, local.path)
        except StoreError as error:
            if error.reason != "ObjectMissing":
                raise
            return False
        if got.sha256 != file.sha256:
            return False
        rows = _inspected(work, local, None) if work.streams and work.fixed is None else file.rows
        _keep(work, local)
        file = file.model_copy(update={"rows": rows})
    with work.lock:
        work.files[file.path] = file
        work.kept.add(file.path)
    return True


def _read_new(work: Work, entry: Object, path: str) -> None:
    local = _new_file(work, path)
    got = work.source.open(entry, local.path, hold=work.task.pin == "reference")
    rows = _inspected(work, local, None) if work.streams else 0
    if work.task.pin == "copy":
        blob = layout.blob(work.task.store.prefix, got.sha256)
        if not work.store.exists(blob):
            work.store.upload(blob, local.path)
    _keep(work, local)
    pinned = got.version_id if work.task.pin == "reference" else None
    with work.lock:
        work.read += 1
        work.files[path] = File(
            path=path, size=got.size, sha256=got.sha256, rows=rows, etag=entry.etag, version_id=pinned
        )
    log.info("read", extra={"path": path, "bytes": got.size})


def _new_file(work: Work, path: str) -> LocalFile:
    return LocalFile(work.folder / f"{next(work.numbers)}.{work.task.format}", path)


def _keep(work: Work, file: LocalFile) -> None:
    """Of one that describes itself, and whose rows nobody needs any more, only what its columns are."""
    if work.streams and not work.whole:
        FORMATS[work.task.format].shrink(file)
    with work.lock:
        work.local[file.name] = file


# --- what the files are ------------------------------------------------------------------------------------------


def _understood(work: Work) -> Reading | None:
    """How the files are read, and whether they are what is declared. None if they can't be read in one way."""
    task, fixed = work.task, work.fixed
    kept = work.kept if fixed is not None else set()
    new = [work.local[path] for path in sorted(work.local) if path not in kept]
    declared = Declared(task.schema_.columns if task.schema_ else (), options(task))
    try:
        found = FORMATS[task.format].infer(work.database, new, declared, fixed) if new else fixed
        assert found is not None
        reading = found.after(fixed) if fixed is not None and kept else found
        distinct(reading.types())
    except Misfit as error:
        for column, problem in error.problems.items():
            work.problems.add(column, problem)
        return None
    except Unreadable as error:
        raise _corrupt(work, new, error) from error
    if not work.streams:
        types = fixed.types() if fixed is not None else {}
        parallel(lambda file: _count_rows(work, file, reading, types), new)
    return reading


def _count_rows(work: Work, file: LocalFile, reading: Reading, fixed: Collection[str]) -> None:
    rows = _inspected(work, file, reading, fixed)
    with work.lock:
        work.files[file.name] = work.files[file.name].model_copy(update={"rows": rows})


def _inspected(work: Work, file: LocalFile, reading: Reading | None, fixed: Collection[str] = ()) -> int:
    """Rows; what is wrong with them is noted."""
    problems, task = columns.Problems(), work.task
    known = reading or Reading(format=task.format)
    try:
        rows = columns.inspect(work.database, file, known, task.schema_, fixed, problems)
    except Unreadable as error:
        raise _corrupt(work, [file], error) from error
    with work.lock:
        work.problems.merge(problems)
    return rows


def _corrupt(work: Work, files: Sequence[LocalFile], error: Unreadable) -> TaskFailed:
    """Messages about one file begin with its name."""
    task = work.task
    about = [f.name for f in files if len(files) == 1 or re.match(rf"{re.escape(f.name)}[: ]", str(error))]
    path = max(about, key=len, default="")
    uri = work.source.uri(path)
    if not about:
        text = f"{uri} can't be read as one table of {task.format}: {error}; replace or remove them"
        return TaskFailed("CorruptFile", line(text))
    pattern = json.dumps(keys.leaving_out(path, work.paths), ensure_ascii=False)
    remedy = f"replace it, or leave it out: spec.source.exclude: [{pattern}]"
    return TaskFailed("CorruptFile", line(f"{uri} is not {task.format}: {error}; {remedy}"))


def _checked(work: Work, reading: Reading | None) -> list[CheckResult]:
    """All results, failed ones first."""
    task, number = work.task, sum(f.rows for f in work.files.values())
    results = work.problems.results() if task.schema_ or work.problems.shapes else []
    results += [checks.rows(c, number) for c in task.checks if c.rows is not None]
    if work.whole:
        results += _over_all(work, reading)
    return sorted(results, key=lambda r: (r.passed, r.severity != "error"))[:64]


def _over_all(work: Work, reading: Reading | None) -> list[CheckResult]:
    """Checks over the rows of all files together. They need columns that are what they are declared to be."""
    if reading is None or work.problems.shapes:
        return [checks.not_run(c) for c in work.task.checks if c.rows is None]
    files = [work.local[path] for path in sorted(work.local)]
    try:
        query = FORMATS[reading.format].scan(work.database, files, reading)
        work.database.execute(f"CREATE VIEW data AS {query}")
    except (duckdb.Error, Unreadable) as error:
        raise TaskFailed(
            "BadData", f"the files don't make one table: {line(error)}; give them the same columns"
        ) from error
    return checks.over_all(work.task.checks, work.database)


def _publish(work: Work, reading: Reading) -> DatasetVersion:
    task, files = work.task, [work.files[path] for path in sorted(work.files)]
    manifest = Manifest.model_validate({
        "dataset": task.dataset, "format": task.format, "pin": task.pin, "source": work.source.origin(),
        "schema_digest": _schema_digest(task), "files": files, "reading": reading,
    })  # fmt: skip
    key = layout.manifest(task.store.prefix, manifest.version)
    if not work.store.put_if_absent(key, manifest.encoded()):
        log.info("these bytes are a version already", extra={"version": manifest.version})
        if work.store.read(key) != manifest.encoded():  # but of another schema: what is declared now counts from now on
            work.store.put(key, manifest.encoded())
    return DatasetVersion(
        version=manifest.version, digest=manifest.digest, manifest=work.store.uri(key),
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), rows=sum(f.rows for f in files),
        bytes=sum(f.size for f in files), files=len(files), ignored=work.source.ignored,
    )  # fmt: skip
