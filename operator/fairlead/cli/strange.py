"""`kubectl fairlead monitor deployment/x --outliers`: the newest requests that are unlike what the model learnt from.

They lie in the log of answers, where each is marked by the features of which it has a value outside. What is shown of
them is what people need to judge: is the request wrong, or is it right, and the model has to learn it?
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fairlead.cli import monitored, stores
from fairlead.cli.session import NOT_FOUND, OK, USAGE, Json, Problem, Session, print_json

if TYPE_CHECKING:
    from fairlead.api.deployment import Deployment
    from fairlead.cli.blocks import Block
    from fairlead.monitor.profile import Category, Number, Profile
    from fairlead.store.s3 import Bucket

SHOWN, FILES, DAYS, BYTES = 10, 24, 7, 32 << 20
"""Requests that are shown; files of the log that are read at most, how many days back, and bytes of one of them."""
_VALUES, _NAMES = 3, 5
"""Values of a feature, and names of a category, that are shown."""
_COLUMNS = ["request_id", "time", "output", "input", "outside"]
_NAMED = re.compile(r"date=[0-9-]{10}/(.+)-([0-9]{6})\.parquet$")
"""A file of the log: the recorder's process, and its number of the file."""


@dataclass(frozen=True)
class Strange:
    """A value outside."""

    feature: str
    values: list[Any]
    learnt: str
    """What the model learnt from."""


@dataclass(frozen=True)
class Outlier:
    """A request."""

    request_id: str
    at: str
    answer: str
    strange: list[Strange]


@dataclass
class Log:
    """What was read of the log."""

    found: list[Outlier] = field(default_factory=list)
    """The newest first."""
    outside: int = 0
    inside: int = 0
    unknown: int = 0
    """Of which nobody knows."""
    corrupt: int = 0
    """Files that are no log."""


async def show(session: Session, args: argparse.Namespace, name: str, found: Deployment) -> int:
    """Show them. Returns the exit code. Raises Problem."""
    if args.output not in ("table", "json"):
        raise Problem("outliers are shown as a table or as JSON", USAGE)
    kept = found.status.monitors
    version = args.version or (kept.version if kept else "")
    folder = _folder(found)
    if not version or not folder:
        raise Problem(f"deployment/{name} has no log of answers: that takes monitors, a live version, and a store "
                      "(set store in Fairlead's values)", NOT_FOUND)  # fmt: skip
    args.windows = 1
    known = await monitored.gathered(session, args, found, name)
    if known.profile is None:
        raise Problem(" ".join(known.notes) or f"the profile of {version} is not there yet", NOT_FOUND)
    log = await _read(session, args, f"{folder}version={version}/", known.profile)
    told = _told(found, log)
    if args.output == "json":
        print_json(_as_json(version, log, told))
    else:
        from fairlead.cli.blocks import show as drawn

        drawn(blocks(version, log, told))
    return OK


def _folder(found: Deployment) -> str:
    """Of the log: beside that of the evidence."""
    kept = found.status.monitors
    known = [kept.ledger.uri if kept else "", *(one.ledger for one in found.status.history)]
    return next((f"{head}/predictions/" for one in known if (head := one.rpartition("/evidence/")[0])), "")


def _told(found: Deployment, log: Log) -> list[str]:
    """What was looked at, and what is missing."""
    total = log.outside + log.inside
    said = [f"{log.outside:,} of {total:,} requests that were looked at lie outside of what the version learnt from."]
    if log.unknown:
        said.append(f"Of {log.unknown:,} more nobody knows: their body was not kept or not understood, or the recorder "
                    "had no time for them.")  # fmt: skip
    if log.corrupt:
        said.append(f"{log.corrupt:,} files of the log can't be read, and are left out.")
    record = found.spec.record
    if not (record and record.inputs):
        said.append("Requests' bodies are not kept now, so nobody can look at them: record: {inputs: true} keeps them "
                    "from then on. The share of rows outside is counted all the same.")  # fmt: skip
    return said


# --- the log ---------------------------------------------------------------------------------------------------------


async def _read(session: Session, args: argparse.Namespace, uri: str, profile: Profile) -> Log:
    from fairlead.store.layout import split

    bucket, prefix = split(uri)
    async with stores.opened(session, args, bucket) as store:
        try:
            return await asyncio.to_thread(read, store, prefix, profile, datetime.now(UTC))
        except ImportError as missing:
            raise Problem(
                f"the log is read with what jobs use: pip install 'fairlead[worker]' ({missing})", USAGE
            ) from None


