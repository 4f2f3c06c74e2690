"""Conditions by the Kubernetes API conventions, and the worst of them in a few words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from fairlead.api.common import Condition
from fairlead.plan.core import rfc3339

Truth = Literal["True", "False", "Unknown"]
AVAILABLE, RECONCILING, STALLED = "Available", "Reconciling", "Stalled"
PROBLEM = 120
"""Characters of a status's `problem`."""


def truth(value: bool | None) -> Truth:
    """True, False, or Unknown for None."""
    return "Unknown" if value is None else "True" if value else "False"


def quoted(text: str, most: int) -> str:
    """Words of somebody else for a message: what can't be seen, or turns the writing around, is spelt out; at most so
    many characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])[:most]


class Bad(NamedTuple):
    """A state of a condition that people should see at a glance."""

    type: str
    status: Truth
    but: frozenset[str] = frozenset()
    """Reasons for which it is nothing bad."""
    unless_ready: bool = False
    """Nor is it while all that is asked for is there."""


_RESTS = frozenset({"Settled", "Paused", "NothingLive", "NotApproved", "RequirementUnmet"})
WORST_FIRST = (
    Bad(STALLED, "True"),
    Bad(AVAILABLE, "False", frozenset({"NothingLive", "NoVersion"})),  # a beginning
    Bad(AVAILABLE, "Unknown"),
    Bad("RouteAccepted", "False"),
    Bad("SourceReachable", "False"),
    Bad("Verified", "False"),
    Bad("Evaluated", "False"),
    Bad("WorldChanged", "True"),
    Bad("WorldChanged", "Unknown"),
    Bad("Harmed", "True"),
    Bad("Unfair", "True"),
    Bad("Drifting", "True"),
    Bad("VersionReplaced", "True"),
    Bad("ForeignPod", "True"),
    Bad("EvidenceAvailable", "False"),
    Bad("Progressing", "False", _RESTS, True),
    Bad("GaveUp", "True"),
    Bad("CacheMismatch", "True"),
    Bad("LastRunSucceeded", "False", frozenset({"RunAborted"})),
    Bad("TriggersObserved", "Unknown", frozenset({"NotSeen"})),
    Bad("EvidenceSaved", "False"),
    Bad("StateSaved", "False"),
    Bad("RollbackReady", "False"),
    Bad("Watched", "False"),
    Bad("MonitorReady", "False", frozenset({"TooFewRequests"})),
    Bad("Stale", "True"),
    Bad("GatewayAble", "False"),
    Bad("Experiment", "False", frozenset({"Waiting", "Paused", "Undecided", "Stopped"})),
    Bad("Scaled", "False"),
    Bad("AlertsLoaded", "False"),
    Bad("ErrorsGuarded", "False"),
    Bad("StatusTooLarge", "True"),
    Bad("ClockBehind", "True"),
)  # fmt: skip
"""Of all kinds. What is under way (Reconciling) is nothing bad."""


def problem(conditions: Iterable[tuple[str, str, str, str]]) -> str:
    """The worst of some conditions (type, status, reason, message): its reason and the first words of its message;
    empty where none is bad."""
    known = {one[0]: one for one in conditions}
    ready = known.get("Ready", ("", ""))[1] == "True"
    for bad in WORST_FIRST:
        _, status, reason, message = known.get(bad.type, ("", "", "", ""))
        if status == bad.status and reason not in bad.but and not (ready and bad.unless_ready):
            return _cut(f"{reason}: {message}" if message else reason)
    return ""


def _cut(text: str) -> str:
    """At most so many characters, cut between words."""
    text = " ".join(text.split())
    return text if len(text) <= PROBLEM else text[: PROBLEM - 1].rpartition(" ")[0] + "…"


class Conditions:
    """A list of conditions that keeps the time of each one's last transition."""

    def __init__(self, old: Iterable[Condition], now: float, generation: int) -> None:
        self._old = {c.type: c for c in old}
        self._new: dict[str, Condition] = dict(self._old)
        self._now, self._generation = now, generation

    def set(self, type_: str, value: bool | None, reason: str, message: str = "") -> None:
        """Set one; the transition time moves only when the status does."""
        status, reason = truth(value), reason[:64]  # some reasons are others' words: a kubelet's, a controller's
        old = self._old.get(type_)
        said = (status, reason, message[:1024], self._generation)
        if old and said == (old.status, old.reason, old.message, old.observed_generation):
            self._new[type_] = old
            return
        since = old.last_transition_time if old and old.status == status else rfc3339(self._now)
        self._new[type_] = Condition(
            type=type_, status=status, reason=reason, message=message[:1024],
            last_transition_time=since, observed_generation=self._generation,
        )  # fmt: skip

    def get(self, type_: str) -> Condition | None:
        """One condition, or None."""
        return self._new.get(type_)

    def is_true(self, type_: str) -> bool:
        """Whether it is there and True."""
        found = self._new.get(type_)
        return found is not None and found.status == "True"

    def drop(self, type_: str) -> None:
        """Take one away."""
        self._new.pop(type_, None)

    def said(self) -> dict[str, Any]:
        """The fields of a status that follow from them."""
        found = self.result()
        worst = problem((one.type, one.status, one.reason, one.message) for one in found)
        return {"conditions": found, "problem": worst}

    def result(self) -> list[Condition]:
        """All, sorted by type."""
        return [self._new[t] for t in sorted(self._new)]
