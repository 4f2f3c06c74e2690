"""What is kept of the number of pods when shares change, and what people are told of it. See `sizes`."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.api.candidate import Candidate
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.replicas import Scaling
from fairlead.manifests.autoscaling import REQUESTS
from fairlead.manifests.meta import short_hash
from fairlead.plan.conditions import Conditions, quoted
from fairlead.plan.core import AUTOSCALER, LABEL_PREFIX, WORKLOAD, Event, Json, epoch, rfc3339
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.serving import sizes

CONDITION = "Scaled"
REMEDIES = {
    "FailedGetContainerResourceMetric":
        "It needs metrics-server (metrics.k8s.io), and spec.server.resources.cpu in the ModelVersion",
    "FailedGetPodsMetric": f"It needs an adapter that provides {REQUESTS} of pods (custom.metrics.k8s.io)",
    "ScalingDisabled": "The number was 0 when it began: kubectl scale mdeploy NAME --replicas=1 lets it begin",
}  # fmt: skip
"""What to do about what an autoscaler says."""
REPLICAS = f"{LABEL_PREFIX}replicas"
"""Annotation of a workload: the number of pods that Fairlead has written. Another one is somebody else's."""
HOLD = 300.0
"""Seconds for which the number is kept after the shares have changed: as long as an autoscaler looks back."""


def go_on(look: Look, state: State) -> State:
    """The state with the numbers that workloads follow; those that the next step needs are asked for in this one."""
    if not look.spec.replicas.is_scaled:
        return _forgotten(state)
    kept = _kept(look, state.status)
    state = state if kept == state.status.scaling else state.having(scaling=kept)
    candidate = state.candidate
    if candidate is None:
        return state
    step = len(look.spec.rollout.steps) if _is_forced(look, state.status, candidate) else candidate.step + 1
    wanted = max(sizes.part(look, state.status, candidate, step), sizes.measured(look, candidate))
    if wanted <= candidate.pods:
        return state
    return state.having(candidate=candidate.model_copy(update={"pods": wanted}))


def _forgotten(state: State) -> State:
    if state.status.scaling is not None:
        state = state.having(scaling=None)
    if state.candidate and state.candidate.pods:
        state = state.having(candidate=state.candidate.model_copy(update={"pods": 0}))
    return state


def _kept(look: Look, status: DeploymentStatus) -> Scaling:
    """What is kept of the number. Where scaling has only just begun, the live version's pods are kept for a while."""
    kept, share, asked = status.scaling, _measured_share(status), look.spec.replicas.asked
    if kept is None:
        return Scaling(whole=max(asked, _there(look, status)), share=share, until=rfc3339(look.now + HOLD))
    if kept.share != share:
        return Scaling(whole=sizes.whole(look, status), share=share, until=rfc3339(look.now + HOLD))
    over = kept.until is not None and look.now >= epoch(kept.until)
    changes = {"until": None} if over else {}
    return kept.model_copy(update={"whole": max(kept.whole, asked), **changes})


def _there(look: Look, status: DeploymentStatus) -> int:
    """Pods that the live version's workload shall have so far."""
    workload = look.world.get(WORKLOAD, look.child(status.live.version)) if status.live else None
    return int(((workload or {}).get("spec") or {}).get("replicas") or 0)


def _measured_share(status: DeploymentStatus) -> int:
    """Percent of the requests that the version gets which is measured."""
    candidate, kept, trial = status.candidate, status.watch, phase.running(status)
    if status.live is None:
        return 100
    if trial:
        return max(1, phase.contender(trial, trial.against).share or 100)
    if kept and kept.confirmation and kept.confirmation.share:
        return 100 - kept.confirmation.share
    if candidate:
        return max(candidate.weight, 100 - candidate.weight)
    return 100 - kept.holdback if kept else 100


