"""The state of a guard between its form in status and the one that the statistics use."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.units import chance, share
from fairlead.manifests.meta import short_hash
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import beyond, pairs, proofs
from fairlead.plan.deployment.evidence.signals import guard_id
from fairlead.verdict import failures
from fairlead.verdict.guards import (
    Arm,
    GuardState,
    Window,
    decode,
    decode_all,
    divide,
    encode,
    encode_all,
    step,
)
from fairlead.verdict.margin import Margin, margin

PRIOR = 49
"""Requests without a failure that are added when the live version's failure rate is estimated: with hardly any request
of its own, it is taken to fail 1 % of them."""
BEYOND = "UnusableValue"
"""Reason where what is counted has risen by more than can be reckoned with."""
ENOUGH = 100
"""Outcomes of the live version that must be known before a margin on top of their rate means anything."""


def all_of(look: Look, candidate: Candidate) -> list[GuardEvidence]:
    """The guards as the spec lists them now; a new or changed one begins anew."""
    known, wanted = {guard.guard: guard for guard in candidate.guards}, digests(look)
    found = []
    for index, guard in enumerate(look.spec.rollout.guards):
        old = known.get(guard_id(index, guard))
        found.append(old if old and old.digest == wanted[index] else fresh(look, index, guard))
    return found


def fresh(look: Look, index: int, guard: Guard) -> GuardEvidence:
    """A guard that has seen nothing."""
    return GuardEvidence(
        guard=guard_id(index, guard), digest=digests(look)[index], odds="",
        bound=encode(bound(look)), reason="NotBegun", message="no counter has been read yet",
    )  # fmt: skip


def digests(look: Look) -> list[str]:
    """Of all guards."""
    return look.fixed("digests", lambda: list(map(digest, look.spec.rollout.guards)))


def digest(guard: Guard) -> str:
    """Of the guard as it was written. Whether it is off is none of it: one that is has no state."""
    return short_hash(guard.model_dump_json(exclude={"off", "off_unquoted"}))


def alpha(look: Look) -> float:
    """One guard's part of the chance that a healthy version is rolled back."""
    rollout = look.spec.rollout
    return divide(chance(rollout.false_alarms), len(rollout.guards))


def bound(look: Look) -> float:
    """The log evidence at which one guard shows harm."""
    return look.fixed("bound", lambda: failures.log_bound(alpha(look)))


def live_rate(requests: int, failed: int) -> float:
    """The live version's failure rate in (0, 1), from what it has counted in its life."""
    return failures.base_rate(failed, requests + PRIOR)


def frozen(look: Look, guard: Guard, requests: int, failed: int, *, by_difference: bool) -> dict[str, object]:
    """The margin and the proof to be had as status keeps them, from what the live version has counted in its life.
    by_difference: whether `worseBy` is judged as a difference of rates."""
    rate, worse_by = live_rate(requests, failed), share(guard.worse_by)
    found = written(look, guard, margin(rate, worse_by), rate, worse_by)
    return found | {"beyond": beyond.begun(rate, worse_by) if by_difference else None}


def written(look: Look, guard: Guard, tolerated: Margin, rate: float, worse_by: float) -> dict[str, object]:
    """The same from a margin. rate: the live version's; worse_by: a difference of shares."""
    proven = proofs.begun(look, guard, rate, worse_by)
    return {"odds": encode(tolerated.odds), "floor": encode(tolerated.floor), "proven": proven}


def watching(evidence: GuardEvidence, **changes: object) -> GuardEvidence:
    """The guard, of which nothing is missed."""
    return evidence.model_copy(update={"state": "Watching", "reason": "", "message": "", **changes})


def silent(evidence: GuardEvidence, reason: str, message: str) -> GuardEvidence:
    """The guard without evidence: what it has seen stays."""
    return evidence.model_copy(update={"state": "NoEvidence", "reason": reason, "message": message[:1024]})


def seen(
    look: Look, evidence: GuardEvidence, stable: tuple[int, int], candidate: tuple[int, int]
) -> GuardEvidence:  # fmt: skip
    """The guard after one more window: (requests, failures) of each arm. One that is too large to be reckoned with is
    left out, and told."""
    if stable[0] + candidate[0] > failures.MOST:
        words = (
            f"what it counts rose by {stable[0]} (live version) and {candidate[0]} (candidate) since the last look, "
            f"and more than {failures.MOST} is not counted: name a counter of requests, or of what came of them"
        )
        return silent(evidence, BEYOND, words).model_copy(update={"since": look.stamp})
    before, window = state_of(look, evidence), Window(Arm(*stable), Arm(*candidate))
    empty = not stable[0] and not candidate[0]
    after = before if empty else step(before, window)
    return weighed(look, evidence, after).model_copy(update={
        "stable": _counts(after.stable), "candidate": _counts(after.candidate), "windows": after.windows,
        "log_lr": encode_all(after.log_lr), "step_events": evidence.step_events + candidate[0],
        "beyond": beyond.after(evidence.beyond, after.beyond),
        "proven": evidence.proven if empty else proofs.after(look, evidence, window),
    })  # fmt: skip


def weighed(look: Look, evidence: GuardEvidence, state: GuardState | None = None) -> GuardEvidence:
    """The guard with what its state says; by default the one that is in status."""
    found, most = (state or state_of(look, evidence)).log_evidence, bound(look)
    return evidence.model_copy(update={
        "log_evidence": encode(found), "bound": encode(most),
        "state": "Harm" if found >= most else "Watching", "reason": "", "message": "",
        "since": look.stamp,
    })  # fmt: skip


def state_of(look: Look, evidence: GuardEvidence) -> GuardState:
    """What a guard knows, as the statistics use it."""
    return GuardState(
        odds=decode(evidence.odds or "1"), log_lr=decode_all(evidence.log_lr), stable=_arm(evidence.stable),
        candidate=_arm(evidence.candidate), windows=evidence.windows, floor=decode(evidence.floor),
        design_effect=float(look.spec.rollout.design_effect), beyond=beyond.read(evidence.beyond),
        pairs=pairs.of(evidence),
        worse_by=share(look.spec.rollout.guards[int(evidence.guard.split("/")[0])].worse_by),
    )  # fmt: skip


def _arm(counts: ArmCounts) -> Arm:
    return Arm(counts.requests, counts.failures)


def _counts(arm: Arm) -> ArmCounts:
    return ArmCounts(requests=arm.requests, failures=arm.failures)


def plus(counts: ArmCounts, more: tuple[int, int]) -> ArmCounts:
    """Counts and what came after them."""
    return ArmCounts(requests=counts.requests + more[0], failures=counts.failures + more[1])
