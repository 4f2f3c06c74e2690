"""What stays as it is from window to window. In a fleet of rollouts nearly every look only adds a window: nothing else
follows from it, and the objects that it wants are those of the look before."""

from __future__ import annotations

from typing import Any

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.plan.core import Json
from fairlead.plan.deployment import children
from fairlead.plan.deployment.context import Look
from fairlead.plan.reads import Reads

COUNTED = frozenset({
    "observed", "step_requests", "answered", "live_answered", "expected", "doubling", "guards", "split", "common",
    "ahead", "cursors", "first_request_at", "last_request_at", "last_window_at",
})  # fmt: skip
"""Fields of a candidate that a window changes; no other object follows from them."""
WRITTEN = frozenset({"lines", "dropped"})
"""Fields of a ledger that a window changes."""
TOLD = frozenset({
    "conditions", "problem", "phase", "message", "observed_generation", "ready_replicas", "replicas", "selector",
    "history", "unsaved", "monitors",
})  # fmt: skip
"""Fields of a status from which no object follows."""


def steady(before: DeploymentStatus, after: DeploymentStatus) -> bool:
    """Whether all that has changed is what a window adds to a candidate under traffic."""
    old, new = before.candidate, after.candidate
    if old is None or new is None or new.step < 0 or new.shadow:
        return False
    if before.history != after.history or before.unsaved != after.unsaved:
        return False
    return (
        _same(before, after, TOLD | {"candidate"})
        and _same(old, new, COUNTED | {"ledger"})
        and _same(old.ledger, new.ledger, WRITTEN)
    )


def _same(one: Any, other: Any, but: frozenset[str]) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in type(one).model_fields if name not in but)


def wanted(look: Look, status: DeploymentStatus) -> list[Json]:
    """The objects that should be there: the very same ones as last time, if they follow from the same."""
    if status.candidate and status.candidate.shadow:
        return children.wanted(look, status)  # copies end with a count
    memo, bare = look.world.memo, _bare(status)

    def same(grounds: tuple[Any, bool, DeploymentStatus, Reads]) -> bool:
        spec, grpc, then, reads = grounds
        return spec is look.spec and grpc == look.grpc and then == bare and reads.same(look.world)

    def make() -> tuple[Any, list[Json]]:
        reads = Reads(look.world)
        found = children.wanted(Look(look.subject, reads, look.now, timed=look.timed), bare)
        return (look.spec, look.grpc, bare, reads), found

    found: list[Json] = memo.find(("wanted", look.subject.meta.uid), same, make) if memo else make()[1]
    return found


class _Unread:
    """In the place of what nothing may follow from: whoever uses it is told so."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name}: what a window adds is not there to make objects from; see plan.rollout.frame")

    def _refuse(self, *_: object) -> Any:
        raise TypeError("what a window adds is not there to make objects from; see plan.rollout.frame")

    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __iter__ = __len__ = __add__ = __radd__ = __sub__ = _refuse


_UNREAD = _Unread()


def _bare(status: DeploymentStatus) -> DeploymentStatus:
    """The status without what windows add: nothing that is made may depend on that."""
    candidate = status.candidate
    kept = candidate.model_copy(update=dict.fromkeys([*COUNTED, "ledger"], _UNREAD)) if candidate else None
    return status.model_copy(update={**dict.fromkeys(TOLD, _UNREAD), "candidate": kept})
