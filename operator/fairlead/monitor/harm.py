"""What acts: the quality of a window, estimated and real, and gaps between groups.

The evidence of a gap is all or nothing: a look's interval holds with probability 1 - alpha (of a part of the budget,
alpha times that part), so e = 1/alpha where it lies wholly above what is tolerated, and 0 else, has a mean of at most 1
while the gap is tolerated. So a window's false
alarm has a probability of at most alpha. Its rows are taken as independent. Rows with labels, which may come a few at a
time, are gathered over windows before they are looked at, each once: when to look follows from their number alone, so
each look has its own rows and its own alpha, and there are no more looks than windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import exp, inf, log

from fairlead.monitor import fairness, quality
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.look import Look, condition, unknown_share
from fairlead.monitor.profile import Profile
from fairlead.monitor.quality import Expected
from fairlead.monitor.report import Alarm, FairnessReport, ShareReport
from fairlead.monitor.standing import Standing, judged
from fairlead.monitor.state import GapState
from fairlead.monitor.unknown import Unknown
from fairlead.monitor.watched import Rule, Watched
from fairlead.verdict.bounded import Sums

NO_LABELS = Unknown("no row of this window has a label yet", "name a Dataset of labels, or wait for them")
_UNLABELLED = frozenset({"selection_rate"})
"""Metrics that need no labels."""
_CLASSLESS = frozenset({"error", "accuracy"})
"""Those that need no class that counts as positive."""
_NO_POSITIVE = Unknown("the model has more than two classes, and none counts as positive", "choose error_gap")
_PATIENCE = 4
"""Times the rows that a slice needs: where two slices have so many, the others are not waited for."""


def estimated(watch: Watched, before: Standing, found: Expected, look: Look) -> tuple[Standing, ShareReport]:
    """One more window of expected losses. Where the figures are Unknown, so is this."""
    refused = found.figures if isinstance(found.figures, Unknown) else None
    return _loss("estimated loss", before, found.losses, watch.estimated, refused, watch, look)


def realised(
    watch: Watched, before: Standing, labels: LabelledWindow | None, look: Look
) -> tuple[Standing, ShareReport]:
    """One more window of real losses."""
    losses = labels.losses if labels is not None else Sums()
    refused = NO_LABELS if not losses.n else None
    return _loss("real loss", before, losses, watch.realised, refused, watch, look)


def _loss(
    what: str, before: Standing, losses: Sums, m: float | Unknown, refused: Unknown | None, watch: Watched, look: Look
) -> tuple[Standing, ShareReport]:
    bound = watch.quality_bound
    if isinstance(m, Unknown) or refused is not None:
        tolerated = None if isinstance(m, Unknown) else m
        return before, unknown_share(0.0, tolerated, bound, m if isinstance(m, Unknown) else refused)
    gained = quality.log_es(losses, m, look.settings.design_effect)
    if gained is None:
        wrong = Unknown(f"the sums of the {what} can't be", "look at the join of the labels")
        return before, unknown_share(0.0, m, bound, wrong)
    mean = losses.total / losses.n
    done = judged(before, gained, bound, mean <= m, part=look.part)
    if done.fired:
        look.alarms.append(Alarm("quality", what, done.log_evidence, bound))
    reference = m - look.settings.worse_by
    report = ShareReport(mean, reference, m, done.log_evidence, bound, condition(done, bound, False))
    return done.standing, report


def gap(
    rule: Rule, profile: Profile, before: GapState, labels: LabelledWindow | None, bound: float, look: Look
) -> tuple[GapState, FairnessReport]:
    """One more window's gap. Selection rates need no labels; other shares are of the rows that have one: these are
    gathered until they are enough, looked at once, and begun with anew."""
    if not profile.positive and rule.metric not in _CLASSLESS:
        return before, _unknown(_NO_POSITIVE, rule, bound)
    seen = quality.selected(profile, look.window, rule.by) if rule.metric in _UNLABELLED else {}
    if any(one.n for one in seen.values()):
        standing, report = _looked(rule, seen, before.standing, bound, look)
        return replace(before, standing=standing), report
    came = labels.slices.get(rule.by, {}) if labels is not None else {}
    if rule.metric in _UNLABELLED and not look.window.rows:
        came = {}  # of a silent window it isn't known whether requests have the column: then each was looked at already
    gathered = _together(before.slices, came)
    if not gathered:
        none = Unknown(f"nothing was counted by {rule.by[:100]}", "name a slice of the profile, or wait for labels")
        return before, replace(_unknown(none, rule, bound), labels=True)
    if not _enough(gathered, rule.metric):
        few = _unknown(_few(gathered, rule.metric), rule, bound)
        return replace(before, slices=gathered), replace(few, labels=True)
    standing, report = _looked(rule, gathered, before.standing, bound, look)
    return GapState(standing), replace(report, labels=True)


def _looked(
    rule: Rule, slices: Mapping[str, Confusion], before: Standing, bound: float, look: Look
) -> tuple[Standing, FairnessReport]:  # fmt: skip
    found = fairness.gap(slices, rule.metric, look.part * exp(-bound), fairness.fewest())
    said, why = fairness.verdict(found, rule.most)
    if isinstance(found, Unknown):
        return before, _unknown(found, rule, bound)
    gained = bound - log(look.part) if said == "unfair" else -inf
    done = judged(before, (gained,), bound, said == "ok", part=look.part)
    if done.fired:
        look.alarms.append(Alarm("fairness", rule.name, bound, bound))
    evidence = bound if said == "unfair" else -inf
    if done.standing.alarmed or said == "ok":
        return done.standing, FairnessReport(found, rule.most, evidence, bound, condition(done, bound, False))
    reason, remedy = (why.reason, why.remedy) if why else ("", "")
    return done.standing, FairnessReport(found, rule.most, evidence, bound, "Unknown", reason, remedy)


def _together(one: Mapping[str, Confusion], other: Mapping[str, Confusion]) -> dict[str, Confusion]:
    return {name: one.get(name, Confusion()) + other.get(name, Confusion()) for name in dict.fromkeys((*one, *other))}


def _enough(slices: Mapping[str, Confusion], metric: str) -> bool:
    """Whether it is time to look: all slices have rows enough, or two have so many more that the others would be waited
    for too long. It goes by how many rows the share is of, never by what it is."""
    rows = sorted((one.share(metric)[1] for one in slices.values()), reverse=True)
    need = fairness.fewest()
    return len(rows) > 1 and (rows[-1] >= need or rows[1] >= _PATIENCE * need)


def _few(slices: Mapping[str, Confusion], metric: str) -> Unknown:
    known = fairness.shares(slices, metric, least=fairness.fewest())
    few = [one.reason for one in known.values() if isinstance(one, Unknown)]
    return Unknown("; ".join(few[:3]) or "there is one slice only", "wait for more labels, or join slices")


def _unknown(why: Unknown, rule: Rule, bound: float) -> FairnessReport:
    return FairnessReport(why, rule.most, -inf, bound, "Unknown", why.reason, why.remedy)
