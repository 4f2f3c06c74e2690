"""What the route makes of an experiment."""

from __future__ import annotations

from collections.abc import Callable

from fairlead.api.candidate import ExperimentStatus
from fairlead.api.deployment import Route
from fairlead.api.experiment import Sticky
from fairlead.api.units import seconds
from fairlead.manifests import route
from fairlead.manifests.meta import short_hash
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look


def of(look: Look, kept: ExperimentStatus, backend: Callable[[str], route.Backend]) -> route.Traffic:
    """Who is reached how. Until all candidates are warm all users are the live version's, and get no cookie: else
    most of them would be known when it begins."""
    shared = [(backend(version), phase.contender(kept, version).share) for version in phase.taking_part(kept)]
    named = [backend(version) for version in (kept.against, *(arm.version for arm in kept.arms))]
    wanted = look.spec.experiment
    sticky = _cookie(look.name, look.namespace, look.spec.route, kept, wanted.sticky) if wanted else None
    return route.Traffic(named, shared if len(shared) > 1 else [(shared[0][0], 100)], sticky=sticky, wide=True)


def _cookie(
    name: str, namespace: str, where: Route, kept: ExperimentStatus, wanted: Sticky
) -> route.Sticky | None:  # fmt: skip
    length = int(seconds(wanted.for_))
    if not length:
        return None
    key = short_hash(kept.key, kept.since, length=6) if kept.phase == "Running" else ""
    return route.Sticky(wanted.cookie or f"fairlead-{name}", key, length, route.path_of(where, namespace, name))
