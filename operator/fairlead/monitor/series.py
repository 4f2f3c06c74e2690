"""Windows, one after the other: what is known of a live model after each. Pure: the same windows give the same bits.

`fold` takes one window's counts in and says how each monitored thing stands:

- `Ok`: its evidence is small, and so is what the window shows;
- `Watch`: worth a look, no alarm: half the evidence of an alarm (in logs), or a PSI above the settings' own;
- `Drifting`: an alarm, and until it was well again for `standing.CALM` windows in a row; said as an `Alarm` once;
- `Unknown`: nothing is known, with the reason and the remedy. Never ok, never an alarm.

A window is named by the time at which it ends. One that ends no later than the last one was counted already: it changes
nothing. Counts of another profile, without rows, or with too many unread requests change no evidence either, but they
pass the time. A state belongs to one profile: a new version of the model begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import TypeVar

from fairlead.monitor import data, drift, harm, pairs, quality
from fairlead.monitor.bounds import LARGEST
from fairlead.monitor.counts import Tally
from fairlead.monitor.data import Check, Share
from fairlead.monitor.drift import Memory
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.look import Look, condition, share, unknown_share
from fairlead.monitor.profile import Profile
from fairlead.monitor.quality import Expected
from fairlead.monitor.report import Alarm, FeatureReport, PairReport, Report, ShareReport
from fairlead.monitor.standing import Standing, judged
from fairlead.monitor.state import GapState, PairState, State, StreamState
from fairlead.monitor.unknown import Unknown
from fairlead.monitor.watched import Rule, Settings, Stream, Together, Watched, watched

__all__ = ["Alarm", "LabelledWindow", "Report", "Rule", "Settings", "State", "fold"]

W = TypeVar("W")
S = TypeVar("S")
R = TypeVar("R")
_SMALL = Unknown("the reference has too few rows", "make the profile of more rows")
_KNOWN_SILENCES = 24
"""Windows after which the longest silence so far says what is usual."""


def fold(
    profile: Profile,
    settings: Settings,
    state: State,
    window: Tally,
    labels: LabelledWindow | None = None,
    until: float | None = None,
    part: float = 1.0,
) -> tuple[State, Report]:
    """One more window.

    window: the counts of this window alone (`Tally.since`, added over pods); labels: those that became known since the
    last window, of whichever rows (so they may be late); until: when it ends, in seconds since
    1970; None: one window's length after the last one; part: of the budget of false alarms that this window may spend,
    in (0, 1], fixed before it began. Raises ValueError for a part that is none.
    """
    if not 0 < part <= 1:
        raise ValueError(f"a part of the budget lies in (0, 1], not {part}")
    if state.profile != profile.digest:
        state = State(profile.digest)
    if until is None:
        until = settings.every + (state.until if state.until > -inf else 0.0)
    if until <= state.until:
        return state, Report(state.until, again=True)
    state = replace(state, until=until, windows=state.windows + 1)
    watch = watched(profile, settings)
    if window.profile != profile.digest:
        foreign = Unknown(
            f"the counts are of profile {window.profile[:12]}, not of {profile.digest[:12]}",
            "wait until the recorders have the version's own profile",
        )
        report = _nothing(watch, foreign, until)
        return _harmed(profile, watch, state, report, Look(window, settings, part), labels)
    window = window.renamed(watch.old_keys)
    state, traffic = _traffic(state, window)
    refused = _refused(window, settings)
    if refused is not None:
        checks, found, alarms = _unread_only(state, watch, Look(window, settings, part))
        report = _nothing(watch, refused, until)
        state = replace(state, checks=checks)
        report = replace(report, traffic=traffic, data={**report.data, **found}, alarms=alarms)
    else:
        state, report = _folded(state, watch, Look(window, settings, part), traffic)
    return _harmed(profile, watch, state, report, Look(window, settings, part), labels)


def _folded(state: State, watch: Watched, look: Look, traffic: ShareReport) -> tuple[State, Report]:
    off = look.settings.off
    streams, features = _each(
        () if "drift" in off else watch.streams, state.streams, StreamState(),
        lambda one, before: _stream(one, before, look, watch.drift_bound),
    )  # fmt: skip
    together, correlations = _each(
        () if "drift" in off else watch.pairs, state.pairs, PairState(),
        lambda one, before: _pair(one, before, look, watch.drift_bound),
    )  # fmt: skip
    checks, shares = _each(
        () if "data" in off else watch.checks, state.checks, Standing(),
        lambda one, before: _check(one, before, look, watch.data_bound),
    )  # fmt: skip
    outliers, outside = state.outliers, None
    if "outliers" not in off and watch.outliers is None:
        outside = unknown_share(0.0, None, watch.outliers_bound, _SMALL)
    elif "outliers" not in off and watch.outliers is not None:
        given = Share(look.window.outliers, look.window.rows)
        alarm = Alarm("outliers", "rows outside", 0.0, watch.outliers_bound)
        outliers, outside = share(alarm, state.outliers, given, 0.0, watch.outliers, look)
    names = list(zip(watch.streams, features, strict=False))
    return replace(state, streams=streams, pairs=together, checks=checks, outliers=outliers), Report(
        state.until,
        rows=look.window.rows,
        drift={one.name: report for one, report in names if not one.output},
        outputs={one.name: report for one, report in names if one.output},
        pairs={one.name: report for one, report in zip(watch.pairs, correlations, strict=False)},
        data={one.what: report for one, report in zip(watch.checks, shares, strict=False)},
        traffic=traffic,
        outliers=outside,
        alarms=tuple(look.alarms),
    )


def _harmed(
    profile: Profile, watch: Watched, state: State, report: Report, given: Look, labels: LabelledWindow | None
) -> tuple[State, Report]:
    """With quality and fairness. Labels count also where the window's own rows say nothing."""
    settings = given.settings
    look = Look(given.window if report.unknown is None else Tally(profile.digest), settings, given.part)
    if "quality" not in settings.off:
        found = watch.quality.expected(look.window) if report.unknown is None else Expected(report.unknown)
        estimated, guess = harm.estimated(watch, state.estimated, found, look)
        real, truth = harm.realised(watch, state.realised, labels, look)
        known = quality.real(labels) if labels is not None and (labels.losses.n or labels.errors) else harm.NO_LABELS
        state = replace(state, estimated=estimated, realised=real)
        losses = {"estimated": guess, "realised": truth}
        both = quality.powered(labels, found.losses) if labels is not None and labels.pairs.n else None
        report = replace(report, estimated=found.figures, realised=known, powered=both, losses=losses)
    rules = settings.fairness if "fairness" not in settings.off else ()
    standings, gaps = _each(
        rules, state.fairness, GapState(),
        lambda rule, before: harm.gap(rule, profile, before, labels, watch.fairness_bound, look),
    )  # fmt: skip
    fair = {rule.name: gap for rule, gap in zip(rules, gaps, strict=True)}
    return replace(state, fairness=standings), replace(report, fairness=fair, alarms=report.alarms + tuple(look.alarms))


