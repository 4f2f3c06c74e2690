"""Where a ModelVersion stands: Ready is the same as approved."""

from __future__ import annotations

from fairlead.api.modelversion import ModelVersionStatus
from fairlead.plan.conditions import Conditions
from fairlead.plan.standing import Standing, ready, reconciling, stalled


def standing(status: ModelVersionStatus, told: Conditions) -> Standing:
    """What its phase and its own conditions say."""
    approved = told.get("Approved")
    reason, message = (approved.reason, approved.message) if approved else (status.phase, status.message)
    if status.phase == "Approved":
        return ready(reason, message)
    if status.phase in ("Rejected", "Revoked"):
        return stalled(reason, message)
    if status.phase == "AwaitingApproval":
        return reconciling(status.phase, message)
    return reconciling(_under_way(told) or status.phase or "Pending", status.message)


def _under_way(told: Conditions) -> str:
    """What it is at: the reason of the first proof that is not there yet."""
    proofs = (told.get("Verified"), told.get("Evaluated"))
    return next((one.reason for one in proofs if one is not None and one.status != "True"), "")
