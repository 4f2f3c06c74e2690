"""What follows from the evidence: take back, hold, or go on. It is decided here, for whoever asks.

Windows are judged at different moments by whoever reads them; what is known then is `Known`. `engine.known` makes it of
windows that are played once more, and the operator of its status. The order is the same for both. Harm counts even
where other evidence is missing. Nothing else does: a metric that is silent comes next, then what makes the comparison
another one than it seems. Only then it matters what is still to be proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Verdict = Literal["harm", "safe", "continue", "undecided", "noEvidence"]
"""harm: take it back; safe: proven, it may go on; continue: keep looking; undecided: patience is over; noEvidence:
freeze, nothing is known."""
Disturbance = Literal["LiveWorse", "SplitWrong"]
"""The live version itself fails more than it used to; the traffic is not divided as asked."""
Waived = Literal["Answers", "LiveWorse"]
"""What is not waited for: answers to compare with; that the live version fails no more than it used to."""


class Said(NamedTuple):
    """What one metric says."""

    name: str
    harm: bool = False
    """Its evidence was at the bound when its last window came in, and nothing speaks against what was counted."""
    silent: str = ""
    """Why nothing is known of it now, in a word; empty: nothing is missed."""
    wanting: bool = False
    """Whether it is silent for want of answers of the live version."""
    proof: float | None = None
    """Log evidence of what must be proven of it; None: nothing must."""
    comparing: bool = False
    """It needs answers of the live version to compare with."""
    unprovable: bool = False
    """Nothing can be proven of it while the live version gives no answers."""


@dataclass(frozen=True)
class Known:
    """All that a decision is made of."""

    metrics: Sequence[Said]
    bound: float
    """The log evidence at which something is proven."""
    live_worse: bool = False
    """Whether the live version itself fails more than it used to (`verdict.common`),"""
    ahead: bool = False
    """and if so, whether the candidate is shown to fail less than it (`verdict.ahead`)."""
    split_wrong: bool = False
    """Whether the traffic is not divided as asked (`verdict.split`)."""
    alone: bool = False
    """Whether the candidate is the only one that mostly answers, by requests or by answers (`verdict.ahead`)."""
    begun: bool = True
    held: str = ""
    """Why else nothing follows from what is known, in a word."""


@dataclass(frozen=True)
class Conclusion:
    """A verdict, and whose it is."""

    verdict: Verdict
    metric: str = ""
    reason: str = ""


def conclude(known: Known, impatient: bool = False) -> Conclusion:
    """What follows. impatient: whether there is no more time."""
    worse = harmed(known)
    if worse:
        return Conclusion("harm", worse.name, "Worse")
    missing = unknown(known)
    if missing:
        return missing
    waiting = unproven(known)
    if waiting is None and any(one.proof is not None for one in known.metrics):
        return Conclusion("safe")
    name = waiting.name if waiting else ""
    if impatient:
        return Conclusion("undecided", name, "PatienceExceeded")
    return Conclusion("continue", name, "Unproven" if waiting else "")


def harmed(known: Known) -> Said | None:
    """The first metric in which the candidate is worse, or None."""
    return next((one for one in known.metrics if one.harm), None)


def unknown(known: Known) -> Conclusion | None:
    """Why nothing can be said now, or None."""
    if not known.begun:
        return Conclusion("noEvidence", reason="NotBegun")
    mute = silent(known)
    if mute:
        return Conclusion("noEvidence", mute.name, mute.silent)
    reason = disturbed(known) or known.held
    return Conclusion("noEvidence", reason=reason) if reason else None


def silent(known: Known) -> Said | None:
    """The first metric of which nothing is known, or None. What can't be compared where the candidate alone answers is
    not missed."""
    mute = (one for one in known.metrics if one.silent)
    return next((one for one in mute if not (known.alone and one.comparing and one.wanting)), None)


def disturbed(known: Known) -> Disturbance | None:
    """Why the comparison is not what it seems, or None."""
    if known.live_worse and not known.ahead:
        return "LiveWorse"
    return "SplitWrong" if known.split_wrong else None


def unproven(known: Known) -> Said | None:
    """The first metric of which something is still to be proven, or None."""
    wanted = (one for one in known.metrics if not (known.alone and one.unprovable))
    return next((one for one in wanted if one.proof is not None and one.proof < known.bound), None)


def waived(known: Known) -> Waived | None:
    """What is not waited for, since the live version fails where the candidate answers; None: all is."""
    if known.alone and any(one.comparing for one in known.metrics):
        return "Answers"
    return "LiveWorse" if known.live_worse and known.ahead else None
