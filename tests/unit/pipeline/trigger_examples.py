"""An example of every trigger: what the contract in test_triggers.py is tried with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.unit.plan.littleworld import START, LittleWorld

from fairlead.plan.core import DATASET, Json, Kind, rfc3339


@dataclass(frozen=True)
class Example:
    """A trigger, and how what it waits for comes about."""

    entry: Json
    """Of `spec.triggers`."""
    name: str
    """What it is called in a status. Statuses of today's release have it: it must not change."""
    other: Json
    """Another entry of the same type, for which nothing ever happens here."""
    happen: Callable[[LittleWorld, int], str]
    """Makes the n-th thing happen (n from 1). Returns the key that the trigger sees."""
    before: Callable[[LittleWorld], None]
    """What is there before anything has happened."""
    refers: tuple[Kind, str] | None
    """(kind, name) of the object that it goes by."""
    old_counts: bool
    """Whether what has happened before the trigger was written asks for a run."""
    made_up: bool
    """Whether what has happened while the Pipeline was suspended asks for a run when it goes on."""
    pins: Callable[[str], dict[str, str]]
    """The Dataset versions of a run for a key."""
    nonsense: tuple[tuple[Json, str], ...] = ()
    """(an entry that the CRD's schema lets through, the path below it that is named)."""


def flights(where: LittleWorld, number: int) -> str:
    """The n-th version of the Dataset `flights`; 0: none yet."""
    one = {"version": f"v{number}", "digest": "d" * 64, "manifest": "s3://store/m", "at": rfc3339(where.now)}
    source = {"s3": {"bucket": "src"}}
    where.put({
        "kind": "Dataset", "metadata": {"name": "flights"}, "spec": {"source": source, "format": "parquet"},
        "status": {"current": one, "versions": [one]} if number else {},
    })  # fmt: skip
    return f"v{number}"


def ten_minutes(where: LittleWorld, number: int) -> str:
    """Ten minutes after the start, twenty …"""
    where.now = START + 600 * number + 1
    return rfc3339(START + 600 * number)


def cron(expression: str, zone: str = "Etc/UTC") -> Json:
    """An entry."""
    return {"schedule": {"cron": expression, "timeZone": zone}}


EXAMPLES: dict[str, Example] = {
    "dataset": Example(
        entry={"dataset": {"name": "flights"}}, name="dataset/flights", other={"dataset": {"name": "weather"}},
        happen=flights, before=lambda where: flights(where, 0) and None, refers=(DATASET, "flights"),
        old_counts=True, made_up=True, pins=lambda key: {"flights": key},
    ),
    "schedule": Example(
        entry=cron("*/10 * * * *", "Europe/Berlin"), name="schedule/*/10 * * * * Europe/Berlin",
        other=cron("0 0 29 2 *"), happen=ten_minutes, before=lambda _where: None, refers=None,
        old_counts=False, made_up=False, pins=lambda _key: {},
        nonsense=((cron("0 25 * * *"), ".cron"), (cron("0 3 * * *", "Nowhere"), ".timeZone")),
    ),
}  # fmt: skip
"""By the trigger's field."""
