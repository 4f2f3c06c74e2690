"""Old ModelVersions of a Pipeline are cleared away.

Only what its runs have made: what a person or a tool has written is theirs. What is cleared away is written into the
status first, and each deletion has the uid and the resource version as preconditions, so that an approval at the last
moment is not lost. Whatever still needs a version keeps it, and so does what can't be told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fairlead.api.pipeline import ClearedVersion, PipelineStatus, VersionHistory
from fairlead.api.units import many, seconds
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import (
    DEPLOYMENT,
    LABEL_PREFIX,
    MODEL_VERSION,
    PIPELINE_RUN,
    Delete,
    Json,
    World,
    epoch,
    rfc3339,
)
from fairlead.plan.deployment.versions import age_key
from fairlead.plan.model import references, waking
from fairlead.plan.pipeline import produce

AT_ONCE = 20
"""So many are cleared away in one look: all of them fit into the status."""
PAUSE = 1.0
"""Seconds until the next look, while there are more."""
KEEP = "fairlead.dev/keep"
"""Annotation of a version that shall stay; whatever its value."""
_WHO_NEEDS = (DEPLOYMENT, PIPELINE_RUN)
"""Kinds whose objects need versions."""
_TOOLS = (
    "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "meta.helm.sh/",
    "app.kubernetes.io/instance", "kubectl.kubernetes.io/last-applied-configuration",
)  # fmt: skip
"""Labels and annotations of those who would make a version anew, or whose own it is."""


@dataclass
class Sweep:
    """What is to be cleared away now, and what stays."""

    gone: list[tuple[Json, str]] = field(default_factory=list)
    """(version, why), the oldest first; at most AT_ONCE."""
    kept: Counter[str] = field(default_factory=Counter)
    """Why how many stay that are too many and old enough."""
    more: bool = False
    """There are more than these."""
    again: float | None = None
    """Seconds until the next one is old enough."""

    @property
    def deletions(self) -> list[Delete]:
        """Each exactly as it was seen."""
        metas = [raw["metadata"] for raw, _ in self.gone]
        return [Delete(MODEL_VERSION, m["name"], m["uid"], resource_version=m["resourceVersion"]) for m in metas]


def sweep(world: World, pipeline: str, rules: VersionHistory, now: float) -> Sweep:
    """What has become too much of what the runs of a pipeline have made."""
    found = Sweep()
    if not rules.clear:
        return found
    # who is not shown may need anything
    extra = list(_extra(world, pipeline, rules)) if all(map(world.served, _WHO_NEEDS)) else []
    if not extra:
        return found
    age, needs = seconds(rules.age), _Needs(world)
    for raw, why in sorted(extra, key=lambda one: age_key(one[0])):
        try:
            left = _settled_at(raw) + age - now
            kept = needs.keeps(raw) if left <= 0 else ""
        except references.STRANGE:
            left, kept = 0.0, "it has a form that this Fairlead can't read"
        if left > 0:
            found.again = left if found.again is None else min(found.again, left)
        elif kept:
            found.kept[kept] += 1
        elif len(found.gone) < AT_ONCE:
            found.gone.append((raw, why))
        else:
            found.more = True
            break
    return found


def _extra(world: World, pipeline: str, rules: VersionHistory) -> Iterator[tuple[Json, str]]:
    """(version, why it is one too many) of each model and outcome, whatever needs them."""
    groups: dict[tuple[str, str], list[Json]] = {}
    for raw in world.select(MODEL_VERSION, {LABEL_PREFIX + "pipeline": pipeline}):
        if _made_here(raw, pipeline) and waking.final(raw) and not _is_going(raw):
            outcome = "approved" if raw["status"]["phase"] == "Approved" else "rejected"
            groups.setdefault((raw["spec"]["model"], outcome), []).append(raw)
    for (model, outcome), versions in groups.items():
        limit = rules.approved if outcome == "approved" else rules.rejected
        why = f"{many(limit, f'newer {outcome} version')} of model {model} {'is' if limit == 1 else 'are'} kept"
        for raw in sorted(versions, key=age_key, reverse=True)[limit:]:
            yield raw, why


def _made_here(raw: Json, pipeline: str) -> bool:
    """Whether a run of the pipeline has made it, by what nobody can change later as well: its lineage."""
    spec = raw.get("spec") or {}
    lineage = spec.get("lineage") or {}
    run = lineage.get("runUid")
    known = bool(run and lineage.get("run") and spec.get("model"))
    return known and produce.made_by(raw) == run and lineage.get("pipeline") == pipeline


def _is_going(raw: Json) -> bool:
    """Whether it is being deleted already: whoever holds it, it counts for nothing."""
    return bool(raw["metadata"].get("deletionTimestamp"))


def _settled_at(raw: Json) -> float:
    """Since when it is approved, rejected or revoked. What has no time is young."""
    conditions = (raw.get("status") or {}).get("conditions") or ()
    times = [one.get("lastTransitionTime") for one in conditions if one.get("type") == "Approved"]
    times.append(raw["metadata"].get("creationTimestamp"))
    return max(epoch(one) if one else float("inf") for one in times)


# --- what keeps a version ------------------------------------------------------------------------------------------


class _Needs:
    """What needs old versions; read only if there are any."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._references = references.of(world)
        self._newest: dict[str, str] = {}

    def keeps(self, raw: Json) -> str:
        """Why it has to stay; empty: nothing needs it."""
        return self._own(raw) or self._run(raw) or self._references.keeps(raw) or self._peers(raw)

    @staticmethod
    def _own(raw: Json) -> str:
        meta = raw["metadata"]
        notes = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
        if KEEP in notes:
            return f"it has the annotation {KEEP}"
        if meta.get("ownerReferences") or any(note.startswith(_TOOLS) for note in notes):
            return "somebody else looks after it"
        return ""

    def _run(self, raw: Json) -> str:
        """The run that made it, as long as that is there; and one of its name, which might speak of it."""
        name = raw["spec"]["lineage"]["run"]
        return f"run {name} names it" if self._world.get(PIPELINE_RUN, name) is not None else ""

    def _peers(self, raw: Json) -> str:
        model, name = raw["spec"]["model"], raw["metadata"]["name"]
        if name == self._newest_approved(model):
            return "it is the newest approved version of its model"
        for other in waking.waiting_of(self._world, model):
            status = other.get("status") or {}
            if name in [(status.get(key) or {}).get("champion") for key in ("job", "evidence")]:
                return f"{other['metadata']['name']} is compared with it"
        return ""

    def _newest_approved(self, model: str) -> str:
        if model not in self._newest:
            approved = [
                raw for raw in waking.of_model(self._world, model)
                if (raw.get("status") or {}).get("phase") == "Approved" and not raw["spec"].get("revoked")
                and not _is_going(raw)
            ]  # fmt: skip
            self._newest[model] = max(approved, key=age_key)["metadata"]["name"] if approved else ""
        return self._newest[model]


