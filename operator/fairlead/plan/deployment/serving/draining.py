"""Versions without traffic finish what they have begun, then go."""

from __future__ import annotations

from fairlead.api.deploymentstatus import Retiring
from fairlead.manifests import route
from fairlead.plan.core import epoch, rfc3339
from fairlead.plan.deployment.context import Look, State


def tidy(look: Look, state: State) -> State:
    """Without those whose time is over. One that the route still names gets its time anew: it counts from when no
    request can come any more."""
    routed = route.services(look.route)
    kept = []
    for one in state.status.retiring:
        if look.now < epoch(one.until):
            kept.append(one)
        elif look.child(one.version) in routed:
            kept.append(Retiring(version=one.version, until=rfc3339(look.now + look.world.config.tuning.drain)))
    return state if kept == state.status.retiring else state.having(retiring=kept)


def retry(state: State, wanted: str) -> State:
    """Heed the annotation that asks for a refused version once more; each value of it once."""
    if wanted == state.status.retried:
        return state
    return state.having(retried=wanted, refused=[v for v in state.status.refused if v != wanted])
