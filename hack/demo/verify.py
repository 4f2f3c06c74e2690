"""Whether the story has happened: each claim is checked against the cluster, the exit status follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hack.demo import story
from hack.demo.numbers import Numbers, Users
from hack.demo.pictures import Pictures
from hack.demo.story import CHAPTERS, Chapter
from hack.demo.world import World, status

MAX_FAILED, MAX_WRONG = 60, 400
"""Bounds of the harm that one bad version may do: failed requests, wrong answers. At 20 requests a second and 10 %
weight, a version that fails every sixth request fails one every three seconds until it is taken back."""
MAX_FAILED_SHARE = 0.001
"""Of the good versions' requests."""
Check = tuple[bool, str]


@dataclass(frozen=True)
class Facts:
    """What the checks look at."""

    world: World
    users: dict[str, Users]
    rules: list[str]
    fired: dict[str, int]
    empty: Sequence[str]
    """Panels of the dashboards that have nothing to show."""
    queries: int
    """Of the dashboards, in all."""


def facts(world: World, numbers: Numbers, pictures: Pictures) -> Facts:
    """Ask Prometheus."""
    return Facts(world, numbers.users(), numbers.rules(), numbers.fired(), pictures.empty(world), pictures.asked)


def checks(found: Facts) -> list[Check]:
    """All of them: (whether it holds, in words)."""
    parts: tuple[Callable[[Facts], Iterator[Check]], ...] = (endings, live, harm, good_versions, alerts, dashboards)
    return [check for part in parts for check in part(found)]


def endings(found: Facts) -> Iterator[Check]:
    """Each version ended as it must, the bad ones by the guard that must have seen it."""
    for chapter in CHAPTERS:
        name, record = story.version(found.world, chapter), story.record(found.world, chapter)
        good = record.get("result") == chapter.ends
        by = guards_that_saw_harm(record)
        text = f"{name or chapter.key}: {record.get('result', 'has not ended')}"
        if chapter.guard:
            good = good and chapter.guard in by
            text += f" by the guard on {', '.join(by) or 'nothing'}"
        yield good, text


def guards_that_saw_harm(record: dict[str, object]) -> list[str]:
    """`errors`, `outcomes` …"""
    guards = record.get("guards") or []
    assert isinstance(guards, list)
    return [str(g["guard"]).partition("/")[2] for g in guards if g.get("state") == "Harm"]


def live(found: Facts) -> Iterator[Check]:
    """The last good version serves."""
    serving = (status(found.world.get("Deployment", story.DEPLOYMENT)).get("live") or {}).get("version")
    wanted = story.version(found.world, CHAPTERS[-1])
    yield serving == wanted, f"live is {serving}" + ("" if serving == wanted else f", not {wanted}")


def bad(found: Facts) -> dict[str, Chapter]:
    """Chapters of the bad versions, by version."""
    return {story.version(found.world, c): c for c in CHAPTERS if c.ends == "RolledBack"}


def harm(found: Facts) -> Iterator[Check]:
    """What the bad versions did to users is bounded, and was really seen."""
    total = sum(users.requests for users in found.users.values()) or 1
    for name, chapter in bad(found).items():
        users = found.users.get(name, Users())
        seen, bound = (users.failed, MAX_FAILED) if chapter.guard == "errors" else (users.wrong, MAX_WRONG)
        what = "failed requests" if chapter.guard == "errors" else "wrong answers"
        share = 100 * seen / total
        yield (
            0 < seen <= bound,
            f"{name}: {seen} {what} in {users.requests} requests ({share:.2f} % of all users'), bound {bound}",
        )


def good_versions(found: Facts) -> Iterator[Check]:
    """Rollouts of good versions cost nothing."""
    good = {name: users for name, users in found.users.items() if name not in bad(found)}
    requests, failed = sum(u.requests for u in good.values()), sum(u.failed for u in good.values())
    text = f"good versions: {failed} failed requests of {requests:,}, over all rollouts"
    yield requests > 0 and failed <= MAX_FAILED_SHARE * requests, text


def alerts(found: Facts) -> Iterator[Check]:
    """Rules are loaded, and the one for a rollback has fired."""
    yield bool(found.rules), f"Prometheus has loaded the rules {', '.join(found.rules) or '(none)'}"
    conditions = status(found.world.get("Deployment", story.DEPLOYMENT)).get("conditions") or []
    said = next((one["status"] for one in conditions if one["type"] == "AlertsLoaded"), "not there")
    yield said == "True", f"the Deployment's condition AlertsLoaded is {said}"
    rollback = [name for name in found.fired if "RolledBack" in name]
    yield bool(rollback), f"Prometheus fired {', '.join(sorted(found.fired)) or 'nothing'}"


def dashboards(found: Facts) -> Iterator[Check]:
    """Each query of the dashboards has found something."""
    text = f"nothing is found for {', '.join(found.empty)}" if found.empty else "what is there to be shown is shown"
    yield not found.empty, f"Grafana's dashboards ({found.queries} queries): {text}"
