"""Shadow steps: both versions answer the same requests, and their answers are compared.

The candidate is harmful when the share of requests that it answers differently is shown to lie above the tolerated
one: its own rate alone is judged, by the test of `verdict.margin`.
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import CanaryStep
from fairlead.api.evidence import Copies, GuardEvidence
from fairlead.api.record import Output
from fairlead.api.units import share
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ahead, answers, guards, judgements
from fairlead.plan.deployment.evidence.answers import Batch, Pair
from fairlead.plan.deployment.evidence.signals import guard_id
from fairlead.plan.deployment.metrics import review, scores
from fairlead.plan.deployment.metrics.review import Differing
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.verdict import agreement
from fairlead.verdict.agreement import Answer
from fairlead.verdict.guards import encode
from fairlead.verdict.margin import alone

ENOUGH = 50
"""Live answers after which it must be seen that copies are made, and that answers can be read."""
METRIC = "disagreement"


def copied(step: CanaryStep, candidate: Candidate) -> str:
    """The share of the requests of which copies are to be made now, `25%`; empty for none."""
    if candidate.step < 0 or not candidate.shadow or over(step, candidate):
        return ""
    return candidate.shadow


def over(step: CanaryStep, candidate: Candidate) -> bool:
    """Whether all copies that the step may cost have been made."""
    return bool(candidate.shadow) and step.copies is not None and candidate.step_requests >= step.copies


def compared(candidate: Candidate) -> bool:
    """Whether both versions answer requests that nobody has chosen for them: not in a preview, nor at 100 %."""
    return bool(candidate.shadow) or 0 < candidate.weight < 100


# --- a window ------------------------------------------------------------------------------------------------------


def window(look: Look, candidate: Candidate) -> Candidate:
    """The candidate after the answers that have come in. Answers that can't be read silence the guards that need
    them."""
    if not answers.wanted(look, candidate):
        return _at_rest(look, candidate)
    found = answers.read(look, candidate)
    if isinstance(found, Problem):
        silent = scores.silenced(look, candidate, found)
        return _silenced(look, silent, found) if candidate.shadow else _at_rest(look, silent)
    batch, cursors = found
    read = ahead.heard(candidate.model_copy(update={"answers": cursors}), batch)
    if compared(read):
        read = scores.window(look, ahead.answered(look, read, batch), batch)
    else:
        read = scores.unasked(look, read)
    return _judged(look, read, batch) if candidate.shadow else _at_rest(look, read)


def _at_rest(look: Look, candidate: Candidate) -> Candidate:
    """Outside of shadow steps there are no pairs, and nothing is missed."""
    return _each(look, _reviewed(look, candidate), lambda one: one if one.began_at else _watching(one))


def _silenced(look: Look, candidate: Candidate, why: Problem) -> Candidate:
    return _each(look, _reviewed(look, candidate, why), lambda one: guards.silent(one, why.reason, why.message))


def _reviewed(look: Look, candidate: Candidate, why: Problem | None = None) -> Candidate:
    """Without answers people have nothing to judge."""
    return _each(
        look, candidate, lambda one: guards.silent(one, why.reason, why.message) if why else _watching(one),
        judgements.METRIC,
    )  # fmt: skip


def _judged(look: Look, candidate: Candidate, batch: Batch) -> Candidate:
    assert look.spec.record
    told = [_compared(look.spec.record.output, pair) for pair in batch.pairs]
    different, alike = told.count("disagree"), told.count("agree")
    before = candidate.copies
    copies = Copies(
        pairs=before.pairs + different + alike, different=before.different + different,
        unclear=before.unclear + told.count("incomparable"), alone=before.alone + batch.alone,
        failed=before.failed + sum(pair.stable.status >= 400 for pair in batch.pairs),
    )  # fmt: skip
    wrong = _unusable(copies, candidate)
    differ = [_shown(pair) for pair, word in zip(batch.pairs, told, strict=True) if word == "disagree"]
    candidate = review.offer(look, _reviewed(look, candidate, wrong), differ)

    def after(one: GuardEvidence) -> GuardEvidence:
        begun = one if one.odds else one.model_copy(update=_margin(look, one))
        seen = guards.seen(look, _watching(begun, look.stamp), (alike + different, 0), (alike + different, different))
        return guards.silent(seen, wrong.reason, wrong.message) if wrong and seen.state != "Harm" else seen

    return _each(look, candidate.model_copy(update={"copies": copies}), after)


def _shown(pair: Pair) -> Differing:
    live, own = pair.stable, pair.candidate
    failed = own.status >= 400 or own.output is None
    return Differing(live.request_id, live.output, f"(no answer: HTTP {own.status})" if failed else own.output)


def _margin(look: Look, one: GuardEvidence) -> dict[str, object]:
    guard = look.spec.rollout.guards[int(one.guard.split("/")[0])]
    tolerated = alone(share(guard.worse_by))
    return {"odds": encode(tolerated.odds), "floor": encode(tolerated.floor)}


def _watching(one: GuardEvidence, began: str | None = None) -> GuardEvidence:
    return one.model_copy(
        update={"state": "Watching", "reason": "", "message": "", "began_at": one.began_at or began}
    )  # fmt: skip


def _each(
    look: Look, candidate: Candidate, change: Callable[[GuardEvidence], GuardEvidence], metric: str = METRIC
) -> Candidate:  # fmt: skip
    ids = {guard_id(i, guard) for i, guard in enumerate(look.spec.rollout.guards) if guard.metric == metric}
    states = guards.all_of(look, candidate)
    if not ids:
        return candidate
    return candidate.model_copy(update={"guards": [change(one) if one.guard in ids else one for one in states]})


def _compared(output: Output, pair: Pair) -> Answer:
    """A candidate that fails where the live version answers gives another answer."""
    stable, candidate = pair.stable, pair.candidate
    if stable.status >= 400 or stable.output is None:
        return "incomparable"
    if candidate.status >= 400 or candidate.output is None:
        return "disagree"
    return agree(output, stable.output, candidate.output)


def agree(output: Output, stable: object, candidate: object) -> Answer:
    """Whether two answers are the same. A list of labels, numbers or texts (several rows in one request) is the same
    if all of them are."""
    if output.type in ("class", "number", "text") and isinstance(stable, list):
        return _rows(output, stable, candidate)
    absolute, relative = float(output.absolute), share(output.relative)
    match output.type:
        case "class":
            return agreement.classes(_label(stable), _label(candidate))
        case "number":
            return agreement.numbers(stable, candidate, absolute, relative)
        case "vector":
            return agreement.vectors(stable, candidate, absolute, relative)
        case "embedding":
            return agreement.embeddings(stable, candidate, float(output.cosine))
        case "text":
            return agreement.texts(stable, candidate)


def _label(value: object) -> object:
    """Servers write whole labels as floats too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _rows(output: Output, stable: list[object], candidate: object) -> Answer:
    if not isinstance(candidate, list) or len(candidate) != len(stable):
        return "disagree"
    told = {agree(output, a, b) for a, b in zip(stable, candidate, strict=True)}
    if "incomparable" in told or not told:
        return "incomparable"
    return "disagree" if "disagree" in told else "agree"


