"""What a Job that has explained requests has found: kept in the status, and compared with the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fairlead.api.explain import Explain, Explained, Mean, Reference
from fairlead.api.monitors import Monitors
from fairlead.api.tasks import ExplainResult, Moved
from fairlead.api.units import many, seconds, share
from fairlead.monitor import attributions
from fairlead.monitor.attributions import LEAST, Found, Interval, Learnt, Rules, Seen
from fairlead.plan.conditions import quoted
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors import packing
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.store import Location
from fairlead.verdict.bounded import Sums

VARIES = 0.01
"""Part of what contributions add up to, by which answers to the same row may differ."""
UNREAD = 0.5
"""Part of the requests that were drawn, of which so few may be unread; above, the others may be others."""
NAMED = 3
"""Features that a message names."""
_NO_SUMS = "what the Job says of contributions can't be: use the operator's own worker image (images.worker)"
REASONS = {
    "protocol": "are none of the Open Inference Protocol in JSON", "binary": "are no JSON, or tensors as bytes",
    "shape": "have tensors that are no rows of values", "wide": "have more than 500 values a row, or long texts",
    "unlike": "have other tensors than most requests, or than the reference, have",
    "refused": "are refused by the model's server",
}  # fmt: skip
"""By `worker/explaining/bodies.REASONS`."""


def taken(
    look: Look, spec: Monitors, wanted: Explain, explained: Explained, found: ExplainResult, folder: Location,
    part: float,
) -> Explained:  # fmt: skip
    """What is known after it. part: of the window's budget of false alarms."""
    left = found.late + sum(found.unread.values())
    told: dict[str, object] = {"left": left, "asked": found.asked, "calls": found.calls, "reason": "", "message": ""}
    if found.reference is not None:
        told["reference"] = found.reference
    if found.rows:
        told |= {
            "at": look.stamp, "rows": found.rows, "explains": found.explains, "base": found.base,
            "features": found.features, "uri": folder.uri(),
        }  # fmt: skip
    why = _nothing(found, left)
    after = explained.model_copy(update=told)
    if why is not None:
        return after.model_copy(update={"reason": why.reason, "message": why.message[:1024]})
    if not found.sums or found.reference is None:
        words = f"{_most(found)}. These requests are the reference that later ones are compared with"
        return after.model_copy(update={"said": "Unknown", "moved": words[:1024]})
    return _judged(look, spec, wanted, after, found.reference, found, part)


def _nothing(found: ExplainResult, left: int) -> Problem | None:
    """Why nothing can be said; None: something can."""
    if found.rows >= LEAST and left - found.late <= UNREAD * (found.rows + left):
        if found.varies > VARIES:
            return Problem("AnswersVary", "the server answers the same rows differently each time, by "
                           f"{found.varies:.1%} of what features contribute: let it answer the same")  # fmt: skip
        return None
    if found.unread and left - found.late > found.rows:
        worst = max(found.unread, key=lambda reason: found.unread[reason])
        return Problem("RequestsUnread", f"{left - found.late} of {found.rows + left} requests can't be explained: "
                       f"most of them {REASONS.get(worst, worst)}")  # fmt: skip
    if found.without > found.answered / 2:
        return Problem("InputsNotKept", f"of {found.without} of {found.answered} requests no body was kept: those of "
                       "before they were asked for, and of more than 256 KiB")  # fmt: skip
    if found.late:
        return Problem("NoTime", f"{many(found.late, 'request')} could not be explained in time: raise jobs.deadline "
                       "in the installation's values, or give the server more")  # fmt: skip
    corrupt = f"; {many(found.corrupt, 'file')} of the log can't be read" if found.corrupt else ""
    return Problem(
        "TooFewRequests", f"{many(found.answered, 'request was', 'requests were')} kept since the last "
        f"time{corrupt}: it takes {LEAST} that can be explained, and 50 for the first time where the version has no "
        "evaluation",
    )  # fmt: skip


