"""Two counters by version, as Prometheus answers: what each arm's have added, each unit once.

Bad outcomes are counted by themselves (`failures`), or they are what is left of the total without the good ones
(`successes`). The two counters are read at different moments, perhaps on both sides of a scrape. What has not been read
of one of them must not make outcomes bad:

- bad ones that run ahead of their total wait for it: nothing is taken until both fit;
- of the total, only what an *earlier* look has seen is held against the good ones: every good one of it has been read
  by then. Good ones that run ahead wait, as above.

So a window is never negative, nothing is lost, and what is late is in a later window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fairlead.api.guard import PromCounters
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Failed, PromQuery, Vector

Asked = Mapping[tuple[str, str], PromQuery]
"""By arm and part (`total`, and `failures` or `successes`)."""
Answers = Mapping[tuple[str, str], Vector]
Counts = dict[str, tuple[int, int]]
"""(all, bad ones) by arm."""

NO_PROMETHEUS = Problem("NoPrometheus", "this guard needs Prometheus: set prometheus.url in the installation's values")
MANY = 100
"""Outcomes among which no bad one is worth a word to people."""
REMEDIES = {
    "BadQuery": "correct the expression",
    "NotPrometheus": "check prometheus.url in the installation's values",
}
"""What a person does about an answer that is no answer; what is not listed ends by itself."""


def field(index: int, part: str) -> str:
    """Where an expression stands in the Deployment."""
    return f"spec.rollout.guard[{index}].{part}"


def unanswered(index: int, part: str, failed: Failed) -> Problem:
    """Why a query has no answer, by the field that asks it."""
    remedy = REMEDIES.get(failed.reason, "it is asked again until there is an answer")
    return Problem(failed.reason, f"{field(index, part)} has no answer of Prometheus: {failed.message} ({remedy})")


def read(look: Look, index: int, asked: Asked, needed: str) -> Answers | Problem:
    """All answers, or why there are none that could be compared. needed: the arm that must have outcomes."""
    if not asked:
        return NO_PROMETHEUS
    found: dict[tuple[str, str], Vector] = {}
    for (arm, part), query in asked.items():
        answer, name = look.world.answer(query), f"promql.{part}"
        if isinstance(answer, Failed):
            return unanswered(index, name, answer)
        if not isinstance(answer, Vector) or answer.unusable:
            return Problem("UnusableValue", f"{field(index, name)}: {query.expression} has values that no counter has "
                           "(NaN, infinite or negative); name plain counters")  # fmt: skip
        found[arm, part] = answer
    if not found[needed, "total"].series:
        return Problem("NoSeries", f"{field(index, 'promql.total')}: Prometheus has no series for "
                       f"{asked[needed, 'total'].expression}: is the application scraped, and does it count by "
                       "version?")  # fmt: skip
    good = found.get((needed, "successes"))
    if good is not None and not good.series and _sum(found, needed, "total"):
        return Problem("NoSeries", f"{field(index, 'promql.successes')}: Prometheus has no series for "
                       f"{asked[needed, 'successes'].expression}, though there are outcomes: is it spelt as the "
                       "application names it? Else each of them was bad")  # fmt: skip
    return found


def unproven(index: int, answers: Answers) -> str:
    """What people are told where no version has a series of bad ones, though there are many outcomes; or nothing."""
    bad = [vector for (_, part), vector in answers.items() if part == "failures"]
    total = sum(value for (_, part), vector in answers.items() if part == "total" for _, value in vector.series)
    if not bad or any(vector.series for vector in bad) or total < MANY:
        return ""
    return (
        f"{field(index, 'promql.failures')} has no series of any version, which counts as no bad outcome: is it spelt "
        "as the application names it?"
    )


def life(answers: Answers, arm: str) -> tuple[int, int]:
    """(all, bad ones) that an arm's series have counted in their life."""
    total = _sum(answers, arm, "total")
    if (arm, "failures") in answers:
        return total, min(total, _sum(answers, arm, "failures"))
    return total, max(0, total - _sum(answers, arm, "successes"))


def _sum(answers: Answers, arm: str, part: str) -> int:
    return int(sum(value for _, value in answers[arm, part].series))


