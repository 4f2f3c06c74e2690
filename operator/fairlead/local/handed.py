"""What the steps read of other Pipelines: of the last run of each that has completed on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairlead.local.trouble import Trouble
from fairlead.local.world import BUCKET
from fairlead.plan.core import Json

Find = Callable[[str], tuple[int, Json] | None]
"""The last completed run of a Pipeline: its number and its record."""


def over(wanted: list[tuple[str, str]], find: Find, out: Path, store: Path, move: Callable[..., Any]) -> list[Json]:
    """The runs, their outputs brought into the store of another one.

    Args:
        wanted: (Pipeline, `step.output`)
        out: Where runs lie.
        store: The other one's.
        move: (JSON, start, to): with other beginnings of addresses.

    Raises Trouble for a Pipeline without such a run, or whose last one has no such output.
    """
    return [_brought(name, [o for p, o in wanted if p == name], find, out, store, move) for name in dict(wanted)]


def _brought(name: str, outputs: list[str], find: Find, out: Path, store: Path, move: Callable[..., Any]) -> Json:
    found = find(name)
    if found is None:
        raise Trouble(
            f"the steps read {', '.join(outputs)} of Pipeline {name}, and no run of it has completed here: run it "
            f"first, with the same --out ({out})"
        )
    number, record = found
    there = out.resolve() / str(number) / ".store" / BUCKET
    run: Json = move(record, f"file://{there}/", f"s3://{BUCKET}/")
    known = {f"{s['name']}.{o['name']}": o for s in run["status"]["steps"] for o in s.get("outputs") or ()}
    for one in outputs:
        if one not in known:
            raise Trouble(f"run {number} of Pipeline {name} has no output {one}; it has {', '.join(known) or 'none'}")
        _copy(there, store / BUCKET, str(known[one]["uri"]).removeprefix(f"s3://{BUCKET}/"))
    return run


def _copy(there: Path, here: Path, key: str) -> None:
    source, target = there / key, here / key
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source.is_dir():
            shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)
        else:
            _link(str(source), str(target))
    except (OSError, shutil.Error) as error:
        raise Trouble(f"what a run before has left can't be read: {error}; run its Pipeline again") from None


def _link(source: str, target: str) -> None:
    """Nothing in a store is changed once it is there."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
