"""A run when the newest approved version of a model was made too long ago."""

from __future__ import annotations

from fairlead.api.pipeline import Pipeline, StaleTrigger
from fairlead.api.units import seconds
from fairlead.plan.core import MODEL_VERSION, Context, Json, World, epoch, rfc3339
from fairlead.plan.deployment.versions import age_key
from fairlead.plan.model.waking import of_model
from fairlead.plan.pipeline.triggers.base import Heed, Sight, Standing, unknown


def _mine(wanted: Json, version: Json) -> bool:
    return bool(wanted.get("model") == (version.get("spec") or {}).get("model"))


def _counts(version: Json) -> bool:
    """Whether it is approved, and made at a time that is known."""
    meta, status = version["metadata"], version.get("status") or {}
    approved = status.get("phase") == "Approved" and not (version.get("spec") or {}).get("revoked")
    return bool(approved and meta.get("creationTimestamp") and not meta.get("deletionTimestamp"))


class OnStale(Standing[StaleTrigger]):
    """The key is the version that is too old."""

    field = "stale"
    heeds = (Heed(MODEL_VERSION, _mine, _counts),)

    def label(self) -> str:
        """The model's name."""
        return self.spec.model

    def outlook(self, _now: float) -> str:
        """How old it must be."""
        return f"the newest approved version of model {self.spec.model} is older than {self.spec.after}"

    def sight(self, context: Context[Pipeline]) -> Sight:
        """How old it is."""
        newest = _newest(context.world, self.spec.model)
        if newest is None:
            return unknown("NotSeen", f"no version of model {self.spec.model} is approved so far, so none can be "
                           "stale; if that is not its name, correct model")  # fmt: skip
        name, made = newest["metadata"]["name"], epoch(newest["metadata"]["creationTimestamp"])
        stale = made + seconds(self.spec.after)
        told = f"{name}, the newest approved version of model {self.spec.model}, was made at {rfc3339(made)}"
        if stale > context.now:
            return Sight("Quiet", f"{told}; it is stale from {rfc3339(stale)} on", again=stale - context.now,
                         at=rfc3339(stale))  # fmt: skip
        told = f"{told}, which is longer ago than {self.spec.after}"
        return Sight("Asks", told, key=name, begun=rfc3339(stale), flickers=False)


def _newest(world: World, model: str) -> Json | None:
    return max((raw for raw in of_model(world, model) if _counts(raw)), key=age_key, default=None)
