"""Rows of a folder in the pod, read as their Dataset's version is; without one, by what follows from all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fairlead.worker import tables
from fairlead.worker.errors import TaskFailed


@dataclass(frozen=True)
class Rows:
    """All rows of a folder."""

    scan: str
    """SQL of a query over them."""


def rows(folder: Path, form: str) -> Rows:
    """How to read them. Raises TaskFailed (BadData)."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not files:
        raise TaskFailed("BadData", f"there are no files in {folder}; the evaluation needs rows")
    return Rows(tables.scan(form, files))


def line(error: Exception) -> str:
    """The whole reason."""
    return " ".join(str(error).split())[:1000]
