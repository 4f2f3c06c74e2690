"""The quality of a window: estimated from its scores or answers, and real where its labels are known.

What acts is the *loss* in [0, 1] (`monitor.labelled`), judged by bets on sums (`verdict.bounded`) against what the
held-out rows had, plus a margin. The estimated loss of a row is the expected one of its bin in the calibration; it is
held against the mean that the reference's own rows have by the same calibration, plus what that mean may be off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fairlead.monitor import calibration, estimate, labelled, realised, risk
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.counts import ANSWERS, SCORES, Tally, slice_key
from fairlead.monitor.estimate import Estimate
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.profile import Category, Number, Profile, Scores
from fairlead.monitor.realised import Values
from fairlead.monitor.risk import Powered
from fairlead.monitor.unknown import Unknown
from fairlead.verdict import bounded, means
from fairlead.verdict.bounded import Sums

ALPHA = 0.05
"""Of the intervals of real figures."""
_NOTHING = Unknown("the profile has no scores and no losses", "make the profile of held-out rows with their labels")
_NO_POSITIVES = Unknown(
    "the profile doesn't say which answers were positive", "make the profile with the model's answers and its scores"
)


@dataclass(frozen=True)
class Expected:
    """What a window's scores or answers say of its labels."""

    figures: Estimate | Unknown
    losses: Sums = field(default_factory=Sums)
    """Expected ones of its rows."""


@dataclass(frozen=True)
class Calibrated:
    """A profile's calibration."""

    profile: Profile

    @cached_property
    def rates(self) -> tuple[float, ...]:
        """The positive (or right) share by score bin."""
        scores = self.profile.scores
        return calibration.calibrated(scores.right, scores.counts) if scores else ()

    @cached_property
    def losses(self) -> tuple[float, ...]:
        """A regression's mean loss in [0, 1] by bin of the answer."""
        of, most = self.profile.losses, labelled.cap(self.profile)
        if of is None or most is None:
            return ()
        return tuple(min(1.0, total / n / most) if n else 0.0 for n, total in zip(of.counts, of.absolute, strict=True))

    def expected_loss(self, place: int, positive: bool) -> float | None:
        """Of one row. place: the bin of its score, or of a regression's answer; positive: whether it was answered so
        (with more than two classes: true). None: the profile doesn't say."""
        if self.profile.scores is not None:
            rate = self.rates[place]
            return 1 - rate if positive else rate
        return self.losses[place] if place < len(self.losses) else None

    def tolerated(self, worse_by: float, beta: float) -> float | Unknown:
        """The mean of the expected losses that is tolerated."""
        try:
            own = self._reference()
        except (ValueError, OverflowError) as bad:
            return _no_profile(bad)
        if isinstance(own, Unknown):
            return own
        m = own.total / own.n + labelled.sampling(own.n, beta) + worse_by if own.n else 1.0
        if m >= 1:
            return Unknown(f"the profile has only {own.n} held-out rows", "make the profile of more rows")
        return m

    def _reference(self) -> Sums | Unknown:
        scores = self.profile.scores
        if scores is not None:
            if self.profile.positive and not scores.predicted:
                return _NO_POSITIVES
            predicted = scores.predicted if self.profile.positive else scores.counts
            return estimate.expected_errors(scores.counts, predicted, self.rates)
        if self.profile.losses is not None and self.losses:
            return _losses(self.profile.losses.counts, self.losses)
        return _NOTHING

    def expected(self, window: Tally) -> Expected:
        """Of a window. Never raises: what can't be is Unknown."""
        try:
            return self._expected(window)
        except (ValueError, OverflowError) as bad:
            return Expected(_no_profile(bad))

    def _expected(self, window: Tally) -> Expected:
        if self.profile.scores is not None:
            return self._by_scores(self.profile.scores, window)
        if self.losses and isinstance(self.profile.prediction, Number):
            return self._by_answers(self.profile.prediction, window)
        return Expected(_NOTHING)

    def _by_scores(self, scores: Scores, window: Tally) -> Expected:
        bins = len(scores.counts)
        vector = _vector(window, SCORES, 2 * bins + 1)
        if isinstance(vector, Unknown):
            return Expected(vector)
        positive = vector[1 : 2 * bins : 2]
        totals = [vector[2 * at] + positive[at] for at in range(bins)]
        outside = window.outliers / window.rows
        if not self.profile.positive:
            found = estimate.confidence(totals, self.rates, scores.counts, outside)
            return Expected(found, estimate.expected_errors(totals, totals, self.rates))
        if not scores.predicted:
            return Expected(_NO_POSITIVES)
        both = estimate.classification(totals, positive, self.rates, scores.counts, outside)
        return Expected(both, estimate.expected_errors(totals, positive, self.rates))

    def _by_answers(self, prediction: Number, window: Tally) -> Expected:
        vector = _vector(window, ANSWERS, prediction.length)
        of = self.profile.losses
        if isinstance(vector, Unknown) or of is None:
            return Expected(vector if isinstance(vector, Unknown) else _NOTHING)
        totals = vector[: len(of.counts)]
        beyond = (vector[len(of.counts)] + vector[len(of.counts) + 1]) / max(1, sum(vector))
        given = {
            "mae": [means.sample(*one) for one in zip(of.counts, of.absolute, of.squared, strict=True)],
            "mse": [means.sample(*one) for one in zip(of.counts, of.squared, of.fourth, strict=True)],
            "mape": [means.sample(*one) for one in zip(of.nonzero, of.relative, of.relative_squared, strict=True)],
        }
        outside = max(beyond, window.outliers / window.rows)
        return Expected(estimate.regression(totals, given, of.counts, outside), _losses(totals, self.losses))