def read(store: Bucket, prefix: str, profile: Profile, now: datetime) -> Log:
    """The newest files of a version's log, as far as they may be read."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from fairlead.worker.record.ship import SCHEMA

    log, rows = Log(), list[Json]()
    for key in files(store, prefix, now):
        try:
            table = pq.read_table(io.BytesIO(store.read(key, BYTES)))
            if "outside" not in table.column_names:  # of a release that did not mark them
                log.unknown += table.num_rows
                continue
            table = table.select(_COLUMNS).cast(SCHEMA.empty_table().select(_COLUMNS).schema)
        except (pa.ArrowException, KeyError, OSError):
            log.corrupt += 1
            continue
        marks = pc.list_value_length(table["outside"]).to_pylist()
        strange = [at for at, many in enumerate(marks) if many]
        log.outside += len(strange)
        log.unknown += marks.count(None)
        log.inside += marks.count(0)
        rows = _newest([*rows, *table.take(pa.array(strange, pa.int64())).to_pylist()])
    log.found = [_outlier(row, profile) for row in rows]
    return log


def files(store: Bucket, prefix: str, now: datetime) -> list[str]:
    """The newest files of each recorder, of the last day that has some, and at most FILES."""
    for back in range(DAYS):
        day = (now - timedelta(days=back)).strftime("%Y-%m-%d")
        by_process = defaultdict[str, list[tuple[str, str]]](list)
        for one in store.list(f"{prefix}date={day}/"):
            if named := _NAMED.search(one.key):
                by_process[named[1]].append((named[2], one.key))
        ranked = [(rank, key) for many in by_process.values()
                  for rank, (_, key) in enumerate(sorted(many, reverse=True))]  # fmt: skip
        if ranked:
            return [key for _, key in sorted(ranked)[:FILES]]
    return []


def _newest(rows: list[Json]) -> list[Json]:
    return sorted(rows, key=lambda row: (row["time"], row["request_id"]), reverse=True)[:SHOWN]


def _outlier(row: Json, profile: Profile) -> Outlier:
    at = row["time"].strftime("%Y-%m-%d %H:%M:%S")
    return Outlier(row["request_id"], at, row["output"] or "", list(_strange(row, profile)))


def _strange(row: Json, profile: Profile) -> Iterator[Strange]:
    from fairlead.monitor.outliers import outer
    from fairlead.worker.record import rows

    try:
        columns, _ = rows.features(row["input"] or "", rows.Wanted.of(profile))
    except rows.Unread:
        columns = {}
    for name in row["outside"]:
        feature = profile.feature(name)
        if feature is not None:
            beyond = outer(feature)
            values = [value for value in columns.get(name, ()) if feature.place(value) in beyond]
            yield Strange(name, values[:_VALUES], learnt(feature))


def learnt(feature: Number | Category) -> str:
    """What the model learnt from, in a few words."""
    if feature.kind == "number":
        return f"{feature.low:.6g} … {feature.high:.6g}"
    values = [*feature.values, *feature.known]
    more = f" and {len(values) - _NAMES:,} more" if len(values) > _NAMES else ""
    return ", ".join(values[:_NAMES]) + more


# --- what is shown ---------------------------------------------------------------------------------------------------


def blocks(version: str, log: Log, told: Sequence[str]) -> list[Block]:
    """A line a value outside."""
    from fairlead.cli.blocks import Lines, Table, Title
    from fairlead.cli.show_profile import cut

    rows = []
    for one in log.found:
        first = [one.at, one.request_id, cut(one.answer)]
        for strange in one.strange or [Strange("-", [], "-")]:
            values = cut(", ".join(map(_said, strange.values))) or "-"
            rows.append([*first, cut(strange.feature), values, cut(strange.learnt, 60)])
            first = ["", "", ""]
    headers = ["TIME (UTC)", "REQUEST", "ANSWER", "FEATURE", "VALUE", "LEARNT FROM"]
    return [Title("outliers", "", version), *([Table(headers, rows)] if rows else []), Lines(list(told))]


def _said(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else str(value)[:64]


def _as_json(version: str, log: Log, told: Sequence[str]) -> Json:
    from fairlead.cli.past_json import finite

    found: Json = finite({
        "version": version, "outside": log.outside, "inside": log.inside, "unknown": log.unknown, "notes": list(told),
        "requests": [
            {"requestId": one.request_id, "time": one.at.replace(" ", "T") + "Z", "answer": one.answer,
             "outside": [vars(each) for each in one.strange]}
            for one in log.found
        ],
    })  # fmt: skip
    return found
