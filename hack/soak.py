"""`python -m hack.soak [--minutes 60]`: the demo is left running under its own traffic, and nothing may be taken back
that was not worse.

Two of the demo's versions are bad by construction and have been taken back by the time it ends; any other rollback is a
fault. The demo must have been played (`make demo`); its application goes on asking. Each minute is a line. Exits 1 with
the evidence as soon as something was taken back, or at the end if there was no traffic to prove anything by. What is
started here, the watches, ends with it; the demo goes on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from hack.demo import diagnose, setup, story
from hack.demo.kube import Json, Kube, KubeError
from hack.demo.numbers import Numbers, Users
from hack.demo.story import CHAPTERS
from hack.demo.view import clock
from hack.demo.world import World, condition, status

MINUTE = 60.0
QUIET = 0.1
"""Part of the minutes that may be without a request that is known of; with more of them nothing is proven."""
TOLD = ("Watched", "WorldChanged")
"""Conditions that are told when they change."""


@dataclass(frozen=True)
class Counts:
    """All that users have seen so far."""

    requests: int
    failed: int
    right: int
    wrong: int

    def since(self, before: Counts) -> Counts:
        """What was added."""
        return Counts(*(max(0, now - then) for now, then in zip(_all(self), _all(before), strict=True)))

    def __str__(self) -> str:
        outcomes = self.right + self.wrong
        wrong = f", {100 * self.wrong / outcomes:.0f} % of {outcomes:,} wrong" if outcomes else ""
        return f"{self.requests:,} requests, {self.failed} failed{wrong}"


def _all(counts: Counts) -> tuple[int, int, int, int]:
    return counts.requests, counts.failed, counts.right, counts.wrong


# --- what is judged: pure ------------------------------------------------------------------------------------------


def bad_by_construction(world: World) -> set[str]:
    """The versions that the demo makes to be taken back."""
    return {story.version(world, chapter) for chapter in CHAPTERS if chapter.ends == "RolledBack"} - {""}


def unplayed(world: World) -> list[str]:
    """Titles of the demo's chapters that have not ended yet."""
    return [chapter.title for chapter in CHAPTERS if not story.record(world, chapter)]


def taken_back(deployment: Json, bad: set[str], live: str) -> list[str]:
    """What was taken back, or is about to be, that is not bad by construction; one line each.

    live: the version that was live when the soak began: it may only make way for one that has been promoted since.
    """
    known = status(deployment)
    history: list[Json] = known.get("history", [])
    found = [
        f"{record['version']} was taken back at {record['endedAt']}: {_why(record)}"
        for record in history
        if record["result"] == "RolledBack" and record["version"] not in bad
    ]
    leaving = known.get("wayBack") or {}
    if leaving and leaving["leaves"] not in bad:
        found.append(f"{leaving['leaves']} is being taken back: {_why(leaving)}")
    now = (known.get("live") or {}).get("version", "")
    promoted = {record["version"] for record in history if record["result"] == "Live"}
    if now != live and (now not in promoted or promoted_before(history, now, live)):
        found.append(f"{now or 'nothing'} is live instead of {live}")
    return found


def promoted_before(history: list[Json], one: str, other: str) -> bool:
    """Whether a version last went live before another one did."""
    ends = [max((r["endedAt"] for r in history if r["version"] == v and r["result"] == "Live"), default="")
            for v in (one, other)]  # fmt: skip
    return ends[0] < ends[1]


def _why(record: Json) -> str:
    return f"{record.get('reason')}: {record.get('message', '')}"


def too_quiet(minutes: list[Counts | None]) -> str:
    """Why these minutes prove nothing; empty if they do."""
    quiet = sum(one is None or not one.requests for one in minutes)
    if not minutes or quiet > QUIET * len(minutes):
        return f"in {quiet} of {len(minutes)} minutes no request is known of: nothing is proven by them"
    return ""


def total(users: dict[str, Users]) -> Counts:
    """Of all versions."""
    every = users.values()
    return Counts(*(sum(getattr(one, name) for one in every) for name in ("requests", "failed", "right", "wrong")))


# --- the hour ------------------------------------------------------------------------------------------------------


class Soak:
    """A world that is looked at for a while."""

    def __init__(self, cluster: Kube, world: World, console: Console) -> None:
        self._cluster, self._world, self._console = cluster, world, console
        self._numbers = Numbers(cluster, setup.NAMESPACE)
        self._begin = time.monotonic()
        self._told: dict[str, str] = {}

    def run(self, minutes: int) -> int:
        """The exit status."""
        missing = unplayed(self._world)
        if missing:
            self._say(f"✗ the demo has not been played to its end (make demo); not there: {'; '.join(missing)}")
            return 2
        bad, live = bad_by_construction(self._world), self._live()
        self._say(f"{live} is live; bad by construction are {', '.join(sorted(bad))}. {minutes} min from here")

        def evidence() -> list[str]:
            return taken_back(self._deployment(), bad, live)

        seen: list[Counts | None] = []
        before = self._counts()
        for minute in range(1, minutes + 1):
            left = self._begin + minute * MINUTE - time.monotonic()
            if self._world.wait(lambda: bool(evidence()), max(0.0, left)):
                return self._lost(evidence())
            now = self._counts()
            seen.append(now.since(before) if now and before else None)
            self._say(f"{self._live()} is live: {seen[-1] or 'Prometheus did not say what users saw'}")
            before = now or before
        why = too_quiet(seen)
        self._say(f"✗ {why}" if why else f"✓ in {minutes} min nothing was taken back that was not worse")
        return 1 if why else 0

    def _deployment(self) -> Json:
        return self._world.get("Deployment", story.DEPLOYMENT)

    def _live(self) -> str:
        return str((status(self._deployment()).get("live") or {}).get("version", ""))

    def _counts(self) -> Counts | None:
        for text in self._changes():
            self._say(text)
        try:
            return total(self._numbers.users())
        except KubeError as error:
            self._say(f"Prometheus can't be asked: {error}")
            return None

    def _changes(self) -> Iterator[str]:
        """Conditions that are not what they were a minute ago."""
        for name in TOLD:
            one = condition(self._deployment(), name)
            text = f"{name} is {one['status']} ({one['reason']}): {one.get('message', '')}" if one else ""
            if text != self._told.get(name, ""):
                self._told[name] = text
                yield text or f"{name} is gone"

    def _lost(self, evidence: list[str]) -> int:
        for text in evidence:
            self._say(f"✗ {text}")
        self._console.print(diagnose.report(self._cluster, self._world, setup.NAMESPACE), markup=False)
        return 1

    def _say(self, text: str) -> None:
        self._console.print(
            f"[{clock(time.monotonic() - self._begin):>6}] {text}", markup=False, highlight=False, soft_wrap=True
        )


def main() -> int:
    """0: nothing was taken back that was not worse; 1: something was, or nothing is proven; 2: no demo to look at."""
    parser = argparse.ArgumentParser(prog="python -m hack.soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    given = parser.parse_args()
    if given.minutes < 1:
        parser.error(f"--minutes must be at least 1, not {given.minutes}")
    cluster, world, console = setup.kube(), World(), Console()
    try:
        world.follow(cluster, setup.NAMESPACE)
        if not world.wait(world.complete, 30):
            console.print("✗ Fairlead's kinds can't be watched: is the cluster up, and the demo played? make demo")
            return 2
        return Soak(cluster, world, console).run(given.minutes)
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