def _is_forced(look: Look, status: DeploymentStatus, candidate: Candidate) -> bool:
    """Whether a person wants it live at once."""
    wanted = look.spec.override
    return (
        wanted is not None and wanted.action == "Promote" and wanted.version == candidate.version
        and short_hash(wanted.model_dump_json()) != status.heeded
    )  # fmt: skip


def next_look(look: Look, status: DeploymentStatus) -> float | None:
    """Seconds until the number is not kept any more; None if nothing is due."""
    kept = status.scaling
    return epoch(kept.until) - look.now if kept and kept.until else None


# --- what people are told ------------------------------------------------------------------------------------------


def set_back(look: Look, wanted: Iterable[Json]) -> list[Event]:
    """Of workloads that somebody else has scaled: each that is wanted is set back, and said."""
    found, names = [], {made["metadata"]["name"] for made in wanted if made["kind"] == WORKLOAD.kind}
    for raw in look.world.owned(WORKLOAD):
        if raw["metadata"]["name"] not in names:
            continue  # it stays as it is until it goes
        meta, there = raw["metadata"], raw["spec"].get("replicas")
        said = (meta.get("annotations") or {}).get(REPLICAS)
        if said is not None and there is not None and said != str(there):
            found.append(Event(
                "SetBack", f"somebody has scaled the apps/v1 Deployment {meta['name']} to {there} pods: it is set back "
                f"to what Fairlead wants ({said} at last). {_instead(look)}", warning=True,
            ))  # fmt: skip
    return found


def _instead(look: Look) -> str:
    scale = f"kubectl scale mdeploy -n {look.namespace} {look.name} --replicas=N"
    if look.spec.replicas.external:
        return f"Scale by {scale}"
    if look.spec.replicas.target:
        return "Change spec.replicas.min and max instead"
    return f"Change spec.replicas.min, or set spec.replicas.external to true and scale by {scale}"


def tell(look: Look, told: Conditions, status: DeploymentStatus) -> None:
    """Whether it is scaled as the spec says; nothing where nobody scales."""
    wanted = look.spec.replicas
    if not wanted.is_scaled:
        told.drop(CONDITION)
        return
    found = _by_fairlead(look) if wanted.target else None
    told.set(CONDITION, *(found or (True, *_number(look, status))))


def _number(look: Look, status: DeploymentStatus) -> tuple[str, str]:
    """How many pods there are, and why."""
    wanted, most = look.spec.replicas, sizes.whole(look, status)
    words, kept = f"spec.replicas.count asks for {wanted.count} pods", status.scaling
    if wanted.count < wanted.min:
        return "AtMin", f"{words}; min is {wanted.min}"
    if wanted.max and wanted.count >= wanted.max:
        return "AtMax", f"{words}; max is {wanted.max}"
    if most == wanted.asked or kept is None:
        return "AsAsked", words
    if kept.until:
        return "Kept", f"{words}; {most} are kept until {HOLD / 60:.0f} minutes after the last change of the shares"
    return "Shared", f"{words} by what {kept.share} % of the requests need; all may need {most}"


def _by_fairlead(look: Look) -> tuple[bool | None, str, str] | None:
    """What is wrong with the autoscaler; None if nothing is."""
    if not look.world.served(AUTOSCALER):
        return False, "KindMissing", "the cluster has no HorizontalPodAutoscaler (autoscaling/v2) that Fairlead may see"
    raw = look.world.get(AUTOSCALER, look.name)
    said = {one["type"]: one for one in ((raw or {}).get("status") or {}).get("conditions") or []}
    asked = [said[name] for name in ("AbleToScale", "ScalingActive") if name in said]
    bad = next((one for one in asked if one["status"] == "False"), None)
    if bad is not None:
        reason, words = str(bad.get("reason") or "NotScaled"), quoted(str(bad.get("message", "")), 500)
        return False, reason, f"{words}. {REMEDIES.get(reason, '')}".rstrip()
    if "ScalingActive" not in said:
        return None, "Waiting", "the autoscaler has not said anything yet"
    return None
