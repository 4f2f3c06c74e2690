"""Readiness that a candidate loses under traffic, without a restart: evidence about its availability.

What is the cluster's doing is not counted: pods that are evicted, preempted or deleted, a node that is not ready, and
whatever befell the live version's pods at the same time. The candidate gets no requests while no pod of it is ready;
after each loss it is tried again later than after the one before, and after some it is taken back.
"""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.plan.core import epoch, rfc3339
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import PodView, Problem
from fairlead.plan.jobs import failures

REASON = "CandidateUnready"
WAITS = (0.0, 10.0)
"""Seconds before it is tried again after the first loss of all ready pods under traffic, and after the second."""
LOSSES = len(WAITS) + 1
"""So many end a rollout, if the live version had none at the same times."""
NEAR = 30.0
"""Seconds within which the live version's pods have changed at the same time."""


def lost(look: Look, candidate: Candidate) -> bool:
    """Whether the candidate's pods, none of which is ready, have lost that by themselves and alone."""
    every = pods.of(look, candidate.version)
    if not (candidate.weight or candidate.shadow) or any(pod.ready for pod in every):
        return False
    mine = [pod for pod in every if pod.source in candidate.warmed and _runs(pod)]
    return bool(mine) and not _befell(look, pods.of(look, candidate.against))


def _runs(pod: PodView) -> bool:
    """Whether its server runs and says itself that it is not ready: the kubelet has asked it."""
    asked = not any(failures.has_condition(pod.raw, word) for word in ("ContainersReady", "DisruptionTarget"))
    return not pod.ready and pod.started is not None and asked


def _befell(look: Look, live: list[PodView]) -> bool:
    """Whether the live version's pods have it too. One of them that has long not been ready, while others are, is no
    excuse: else a pod that never starts would let the candidate flap for ever."""
    return not any(pod.ready for pod in live) or any(_shaken(look, pod) for pod in live)


def _shaken(look: Look, pod: PodView) -> bool:
    """Whether a pod has become ready, or not ready, just now."""
    said = (pod.raw.get("status") or {}).get("conditions") or []
    changed = next((c.get("lastTransitionTime") for c in said if c["type"] == "Ready"), None)
    return not pod.ready if changed is None else look.now - epoch(changed) < NEAR


def counted(look: Look, candidate: Candidate) -> Candidate:
    """The candidate after one more loss."""
    wait = WAITS[min(candidate.unready, len(WAITS) - 1)]
    return candidate.model_copy(update={"unready": candidate.unready + 1, "tries_at": rfc3339(look.now + wait)})


def harm(candidate: Candidate) -> Problem | None:
    """Why the candidate must go, or None."""
    return Problem(REASON, _losses(candidate)) if candidate.unready >= LOSSES else None


def told(candidate: Candidate) -> Problem | None:
    """What people are told while it gets no requests; None if it has lost nothing."""
    if not candidate.unready or not candidate.tries_at:
        return None
    return Problem(
        REASON, f"{_losses(candidate)}; it is tried again when it is ready, not before {candidate.tries_at[:19]}Z, and "
        f"taken back after {LOSSES} losses. Is it overloaded, or does it stop answering its readiness probe?",
    )  # fmt: skip


def waits(look: Look, candidate: Candidate) -> Problem | None:
    """Why a candidate whose pods are ready gets no requests yet, or None."""
    early = candidate.tries_at is not None and look.now < epoch(candidate.tries_at)
    return told(candidate) if early else None


def _losses(candidate: Candidate) -> str:
    times = "once" if candidate.unready == 1 else f"{candidate.unready} times"
    return (
        f"no pod of {candidate.version} was ready any more, {times} under traffic and without a restart, while "
        f"{candidate.against} kept ready ones"
    )
