"""A run when a condition of a Deployment is True.

The Deployment says since when it is: nothing is counted here, and nothing is lost with an operator that is killed. An
episode is the time for which the condition stays True; the version that is live is part of the key, for another one is
another case."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.api.common import Condition
from fairlead.api.deployment import Deployment
from fairlead.api.deploymentstatus import Live
from fairlead.api.pipeline import ConditionTrigger, Pipeline
from fairlead.api.units import seconds
from fairlead.plan.core import DEPLOYMENT, Context, Json, epoch, rfc3339
from fairlead.plan.pipeline.triggers.base import Heed, Reference, Sight, Standing, unknown
from fairlead.plan.read import NotReadable, read

NOT_SEEN = "NotSeen"


def _named(mine: Json, deployment: Json) -> bool:
    return bool(mine.get("deployment") == deployment["metadata"]["name"])


def _conditions(deployment: Json) -> object:
    """A Deployment changes all the time; its conditions, and which version is live, do not."""
    status = deployment.get("status") or {}
    words = ("type", "status", "reason", "lastTransitionTime")
    return [[c.get(word) for word in words] for c in status.get("conditions") or ()], status.get("live")


class OnCondition(Standing[ConditionTrigger]):
    """The key is when it became True, and the version that is live."""

    field = "condition"
    heeds = (Heed(DEPLOYMENT, _named, _conditions),)

    def label(self) -> str:
        """The Deployment's name and the type."""
        return f"{self.spec.deployment} {self.spec.type}"

    def references(self) -> Iterable[Reference]:
        """The Deployment."""
        return (Reference(DEPLOYMENT, self.spec.deployment),)

    def outlook(self, _now: float) -> str:
        """What the condition must be."""
        long = "" if self.spec.for_ == "0s" else f" for {self.spec.for_}"
        return f"{self.spec.type} of Deployment {self.spec.deployment} is True{long}"

    def sight(self, context: Context[Pipeline]) -> Sight:
        """What the Deployment says."""
        name, type_ = self.spec.deployment, self.spec.type
        raw = context.world.get(DEPLOYMENT, name)
        if raw is None:
            return unknown("DeploymentMissing", f"there is no Deployment {name} in this namespace; create it")
        try:
            status = read(Deployment, DEPLOYMENT, raw).status
        except NotReadable as why:
            return unknown(why.reason, why.message)
        found = next((one for one in status.conditions if one.type == type_), None)
        if found is None:
            known = ", ".join(one.type for one in status.conditions) or "none"
            return unknown(NOT_SEEN, f"Deployment {name} has no condition {type_} so far (it has {known}); if that is "
                           "not its name, correct type")  # fmt: skip
        try:
            return self._of(found, status.live, context.now)
        except (ValueError, OverflowError):  # what is a time to the API server need not be one here
            return unknown("DeploymentUnreadable", f"Deployment {name} has a time that this Fairlead can't read: in "
                           f"its condition {type_}, or in live.since")  # fmt: skip

    def _of(self, found: Condition, live: Live | None, now: float) -> Sight:
        said = f"{found.type} of Deployment {self.spec.deployment} is {found.status} ({found.reason})"
        if found.status == "Unknown":
            return unknown(found.reason, f"{said}: {found.message}")
        if found.status != "True":
            return Sight("Quiet", said)
        if self.spec.reasons and found.reason not in self.spec.reasons:
            return Sight("Quiet", f"{said}, and reasons has {', '.join(self.spec.reasons)} only")
        # of a version that has just gone live it says nothing yet that was said of the one before
        since = max(epoch(found.last_transition_time), epoch(live.since) if live else 0.0)
        left = since + seconds(self.spec.for_) - now
        version = live.version if live else ""
        told = f"{said} since {rfc3339(since)}{f' with {version} live' if version else ''}: {found.message}"
        if left > 0:
            return Sight("Holding", told, begun=found.last_transition_time, again=left)
        key = f"{found.last_transition_time}/{version}"
        return Sight("Asks", told, key=key, begun=found.last_transition_time)
