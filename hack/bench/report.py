"""Tables and files of results."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from hack.bench.process import SCRATCH


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile by the nearest rank; values need not be sorted."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def table(title: str, rows: Sequence[Sequence[object]], head: Sequence[str]) -> None:
    """A Markdown table on standard output."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |")


def keep(name: str, result: Any) -> None:
    """Write the result to `.local/bench/<name>-<time>.json`."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    path = SCRATCH / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=1))
    print(f"\nkept in {path}")
