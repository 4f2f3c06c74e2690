"""A watch judged once more from its ledger, by the operator's own functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fairlead.api.deployment import WatchedGuard
from fairlead.plan.rollout import detect
from fairlead.verdict.trace import BadTrace, Ended
from fairlead.verdict.watchtrace import After, Item, Watched


@dataclass(frozen=True)
class Rewatched:
    """What was known after a window."""

    t: float
    guards: Mapping[str, WatchedGuard]
    told: Mapping[str, str]
    """By guard, the log evidence that the ledger says was found at the time."""

    @property
    def alarm(self) -> str:
        """The guard that says that it has become worse; empty if none does."""
        return next((name for name, one in self.guards.items() if one.state == "Alarm"), "")


def judge(items: Iterable[Item]) -> Iterator[Rewatched | Ended]:
    """Each window as it would be judged now, and how it ended. Raises BadTrace."""
    guards: dict[str, WatchedGuard] = {}
    for item in items:
        match item:
            case Watched():
                guards = {
                    name: WatchedGuard(
                        guard=name, bound=rule.bound, tolerated=rule.tolerated, odds=rule.odds, floor=rule.floor
                    )
                    for name, rule in item.rules.items()
                }
            case After():
                guards = guards | _window(guards, item)
                yield Rewatched(item.t, guards, item.found)
            case Ended():
                yield item


def _window(guards: Mapping[str, WatchedGuard], item: After) -> dict[str, WatchedGuard]:
    found = {}
    for name, (live, previous) in item.windows.items():
        if name not in guards:
            raise BadTrace(f"a window of {name}, of which no line says what is tolerated: earlier lines are missing")
        old = (previous.requests, previous.failures) if previous is not None else None
        found[name] = detect.seen(guards[name], (live.requests, live.failures), old, item.design_effect)
    return found
