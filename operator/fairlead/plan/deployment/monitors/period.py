"""Windows of the monitors, one after the other, for as long as a version is live.

All that a window adds (how far recorders were read, the tests' state, the ledger's line, what is told) goes into status
in one write.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.monitors import Gap, Mark, Monitored, MonitorLine, Monitors
from fairlead.api.units import seconds, share
from fairlead.monitor import attributions
from fairlead.monitor.counts import Tally
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.profile import Profile
from fairlead.monitor.report import Report
from fairlead.monitor.series import fold
from fairlead.monitor.state import State
from fairlead.monitor.unknown import Unknown
from fairlead.monitor.watched import Rule, Settings
from fairlead.plan.core import Event, epoch, rfc3339
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.context import State as Course
from fairlead.plan.deployment.monitors import (
    book,
    budget,
    empty,
    explaining,
    figures,
    hold,
    labels,
    packing,
    profiles,
    question,
    reading,
    registry,
    saying,
    skew,
)
from fairlead.plan.deployment.monitors.base import Monitor, Said
from fairlead.plan.deployment.monitors.reading import Reading
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Request

AGAIN, SOON = 60.0, 2.0
"""Seconds until it is tried again what could not be read, and while the store has not answered."""
EARLY = 1.0
"""Seconds that clocks may be apart."""
SHORTEST = 60.0
"""Seconds of a window, whatever is asked for."""
LARGEST = 128 << 10
"""Characters of the tests' state: a longer one could not be read again."""
MARKS = 64
"""Pods whose marks are kept: more could not be read again either."""
BLIND = 3
"""After so many windows without anything that could be counted, nothing is known any more."""
WAITS = Problem("Waiting", "the first window is open")
BEHIND = Problem(
    "ClockBehind",
    "the last window ended later than it is by the operator's clock: set the clock of the operator's node",
)
"""What comes meanwhile is counted when it has caught up."""
AHEAD = 3600.0
"""Seconds. A window that ended later than this from now was closed by a clock that was wrong."""
TOO_MANY = (
    "what is known of {version} after this window is more than a status can keep: make its profile of fewer features, "
    "or turn monitors off by spec.monitors.without"
)


@dataclass(frozen=True)
class Outcome:
    """What a look has found out."""

    read: bool = False
    """Whether anything was asked."""
    problem: Problem | None = None
    """Why nothing could be counted."""
    report: Report | None = None
    """Of a window that was closed."""
    without: Problem | None = None
    """Why some pods' requests are not in it (yet)."""


def requests(look: Look, status: DeploymentStatus) -> list[Request]:
    """What the next window needs, if it is due."""
    kept, spec = status.monitors, look.spec.monitors
    if spec is None or kept is None or not _is_current(kept, status):
        return []
    due, well = _due(look, kept), {one.monitor for one in kept.lines if one.state == "Ok"}
    asked = [one for one in registry.chosen(spec) if due or one.name not in well]
    found = [*labels.requests(look, status), *(more for one in asked for more in one.requests(look, kept.version))]
    document = profiles.request(look, kept.version) if due else None
    return [*found, document, *(one.request for one in reading.readers(look, kept))] if document else found


def next_look(look: Look, status: DeploymentStatus) -> float | None:
    """Seconds until something is due; None without monitors."""
    kept, spec = status.monitors, look.spec.monitors
    if kept is None or spec is None:
        return None
    times = [left for one in registry.chosen(spec) if (left := one.due(look, kept.version)) is not None]
    left = _left(look, kept)
    soon = SOON if left > 0 or profiles.request(look, kept.version) else AGAIN
    times += [max(soon, left), *labels.due(look, kept), *explaining.due(look, status)]
    return min(times)


def go_on(look: Look, state: Course) -> tuple[Course, Outcome]:
    """One look of the monitors."""
    spec, status = look.spec.monitors, state.status
    kept = status.monitors
    if kept is not None and (spec is None or not _is_current(kept, status)):
        state, kept = book.left(state, question.left_behind(look, kept)).having(monitors=None), None
    if spec is None or status.live is None:
        return state, Outcome()
    if kept is None:
        kept = Monitored(version=status.live.version, since=look.stamp)
    kept = labels.go_on(look, spec, kept)
    kept, outcome = _window(look, spec, kept) if _due(look, kept) else (kept, Outcome())
    kept = explaining.go_on(look, spec, kept)
    old = status.monitors
    if old is not None and old.version == kept.version and old.ledger.name not in ("", kept.ledger.name):
        state = book.left(state, old)
    before = {one.monitor: one for one in kept.lines}
    lines = [_line(look, spec, kept, one, before.get(one.name), outcome) for one in registry.chosen(spec)]
    told = [event for one in lines if (event := _event(one, before.get(one.monitor)))]
    doubted = kept.doubted_at or next((one.since for one in lines if hold.doubts(one)), None)
    return state.having(*told, monitors=kept.model_copy(update={"lines": lines, "doubted_at": doubted})), outcome


