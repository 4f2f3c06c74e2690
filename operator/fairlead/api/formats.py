"""The formats of data files: their names, and what has to be known of them before a file is read.

How each is read, stands in `worker/formats/`, one file a format; no other place branches on a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fairlead.api.dataset import DatasetSpec
    from fairlead.api.schema import Model
    from fairlead.api.tasks import SnapshotTask

FormatName = Literal["parquet", "csv", "jsonl"]
_SELF_DESCRIBING: frozenset[str] = frozenset({"parquet"})
OPTIONS = ("csv",)
"""Those whose writers differ: `spec` has a field of the same name that says how a Dataset's files are written."""
ARTIFACT: FormatName = "parquet"
"""Of rows that are an artifact, and so of no Dataset that says it."""
SUFFIXES: dict[str, FormatName] = {
    ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
"""How files are called: by it goes who has no Dataset that says the format."""


def self_describing(form: str) -> bool:
    """Whether a file says itself which columns it has, in which types. Then each file is looked at by itself, as it
    comes. Otherwise its cells are texts, and what they are follows from all files together."""
    return form in _SELF_DESCRIBING


def options(of: DatasetSpec | SnapshotTask) -> Model | None:
    """How its files are written, as declared."""
    found: Model | None = getattr(of, of.format) if of.format in OPTIONS else None
    return found
