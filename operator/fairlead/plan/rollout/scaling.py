"""What is kept of the number of pods while versions change, and what people are told of it. See `sizes`."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.replicas import Scaling, Target
from fairlead.manifests.autoscaling import REQUESTS
from fairlead.manifests.meta import short_hash
from fairlead.plan.conditions import Conditions, quoted
from fairlead.plan.core import AUTOSCALER, LABEL_PREFIX, WORKLOAD, Event, epoch, rfc3339
from fairlead.plan.experiment import phase
from fairlead.plan.rollout import sizes, watch
from fairlead.plan.rollout.look import Look, State

CONDITION = "Scaled"
REPLICAS = f"{LABEL_PREFIX}replicas"
"""Annotation of a workload: the number of pods that Fairlead has written. Another one is somebody else's."""
HOLD = 300.0
"""Seconds for which the number is kept after versions have changed: as long as an autoscaler looks back."""


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


def _kept(look: Look, status: DeploymentStatus) -> Scaling | None:
    kept = status.scaling
    if _change(status):
        return Scaling(whole=max(look.spec.replicas.asked, kept.whole if kept else 0))
    if kept is None:
        return None
    if kept.until is None:
        return kept.model_copy(update={"until": rfc3339(look.now + HOLD)})
    return kept if look.now < epoch(kept.until) else None


def _change(status: DeploymentStatus) -> bool:
    """Whether versions change: another one than the live one gets requests, or may have to at once."""
    if status.live is None:
        return False
    under_way = status.candidate is not None and status.candidate.step >= 0
    kept = status.watch is not None and watch.keeps(status.watch)
    return under_way or kept or status.way_back is not None or phase.running(status) is not None


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


def set_back(look: Look) -> list[Event]:
    """Of workloads that somebody else has scaled: each is set back, and said."""
    found = []
    for raw in look.world.owned(WORKLOAD):
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
    found = _by_fairlead(look, wanted.target) if wanted.target else None
    told.set(CONDITION, *(found or (True, *_number(look, status))))


def _number(look: Look, status: DeploymentStatus) -> tuple[str, str]:
    """How many pods there are, and why."""
    wanted, most = look.spec.replicas, sizes.whole(look, status)
    words = f"all requests need {wanted.count} pods by spec.replicas.count"
    if wanted.count < wanted.min:
        return "AtMin", f"{words}; min is {wanted.min}"
    if wanted.max and wanted.count >= wanted.max:
        return "AtMax", f"{words}; max is {wanted.max}"
    if most > wanted.asked:
        return "Kept", f"{words}; {most} are kept while versions change, and {HOLD / 60:.0f} minutes longer"
    return "AsAsked", words


def _by_fairlead(look: Look, target: Target) -> tuple[bool | None, str, str] | None:
    """What is wrong with the autoscaler; None if nothing is."""
    if not look.world.served(AUTOSCALER):
        return False, "KindMissing", "the cluster has no HorizontalPodAutoscaler (autoscaling/v2) that Fairlead may see"
    raw = look.world.get(AUTOSCALER, look.name)
    said = {one["type"]: one for one in ((raw or {}).get("status") or {}).get("conditions") or []}
    asked = [said[name] for name in ("AbleToScale", "ScalingActive") if name in said]
    bad = next((one for one in asked if one["status"] == "False"), None)
    if bad is not None:
        words = quoted(str(bad.get("message", "")), 500)
        return False, str(bad.get("reason") or "NotScaled"), f"{words}. {_remedy(target)}"
    if "ScalingActive" not in said:
        return None, "Waiting", "the autoscaler has not said anything yet"
    return None


def _remedy(target: Target) -> str:
    if target.cpu:
        return "It needs metrics-server (metrics.k8s.io), and spec.server.resources.cpu in the ModelVersion"
    return f"It needs an adapter that provides {REQUESTS} of pods (custom.metrics.k8s.io)"
