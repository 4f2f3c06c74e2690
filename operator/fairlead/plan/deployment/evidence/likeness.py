"""Whether two answers to the same request are alike: in shadow steps both versions answer the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import Copies
from fairlead.api.record import Output
from fairlead.api.units import share
from fairlead.plan.deployment.evidence import ahead, answers
from fairlead.plan.deployment.evidence.answers import Batch, Pair
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.verdict import agreement
from fairlead.verdict.agreement import Answer

ENOUGH = 50
"""Live answers after which it must be seen that copies are made, and that answers can be read."""


@dataclass(frozen=True)
class Differing:
    """Two answers to one request that are not the same. `live`, `candidate`: JSON."""

    request: str
    live: Any
    candidate: Any


@dataclass(frozen=True)
class Told:
    """What a batch of a shadow step tells."""

    copies: Copies
    """Of the step, with this batch."""
    alike: int
    different: int
    """Pairs of this batch."""
    differing: tuple[Differing, ...]
    wrong: Problem | None
    """Why the pairs of this step don't show what they seem to."""


def told(output: Output, candidate: Candidate, batch: Batch) -> Told:
    """What a batch tells of a candidate that gets copies."""
    words = [_compared(output, pair) for pair in batch.pairs]
    different, alike = words.count("disagree"), words.count("agree")
    before = candidate.copies
    copies = Copies(
        pairs=before.pairs + different + alike, different=before.different + different,
        unclear=before.unclear + words.count("incomparable"), alone=before.alone + batch.alone,
        failed=before.failed + sum(pair.stable.status >= 400 for pair in batch.pairs),
    )  # fmt: skip
    differing = tuple(_shown(pair) for pair, word in zip(batch.pairs, words, strict=True) if word == "disagree")
    return Told(copies, alike, different, differing, _unusable(copies, candidate))


def _shown(pair: Pair) -> Differing:
    live, own = pair.stable, pair.candidate
    failed = own.status >= 400 or own.output is None
    return Differing(live.request_id, live.output, f"(no answer: HTTP {own.status})" if failed else own.output)


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