def sources(answers: Answers, index: int) -> Iterable[tuple[str, float]]:
    """The cursors of all series, with their values now."""
    for arm, part, series, value in _series(answers):
        yield _source(index, arm, part, series), value
        if part == "total" and (arm, "successes") in answers:
            yield _seen(index, arm, series), value


def _source(index: int, arm: str, part: str, series: str) -> str:
    return f"{index}/{arm}/{part[0]}/{series}"


def _seen(index: int, arm: str, series: str) -> str:
    """Of a total: what was read last, of which only a part may have been counted."""
    return f"{index}/{arm}/seen/{series}"


def too_many(index: int, most: int) -> Problem:
    """There is no room for all the cursors."""
    return Problem("TooManySeries", f"{field(index, 'promql')}: the expressions have more than {most} series, or "
                   "series that come and go; add them up in a recording rule")  # fmt: skip


def fallen(index: int, answers: Answers, book: Book) -> bool:
    """Whether a series has less than was read before: an application began anew, or several answer one scrape."""
    return any(value < book.at(source, 0.0) for source, value in sources(answers, index))


def added(
    index: int, arms: Iterable[str], answers: Answers, book: Book, most: Mapping[str, int] | None = None
) -> Counts | None:  # fmt: skip
    """What a window adds; None where the counters do not fit each other yet: then nothing is taken of them. most: what
    each arm has answered since counting began."""
    trial, found = book.copy(), {}
    for arm in _returned(index, answers, trial, most or {}):
        _begin_anew(index, arm, answers, trial)
    for arm in arms:
        good = (arm, "successes") in answers
        total = _read(index, arm, "total", answers, trial, earlier=good)
        part = _read(index, arm, "successes" if good else "failures", answers, trial)
        found[arm] = total, total - part if good else part
    fits = all(0 <= bad <= total for total, bad in found.values())
    if fits:
        book.replace(trial)
    for source, value in sources(answers, index):
        if "/seen/" in source:
            book.begin(source, (value,))
    return found if fits else None


def _returned(index: int, answers: Answers, trial: Book, most: Mapping[str, int]) -> set[str]:
    """The arms with a series that comes only now, and with more than there has been: it was away, and is older."""
    return {
        arm for arm, part, series, now in _series(answers)
        if arm in most and now > most[arm] and _source(index, arm, part, series) not in trial
    }  # fmt: skip


def _begin_anew(index: int, arm: str, answers: Answers, trial: Book) -> None:
    """What an arm's new series have counted so far is not evidence: nobody knows since when."""
    mine = {key: vector for key, vector in answers.items() if key[0] == arm}
    for _, part, series, now in _series(mine):
        if _source(index, arm, part, series) not in trial:
            trial.begin(_source(index, arm, part, series), (now,))
            if part == "total" and (arm, "successes") in answers:
                trial.begin(_seen(index, arm, series), (now,))


def _series(answers: Answers) -> Iterator[tuple[str, str, str, float]]:
    """(arm, part, series, value) of all."""
    for (arm, part), vector in answers.items():
        for series, value in vector.series:
            yield arm, part, series, value


def _read(index: int, arm: str, part: str, answers: Answers, trial: Book, *, earlier: bool = False) -> int:
    """A series that appears later began at zero while we watched."""
    taken = 0
    for series, now in answers[arm, part].series:
        value = trial.at(_seen(index, arm, series), 0.0) if earlier else now
        taken += trial.read(_source(index, arm, part, series), (value,), from_zero=True, parts=False).deltas[0]
    return taken


def queries(look: Look, expressions: Mapping[str, str], version: str) -> dict[str, PromQuery]:
    """The queries for one version by part: `total`, and `failures` or `successes`; or `value`. None without Prometheus.

    Names of versions and namespaces are DNS labels: nothing in them has a meaning in PromQL."""
    url = look.world.config.prometheus.url
    if not url:
        return {}
    return {
        part: PromQuery(
            url,
            text.replace("{{version}}", version).replace("{{namespace}}", look.namespace),
            part == "value",
            look.namespace,
        )
        for part, text in expressions.items()
    }


def expressions(wanted: PromCounters | None) -> dict[str, str]:
    """PromQL of two counters, by part."""
    if wanted is None:
        return {}
    told = {"total": wanted.total, "failures": wanted.failures, "successes": wanted.successes}
    return {part: text for part, text in told.items() if text}
