"""Is the model of the way back still in the store? Looked for once an hour, at looks that happen anyway."""

from __future__ import annotations

from urllib.parse import urlsplit

from fairlead.api.deploymentstatus import DeploymentStatus, Stored
from fairlead.plan import store
from fairlead.plan.core import epoch
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.requests import NOT_YET, Failed, FindObject, Presence, Request

EVERY, AGAIN = 3600.0, 300.0
"""Seconds until it is looked for again; sooner where it was missing."""
LATE = 2.0
"""Seconds between looks while the store has not answered."""


def requests(look: Look, status: DeploymentStatus) -> list[Request]:
    """The question, if it is time for it. While something is on its way the store can wait."""
    version, kept = status.previous, status.stored
    if version is None or status.live is None or status.candidate or status.way_back:
        return []
    if kept is not None and kept.version == version:
        wait = AGAIN if kept.state == "Missing" else EVERY
        if look.now < epoch(kept.at) + wait:
            return []
    found = versions.read(look, version)
    if found is None or found.spec.artifact is None:
        return []
    where, reach = urlsplit(found.spec.artifact.uri), store.reach(found.spec.artifact, look.world.config)
    key = where.path.lstrip("/")
    return [FindObject(look.namespace, where.netloc, key, reach.endpoint, reach.region, reach.credentials)]


def heed(look: Look, state: State) -> State:
    """The state with the answer, if there is one by now."""
    for request in requests(look, state.status):
        answer = look.world.answer(request)
        if isinstance(answer, Failed) and answer.reason in NOT_YET:
            continue
        found = answer.found if isinstance(answer, Presence) else None
        told = "Unknown" if found is None else "Found" if found else "Missing"
        return state.having(stored=Stored(version=state.status.previous or "", at=look.stamp, state=told))
    return state


def missing(status: DeploymentStatus, version: str) -> bool:
    """Whether the version's model was looked for and is not there."""
    return status.stored is not None and status.stored.version == version and status.stored.state == "Missing"
