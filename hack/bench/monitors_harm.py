"""Harm precision: of all alarms on public streams with labels, the share that coincides with a real loss of quality.

What a real loss is, was fixed beforehand (`worker.past.harm`): the window's share of wrong answers less that of the
reference is above 0 at 99 %, one-sided, all labels of the window's rows known. Ours go through the command line, as a
person's would: `fairlead profile` of the reference, `fairlead monitor` of the stream, one false alarm a year, a window
a day (or as long as it is). The common rules look at the same windows, at the rows themselves.

A rule without a memory alarms anew in each window: each is counted. Ours are said once, and last until all is well: in
`windows` each window counts in which the alarm stands, so that both can be compared. What an alarm at random would
get is the share of windows with a loss.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fairlead.cli.main import main as fairlead
from hack.bench import report, streams
from hack.bench.rules import RULES
from hack.bench.streams import ANSWER, SCORE, TRUE, Columns, Stream

Json = dict[str, Any]
_FIRST = 1_735_689_600_000_000
"""2025-01-01, in microseconds: windows are days from then on, so that each stream's own are kept."""
_DAY = 86_400_000_000


@dataclass(frozen=True)
class Said:
    """By one rule, of one stream."""

    alarms: list[int]
    """The window of each; ours begin there."""
    standing: list[int]
    """Windows in which it is said."""


def main(arguments: Sequence[str]) -> int:
    """Print a table a stream."""
    parser = argparse.ArgumentParser(prog="python -m hack.bench monitors harm", description=__doc__)
    known = [one.__name__ for one in streams.STREAMS]
    parser.add_argument("streams", nargs="*", metavar="STREAM", help=f"by default all: {', '.join(known)}")
    names = parser.parse_args(arguments).streams
    if strange := set(names) - set(known):
        parser.error(f"no stream is called {', '.join(sorted(strange))}; there are {', '.join(known)}")
    kept: Json = {}
    total: dict[str, list[int]] = {}
    for stream in streams.all_of(names):
        found, seasonal = judged(stream)
        harmed = set(found["end"]["harmed"])
        rules = said_by(stream, found, seasonal)
        title = f"{stream.name}: {len(found['windows'])} windows ({stream.said}), {len(harmed)} with a real loss"
        report.table(title, [row(name, one, harmed) for name, one in rules.items()], HEAD)
        for name, one in rules.items():
            true = sum(window in harmed for window in one.alarms)
            total[name] = [a + b for a, b in zip(total.get(name, [0, 0]), (len(one.alarms), true), strict=True)]
        kept[stream.name] = {"windows": len(found["windows"]), "harmed": sorted(harmed),
                             "rules": {name: vars(one) for name, one in rules.items()}}  # fmt: skip
    lines = [[name, alarms, true, _share(true, alarms)] for name, (alarms, true) in total.items()]
    report.table("All of these streams", lines, HEAD[:4])
    report.keep("monitors-harm", kept)
    return 0


HEAD = ("rule", "alarms", "of them true", "harm precision", "windows said", "of them true", "of the loss", "delay")


def row(name: str, said: Said, harmed: set[int]) -> list[object]:
    """Of one rule. `of the loss`: the share of the windows with a loss in which it is said; `delay`: windows from the
    first with a loss, of each run of such, to the first in which it is said, in the median of those found."""
    true = sum(one in harmed for one in said.alarms)
    standing = set(said.standing)
    both = len(standing & harmed)
    delays = [d for d in (_delay(run, standing) for run in runs(harmed)) if d is not None]
    return [
        name, len(said.alarms), true, _share(true, len(said.alarms)), len(standing), both, _share(both, len(harmed)),
        f"{np.median(delays):g} ({len(delays)} of {len(runs(harmed))})" if delays else "-",
    ]  # fmt: skip


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def runs(harmed: set[int]) -> list[list[int]]:
    """Stretches of windows with a loss, one right after the other."""
    found: list[list[int]] = []
    for window in sorted(harmed):
        if found and found[-1][-1] == window - 1:
            found[-1].append(window)
        else:
            found.append([window])
    return found


def _delay(run: list[int], standing: set[int]) -> int | None:
    return next((at - run[0] for at in run if at in standing), None)


# --- ours ------------------------------------------------------------------------------------------------------------


def judged(stream: Stream) -> tuple[Json, Json]:
    """What the command line says of it: against the whole of the reference, and with what the reference's own windows
    showed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        times = _FIRST + stream.window * _DAY
        usual = int(np.median(np.bincount(stream.window)))
        own = _FIRST + np.arange(len(stream.reference[TRUE])) // usual * _DAY
        _written(place / "reference.parquet", stream.reference | {"at": own.astype("datetime64[us]")})
        _written(place / "rows.parquet", stream.rows | {"at": times.astype("datetime64[us]")})
        profile = str(place / "profile.json")
        columns = ["--prediction", ANSWER, "--score", SCORE]
        _run(["profile", str(place / "reference.parquet"), "--features", ",".join(stream.features), *columns,
              "--target", TRUE, "--task", "classification", "-o", profile])  # fmt: skip
        words = ["monitor", "--profile", profile, "--rows", str(place / "rows.parquet"), *columns, "--target", TRUE,
                 "--time", "at", "--window", "1d", "-o", "json"]  # fmt: skip
        told = _run(words)
        return json.loads(told), json.loads(_run([*words, "--reference", str(place / "reference.parquet")]))


def _written(path: Path, columns: Columns) -> None:
    pq.write_table(pa.table(columns), path)


def _run(words: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = fairlead(words)
    if code:
        raise RuntimeError(f"fairlead {' '.join(words)}: exit code {code}")
    return out.getvalue()


def said_by(stream: Stream, found: Json, seasonal: Json) -> dict[str, Said]:
    """By our monitors, and by the common rules."""
    windows = found["windows"]
    ours = {
        f"ours: {what}": Said(
            [one["window"] for one in found["end"]["alarms"] if (one["monitor"], one["what"]) == ("quality", what)],
            [one["index"] for one in windows if one["losses"][kind]["state"] == "Drifting"],
        )
        for what, kind in (("real loss", "realised"), ("estimated loss", "estimated"))
    }
    ours["ours: drift alone"] = _drift(found)
    ours["ours: drift, --reference"] = _drift(seasonal)
    parts = [stream.part(window) for window in range(len(windows))]
    theirs = {}
    for name, rule in RULES.items():
        alarms = [at for at, part in enumerate(parts) if rule(stream.reference, part, stream.features)]
        theirs[name] = Said(alarms, alarms)
    return ours | theirs


def _drift(found: Json) -> Said:
    kinds = ("drift", "outputs", "pairs")
    return Said(
        [one["window"] for one in found["end"]["alarms"] if one["monitor"] == "drift"],
        [one["index"] for one in found["windows"]
         if any(part["state"] == "Drifting" for kind in kinds for part in one[kind].values())],
    )  # fmt: skip
