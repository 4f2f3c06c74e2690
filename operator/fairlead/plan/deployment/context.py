"""One look at one Deployment: what all modules of a rollout are given."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import Deployment, DeploymentSpec
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.manifests.meta import child_name
from fairlead.plan.core import GRPC_ROUTE, HTTP_ROUTE, LABEL_PREFIX, SERVICE, Context, Event, Json, Kind, Subject, World

T = TypeVar("T")

CROWDED = 110.0
"""Windows that one operator closes in a second, at most."""
RETRY = f"{LABEL_PREFIX}retry"
"""Annotation: a version that was refused here and shall be tried once more."""


@dataclass(frozen=True)
class Look(Context[Deployment]):
    """A Deployment's context, with what one look finds out once."""

    _known: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)
    side_by_side: bool = False
    """The candidate is one of several in an experiment."""
    timed: int = 0
    """How many guards go by how long requests take."""

    def once(self, key: Hashable, find: Callable[[], T]) -> T:
        """What `find` finds; it looks only once, for the world does not change during a look."""
        if key not in self._known:
            self._known[key] = find()
        found: T = self._known[key]
        return found

    def fixed(self, key: Hashable, find: Callable[[], T]) -> T:
        """What `find` finds in the spec, and in nothing else; it looks only once as long as that stays the same."""
        known = self.once("fixed", self._fixed)
        if key not in known:
            known[key] = find()
        found: T = known[key]
        return found

    def _fixed(self) -> dict[Hashable, Any]:
        memo = self.world.memo
        return memo.of(("fixed", self.subject.meta.uid), self.spec, dict) if memo else {}

    @property
    def spec(self) -> DeploymentSpec:
        """What is wanted."""
        return self.subject.body.spec

    @property
    def window(self) -> float:
        """Seconds of an evidence window: longer where very many rollouts are under way, so that none is late."""
        return max(self.world.config.tuning.window, self.world.crowd / CROWDED)

    @property
    def route_kind(self) -> Kind:
        """HTTPRoute or GRPCRoute."""
        return GRPC_ROUTE if self.grpc else HTTP_ROUTE

    @property
    def grpc(self) -> bool:
        """Whether clients speak gRPC: as the route was granted, for while another one is refused all goes on by it."""
        kept = self.subject.body.status.claimed
        return (kept or self.spec.route).protocol == "GRPC"

    @property
    def route(self) -> Json:
        """The route as it is in the cluster; {} when there is none."""
        return self.world.get(self.route_kind, self.name) or {}

    @property
    def copies(self) -> str:
        """Name of the Service to which proxies copy requests."""
        return child_name(self.name, "", "copies")

    def child(self, version: str) -> str:
        """Name of a version's workload and Service."""
        return child_name(self.name, version)

    def is_reachable(self, version: str) -> bool:
        """Whether a version has its Service, and that is ours: a route that names one that is not there answers by 500,
        and what is behind somebody else's is not known."""
        found = self.world.get(SERVICE, self.child(version)) or {"metadata": {}}
        owners = found["metadata"].get("ownerReferences") or ()
        return any(one.get("controller") and one.get("uid") == self.subject.meta.uid for one in owners)


def look_at(subject: Subject[Deployment], world: World, now: float, timed: int = 0) -> Look:
    """One look; in the kernel's worlds it knows what `observe` has found out already. timed: how many guards go by how
    long requests take."""
    known = {} if world.shared is None else world.shared
    return Look(subject, world, now, known, timed=timed)


@dataclass(frozen=True)
class State:
    """A status on its way, with what people are told of it."""

    status: DeploymentStatus
    events: tuple[Event, ...] = ()

    @property
    def candidate(self) -> Candidate | None:
        """The version on its way."""
        return self.status.candidate

    def having(self, *events: Event, **changes: object) -> State:
        """The state after changes of the status's fields."""
        return State(self.status.model_copy(update=changes), (*self.events, *events))