def _is_current(kept: Monitored, status: DeploymentStatus) -> bool:
    return status.live is not None and kept.version == status.live.version


def _due(look: Look, kept: Monitored) -> bool:
    return _left(look, kept) <= 0


def _left(look: Look, kept: Monitored) -> float:
    """Seconds until recorders are read next: at once where windows have become shorter."""
    spec = look.spec.monitors
    left = epoch(kept.next_at) - look.now if kept.next_at else 0.0
    return 0.0 if spec and left > _every(spec) + EARLY else left


def _every(spec: Monitors) -> float:
    return max(SHORTEST, seconds(spec.every))


def settings_of(look: Look, spec: Monitors) -> Settings:
    """What the tests go by."""
    return Settings(
        every=_every(spec), false_alarms_per_year=float(spec.false_alarms_per_year) * _part(spec),
        tolerance=share(spec.tolerance), design_effect=float(look.spec.rollout.design_effect),
        worse_by=share(spec.worse_by), fairness=tuple(map(_rule, spec.fairness)),
        off=frozenset(spec.without) - {skew.MONITOR.name},  # nothing that is counted depends on it
    )  # fmt: skip


def _part(spec: Monitors) -> float:
    """Of the budget of false alarms: what contributions leave."""
    return 1.0 - attributions.PART if spec.explain is not None else 1.0


def _rule(one: Gap) -> Rule:
    return Rule(one.by, one.metric.removesuffix("_gap"), share(one.max))


# --- a window ------------------------------------------------------------------------------------------------------


def _window(look: Look, spec: Monitors, kept: Monitored) -> tuple[Monitored, Outcome]:
    learnt = profiles.read(look, kept.version)
    if learnt is None:
        return kept, Outcome()
    if isinstance(learnt, Problem):
        # where none is known nothing was asked: it is told, and nothing is written only to say when it was
        known = profiles.request(look, kept.version)
        return _later(look, kept, AGAIN) if known else kept, Outcome(True, learnt)
    profile = learnt.profile
    kept, before = _state(look, spec, kept, profile)
    if look.now <= before.until:
        return _later(look, kept, AGAIN), Outcome(True, BEHIND)
    found = reading.read(look, kept, learnt.document, profile.digest)
    if isinstance(found, Problem):
        return _later(look, kept, AGAIN), Outcome(True, found)
    after = _opened(look, spec, kept, found)
    if kept.opened_at is None:
        return after, Outcome(True, WAITS)
    nothing = empty.found(kept.version, profile, found.tally)
    try:
        given = labels.pending(kept)
    except ValueError:
        given, after = None, labels.lost(spec, after)
    if nothing and given is None:
        return after, Outcome(True, nothing)
    if nothing:  # of its rows nothing is known, but there are labels of earlier ones
        found = replace(found, tally=Tally(profile.digest, requests=found.tally.requests))
    after, outcome = _folded(look, spec, after, profile, before, found, given, kept.part)
    return after, replace(outcome, problem=nothing or outcome.problem)


def _folded(
    look: Look, spec: Monitors, after: Monitored, profile: Profile, before: State, found: Reading,
    given: LabelledWindow | None, part: str,
) -> tuple[Monitored, Outcome]:  # fmt: skip
    try:
        settings = settings_of(look, spec)
        state, report = fold(profile, settings, before, found.tally, given, look.now, budget.told(part))
        text = packing.packed(state.dumped())
        closed = book.Closed(settings, before, found.tally, given, state, part)
        folded = labels.folded(look, book.window(look, after, closed), given, report)
    except Exception as bug:  # noqa: BLE001 - a monitor that fails must not keep the Deployment from being looked after
        said = f"{type(bug).__name__} while a window was judged: please report it with the operator's log"
        return after, Outcome(True, Problem("MonitorFailed", said))
    if len(text) > LARGEST:
        return after, Outcome(True, Problem("TooManyFeatures", TOO_MANY.format(version=after.version)))
    holds = after.labels is not None and saying.fresh(look, after.labels.real)
    folded = folded.model_copy(update={
        "windows": after.windows + 1, "rows": found.tally.rows, "state": text,
        "figures": figures.after(report, after.figures if holds else []),
    })  # fmt: skip
    if report.unknown is None:
        return folded.model_copy(update={"closed_at": look.stamp}), Outcome(True, None, report, found.without)
    return folded, Outcome(True, _unknown(found.tally, report.unknown), report)