def _failing(copies: Copies, candidate: Candidate) -> Problem:
    """The live version gives hardly an answer that another one could be compared with."""
    against, version = candidate.against, candidate.version
    return Problem(
        ahead.LIVE_FAILS, f"{copies.failed} of {copies.pairs + copies.unclear} answers of {against} in this step are "
        f"failures, so answers can't be compared; it goes on when {against} answers again, or when {version} is shown "
        f"to fail less on the same requests{ahead.saying(candidate, against)}{ahead.saying(candidate, version)}",
    )  # fmt: skip


def _unusable(copies: Copies, candidate: Candidate) -> Problem | None:
    """Why the pairs of this step don't show what they seem to."""
    both = copies.pairs + copies.unclear
    if copies.unclear >= ENOUGH and 2 * copies.unclear > both:
        return _failing(copies, candidate) if 2 * copies.failed > copies.unclear else Problem(
            "OutputUnreadable", f"{copies.unclear - copies.failed} of {both} answers of {candidate.against} are not of "
            "the declared type: correct spec.record.output (type, path)",
        )  # fmt: skip
    answered = both + copies.alone
    if answered >= ENOUGH and both < answered * share(candidate.shadow) / 2:
        return Problem("CopiesMissing", f"only {both} of {answered} requests were answered by {candidate.version} too, "
                       f"though {candidate.shadow} are copied: are its answers late by more than {answers.LATE:g} s, "
                       "or does the gateway not mirror?")  # fmt: skip
    return None