# --- what is written down ------------------------------------------------------------------------------------------


def recorded(status: PipelineStatus, found: Sweep, world: World, now: float) -> PipelineStatus:
    """The status with what is cleared away. One that is recorded and stays after all (it has changed meanwhile, or
    something needs it now) is taken out again."""
    going = {raw["metadata"]["uid"]: (raw, why) for raw, why in found.gone}
    stale = {one.uid for one in status.cleared if one.uid not in going and _is_there(world, one)}
    before = [one for one in status.cleared if one.uid not in stale]
    known, at = {one.uid for one in before}, rfc3339(now)
    new = [
        ClearedVersion(name=raw["metadata"]["name"], uid=uid, at=at, reason=why[:1024])
        for uid, (raw, why) in going.items() if uid not in known
    ]  # fmt: skip
    # those that are still there come first: what falls out of the list would be counted again
    before.sort(key=lambda one: one.uid not in going)
    return status.model_copy(update={
        "cleared": [*reversed(new), *before][:AT_ONCE],
        "cleared_versions": max(0, status.cleared_versions - len(stale)) + len(new),
    })  # fmt: skip


def _is_there(world: World, one: ClearedVersion) -> bool:
    raw = world.get(MODEL_VERSION, one.name)
    return raw is not None and not _is_going(raw) and raw["metadata"].get("uid") == one.uid


def news(before: PipelineStatus, after: PipelineStatus) -> str:
    """What is cleared away that was not yet, for people; empty: nothing."""
    known = {one.uid for one in before.cleared}
    new = [one for one in after.cleared if one.uid not in known]
    reasons = "; ".join(dict.fromkeys(one.reason for one in new))
    return f"{', '.join(one.name for one in reversed(new))} cleared away: {reasons}" if new else ""


def tell(conditions: Conditions, found: Sweep, rules: VersionHistory, status: PipelineStatus) -> None:
    """The condition VersionsCleared, from the first time on that there were too many."""
    if not rules.clear:
        conditions.drop("VersionsCleared")
    elif found.gone:
        conditions.set("VersionsCleared", None, "Clearing", f"clearing old versions away: {_what(rules)}")
    elif found.kept:
        conditions.set("VersionsCleared", False, "StillNeeded", f"{_kept(found.kept)}; {_what(rules)}")
    elif status.cleared_versions or found.again is not None:
        conditions.set("VersionsCleared", True, "Cleared", _what(rules))
    else:
        conditions.drop("VersionsCleared")


def _what(rules: VersionHistory) -> str:
    return (
        f"spec.history.versions keeps {rules.approved} approved and {rules.rejected} rejected ones of each model, and "
        f"all that are younger than {rules.age}"
    )


def _kept(kept: Counter[str]) -> str:
    total, shown = sum(kept.values()), kept.most_common(5)
    reasons = "; ".join(f"{number}: {why}" for why, number in shown)
    rest = total - sum(number for _, number in shown)
    return f"{total} more stay ({reasons}{f'; {rest} for other reasons' if rest else ''})"


def by_version(version: Json, _pipelines: Iterable[Json]) -> list[str]:
    """The pipeline whose run has made a version."""
    name = (version["metadata"].get("labels") or {}).get(LABEL_PREFIX + "pipeline")
    return [name] if name else []


def outcome(version: Json) -> str:
    """What of a version counts here: what became of it."""
    return str((version.get("status") or {}).get("phase") or "")
