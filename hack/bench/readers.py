"""What it costs to read a Dataset's files: a whole snapshot (fetch, read, count, check the schema, publish) of one file
of a million rows, beside the same by an earlier commit, and beside what reads it without any proof. Needs no cluster.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hack.bench.process import ROOT, checked_out
from hack.bench.report import keep, table
from hack.testbed.s3 import S3, serving

BEFORE = "8a73c5a"
"""The last commit at which DuckDB guessed how a file is read."""
LIMIT = 1.2
"""How much more CPU reading may take than before."""
BUCKET = "bench"
TYPES = (
    {"id": "integer", "t": "timestamp"} | {f"f{n}": "float" for n in range(9)} | {f"i{n}": "integer" for n in range(5)}
)
TYPES |= {f"s{n}": "string" for n in range(4)}
FORMATS = {"csv": "csv", "csv.gz": "csv", "jsonl": "jsonl", "parquet": "parquet"}
PLAIN = {
    "csv": {
        "pandas": "len(pandas.read_csv(path))",
        "DuckDB": "duckdb.sql(f\"SELECT count(*), max(COLUMNS(*)) FROM '{path}'\").fetchone()[0]",
    },
    "csv.gz": {"pandas": "len(pandas.read_csv(path))"},
    "jsonl": {"pandas": "len(pandas.read_json(path, lines=True))"},
    "parquet": {"pandas": "len(pandas.read_parquet(path))"},
}
"""What people pick otherwise."""
_USED = """
import json, resource, sys, time
began = time.monotonic()
{body}
seconds, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([result, seconds, used.ru_utime + used.ru_stime, int(peak.split()[1]) / 1024]))
"""
_SNAPSHOT = """
from fairlead.api.tasks import SnapshotTask
from fairlead.store import listing
from fairlead.worker.access import place
from fairlead.worker.snapshot import snapshot
task = json.loads(sys.argv[1])
source = SnapshotTask.model_validate({**task, "listing": ""}).source
objects = sorted(place(source).list(source.prefix), key=lambda found: found.key)
task["listing"] = listing.digest(lambda: objects).digest
began = time.monotonic()
try:
    found = snapshot(SnapshotTask.model_validate(task))
    result = found.version.rows if found.version else str([c.message for c in found.checks if not c.passed])
except Exception as error:
    result = str(error)
"""


def frame(rows: int) -> pd.DataFrame:
    """Twenty columns of what people have: numbers, codes, some text with delimiters and quotes, times."""
    rng = np.random.default_rng(1)
    columns: dict[str, Any] = {"id": np.arange(rows)}
    columns |= {f"f{n}": rng.normal(size=rows).round(6) for n in range(9)}
    columns |= {f"i{n}": rng.integers(0, 10**6, rows) for n in range(5)}
    columns |= {f"s{n}": rng.choice(["red", "green", "blue"], rows) for n in range(3)}
    columns["s3"] = rng.choice(["alpha", "beta", "gamma, delta", 'say "x"'], rows)
    columns["t"] = pd.date_range("2024-01-01", periods=rows, freq="s").strftime("%Y-%m-%d %H:%M:%S")
    return pd.DataFrame(columns)


def write(folder: Path, rows: int) -> dict[str, Path]:
    """The same rows in each format."""
    made, found = frame(rows), {form: folder / f"a.{form}" for form in FORMATS}
    made.to_csv(found["csv"], index=False)
    made.to_csv(found["csv.gz"], index=False, compression={"method": "gzip", "compresslevel": 1})
    made.to_json(found["jsonl"], orient="records", lines=True)
    made.assign(t=pd.to_datetime(made["t"])).to_parquet(found["parquet"])
    return found


def measured(code: str, tree: Path, *arguments: str) -> tuple[Any, float, float, float]:
    """In a process of its own: its result, seconds, seconds of CPU, peak MiB."""
    path = os.pathsep.join(str(folder) for folder in (tree / "operator", tree))
    command = [sys.executable, "-c", _USED.replace("{body}", code), *arguments]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    result, seconds, cpu, memory = json.loads(done.stdout.splitlines()[-1])
    return result, seconds, cpu, memory


def asked(s3: S3, form: str, store: str, *, declared: bool) -> str:
    """A snapshot's task, but for its listing."""
    schema = {"columns": [{"name": name, "type": kind} for name, kind in TYPES.items()]} if declared else None
    return json.dumps({
        "dataset": "bench", "format": FORMATS[form], "pin": "copy", "schema_": schema,
        "source": s3.place(BUCKET, f"{form}/").model_dump(mode="json"),
        "store": s3.place(BUCKET, store).model_dump(mode="json"),
    })  # fmt: skip


def run(rows: int, times: int, before: str, forms: Sequence[str], *, declared: bool) -> tuple[list[list[object]], bool]:
    """Rows (format, reader, result, seconds, CPU, peak MiB), the quickest of so many; and whether the limit is kept
    where both read all rows."""
    found: list[list[object]] = []
    kept = True
    with tempfile.TemporaryDirectory(prefix="fairlead-readers-") as folder, serving(Path(folder)) as s3, \
            checked_out(before) as earlier:  # fmt: skip
        s3.client.create_bucket(Bucket=BUCKET)
        files = write(Path(folder), rows)
        for form in forms:
            s3.client.upload_file(str(files[form]), BUCKET, f"{form}/a.{form}")
            trees = {"before": earlier, "now": ROOT}
            best: dict[str, tuple[Any, float, float, float]] = {}
            for attempt in range(times):
                for name, tree in trees.items():
                    one = measured(
                        _SNAPSHOT, tree, asked(s3, form, f"store/{form}/{name}/{attempt}", declared=declared)
                    )
                    best[name] = min(one, best.get(name, one), key=lambda figures: figures[2])
            for name, expression in PLAIN[form].items():
                code = f"import duckdb, pandas\npath = {str(files[form])!r}\nresult = {expression}"
                best[name] = min((measured(code, ROOT) for _ in range(times)), key=lambda figures: figures[2])
            found += [[form, name, *figures] for name, figures in best.items()]
            if best["before"][0] == best["now"][0] == rows:
                kept = kept and best["now"][2] <= LIMIT * best["before"][2]
            else:
                kept = kept and best["now"][0] == rows
    return found, kept


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="readers", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3, help="of which the quickest counts")
    parser.add_argument("--before", default=BEFORE, help="the commit to compare with")
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=list(FORMATS))
    parser.add_argument("--undeclared", action="store_true", help="without a schema: all types are found")
    options = parser.parse_args(arguments)
    rows, met = run(options.rows, options.times, options.before, options.formats, declared=not options.undeclared)
    table(f"{options.rows:,} rows of {len(TYPES)} columns", rows, ["format", "by", "rows", "s", "CPU, s", "peak MiB"])
    keep("readers", rows)
    print(f"at most {LIMIT} times the CPU of {options.before}: {'met' if met else 'MISSED'}")
    return 0 if met else 1
