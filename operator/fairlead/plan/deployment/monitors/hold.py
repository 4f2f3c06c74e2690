"""Estimated harm holds rollouts: while the live version's quality is in doubt, what a candidate is compared with is.

A version that was made since may be the remedy, and so may one that was live here before, which a person names again:
they go on, and are compared with the live one on the same requests.
"""

from __future__ import annotations

from fairlead.plan.core import epoch
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving.pods import Problem

REASON = "QualityInDoubt"
MONITOR = "quality"


def held(look: Look, version: str) -> Problem | None:
    """Why a version neither begins nor advances; None: it may. By what was written down last."""
    spec, kept = look.spec.monitors, look.subject.body.status.monitors
    if spec is None or kept is None or spec.react.estimated_harm != "Hold" or version == kept.version:
        return None
    status = look.subject.body.status
    if version == status.previous or any(one.name == version for one in status.served):
        return None
    line = next((one for one in kept.lines if one.monitor == MONITOR and one.state == "Harmed"), None)
    made = versions.age(look, version)
    if line is None or (made is not None and made[0] and epoch(made[0]) > epoch(line.since)):
        return None
    return Problem(REASON, f"the quality of {kept.version} is in doubt since {line.since[:19]}Z (see Harmed), so "
                   f"{version} waits, which is older than that. A version that is made now does not wait; set "
                   "spec.monitors.react.estimatedHarm to Alert to let this one go on")  # fmt: skip
