"""What the versions are compared by: two counters of each in Prometheus, a window at a time.

A window closes only when all versions have been read, and all that it adds (cursors, counts, the tests' state) goes
into the status in one write.
"""

from __future__ import annotations

from fairlead.api.candidate import ExperimentStatus
from fairlead.api.experiment import Comparison, Contender, Experiment
from fairlead.api.units import share
from fairlead.plan.core import epoch
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import promcounters
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Failed, PromQuery, Request, Vector
from fairlead.verdict import arms, bandit
from fairlead.verdict.arms import Trials
from fairlead.verdict.failures import log_mean
from fairlead.verdict.guards import decode, encode, encode_all
from fairlead.verdict.proportion import confidence_sequence

EVERY = 5
"""A window is as long as so many of the pods' windows: nobody is rolled back by it."""
EARLY = 0.9
LONGEST = 3
"""It counts as observed for at most so many of its proper lengths."""
SERIES = 160
"""Cursors that the reward may take in status; those of series that are gone stay, as one that came back would be
counted twice."""
MANY = 1000
"""Trials without any success, after which it is asked whether successes are named as the application names them."""
INCONSISTENT = 5
"""After so many windows in which more was a success than there was, somebody is told."""

Answers = dict[tuple[str, str], Vector]


def length(look: Look) -> float:
    """Seconds of a window."""
    return EVERY * look.window


def due(look: Look, kept: ExperimentStatus) -> bool:
    """Whether it is time to ask. In the look in which an experiment is opened nothing has been asked for."""
    then = look.subject.body.status.experiment
    if kept.phase != "Running" or then is None or then.phase != "Running":
        return False
    return kept.counted_at is None or look.now >= epoch(kept.counted_at) + EARLY * length(look)


def requests(look: Look, wanted: Experiment, kept: ExperimentStatus) -> list[Request]:
    """What Prometheus is asked now."""
    return list(_queries(look, wanted, kept).values()) if due(look, kept) else []


def _queries(look: Look, wanted: Experiment, kept: ExperimentStatus) -> dict[tuple[str, str], PromQuery]:
    return {
        (version, part): query
        for version in (kept.against, *(arm.version for arm in kept.arms))
        for part, query in promcounters.queries(look, promcounters.expressions(wanted.reward), version).items()
    }


def window(look: Look, wanted: Experiment, kept: ExperimentStatus) -> tuple[ExperimentStatus, Problem | None]:
    """The experiment after what Prometheus says now; with why it last said nothing."""
    if due(look, kept):
        kept, unknown = _window(look, wanted, kept)
        told = {"silent": unknown.reason, "said": unknown.message[:1024]} if unknown else {"silent": "", "said": ""}
        kept = kept.model_copy(update=told)
    return kept, Problem(kept.silent, kept.said) if kept.silent else None


def _window(look: Look, wanted: Experiment, kept: ExperimentStatus) -> tuple[ExperimentStatus, Problem | None]:
    answers, counted_at = _answers(look, wanted, kept), kept.counted_at
    if isinstance(answers, Problem):
        return kept, answers
    book = Book(kept.cursors)
    if counted_at is None:
        for source, value in promcounters.sources(answers, 0):
            book.begin(source, (value,))
        return kept.model_copy(update={"cursors": book.close(), "counted_at": look.stamp}), None
    added = promcounters.added(0, [kept.against, *(arm.version for arm in kept.arms)], answers, book)
    kept = kept.model_copy(update={"cursors": book.close()})
    if added is None:
        late = look.now - epoch(counted_at) > INCONSISTENT * length(look)
        return kept, Problem("CountersInconsistent", EXCESS) if late else None
    found = {version: Trials(total, total - bad) for version, (total, bad) in added.items()}
    return _counted(look, wanted, kept, found), None


EXCESS = (
    "more were a success (or a failure) than there were: in spec.experiment.reward the second expression must count a "
    "part of total"
)


