"""Datasets from folders of this machine: the same reading, checks and names as a cluster's snapshot makes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairlead.api.dataset import CheckResult, DatasetVersion
from fairlead.api.fetching import FolderPlace
from fairlead.api.formats import OPTIONS, SUFFIXES, FormatName
from fairlead.api.reading import ShownReading
from fairlead.api.tasks import Place, SnapshotResult, SnapshotTask
from fairlead.local import files
from fairlead.local.trouble import Trouble
from fairlead.local.world import BUCKET
from fairlead.plan.core import DATASET, Json
from fairlead.store import listing
from fairlead.store.errors import StoreError
from fairlead.store.sources.registry import opened
from fairlead.worker.errors import TaskFailed

_PACKED = (".gz", ".zst")


@dataclass(frozen=True)
class Version:
    """A version that was made."""

    name: str
    path: Path
    found: DatasetVersion
    format: str
    inferred: bool
    """No Dataset says the format; it is that of the files' names."""
    warnings: Sequence[CheckResult]
    """Checks that failed, and only report."""
    reading: ShownReading | None
    manifest: Json
    """The Dataset, as a run reads it."""


def located(given: Iterable[str], wanted: Sequence[str]) -> dict[str, Path]:
    """The folder or file of each Dataset.

    Args:
        given: `name=path`, or a path alone: of the one Dataset, or with a folder for each.
        wanted: Names of the Datasets that the steps read.

    Raises Trouble for names that no step reads, and for Datasets without a path.
    """
    found: dict[str, Path] = {}
    for one in given:
        name, equals, path = one.partition("=")
        named = {name: Path(path)} if equals and "/" not in name else _alone(Path(one), wanted)
        for key, where in named.items():
            if key not in wanted:
                raise Trouble(f"--data {one}: no step reads a Dataset {key!r}; they read {', '.join(wanted) or 'none'}")
            if key in found:
                raise Trouble(f"--data {one}: Dataset {key} has a path already: {found[key]}")
            if not where.exists():
                raise Trouble(f"--data {one}: {where} is not there")
            found[key] = where.resolve()
    if missing := [name for name in wanted if name not in found]:
        options = " ".join(f"--data {name}=PATH" for name in missing)
        raise Trouble(f"the steps read {', '.join(missing)}, and nothing says where it is on this machine: {options}")
    return found


def _alone(path: Path, wanted: Sequence[str]) -> dict[str, Path]:
    """A path without a name."""
    below = {name: path / name for name in wanted if (path / name).is_dir()}
    if len(wanted) == 1:
        return below or {wanted[0]: path}
    if not wanted:
        raise Trouble(f"--data {path}: no step reads a Dataset")
    if len(below) < len(wanted):
        lacks = ", ".join(name for name in wanted if name not in below)
        raise Trouble(
            f"--data {path}: the steps read {', '.join(wanted)}; there is no folder {lacks} in it. Make folders named "
            f"like the Datasets, or name each: --data {wanted[0]}=PATH …"
        )
    return below


def version(name: str, path: Path, raw: Json | None, namespace: str, store: Path) -> Version:
    """Read, check and name what lies at a path. raw: the Dataset, None: nobody has written one.

    Raises Trouble with what the checks have found, or for what can't be read."""
    written = files.dataset(raw) if raw else None
    spec = written.spec if written else None
    exclude = (spec.source.exclude or []) if spec else []
    form = spec.format if spec else _inferred(name, path)
    listed = _listed(path, exclude)
    task = SnapshotTask(
        dataset=name, listing=listed, source=FolderPlace(path=str(path)), exclude=exclude or None, format=form,
        store=Place(bucket=BUCKET, prefix=f"{namespace}/datasets/{name}/", folder=str(store)), pin="reference",
        schema_=spec.schema_ if spec else None, checks=spec.checks if spec else [],
        **({option: getattr(spec, option) for option in OPTIONS} if spec else {}),
    )  # fmt: skip
    result = _snapshot(name, task)
    failed = [one for one in result.checks if not one.passed]
    if result.version is None:
        told = "".join(f"\n  {one.check}: {one.message}" for one in failed if one.severity == "error")
        raise Trouble(f"Dataset {name}: {path} is not as it should be, and no version is made of it:{told}")
    return Version(
        name, path, result.version, form, spec is None, failed, result.reading,
        _manifest(name, namespace, form, raw, result.version),
    )  # fmt: skip


def _inferred(name: str, path: Path) -> FormatName:
    """From the names of its files."""
    forms: dict[FormatName | None, str] = {}
    try:
        for entry in opened(FolderPlace(path=str(path)), ()).list():
            plain = entry.key
            for packed in _PACKED:
                plain = plain.removesuffix(packed)
            forms[SUFFIXES.get(Path(plain).suffix.lower())] = entry.key
    except StoreError as error:
        raise Trouble(f"Dataset {name}: {error.message}") from None
    if len(forms) == 1 and (only := next(iter(forms))) is not None:
        return only
    said = ", ".join(f"{key} ({form or 'unknown'})" for form, key in forms.items()) or "nothing"
    raise Trouble(
        f"the format of Dataset {name} can't be told from the names of its files at {path}: there is {said}. Put the "
        "Dataset into the YAML: its spec.format says it, and spec.source.exclude what is no data"
    )


def _listed(path: Path, exclude: Sequence[str]) -> str:
    try:
        return listing.digest(opened(FolderPlace(path=str(path)), exclude).list).digest
    except StoreError as error:
        raise Trouble(error.message) from None
    except OSError as error:
        raise Trouble(f"{path} can't be listed: {error}") from None


def _snapshot(name: str, task: SnapshotTask) -> SnapshotResult:
    try:
        from fairlead.worker.snapshot import snapshot
    except ImportError as missing:
        raise Trouble(
            f"Dataset {name} can't be read: Python has no {missing.name} here. Install what reads data: "
            "pip install 'fairlead[cli,worker]'"
        ) from None
    try:
        return snapshot(task)
    except TaskFailed as failed:
        raise Trouble(f"Dataset {name}: {failed.error.message}") from None
    except StoreError as failed:
        raise Trouble(f"Dataset {name}: {failed.message}") from None
    except OSError as failed:
        raise Trouble(f"Dataset {name}: {failed}") from None


def _manifest(name: str, namespace: str, form: str, raw: Json | None, found: DatasetVersion) -> Json:
    bucket = {"s3": {"bucket": BUCKET, "prefix": f"{name}/"}}  # a spec must name one; what is read is the folder
    spec = raw["spec"] if raw else {"source": bucket, "format": form}
    kept = {key: value for key, value in spec.items() if key not in ("store", "pin")}
    return {
        "apiVersion": DATASET.api_version, "kind": DATASET.kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": kept,
        "status": {"current": found.model_dump(mode="json", by_alias=True)},
    }  # fmt: skip
