"""`fairlead explain deployment/NAME`: which features its answers come from; or why one request was answered so."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead.cli import stores
from fairlead.cli.session import NOT_FOUND, OK, USAGE, Json, Problem, Session, add_options, command, print_json
from fairlead.cli.text import amount

if TYPE_CHECKING:
    from fairlead.api.explain import Explained
    from fairlead.cli.blocks import Block
    from fairlead.store.s3 import Bucket

FILES = 400
"""Files that are searched, the newest first."""
LAST = 10
"""Requests that are listed."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "explain", help="which features a deployment's answers come from",
        description="Show what features contribute to the answers of a Deployment with spec.monitors.explain: the mean "
        "over the requests that were explained last, or with --request why a single one was answered as it was.",
    )  # fmt: skip
    parser.add_argument("what", metavar="deployment/NAME")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--request", metavar="ID", help="of a request that was explained: its header x-request-id")
    which.add_argument("--last", action="store_true", help=f"the {LAST} requests that were explained last")
    stores.add_options(parser)
    add_options(parser, output=True)
    parser.set_defaults(run=run)


@command
async def run(session: Session, args: argparse.Namespace) -> int:
    """Show it."""
    from fairlead.cli import blocks

    name, version, found = await _read(session, args.what)
    if not (args.request or args.last):
        if args.output == "json":
            print_json(found.model_dump(mode="json", by_alias=True, exclude_none=True))
        else:
            blocks.show(_whole(name, version, found, time.time()))
        return OK
    rows = await _kept(session, args, found)
    if args.output == "json":
        print_json(rows)
    elif args.request:
        blocks.show([block for row in rows for block in _one(row)])
    else:
        blocks.show([_last(rows)])
    return OK


async def _read(session: Session, what: str) -> tuple[str, str, Explained]:
    from fairlead.api.deployment import Deployment
    from fairlead.plan.core import DEPLOYMENT

    kind, _, name = what.rpartition("/")
    if kind not in ("", "deployment", "deployments", "mdeploy") or not name:
        raise Problem(f"{what!r} is no deployment: write deployment/NAME", USAGE)
    raw = await session.get(DEPLOYMENT, name)
    found = Deployment.model_validate({"spec": raw["spec"], "status": raw.get("status") or {}})
    if found.spec.monitors is None or found.spec.monitors.explain is None:
        raise Problem(f"the answers of {name} are not explained: set spec.monitors.explain, {{}} is enough", NOT_FOUND)
    kept = found.status.monitors
    if kept is None or kept.explained is None:
        raise Problem(f"nothing is known of {name} yet: no version of it is live", NOT_FOUND)
    if kept.explained.at is None:
        line = next((one.message for one in kept.lines if one.monitor == "explain"), "")
        raise Problem(f"no answer of {kept.version} has been explained yet: {line}", NOT_FOUND)
    return name, kept.version, kept.explained


# --- all of them ---------------------------------------------------------------------------------------------------


def _whole(name: str, version: str, found: Explained, now: float) -> list[Block]:
    from fairlead.cli.blocks import Lines, Table, Title
    from fairlead.cli.text import ago, bar, count

    title = Title(f"deployment {name}", version, f"{amount(found.rows, 'request')} explained {ago(found.at, now)}")
    largest = max((float(one.mean) for one in found.features), default=0.0)
    rows = [
        [one.feature, f"{bar(float(one.mean) / largest if largest else 0.0)} {one.mean} ± {one.error}", one.share]
        for one in found.features
    ]  # fmt: skip
    caption = f"mean contribution, whichever its direction, to {found.explains} (its mean over the background: " \
              f"{found.base})"  # fmt: skip
    lines = [found.moved] if found.moved else []
    lines += [f"{found.reason}: {found.message}"] if found.reason else []
    left = f"; {count(found.left)} were drawn, and could not be explained" if found.left else ""
    lines.append(
        f"It cost {amount(found.asked, 'prediction')} of a pod of its own, in {amount(found.calls, 'call')}{left}"
    )
    return [title, Table(["FEATURE", "MEAN |CONTRIBUTION|", "SHARE"], rows, caption=caption), Lines(lines)]


