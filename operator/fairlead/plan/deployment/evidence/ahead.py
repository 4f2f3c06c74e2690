"""Where the live version fails and the candidate answers: what shows it, and how it is said."""

from __future__ import annotations

from fairlead.api.candidate import Candidate, Says
from fairlead.api.evidence import Ahead, ArmCounts
from fairlead.plan.deployment import excerpts
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence.answers import Batch
from fairlead.plan.deployment.evidence.guards import bound
from fairlead.verdict import ahead
from fairlead.verdict.counted import Arm, Window
from fairlead.verdict.guards import decode_all, encode_all

LIVE_FAILS = "LiveFails"
"""Why answers can't be compared."""


# --- what is known -------------------------------------------------------------------------------------------------


def window(look: Look, kept: Ahead, stable: tuple[int, int], candidate: tuple[int, int]) -> Ahead:
    """After one more window: (requests, failures) of each arm."""
    effect = float(look.spec.rollout.design_effect)
    return _written(ahead.step(_read(kept), Window(Arm(*stable), Arm(*candidate)), effect))


def answered(look: Look, candidate: Candidate, batch: Batch) -> Candidate:
    """The candidate after the answers that have come in. Those that the server refused to give count as failures here:
    who sends what one version does not understand may be told so by 400 as well as by 500."""
    arms = [(len(arm), sum(one.status >= 400 for one in arm)) for arm in (batch.stable, batch.candidate)]
    return candidate.model_copy(update={"answering": window(look, candidate.answering, *arms)}) if any(
        requests for requests, _ in arms
    ) else candidate  # fmt: skip


def heard(candidate: Candidate, batch: Batch) -> Candidate:
    """The candidate with the last failure that each version has answered with."""
    known = {one.version: one for one in candidate.says}
    for version, arm in ((candidate.against, batch.stable), (candidate.version, batch.candidate)):
        last = next((one for one in reversed(arm) if one.status >= 400), None)
        if last is not None:
            known[version] = Says(version=version, status=last.status, body=excerpts.of_failure(last.output))
    found = list(known.values())
    return candidate if found == candidate.says else candidate.model_copy(update={"says": found})


def _read(kept: Ahead) -> ahead.Ahead:
    stable, candidate = (Arm(one.requests, one.failures) for one in (kept.stable, kept.candidate))
    return ahead.Ahead(decode_all(kept.log_lr), stable, candidate)


def _written(state: ahead.Ahead) -> Ahead:
    counts = {
        name: ArmCounts(requests=arm.requests, failures=arm.failures)
        for name, arm in (("stable", state.stable), ("candidate", state.candidate))
    }
    return Ahead(**counts, log_lr=encode_all(state.log_lr) if any(state.log_lr) else [])


# --- what follows from it ------------------------------------------------------------------------------------------


def shown(look: Look, candidate: Candidate) -> bool:
    """Whether the candidate is shown to fail less than the live version: then it need not wait for that one."""
    return ahead.shown(_read(candidate.ahead), bound(look))


def alone(look: Look, candidate: Candidate) -> Ahead | None:
    """What shows that the candidate mostly answers and the live version mostly does not; None if nothing does."""
    failing = [one for one in (candidate.answering, candidate.ahead) if 2 * one.stable.failures > one.stable.requests]
    return next((one for one in failing if ahead.alone(_read(one), bound(look))), None)


# --- what is told --------------------------------------------------------------------------------------------------


def both(candidate: Candidate, found: Ahead) -> str:
    """What both versions did at the same time."""
    live, own = found.stable, found.candidate
    return (
        f"{candidate.against} failed {live.failures} of {live.requests}, {candidate.version} {own.failures} of "
        f"{own.requests} at the same time"
    )


def saying(candidate: Candidate, version: str) -> str:
    """What a version answers where it fails, as the end of a sentence; nothing if no answer is known."""
    found = next((one for one in candidate.says if one.version == version), None)
    if found is None:
        return ""
    return f". {version} answers {found.status}" + (f": {found.body}" if found.body else "")