def _each(
    watch: Sequence[W], states: Sequence[S], empty: S, step: Callable[[W, S], tuple[S, R]]
) -> tuple[tuple[S, ...], list[R]]:
    """Each with its state, in order."""
    given = states if len(states) == len(watch) else (empty,) * len(watch)
    done = [step(one, before) for one, before in zip(watch, given, strict=True)]
    return tuple(after for after, _ in done), [report for _, report in done]


def _refused(window: Tally, settings: Settings) -> Unknown | None:
    """Why a window's rows say nothing."""
    counts = (window.rows, window.requests, window.sampled, window.outliers, *window.unread.values())
    if any(not 0 <= count <= LARGEST for count in counts) or window.outliers > window.rows:
        return Unknown("the window's counts can't be", "look at the recorders: their counters went wrong")
    lost = sum(window.unread.values())
    if lost > settings.lost * max(window.sampled, 1):
        most = max(window.unread, key=lambda why: window.unread[why])
        return Unknown(
            f"{lost} of {window.sampled} requests that were chosen could not be read: {most[:100]}",
            "send what the profile knows by its names, or make a profile of what is sent",
        )
    if not window.rows:
        return Unknown("no rows in this window", "wait for traffic, or choose longer windows")
    return None


def _stream(one: Stream, before: StreamState, look: Look, bound: float) -> tuple[StreamState, FeatureReport]:
    vector = look.counts(one.key, len(one.bins))
    if one.unknown:
        vector = Unknown(one.unknown, "make the profile of more rows")
    if isinstance(vector, Unknown):
        return before, FeatureReport(None, None, None, -inf, bound, "Unknown", vector.reason, vector.remedy)
    bins = drift.grouped(vector, one.bins)
    counts = drift.grouped(bins, one.groups)
    n, d = sum(counts), look.settings.design_effect
    memory = before.memory if len(before.memory.excess) == len(counts) else Memory()
    gained = drift.log_es(memory, counts, one.shares, one.delta, d, one.halves)
    memory = drift.remembered(memory, counts, one.shares)
    current, rows = (counts, n) if n / d >= one.least else (_recent(memory, one.shares), memory.rows)
    found = drift.effects(_groups_of(one), current, d) if rows / d >= one.least else None
    within = found is not None and found.tv <= one.delta
    done = judged(before.standing, gained, bound, within, found is not None, look.part)
    after = StreamState(done.standing, memory)
    if done.fired:
        look.alarms.append(Alarm("drift", one.name, done.log_evidence, bound))
    if found is None and not done.standing.alarmed:
        return after, FeatureReport(
            None, None, None, done.log_evidence, bound, "Unknown",
            f"{n} values in this window, and {memory.rows} of late: {round(one.least * d)} are needed",
            "wait for traffic, choose longer windows, or a larger sample", rows,
        )  # fmt: skip
    ks = drift.ks(one.reference, bins, d) if one.ordered and n / d >= one.least else None
    psi, tv = (found.psi, found.tv) if found else (None, None)
    stands = condition(done, bound, psi is not None and psi > look.settings.psi and not within)
    return after, FeatureReport(psi, tv, ks, done.log_evidence, bound, stands, one.note, rows=rows)


