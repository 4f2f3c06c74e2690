"""What acts: the quality of a window, estimated and real, and gaps between groups.

The evidence of a gap is all or nothing: a look's interval holds with probability 1 - alpha (of a part of the budget,
alpha times that part), so e = 1/alpha where it
lies wholly above what is tolerated, and 0 else, has a mean of at most 1 while the gap is tolerated. So a window's false
alarm has a probability of at most alpha. Its rows are taken as independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, inf, log

from fairlead.monitor import fairness, quality
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.look import Look, condition, unknown_share
from fairlead.monitor.profile import Profile
from fairlead.monitor.quality import Expected
from fairlead.monitor.report import Alarm, FairnessReport, ShareReport
from fairlead.monitor.standing import Standing, judged
from fairlead.monitor.unknown import Unknown
from fairlead.monitor.watched import Rule, Watched
from fairlead.verdict.bounded import Sums

NO_LABELS = Unknown("no row of this window has a label yet", "name a Dataset of labels, or wait for them")
_UNLABELLED = frozenset({"selection_rate"})
"""Metrics that need no labels."""


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
    rule: Rule, profile: Profile, before: Standing, labels: LabelledWindow | None, bound: float, look: Look
) -> tuple[Standing, FairnessReport]:
    """One more window's gap. Selection rates need no labels; other shares are of the rows that have one."""
    slices = _slices(rule, profile, labels, look)
    if not slices:
        none = Unknown(f"nothing was counted by {rule.by[:100]}", "name a slice of the profile, or one of the labels")
        return before, _unknown(none, none, rule, bound)
    found = fairness.gap(slices, rule.metric, look.part * exp(-bound), fairness.fewest())
    said, why = fairness.verdict(found, rule.most)
    if isinstance(found, Unknown):
        return before, _unknown(found, found, rule, bound)
    gained = bound - log(look.part) if said == "unfair" else -inf
    done = judged(before, (gained,), bound, said == "ok", part=look.part)
    if done.fired:
        look.alarms.append(Alarm("fairness", rule.name, bound, bound))
    evidence = bound if said == "unfair" else -inf
    if done.standing.alarmed or said == "ok":
        return done.standing, FairnessReport(found, rule.most, evidence, bound, condition(done, bound, False))
    reason, remedy = (why.reason, why.remedy) if why else ("", "")
    return done.standing, FairnessReport(found, rule.most, evidence, bound, "Unknown", reason, remedy)


def _slices(rule: Rule, profile: Profile, labels: LabelledWindow | None, look: Look) -> Mapping[str, Confusion]:
    given = labels.slices.get(rule.by) if labels is not None else None
    if rule.metric in _UNLABELLED:
        return quality.selected(profile, look.window, rule.by) or given or {}
    return given or {}


def _unknown(found: Unknown, why: Unknown, rule: Rule, bound: float) -> FairnessReport:
    return FairnessReport(found, rule.most, -inf, bound, "Unknown", why.reason, why.remedy)
