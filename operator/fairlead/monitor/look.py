"""A look at one window: its vectors, each looked at once, the alarms that begin with it, and how a share stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf

from fairlead.monitor import data
from fairlead.monitor.counts import Tally
from fairlead.monitor.data import Share
from fairlead.monitor.report import Alarm, Condition, ShareReport
from fairlead.monitor.standing import Judged, Standing, judged
from fairlead.monitor.unknown import Unknown
from fairlead.monitor.watched import Settings


@dataclass(frozen=True)
class Look:
    """At one window."""

    window: Tally
    settings: Settings
    part: float = 1.0
    """Of the budget of false alarms of this window (`standing`)."""
    alarms: list[Alarm] = field(default_factory=list)
    known: dict[str, tuple[int, ...] | Unknown] = field(default_factory=dict)
    """Vectors that were looked at."""

    def counts(self, key: str, length: int) -> tuple[int, ...] | Unknown:
        """A vector, if it can be one."""
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._counts(key, length)
        return found

    def _counts(self, key: str, length: int) -> tuple[int, ...] | Unknown:
        vector = self.window.vectors.get(key)
        if vector is None:
            return Unknown(f"{key[:100]} was not counted", "wait until the recorders have the version's own profile")
        if len(vector) == length and min(vector) >= 0 and sum(vector) <= self.window.rows:
            return vector
        return Unknown(f"the counts of {key[:100]} can't be", "look at the recorders: their counters went wrong")


def condition(done: Judged, bound: float, seen: bool) -> Condition:
    if done.standing.alarmed:
        return "Drifting"
    return "Watch" if seen or done.log_evidence >= bound / 2 else "Ok"


def share(
    alarm: Alarm, before: Standing, given: Share, reference: float, m: float, look: Look
) -> tuple[Standing, ShareReport]:
    """alarm: what it would be, with its bound."""
    gained = data.log_es(given, m, look.settings.design_effect)
    done = judged(before, gained, alarm.bound, given.share <= m, part=look.part)
    if done.fired:
        look.alarms.append(replace(alarm, log_evidence=done.log_evidence))
    if not given.rows and not done.standing.alarmed:
        none = Unknown("no rows in this window", "wait for traffic, or choose longer windows")
        return done.standing, unknown_share(reference, m, alarm.bound, none)
    state = condition(done, alarm.bound, False)
    return done.standing, ShareReport(given.share, reference, m, done.log_evidence, alarm.bound, state)


def unknown_share(reference: float, m: float | None, bound: float, why: Unknown | None) -> ShareReport:
    reason, remedy = (why.reason, why.remedy) if why else ("", "")
    return ShareReport(None, reference, m, -inf, bound, "Unknown", reason, remedy)
