"""A guard that is asked after an alarm: between its form in status and the test (`verdict.confirm`); and in words."""

from __future__ import annotations

from fairlead.api.evidence import ArmCounts, GuardEvidence, Proven
from fairlead.api.guard import Guard
from fairlead.api.units import chance, share
from fairlead.api.watch import Watch, WatchedGuard
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import beyond, proofs
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.verdict import confirm
from fairlead.verdict.confirm import Asked
from fairlead.verdict.difference import DifferenceState
from fairlead.verdict.failures import base_rate, log_bound
from fairlead.verdict.guards import Arm, GuardState, Window, decode, decode_all, encode, encode_all


def begun(look: Look, guard: Guard, watched: WatchedGuard, number: int, of: int) -> GuardEvidence:
    """A guard of which nothing is known yet in question `number`; `of` guards are watched."""
    effect = float(look.spec.rollout.design_effect)
    worse_by = share(guard.worse_by) if metric_of(guard).by_difference else 0.0
    rate = base_rate(watched.live.failures - watched.lately.failures, watched.live.requests - watched.lately.requests)
    state = (
        confirm.begin(worse_by, rate, design_effect=effect) if worse_by
        else confirm.begin(odds=decode(watched.odds), floor=decode(watched.floor), design_effect=effect)
    )  # fmt: skip
    alpha = confirm.part(chance(look.spec.rollout.after_promotion.false_alarms), of, number)
    fresh = GuardEvidence(
        guard=watched.guard, digest=watched.digest, threshold=watched.threshold, bound=encode(log_bound(alpha)),
        beyond=beyond.begun(rate, worse_by), state="Watching",
    )  # fmt: skip
    return written(fresh, state, proofs.missed(look))


def state_of(evidence: GuardEvidence, design_effect: float) -> Asked:
    """What a guard knows, as the test uses it."""
    worse = GuardState(
        odds=decode(evidence.odds), log_lr=decode_all(evidence.log_lr), stable=_arm(evidence.stable),
        candidate=_arm(evidence.candidate), windows=evidence.windows, floor=decode(evidence.floor),
        design_effect=design_effect, beyond=beyond.read(evidence.beyond),
    )  # fmt: skip
    fine = evidence.proven
    if fine is None:
        return Asked(worse)
    if not fine.worse_by:
        return Asked(worse, log_safe=tuple(map(decode, fine.log_lr)))
    log_e = tuple(map(decode, fine.log_lr))
    return Asked(
        worse, DifferenceState("safe", decode(fine.worse_by), decode(fine.rate), decode(fine.weight), log_e)
    )  # fmt: skip


def written(evidence: GuardEvidence, state: Asked, missed: float) -> GuardEvidence:
    """As status keeps it. missed: the chance that a version that is worse is called not worse."""
    worse = state.worse
    found = evidence.model_copy(update={
        "odds": encode(worse.odds), "floor": encode(worse.floor), "log_lr": encode_all(worse.log_lr),
        "stable": _counts(worse.stable), "candidate": _counts(worse.candidate), "windows": worse.windows,
        "log_evidence": encode(state.log_worse), "beyond": beyond.after(evidence.beyond, worse.beyond),
        "proven": _fine(state, missed), "reason": "", "message": "",
    })  # fmt: skip
    worse_now = state.log_worse >= decode(found.bound)
    return found.model_copy(update={"state": "Harm" if worse_now else "Watching"})


def _fine(state: Asked, missed: float) -> Proven | None:
    """What is shown of its not being worse."""
    told = {"log_evidence": encode(state.log_not_worse), "bound": encode(log_bound(missed))}
    if state.better is not None:
        one = state.better
        return Proven(
            **told, log_lr=encode_all(one.log_e), rate=encode(one.rate), weight=encode(one.weight),
            worse_by=encode(one.worse_by),
        )  # fmt: skip
    return Proven(**told, log_lr=encode_all(state.log_safe)) if state.log_safe is not None else None


def seen(
    evidence: GuardEvidence, live: tuple[int, int], previous: tuple[int, int], design_effect: float, missed: float
) -> GuardEvidence:  # fmt: skip
    """The guard after one more window: (requests, bad ones) of either version."""
    window = Window(Arm(*previous), Arm(*live))
    return written(evidence, confirm.step(state_of(evidence, design_effect), window), missed)


def not_worse(evidence: GuardEvidence) -> bool:
    """Whether it is shown that it is not the version."""
    fine = evidence.proven
    return fine is not None and decode(fine.log_evidence) >= decode(fine.bound)


def enough(evidence: GuardEvidence) -> bool:
    """Whether both have answered so much that finding nothing says something."""
    return min(evidence.candidate.requests, evidence.stable.requests) >= confirm.ENOUGH


# --- in words ------------------------------------------------------------------------------------------------------


def did(name: str, guard: str, counts: ArmCounts, threshold: str) -> str:
    """What a version did, as a guard sees it: `m-2 failed 25 of 792 (3.2 %)`."""
    return f"{name} {metric_of(guard).did(threshold)} {shares(counts)}"


def shares(counts: ArmCounts) -> str:
    """`25 of 792 (3.2 %)`."""
    part = 100 * counts.failures / max(1, counts.requests)
    return f"{counts.failures} of {counts.requests} ({f'{part:.0f}' if part >= 10 else f'{part:.2g}'} %)"


def compared(watch: Watch, evidence: GuardEvidence) -> str:
    """What both did at the same time."""
    live = did(watch.version, evidence.guard, evidence.candidate, evidence.threshold)
    return f"{live}, {watch.against} {shares(evidence.stable)} at the same time"


def _arm(counts: ArmCounts) -> Arm:
    return Arm(counts.requests, counts.failures)


def _counts(arm: Arm) -> ArmCounts:
    return ArmCounts(requests=arm.requests, failures=arm.failures)
