"""Makes a profile of files on this machine: what the worker does in the cluster, without one."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead.cli.session import FAILED, USAGE, Problem

if TYPE_CHECKING:
    import duckdb

    from fairlead.monitor.profile import Profile
    from fairlead.worker.profiling.answers import Answered, Task
    from fairlead.worker.profiling.source import Rows


_FEWEST = 2
"""Windows that say anything of seasons."""


@dataclass(frozen=True)
class Made:
    """A profile, and what it does not have."""

    profile: Profile
    left_out: Mapping[str, str]
    """Columns, and why."""
    notes: Sequence[str]


def make(args: argparse.Namespace) -> Made:
    """From the options of `fairlead profile`. Raises Problem."""
    try:
        from fairlead.worker import tables
        from fairlead.worker.errors import TaskFailed
        from fairlead.worker.profiling import files
    except ImportError as missing:
        raise Problem(f"rows are read with what jobs use: pip install 'fairlead[worker]' ({missing})", USAGE) from None
    paths = [Path(path) for path in args.rows]
    near = {path if path.is_dir() else path.parent for path in map(Path.resolve, paths)}
    try:
        with tempfile.TemporaryDirectory(prefix="fairlead-") as spill, tables.connect(Path(spill), *near) as database:
            made = _made(args, files.rows(database, [path.resolve() for path in paths]))
            return _seasonal(args, database, paths, made) if args.time else made
    except TaskFailed as failed:
        raise Problem(failed.error.message, FAILED) from None
    except OSError as failed:
        raise Problem(str(failed), FAILED) from None


def _made(args: argparse.Namespace, rows: Rows) -> Made:
    from fairlead.worker.profiling import answers, build, files

    slices = args.slices
    others = [one for one in (args.prediction, args.score, args.target) if one]
    files.check(rows, [*args.features, *others, *slices, *([args.time] if args.time else [])])
    wanted = args.features or [one for one in rows.types if one not in (*others, args.time)]
    learnt = build.reference(rows, wanted)
    task, notes = _task(args, rows)
    if task == "regression" and (args.score or args.positive):
        notes.append("--score and --positive are of classes: a regression has none, and they are not used")
    if not args.prediction:
        notes.append("no --prediction: what the model answers, and how right it is, is not profiled")
        return Made(build.profile(task, learnt), learnt.left_out, notes)

    def batches() -> Iterator[Answered]:
        for batch in rows.plain(list(dict.fromkeys([*others, *slices]))):
            column: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
            yield answers.Answered(column[args.prediction], column.get(args.target), column.get(args.score),
                                   {by: column[by] for by in slices})  # fmt: skip

    answered = answers.held_out(batches, task, args.positive or "")
    notes += answered.notes
    return Made(build.profile(task, learnt, answered, rows.digest), learnt.left_out, notes)


def _seasonal(args: argparse.Namespace, database: duckdb.DuckDBPyConnection, paths: Sequence[Path], made: Made) -> Made:
    """With what the rows' own windows show. Raises Problem."""
    from fairlead.worker.past.files import BadFiles, Source
    from fairlead.worker.past.judge import seasons
    from fairlead.worker.past.stream import Names, Stream
    from fairlead.worker.past.windows import BadLength, parse
    from fairlead.worker.profiling.fit import fitted

    try:
        names = Names(args.time, args.prediction or "", args.score or "")
        stream = Stream(database, Source(database, paths), made.profile, names, parse(args.window))
        profile, windows = seasons(stream)
    except (BadFiles, BadLength) as bad:
        raise Problem(str(bad), USAGE) from None
    if windows < _FEWEST:
        raise Problem(f"by {args.time!r} the rows make {windows} windows of {args.window}, which say nothing of "
                      "seasons: choose shorter ones with --window, or leave --time out", USAGE)  # fmt: skip
    told = f"what {windows} windows of {args.window} by {args.time} showed is tolerated"
    unread = stream.times.unread
    gaps = [f"{unread:,} rows have no {args.time} that can be read: they are in no window"] if unread else []
    return Made(fitted(profile), made.left_out, [*made.notes, told, *gaps])


def _task(args: argparse.Namespace, rows: Rows) -> tuple[Task, list[str]]:
    """As it is said; else as the columns' types say it, which is told. Raises Problem."""
    kinds = {c: rows.types[c].kind for c in (args.prediction, args.target) if c}
    truths = {kind == "boolean" for kind in kinds.values()}
    if len(truths) > 1:
        told = " and ".join(f"{c} of {rows.types[c].said}" for c in kinds)
        raise Problem(
            f"true and false are not the same as 1 and 0 where they are classes: {told}; write both alike", USAGE
        )
    if args.task:
        return args.task, []
    classes = bool(args.score or args.positive) or bool({"boolean", "text"} & set(kinds.values()))
    found: Task = "classification" if classes else "regression"
    why = "by its scores" if args.score else "by the type of its answers"
    return found, [f"taken as {found}, {why}; --task says another"] if kinds else []