def _unknown(tally: Tally, why: Unknown) -> Problem:
    """Why a window says nothing."""
    reason = "TooFewRequests" if not tally.rows and not tally.unread else "RequestsUnread"
    return Problem(reason, f"{why.reason}; {why.remedy}")


def _state(look: Look, spec: Monitors, kept: Monitored, profile: Profile) -> tuple[Monitored, State]:
    """The tests' state. It begins anew with another profile, whose counts are others, and with other settings."""
    settings = settings_of(look, spec)
    mark = book.mark(settings, spec.labels)
    if (kept.profile, kept.settings) == (profile.digest, mark):
        if not kept.state:
            return kept, State(profile.digest)
        try:
            state = State.parsed(packing.unpacked(kept.state), profile)
        except ValueError:  # of another release, or changed by hand: what it knew is gone
            state = State(profile.digest, until=inf)
        if state.until <= look.now + AHEAD:
            return kept, state
    anew: dict[str, object] = {"profile": profile.digest, "settings": mark, "state": ""}
    if kept.labels:  # what labels have said was said by other tests
        anew |= {"labels": kept.labels.model_copy(update={"real": None, "gaps": [], "well": []})}
    if kept.profile != profile.digest:
        anew |= {"marks": [], "opened_at": None}
    return book.opened(look, kept.model_copy(update=anew), settings), State(profile.digest)


def _opened(look: Look, spec: Monitors, kept: Monitored, found: Reading) -> Monitored:
    return _later(look, kept, _every(spec)).model_copy(update={
        "opened_at": look.stamp, "part": budget.part(look, spec),
        "marks": _there(look, kept, found.marks), "lost": kept.lost + found.lost,
    })  # fmt: skip


def _there(look: Look, kept: Monitored, marks: list[Mark]) -> list[Mark]:
    """The marks of pods that are still there."""
    there = {one.uid for one in pods.of(look, kept.version)}
    return [one for one in marks if one.pod in there][:MARKS]


def _later(look: Look, kept: Monitored, pause: float) -> Monitored:
    return kept.model_copy(update={"next_at": rfc3339(look.now + pause)})


# --- what is said --------------------------------------------------------------------------------------------------


def _line(
    look: Look, spec: Monitors, kept: Monitored, monitor: Monitor, before: MonitorLine | None, outcome: Outcome
) -> MonitorLine:  # fmt: skip
    said = monitor.says(look, kept, outcome.report)
    if said is None and monitor.counted:
        said = _unseen(look, spec, kept, before, outcome)
    if said is None and before is not None:
        return before
    said = said or Said("Unknown", WAITS.reason, WAITS.message)
    since = before.since if before and before.state == said.state else look.stamp
    return MonitorLine(
        monitor=monitor.name, state=said.state, reason=said.reason, message=said.message[:1024], since=since
    )


def _unseen(
    look: Look, spec: Monitors, kept: Monitored, before: MonitorLine | None, outcome: Outcome
) -> Said | None:  # fmt: skip
    """That nothing is known, and why; None: what was said last still holds."""
    last = epoch(kept.closed_at or kept.since)
    fresh = kept.closed_at is not None and look.now < last + BLIND * _every(spec)
    problem = outcome.problem
    if problem is None or (fresh and before is not None):
        return None
    return Said("Unknown", problem.reason, problem.message)


def _event(line: MonitorLine, before: MonitorLine | None) -> Event | None:
    """What people are told when an alarm begins, and when it is over."""
    was = before.state if before else "Unknown"
    monitor = registry.named(line.monitor)
    words = f"{line.monitor}: {line.message}"
    if line.state == monitor.bad != was:
        return Event(monitor.condition or line.reason, words, warning=True)
    if was == monitor.bad and line.state in ("Ok", "Watch"):
        return Event(f"Not{monitor.condition}" if monitor.condition else f"{line.monitor.capitalize()}Ok", words)
    return None
