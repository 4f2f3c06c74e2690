"""What real harm asks, between its form in status and the test (`monitor.question`), with its lines in the ledger.

What follows from it is decided in `rollback.confirming`: a rollback stands above the monitors.
"""

from __future__ import annotations

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.labelled import Asks
from fairlead.api.monitors import Monitored, Question
from fairlead.api.tasks import Compared
from fairlead.api.units import chance, share
from fairlead.monitor import bounds
from fairlead.monitor import question as test
from fairlead.monitor.question import Asked
from fairlead.plan.core import epoch, rfc3339
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import proofs
from fairlead.plan.deployment.monitors import askbook
from fairlead.verdict import confirm
from fairlead.verdict.failures import log_bound
from fairlead.verdict.guards import decode, encode, encode_all

LIMIT = 2.0
"""A question ends after so many times as long as the harm took to be found: labels that came by then come again."""
DAY = 86400.0
SHORTEST, LONGEST = DAY, 30 * DAY
LEAST = 0.001
"""Of a margin: with none, nothing could ever be shown not to be better."""
OPEN = askbook.OPEN
MONITOR = "quality"
"""Whose harm asks."""


def is_open(status: DeploymentStatus) -> bool:
    """Whether it is being asked."""
    kept = status.monitors
    return kept is not None and kept.question is not None and kept.question.state in OPEN


def begun(look: Look, kept: Monitored, against: str | None, reason: str, message: str) -> Monitored:
    """The monitors with a question of which nothing is known yet."""
    number = kept.questions + 1
    margin = max(LEAST, share(look.spec.monitors.worse_by)) if look.spec.monitors else LEAST
    alpha = confirm.part(chance(look.spec.rollout.after_promotion.false_alarms), 1, number)
    left = min(LONGEST, max(SHORTEST, LIMIT * (look.now - epoch(kept.since))))
    fresh = Question(
        number=number, against=against, since=look.stamp, until=rfc3339(look.now + left), reason=reason,
        message=message[:1024], bound=encode(log_bound(alpha)), bound_not_better=encode(log_bound(proofs.missed(look))),
        margin=encode(margin), design_effect=encode(float(look.spec.rollout.design_effect)),
    )  # fmt: skip
    fresh = written(fresh, Asked())
    return askbook.asked(look, kept.model_copy(update={"questions": number, "question": fresh}))


def written(asked: Question, known: Asked) -> Question:
    """As status keeps it."""
    return asked.model_copy(update={
        "pairs": known.n, "total": encode(known.total), "refused": known.refused,
        "better": encode_all(known.better), "not_better": encode_all(known.not_better),
        "log_better": encode(known.log_better), "log_not_better": encode(known.log_not_better),
    })  # fmt: skip


def asks(kept: Monitored) -> Asks | None:
    """What a join that begins now asks besides. Labels that it counts were counted by nobody before: not by the alarm
    either."""
    asked = kept.question
    if asked is None or asked.state != "Asking" or asked.against is None:
        return None
    return Asks(question=asked.number, against=asked.against, margin=asked.margin)


def heard(look: Look, kept: Monitored, wanted: Asks | None, compared: Compared | None) -> Monitored:
    """The monitors after what a join has compared; an answer to another question says nothing."""
    asked = kept.question
    if asked is None or compared is None or wanted is None or asked.state not in OPEN:
        return kept
    if (wanted.question, wanted.against, wanted.margin) != (asked.number, asked.against, asked.margin):
        return kept
    try:
        bounds.counts(pairs=asked.pairs + compared.n, refused=asked.refused + compared.refused,
                      unkept=asked.unkept + compared.unkept)  # fmt: skip
        known = test.step(askbook.state_of(asked), askbook.gained(compared), decode(asked.design_effect))
    except ValueError:  # no pairs have such sums: the worker is another release's
        return kept
    more = {"unkept": asked.unkept + compared.unkept, "trouble": compared.trouble[:1024]}
    after = written(asked, known).model_copy(update=more)
    return askbook.heard(look, kept.model_copy(update={"question": after}), compared)


def troubled(kept: Monitored, why: str) -> Monitored:
    """The monitors after a join that asked and has failed; the next attempt counts the labels alone."""
    asked = kept.question
    if asked is None or asked.state not in OPEN or asked.trouble == why[:1024]:
        return kept
    return kept.model_copy(update={"question": asked.model_copy(update={"trouble": why[:1024]})})


def answer(asked: Question) -> test.Answer:
    """What has been shown."""
    return test.decided(askbook.state_of(asked), decode(asked.bound), decode(asked.bound_not_better))


def closed(look: Look, kept: Monitored, result: str, reason: str, message: str) -> Monitored:
    """The monitors with how their question ended."""
    assert kept.question
    over = kept.question.model_copy(update={"state": result, "reason": reason, "message": message[:1024]})
    return askbook.answered(look, kept.model_copy(update={"question": over}), result, message)


def left_behind(look: Look, kept: Monitored) -> Monitored:
    """The monitors as they are left, for another version is live or nobody watches any more."""
    if kept.question is None or kept.question.state not in OPEN:
        return kept
    return closed(look, kept, "Dropped", "Superseded", f"{kept.version} is not live, or not watched any more")


def recounted(look: Look, kept: Monitored) -> Monitored:
    """The monitors when their labels are counted by other settings, all of them: also those that have rung, and those
    whose pairs are known. Nothing is asked with these."""
    if kept.question is None or kept.question.state not in OPEN:
        return kept
    said = "labels are counted anew, by other settings: when they show harm, it is asked once more"
    return closed(look, kept, "Dropped", "LabelsChanged", said).model_copy(update={"question": None})


def counts(asked: Question, live: str) -> str:
    """What was counted so far, in words."""
    known = askbook.state_of(asked)
    more = f", and did not answer {asked.refused} more" if asked.refused else ""
    unkept = f"; {asked.unkept} could not be asked, their bodies were not kept" if asked.unkept else ""
    if not known.n:
        return f"{asked.against} has answered none of the requests whose labels came since{more}{unkept}"
    points = 100 * known.difference
    which = "larger" if points >= 0 else "smaller"
    return (
        f"on {known.n} requests whose labels came since, the loss of {live} is {abs(points):.1f} points {which} than "
        f"that of {asked.against}{more}{unkept}"
    )


def evidence(asked: Question) -> str:
    """How far it is shown, in words."""
    return (
        f"evidence that it is better {decode(asked.log_better):.1f} of {decode(asked.bound):.1f}, that it is not "
        f"{decode(asked.log_not_better):.1f} of {decode(asked.bound_not_better):.1f}"
    )