# --- single requests -----------------------------------------------------------------------------------------------


async def _kept(session: Session, args: argparse.Namespace, found: Explained) -> list[Json]:
    """The rows that are asked for, from the store. Raises Problem."""
    try:
        import pyarrow as pa
    except ImportError as missing:
        raise Problem(f"explanations are read with what jobs use: pip install 'fairlead[worker]' ({missing})", USAGE
                      ) from None  # fmt: skip
    from fairlead.store.layout import split

    bucket, prefix = split(found.uri)
    async with stores.opened(session, args, bucket) as store:
        rows, looked = list[Json](), 0
        try:
            for table in _tables(store, prefix):
                looked += 1
                rows += _wanted(table, args.request)
                if rows and (args.request or len(rows) >= LAST):
                    break
        except (pa.ArrowException, KeyError, OSError) as bad:
            raise Problem(f"a file below {found.uri} can't be read: {bad}") from None
    if args.request and not rows:
        raise Problem(f"request {args.request!r} was not explained, as far as the newest {looked} files below "
                      f"{found.uri} say. A sample is explained each time: --last shows some", NOT_FOUND)  # fmt: skip
    return rows if args.request else rows[:LAST]


def _tables(store: Bucket, prefix: str) -> Iterator[Any]:
    import pyarrow.parquet as pq

    from fairlead.worker.explaining.keep import SCHEMA

    keys = sorted((one.key for one in store.list(f"{prefix}date=") if one.key.endswith(".parquet")), reverse=True)
    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder:
        for key in keys[:FILES]:
            path = Path(folder) / "explanations.parquet"
            store.download(key, path)
            yield pq.read_table(path).select(SCHEMA.names).cast(SCHEMA)


def _wanted(table: Any, request: str | None) -> list[Json]:
    found: list[Json] = [
        row | {"time": row["time"].isoformat()}
        for row in table.to_pylist() if request is None or row["request_id"] == request
    ]  # fmt: skip
    return found


def _last(rows: list[Json]) -> Block:
    from fairlead.cli.blocks import Table

    shown = [
        [one["request_id"], one["time"][:19] + "Z", f"{one['answer']:.4g}",
         ", ".join(f"{part['name']} {part['contribution']:+.3g}" for part in one["features"][:3])]
        for one in rows
    ]  # fmt: skip
    return Table(["REQUEST", "AT", "ANSWER", "MOST CONTRIBUTED"], shown)


def _one(row: Json) -> list[Block]:
    """From the background's mean to the answer."""
    from fairlead.cli.blocks import Lines, Table, Title
    from fairlead.cli.text import bar

    note = f"{row['explains']}: {row['answer']:.4g}, answered by {row['version']} at {row['time'][:19]}Z"
    of = f", row {row['row']}" if row["row"] else ""
    largest = max((abs(one["contribution"]) for one in row["features"]), default=0.0)
    rows = [["(mean of the background)", "", f"{row['base']:.4g}", ""]]
    for one in row["features"]:
        part = abs(one["contribution"]) / largest if largest else 0.0
        rows.append([
            one["name"], _shown(one["value"]), f"{one['contribution']:+.4g} ± {one['error']:.2g}", bar(part),
        ])  # fmt: skip
    rows.append(["(all others)", "", f"{row['others']:+.4g}", ""])
    total = row["base"] + sum(one["contribution"] for one in row["features"]) + row["others"]
    return [
        Title(f"request {row['request_id']}{of}", "", note),
        Table(["FEATURE", "VALUE", "CONTRIBUTION", ""], rows), Lines([f"All of them add up to {total:.4g}."]),
    ]  # fmt: skip


def _shown(value: str) -> str:
    from fairlead.api import foreign

    try:
        found = foreign.parse(value)
    except ValueError:
        return "unreadable"
    return "missing" if found is None else str(found)[:40]
