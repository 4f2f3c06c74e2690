"""What a profile costs: rows a second into bins and into a document, memory as files grow, bytes of documents.

Each size is measured in a process of its own, whose peak of memory is the operating system's word. Seconds are also
those of processors, so that what else runs on the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fairlead.monitor.profile import Profile
from fairlead.worker import tables
from fairlead.worker.binning import Binner
from fairlead.worker.profiling import build, files
from hack.bench.report import keep, table

FEATURES, GROUP = 20, 250_000
BATCHES = (1, 10, 50)
"""Rows of a request, for the recorder."""


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m hack.bench monitors profile", description=__doc__)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.2, 1.0, 4.0], help="sizes of the files")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows that are counted")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.child:
        print(json.dumps(made(Path(args.child))))
        return 0
    bins = binned(args.rows)
    sizes = [built(size) for size in args.gigabytes]
    small = documents()
    table("Rows into bins, 20 numeric features", [list(one.values()) for one in bins],
          ["rows", "pairs", "rows a request", "µs of a processor a row", "rows a second of a processor"])  # fmt: skip
    table("A profile of Parquet, 20 numeric features", [list(one.values()) for one in sizes],
          ["GB", "rows", "seconds", "seconds of processors", "rows a second of a processor", "peak MiB", "bytes",
           "digest"])  # fmt: skip
    table("Documents of 20 features", [list(one.values()) for one in small], ["features", "bytes"])
    keep("monitors-profile", {"bins": bins, "sizes": sizes, "documents": small})
    return 0


# --- into bins -----------------------------------------------------------------------------------------------------


def binned(rows: int) -> list[dict[str, Any]]:
    """By whole columns, and request by request."""
    rng = np.random.default_rng(0)
    columns = {f"f{i}": rng.normal(size=rows) for i in range(FEATURES)}
    found = []
    for pairs in (0, 32):
        profile = _profile(pa.table({name: values[:100_000] for name, values in columns.items()}), pairs)
        found.append(_timed(profile, rows, "all", lambda: iter([columns])))
        few = {name: values[:20_000].tolist() for name, values in columns.items()}
        for n in BATCHES:
            parts = [{name: values[at : at + n] for name, values in few.items()} for at in range(0, 20_000, n)]
            found.append(_timed(profile, 20_000, str(n), partial(iter, parts)))
    return found


def _profile(sample: pa.Table, pairs: int) -> Profile:
    with tempfile.TemporaryDirectory() as folder, tables.connect(Path(folder)) as database:
        pq.write_table(sample, Path(folder) / "a.parquet")
        learnt = build.reference(files.rows(database, [Path(folder) / "a.parquet"]), sample.schema.names)
    found = build.profile("regression", learnt)
    return found.model_copy(update={"pairs": found.pairs[:pairs]})


def _timed(profile: Profile, rows: int, of: str, parts: Callable[[], Iterator[Any]]) -> dict[str, Any]:
    binner, began = Binner(profile), time.process_time()
    for part in parts():
        binner.add(part)
    binner.tally()
    seconds = time.process_time() - began
    return {
        "rows": rows,
        "pairs": len(profile.pairs),
        "of": of,
        "us": 1e6 * seconds / rows,
        "rate": round(rows / seconds),
    }


# --- into a document -----------------------------------------------------------------------------------------------


def built(gigabytes: float) -> dict[str, Any]:
    """Of files of so many bytes of values."""
    rows = int(gigabytes * 1e9 / (8 * FEATURES))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        rng = np.random.default_rng(0)
        schema = pa.schema([(f"f{i}", pa.float64()) for i in range(FEATURES)])
        with pq.ParquetWriter(path, schema) as writer:
            for start in range(0, rows, GROUP):
                n = min(GROUP, rows - start)
                writer.write_table(pa.table({name: rng.normal(size=n) for name in schema.names}, schema))
        words = [sys.executable, "-m", "hack.bench", "monitors", "profile", "--child", str(path)]
        told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return {"gigabytes": gigabytes, **json.loads(told)}


def made(path: Path) -> dict[str, Any]:
    """In this process."""
    with tempfile.TemporaryDirectory() as spill, tables.connect(Path(spill), path.parent) as database:
        wall, began = time.perf_counter(), time.process_time()
        rows = files.rows(database, [path])
        found = build.profile("regression", build.reference(rows, list(rows.types)))
        wall, seconds = time.perf_counter() - wall, time.process_time() - began
    return {
        "rows": found.rows, "seconds": wall, "processor": seconds, "rate": round(found.rows / seconds),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, "bytes": len(found.dumped()),
        "digest": found.digest[:12],
    }  # fmt: skip


def documents() -> list[dict[str, Any]]:
    """How large they are, at most."""
    rng, n = np.random.default_rng(1), 20_000
    kinds: dict[str, Callable[[], Any]] = {
        "numbers": lambda: rng.normal(size=n),
        "512 categories": lambda: [f"category {i}" for i in rng.integers(0, 512, n)],
        "names of 250 letters": lambda: [f"{i} {'x' * 245}" for i in rng.integers(0, 9999, n)],
    }
    return [
        {"kind": kind, "bytes": len(_profile(pa.table({f"f{i}": make() for i in range(FEATURES)}), 32).dumped())}
        for kind, make in kinds.items()
    ]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