# --- the test ------------------------------------------------------------------------------------------------------


def _judged(
    look: Look, spec: Monitors, wanted: Explain, after: Explained, reference: Reference, found: ExplainResult,
    part: float,
) -> Explained:  # fmt: skip
    rules = Rules(
        seconds(wanted.every), float(spec.false_alarms_per_year), share(spec.tolerance),
        float(look.spec.rollout.design_effect),
    )  # fmt: skip
    mark = packing.digest({"rules": repr(rules), "reference": reference.sha256, "of": len(reference.watched)})
    before = {}
    if after.settings == mark and after.state:
        try:
            before = attributions.parsed(packing.unpacked(after.state))
        except ValueError:  # of another release, or changed by hand: what it knew is gone
            before = {}
    try:
        judged = attributions.judged(_learnt(reference), _seen(found.sums), before, replace(rules, part=part))
    except (ValueError, OverflowError):  # no contributions have such sums
        return after.model_copy(update={"reason": "BadCounts", "message": _NO_SUMS})
    state = packing.packed(attributions.dumped({one.name: one.standing for one in judged}))
    said, words = _said(judged, _note(reference, rules), found)
    return after.model_copy(update={"settings": mark, "state": state, "said": said, "moved": words[:1024]})


def _learnt(reference: Reference) -> list[Learnt]:
    return [Learnt(one.name, _interval(one.share), _interval(one.way)) for one in reference.watched]


def _interval(mean: Mean) -> Interval:
    return Interval(mean.low, mean.mean, mean.high)


def _seen(sums: Sequence[Moved]) -> Mapping[str, Seen]:
    return {one.name: Seen(_sums(one.share), _sums(one.way)) for one in sums}


def _sums(values: Sequence[float]) -> Sums:
    n, total, squares = values
    if n != int(n) or n < LEAST:
        raise ValueError(f"contributions to {n} rows")
    return Sums(int(n), total, squares)


def _said(judged: Sequence[Found], note: str, found: ExplainResult) -> tuple[str, str]:
    drifting = [one for one in judged if one.standing.alarmed]
    if drifting:
        return "Drifting", f"{_told(drifting)}{note}"
    moved = [one for one in judged if not one.within]
    if moved:
        return "Watch", f"{_told(moved)}: no alarm yet{note}"
    return "Ok", f"{_most(found)}, as in the reference{note}"


def _told(found: Sequence[Found]) -> str:
    worst = sorted(found, key=lambda one: (-one.log_evidence, one.name))
    named = [_one(one) for one in worst[:NAMED]]
    return ", ".join(named) + (f" and {len(worst) - NAMED} more" if len(worst) > NAMED else "")


def _one(one: Found) -> str:
    words = f"{quoted(one.name, 60)} contributes {one.share:.0%}, in the reference {one.before.mean:.0%}"
    if abs(one.raises - one.raised) <= abs(one.share - one.before.mean):
        return words
    return f"{words} (on balance {one.raises:+.0%} of all, there {one.raised:+.0%})"


def _most(found: ExplainResult) -> str:
    named = [f"{quoted(one.feature, 60)} ({one.share})" for one in found.features[:NAMED]]
    return f"most contribute {', '.join(named)}" if named else "no feature contributes anything"


def _note(reference: Reference, rules: Rules) -> str:
    """How far shares may move unseen, where that is much more than was asked for; and what they are compared with."""
    widest = max((max(one.share.high - one.share.mean, one.share.mean - one.share.low) for one in reference.watched),
                 default=0.0)  # fmt: skip
    of = "" if reference.of == "evaluation" else f". The reference are the first {reference.rows} requests"
    if widest <= rules.tolerance:
        return of
    return f"{of}. Of some features {widest + rules.tolerance:.0%} more or less goes unseen: the reference has " \
           f"{reference.rows} rows"  # fmt: skip