def _answers(look: Look, wanted: Experiment, kept: ExperimentStatus) -> Answers | Problem:
    asked = _queries(look, wanted, kept)
    if not asked:
        return Problem("NoPrometheus", "a reward needs Prometheus: set prometheus.url in the installation's values")
    found: Answers = {}
    for key, query in asked.items():
        answer = look.world.answer(query)
        if isinstance(answer, Failed):
            return Problem(answer.reason, f"Prometheus can't be asked: {answer.message}")
        if not isinstance(answer, Vector) or answer.unusable:
            return Problem("UnusableValue", f"{query.expression} has values that no counter has (NaN, infinite or "
                           "negative); name plain counters")  # fmt: skip
        found[key] = answer
    if not found[kept.against, "total"].series:
        return Problem("NoSeries", f"Prometheus has no series for {asked[kept.against, 'total'].expression}: is the "
                       "application scraped, and does it count by version?")  # fmt: skip
    if _never_good(found):
        return Problem("NoSeries", f"Prometheus has no series for {asked[kept.against, 'successes'].expression}, nor "
                       f"of another version, after more than {MANY} trials: is it spelt as the application names it? "
                       "Else there was no success at all")  # fmt: skip
    if Book(kept.cursors).outcomes({source for source, _ in promcounters.sources(found, 0)}) > SERIES:
        return Problem("TooManySeries", "the reward's expressions have too many series, or series that come and go "
                       "with pods: add them up in a recording rule without the pod's label, and name that one in "
                       "spec.experiment.reward (the experiment then starts over)")  # fmt: skip
    return found


def _never_good(found: Answers) -> bool:
    """Whether no version has a series of successes, though there were many trials: nobody could be told apart."""
    good = [vector for (_, part), vector in found.items() if part == "successes"]
    trials = sum(value for (_, part), vector in found.items() if part == "total" for _, value in vector.series)
    return bool(good) and not any(vector.series for vector in good) and trials > MANY


def _counted(look: Look, wanted: Experiment, kept: ExperimentStatus, found: dict[str, Trials]) -> ExperimentStatus:
    """The counts and the tests after one more window."""
    assert kept.counted_at
    effect = float(look.spec.rollout.design_effect)
    before = {(one.better, one.worse): tuple(map(decode, one.log_lr)) for one in kept.comparisons}
    after = arms.step(before, found, effect)
    observed = min(look.now - epoch(kept.counted_at), LONGEST * length(look))
    contenders = [
        one.model_copy(update={
            "total": one.total + found[one.version].total, "successes": one.successes + found[one.version].successes,
        }) if one.version in found else one
        for one in kept.contenders
    ]  # fmt: skip
    counted = kept.model_copy(update={
        "contenders": contenders, "counted_at": look.stamp,
        "observed": encode(decode(kept.observed) + (observed if any(one.total for one in found.values()) else 0.0)),
        "comparisons": [
            Comparison(better=better, worse=worse, log_lr=encode_all(lrs), log_evidence=encode(log_mean(lrs)))
            for (better, worse), lrs in sorted(after.items())
        ],
    })  # fmt: skip
    return _judged(wanted, counted)


def _judged(wanted: Experiment, kept: ExperimentStatus) -> ExperimentStatus:
    """Who is shown to be worse, and what is believed of each. What has been shown stands."""
    count, confidence = len(kept.contenders), share(wanted.confidence)
    at = arms.bound(confidence, count)
    alive = [one for one in kept.contenders if one.state != "Out"]
    known = [one.version for one in alive if one.total >= wanted.requests]
    evidence = {(one.better, one.worse): tuple(map(decode, one.log_lr)) for one in kept.comparisons}
    worse = arms.worse(evidence, known, at)
    beliefs = bandit.standings([Trials(one.total, one.successes) for one in alive])
    found = {
        one.version: _described(one, belief, (1.0 - confidence) / count, worse.get(one.version))
        for one, belief in zip(alive, beliefs, strict=True)
    }
    contenders = [found.get(one.version, one) for one in kept.contenders]
    return kept.model_copy(update={"contenders": contenders, "bound": encode(at)})


def _described(one: Contender, belief: bandit.Standing, alpha: float, by: str | None) -> Contender:
    within = confidence_sequence(one.successes, one.total, alpha)
    shown = {"state": "Worse", "reason": f"{by}IsBetter"[:64]} if by and one.state != "Worse" else {}
    return one.model_copy(update={
        "rate": f"{one.successes / one.total:.6g}" if one.total else "", "low": f"{within.low:.6g}",
        "high": f"{within.high:.6g}", "best": f"{belief.best:.6g}", "loss": f"{belief.loss:.6g}", **shown,
    })  # fmt: skip


def missing(wanted: Experiment, kept: ExperimentStatus) -> list[str]:
    """The versions that have not been tried often enough to be judged."""
    alive = [one for one in kept.contenders if one.state not in phase.OVER]
    return [one.version for one in alive if one.total < wanted.requests]
