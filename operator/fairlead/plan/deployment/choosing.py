"""When the Namespace is asked what versions must have: only while one may be chosen that is not live."""

from __future__ import annotations

from fairlead.plan.deployment import requirements, versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.model.waking import of_model
from fairlead.plan.requests import Request


def requests(look: Look) -> list[Request]:
    """What choosing needs to know."""
    return [requirements.namespace(look)] if _open(look) else []


def _open(look: Look) -> bool:
    status, wanted = look.subject.body.status, look.spec.model.version
    if status.live is None or status.candidate or status.experiment or look.spec.experiment:
        return True
    if wanted:
        return wanted != status.live.version
    mine = of_model(look.world, look.spec.model.name or "")
    return any(versions.might_be_next(look, status, raw) for raw in mine)
