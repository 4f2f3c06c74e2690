"""What a step's program logs besides its outputs: metrics and artifacts, in the folder `.fairlead` of its outputs.

Metrics are lines of `metrics.jsonl`, one JSON object each: `{"name": "rmse", "value": 23.1, "step": 3}` (`step` may be
missing). Artifacts are files below `artifacts`, named as they are logged.
"""

from __future__ import annotations

import codecs
from typing import Annotated

from pydantic import Field

from fairlead.api.schema import Model

FOLDER = ".fairlead"
METRICS, ARTIFACTS = "metrics.jsonl", "artifacts"
"""Below it."""
METRICS_ENV = "FAIRLEAD_METRICS"
NAMES = 32
"""Metrics of a step that its status has; those that were named first."""
SERIES = 1000
"""Metrics whose values are kept in the store."""
VALUES = 500_000
BYTES, LINE = 64 << 20, 4096
"""Of the file with metrics, and of a line."""
FILES = 64
"""Artifacts of a step."""
FILE_BYTES, ALL_BYTES = 256 << 20, 1 << 30
"""Of one artifact, and of all."""
PREVIEW_BYTES = 64 << 20
"""Of an output of type `preview`."""
SUFFIXES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "svg": "image/svg+xml", "pdf": "application/pdf", "html": "text/html", "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet", "txt": "text/plain", "log": "text/plain", "md": "text/markdown",
    "json": "application/json", "jsonl": "application/jsonl", "yaml": "application/yaml", "yml": "application/yaml",
    "ipynb": "application/x-ipynb+json",
}  # fmt: skip
"""Media types, by a file's suffix."""
BINARY = "application/octet-stream"

Number = Annotated[str, Field(max_length=32, pattern=r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$")]
"""A finite number as it was logged, to the last digit."""


class ArtifactRecord(Model):
    """A file that is kept in the store."""

    name: Annotated[str, Field(max_length=512)]
    """As it was logged, with slashes."""
    uri: Annotated[str, Field(max_length=1024)]
    sha256: Annotated[str, Field(max_length=64)]
    bytes: int = 0
    media: Annotated[str, Field(max_length=64)] = ""
    """Its media type, by its suffix; of one without, by its first bytes."""


class Logged(Model):
    """What a step has logged besides metrics, and where all of it is told."""

    outcome: Annotated[str, Field(max_length=1024)] = ""
    """The document in the store that names all artifacts, and the metrics' values over time."""
    artifacts: int = 0
    values: int = 0
    """Values of metrics that are kept."""
    left_out: Annotated[str, Field(max_length=512)] = ""
    """What was logged and is not kept, and why."""


def media_of(name: str, head: bytes) -> str:
    """The media type of a file, by its name's suffix; without a known one, by its first bytes."""
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    return SUFFIXES.get(suffix) or _by_content(head)


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"), (b"PAR1", "parquet"), (b"%PDF-", "pdf"),
)  # fmt: skip


def _by_content(head: bytes) -> str:
    for magic, suffix in _MAGIC:
        if head.startswith(magic):
            return SUFFIXES[suffix]
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return SUFFIXES["webp"]
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:256].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return SUFFIXES["html"]
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in start):
        return SUFFIXES["svg"]
    return SUFFIXES["txt"] if _is_text(head) else BINARY


def _is_text(head: bytes) -> bool:
    """Whether it may be the beginning of a text; its last character may be cut."""
    try:
        return "\x00" not in codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