def _groups_of(one: Stream) -> list[float]:
    rows = one.rows
    return [share * rows for share in one.shares]


def _recent(memory: Memory, shares: Sequence[float]) -> list[float]:
    """About how many rows of the last windows were in each group."""
    excess = memory.excess or (0,) * len(shares)
    return [max(0.0, memory.rows * share + more) for share, more in zip(shares, excess, strict=True)]


def _pair(one: Together, before: PairState, look: Look, bound: float) -> tuple[PairState, PairReport]:
    sums = look.window.sums.get(one.key)
    seen = pairs.moments(sums) if sums is not None else None
    if seen is None or seen.n > look.window.rows:
        why = "was not counted" if sums is None else "has sums that can't be"
        remedy = "wait until the recorders have the version's own profile"
        return before, PairReport(None, None, -inf, bound, "Unknown", f"the pair {one.name[:100]} {why}", remedy)
    gained = pairs.log_es(before.before, seen, one.r, one.tolerance, look.settings.design_effect)
    within = seen.r is not None and abs(seen.r - one.r) <= one.tolerance
    above = judged(before.above, gained and gained[0], bound, within, part=look.part)
    below = judged(before.below, gained and gained[1], bound, within, part=look.part)
    after = PairState(above.standing, below.standing, pairs.remembered(before.before, seen))
    worse = max(above, below, key=lambda each: (each.standing.alarmed, each.log_evidence))
    if above.fired or below.fired:
        look.alarms.append(Alarm("drift", one.name, worse.log_evidence, bound))
    if seen.r is None and not worse.standing.alarmed:
        reason = "a feature of the pair is constant" if seen.n else "no row has both values"
        return after, PairReport(None, None, worse.log_evidence, bound, "Unknown", reason, "wait for other values")
    moved = pairs.moved(seen.r, one.r) if seen.r is not None else None
    return after, PairReport(seen.r, moved, worse.log_evidence, bound, condition(worse, bound, False))


def _check(one: Check, before: Standing, look: Look, bound: float) -> tuple[Standing, ShareReport]:
    refused: Unknown | None = None
    if one.key:
        vector = look.counts(one.key, one.length)
        refused = vector if isinstance(vector, Unknown) else None
    if one.m is None:
        refused = _SMALL
    if refused is not None or one.m is None:
        return before, unknown_share(one.reference, one.m, bound, refused)
    given = data.share(one, look.window)
    return share(Alarm("data", one.what, 0.0, bound), before, given, one.reference, one.m, look)


def _traffic(state: State, window: Tally) -> tuple[State, ShareReport]:
    """Whether requests come. How long a silence is usual, the silences so far say: no alarm, only `Watch`, from more
    than twice the longest one on."""
    if max(window.requests, window.rows) > 0:
        after = replace(state, quiet=0, longest=max(state.longest, state.quiet))
        return after, ShareReport(0.0, 0.0, None, -inf, inf, "Ok")
    after = replace(state, quiet=state.quiet + 1)
    usual = max(1, after.longest)
    reason = f"no request for {after.quiet} windows; the longest silence before was of {after.longest}"
    long = after.windows - after.quiet >= _KNOWN_SILENCES and after.quiet > 2 * usual
    remedy = "see whether the callers still send, and to this model"
    return after, ShareReport(after.quiet / usual, 0.0, None, -inf, inf, "Watch" if long else "Unknown", reason, remedy)


def _unread_only(
    state: State, watch: Watched, look: Look
) -> tuple[tuple[Standing, ...], dict[str, ShareReport], tuple[Alarm, ...]]:
    """Of a window whose rows say nothing: that too many requests can't be read is an alarm of its own."""
    lost = sum(look.window.unread.values())
    if "data" in look.settings.off or not 0 < lost <= look.window.sampled <= LARGEST:
        return state.checks, {}, ()
    states = state.checks if len(state.checks) == len(watch.checks) else (Standing(),) * len(watch.checks)
    standing, report = _check(watch.checks[-1], states[-1], look, watch.data_bound)
    return (*states[:-1], standing), {data.UNREAD: report}, tuple(look.alarms)


def _nothing(watch: Watched, why: Unknown, until: float) -> Report:
    """Of a window that says nothing."""
    nothing = FeatureReport(None, None, None, -inf, watch.drift_bound, "Unknown", why.reason, why.remedy)
    together = {
        one.name: PairReport(None, None, -inf, watch.drift_bound, "Unknown", why.reason, why.remedy)
        for one in watch.pairs
    }
    return Report(
        until,
        unknown=why,
        drift={one.name: nothing for one in watch.streams if not one.output},
        outputs={one.name: nothing for one in watch.streams if one.output},
        pairs=together,
        data={one.what: unknown_share(one.reference, one.m, watch.data_bound, why) for one in watch.checks},
        outliers=unknown_share(0.0, watch.outliers, watch.outliers_bound, why),
    )
