"""An example of every trigger: what the contract in test_triggers.py is tried with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.unit.plan.littleworld import START, LittleWorld

from fairlead.api.config import PrometheusConfig
from fairlead.plan.core import DATASET, Json, Kind, rfc3339
from fairlead.plan.core import DEPLOYMENT as SERVED
from fairlead.plan.pipeline.plan import SPEC
from fairlead.plan.requests import GitSeen, ImageSeen, PromQuery, ReadGit, ReadImage, Vector


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
    when_seen: bool = False
    """Whether its key is when it was seen first: after a crash that is later."""
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


def eta(where: LittleWorld, number: int, status: str = "True", live: str = "eta-1", **condition: str) -> str:
    """The Deployment `eta`, whose condition has become True for the n-th time; 0: it is False so far."""
    where.now = max(where.now, START + 600 * number + 1)
    said = {
        "type": "WorldChanged", "status": status if number else "False", "reason": "MoreWrong", "message": "it is so",
        "lastTransitionTime": rfc3339(where.now),
    } | condition  # fmt: skip
    where.put({
        "kind": "Deployment", "metadata": {"name": "eta"},
        "spec": {"model": {"name": "eta"}, "route": {"gateway": {"name": "gateway"}}},
        "status": {"conditions": [said], "live": {"version": live, "since": rfc3339(START)}},
    })  # fmt: skip
    return f"{said['lastTransitionTime']}/{live}"


def version(where: LittleWorld, name: str, made: float, phase: str = "Approved", **more: Json) -> str:
    """A ModelVersion of the model `eta`, made then."""
    where.put({
        "kind": "ModelVersion", "metadata": {"name": name, "creationTimestamp": rfc3339(made)},
        "spec": {"model": "eta", "artifact": {"uri": "s3://b/m", "sha256": "0" * 64}},
        "status": {"phase": phase} | more,
    })  # fmt: skip
    return name


def aged(where: LittleWorld, number: int) -> str:
    """The n-th version comes to its age; the one before it is of no interest any more."""
    where.now = max(where.now, START + 600 * number + 1)
    return version(where, f"eta-{number}", START + 600 * number - 60 * 86400)


QUERY = PromQuery("http://prometheus:9090", 'sum(mape{namespace="team"})', signed=True, namespace="team")


def value(where: LittleWorld, *values: float, unusable: int = 0) -> None:
    """What Prometheus says."""
    where.config = where.config.model_copy(update={"prometheus": PrometheusConfig(url="http://prometheus:9090")})
    series = tuple((str(index), one) for index, one in enumerate(values))
    where.answers[QUERY] = Vector(series, unusable)


def too_high(where: LittleWorld, number: int) -> str:
    """The value was all right, and is not for the n-th time."""
    value(where, 0.2)
    if ("Pipeline", "p") in where.objects:
        where.settle(SPEC, "p")
    where.now = max(where.now, START + 600 * number + 1)
    value(where, 0.7)
    return rfc3339(where.now)


IMAGE = ReadImage("team", "registry.example/app:stable")


def pushed(where: LittleWorld, number: int) -> str:
    """The tag means the n-th image."""
    where.now = max(where.now, START + 600 * number + 1)
    where.answers[IMAGE] = ImageSeen(f"sha256:{number:064}", 300.0)
    return f"sha256:{number:064}"


CODE = {"git": {"url": "https://git.example/team/code", "ref": "main"}}
"""Of the Pipeline."""
MAIN = ReadGit("team", "https://git.example/team/code", "main")


def moved(where: LittleWorld, number: int) -> str:
    """The branch is at its n-th commit."""
    where.now = max(where.now, START + 600 * number + 1)
    where.answers[MAIN] = GitSeen(f"{number:040}", left=300.0)
    return f"{number:040}"


def prepared(where: LittleWorld, number: int, phase: str = "Completed") -> str:
    """The n-th run of the Pipeline `prepare` has ended; 0: there is the Pipeline."""
    where.put({"kind": "Pipeline", "metadata": {"name": "prepare"}, "spec": {"steps": [{"name": "s", "image": "i"}]}})
    if not number:
        return ""
    where.now = max(where.now, START + 600 * number + 1)
    made = rfc3339(START + 600 * number)
    where.put({
        "kind": "PipelineRun", "metadata": {"name": f"prepare-{number}", "creationTimestamp": made},
        "spec": {"pipeline": "prepare"}, "status": {"phase": phase},
    })  # fmt: skip
    return f"{made}/prepare-{number}"


def cron(expression: str, zone: str = "Etc/UTC") -> Json:
    """An entry."""
    return {"schedule": {"cron": expression, "timeZone": zone}}


def above(bound: str, **more: str) -> Json:
    """An entry."""
    query = 'sum(mape{namespace="{{namespace}}"})'
    return {"prometheus": {"query": query, "above": bound, "for": "0s"} | more}


EXAMPLES: dict[str, Example] = {
    "prometheus": Example(
        entry=above("0.5"), name='prometheus/sum(mape{namespace="{{namespace}}"}) above 0.5', other=above("0.9"),
        happen=too_high, before=lambda where: value(where, 0.2), refers=None, old_counts=True, made_up=False,
        when_seen=True, pins=lambda _key: {}, nonsense=((above("0.5", every="4s"), ".every"),),
    ),
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
    "condition": Example(
        entry={"condition": {"deployment": "eta", "type": "WorldChanged"}}, name="condition/eta WorldChanged",
        other={"condition": {"deployment": "eta", "type": "Harmed"}}, happen=eta,
        before=lambda where: eta(where, 0) and None, refers=(SERVED, "eta"), old_counts=True, made_up=True,
        pins=lambda _key: {},
    ),
    "stale": Example(
        entry={"stale": {"model": "eta", "after": "60d"}}, name="stale/eta",
        other={"stale": {"model": "other", "after": "60d"}}, happen=aged,
        before=lambda where: version(where, "eta-0", START - 60 * 86400 + 300) and None, refers=None, old_counts=True,
        made_up=True, pins=lambda _key: {},
    ),
    "code": Example(
        entry={"code": {}}, name="code/git", other={"code": {"path": "elsewhere"}}, happen=moved,
        before=lambda _where: None, refers=None, old_counts=True, made_up=True, pins=lambda _key: {},
        nonsense=(({"code": {"every": "59s"}}, ".every"),),
    ),
    "image": Example(
        entry={"image": {"name": "registry.example/app:stable"}}, name="image/registry.example/app:stable",
        other={"image": {"name": "registry.example/other:stable"}}, happen=pushed, before=lambda _where: None,
        refers=None, old_counts=True, made_up=True, pins=lambda _key: {},
        nonsense=(
            ({"image": {"name": "app@sha256:" + "0" * 64}}, ".name"), ({"image": {"name": "App"}}, ".name"),
            ({"image": {"name": "app", "every": "29s"}}, ".every"),
        ),
    ),
    "after": Example(
        entry={"after": {"pipeline": "prepare"}}, name="after/prepare", other={"after": {"pipeline": "other"}},
        happen=prepared, before=lambda where: prepared(where, 0) and None, refers=None, old_counts=True,
        made_up=True, pins=lambda _key: {},
    ),
}  # fmt: skip
"""By the trigger's field."""