def real(labels: LabelledWindow) -> Values | Unknown:
    """Each metric of the rows with labels. Never raises: sums that can't be are Unknown."""
    try:
        found: Values = {}
        if labels.confusion is not None:
            found |= realised.classification(labels.confusion)
        elif labels.errors is None:  # of more than two classes: a loss is 1 where the class is wrong
            wrong = round(labels.losses.total)
            found["accuracy"] = realised.share(Confusion(tp=labels.losses.n - wrong, fp=wrong), "accuracy", ALPHA)
        if labels.positives:
            found["auc"] = realised.auc(labels.positives, labels.negatives)
        if labels.errors is not None:
            found |= realised.regression(labels.errors)
    except (ValueError, OverflowError) as bad:
        return Unknown(f"the labels' sums can't be: {str(bad)[:200]}", "look at the join of the labels")
    return found


def powered(labels: LabelledWindow, expected: Sums) -> Powered | Unknown:
    """The mean loss from few labels and all of the window's expected losses (`risk.powered`), if the rows with labels
    are a random choice of such rows. Never raises."""
    try:
        return risk.powered(labels.pairs, expected)
    except (ValueError, OverflowError) as bad:
        return Unknown(f"the labels' sums can't be: {str(bad)[:200]}", "look at the join of the labels")


def log_es(losses: Sums, m: float, design_effect: float) -> tuple[float, ...] | None:
    """The log e-value per bet that the mean loss is above m; None: no rows, or sums that can't be."""
    if losses.n <= 0:
        return None
    try:
        return tuple(value / design_effect for value in bounded.log_bets(losses, m))
    except (ValueError, OverflowError):
        return None


def selected(profile: Profile, window: Tally, by: str) -> dict[str, Confusion]:
    """By slice, its rows that were answered `positive` and the others, told without labels: only selection rates are
    known of them."""
    slices = next((one for one in profile.slices if one.by == by), None)
    of = profile.prediction
    if slices is None or not isinstance(of, Category) or profile.positive not in of.values:
        return {}
    found: dict[str, Confusion] = {}
    for value in slices.values:
        vector = _vector(window, slice_key(by, value, ANSWERS), of.length)
        if not isinstance(vector, Unknown):
            chosen = vector[of.values.index(profile.positive)]
            found[value] = Confusion(fp=chosen, tn=sum(vector) - chosen)
    return found


def _no_profile(bad: Exception) -> Unknown:
    return Unknown(f"the profile's held-out rows don't fit each other: {str(bad)[:200]}", "make the profile again")


def _losses(totals: Sequence[int], each: Sequence[float]) -> Sums:
    pairs = list(zip(totals, each, strict=True))
    return Sums(sum(totals), sum(n * loss for n, loss in pairs), sum(n * loss * loss for n, loss in pairs))


def _vector(window: Tally, key: str, length: int) -> tuple[int, ...] | Unknown:
    vector = window.vectors.get(key)
    if vector is None:
        return Unknown(f"{key[:100]} was not counted", "wait until the recorders have the version's own profile")
    if len(vector) != length or min(vector) < 0 or sum(vector) > window.rows:
        return Unknown(f"the counts of {key[:100]} can't be", "look at the recorders: their counters went wrong")
    return vector
