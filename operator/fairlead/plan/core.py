"""The contract between the kernel and the kinds.

A kind is a `KindSpec`: pure functions over a read-only `World`. The kernel calls

1. `observe(subject, world, now)`: which signals this decision needs (counters of pods, a query, a listing);
2. `plan(subject, world, now)`: what should be, as a `Plan`.

The kernel then writes in a fixed order: **status first** (with the resource version that was planned on, so a stale
view or a second leader changes nothing), then `apply`, `create`, `delete`, then events. Status is the write-ahead
log: a kind records its intent there, and children follow the status. A child that can't be written keeps no other one
from being written; it is named in a condition, and tried again. A kill between any two writes converges,
because the next plan starts from the recorded intent. After any write the key is looked at again at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from fairlead.api.common import API_VERSION
from fairlead.api.config import OperatorConfig
from fairlead.api.kinds import KindInfo
from fairlead.api.schema import Model
from fairlead.manifests.meta import short_hash
from fairlead.plan.memo import Memo
from fairlead.plan.requests import Answer, Request

Json = dict[str, Any]
M = TypeVar("M", bound=Model)
S = TypeVar("S", bound=Model)

MANAGER = "fairlead"
MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_PREFIX = "fairlead.dev/"
SERVE = f"{LABEL_PREFIX}serve"
"""On a ServiceAccount: `true` lets served models run as it."""


LOOK = f"{LABEL_PREFIX}look"
"""Annotation of what asks somebody else now and then: another value makes it ask at once."""


class Kind(NamedTuple):
    """A resource type of the API server. A tuple, for it is hashed all the time."""

    api_version: str
    kind: str
    plural: str


DATASET = Kind(API_VERSION, "Dataset", "datasets")
PIPELINE = Kind(API_VERSION, "Pipeline", "pipelines")
COMPONENT = Kind(API_VERSION, "Component", "components")
PIPELINE_RUN = Kind(API_VERSION, "PipelineRun", "pipelineruns")
MODEL_VERSION = Kind(API_VERSION, "ModelVersion", "modelversions")
DEPLOYMENT = Kind(API_VERSION, "Deployment", "deployments")
JOB = Kind("batch/v1", "Job", "jobs")
POD = Kind("v1", "Pod", "pods")
SERVICE = Kind("v1", "Service", "services")
WORKLOAD = Kind("apps/v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
GRPC_ROUTE = Kind("gateway.networking.k8s.io/v1", "GRPCRoute", "grpcroutes")
PROMETHEUS_RULE = Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules")
LOCAL_QUEUE = Kind("kueue.x-k8s.io/v1beta2", "LocalQueue", "localqueues")
POD_MONITOR = Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors")


@dataclass(frozen=True)
class Meta:
    """The metadata that decisions need."""

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    created: float
    """Epoch seconds."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    deleting: bool = False


def look_of(meta: Meta) -> str:
    """What tells the looks apart that somebody has asked for; empty: nobody has."""
    said = meta.annotations.get(LOOK, "")
    return short_hash(said) if said else ""


@dataclass(frozen=True)
class Subject(Generic[M]):
    """The object that is planned for, parsed."""

    meta: Meta
    body: M
    raw: Json


class Claim(NamedTuple):
    """What an object takes for itself, of what objects of all namespaces want."""

    place: str
    """Claims of different places don't meet,"""
    corner: str
    """nor do those of different corners of a place; one without a corner may meet all."""
    namespace: str
    name: str
    """Who claims it."""
    since: float
    """Epoch seconds: from when it is held; of one that is not, when the object was made."""
    held: bool
    """Whether it has been granted."""
    host: str
    """Empty: whatever the host."""
    path: str
    """All paths below this one."""
    address: str
    """The host by which clients have been told to reach it; empty: none yet."""
    protocol: str = "HTTP"
    """Requests of both are told apart by some Gateways only: of two namespaces' they meet."""


class World(Protocol):
    """What was observed, in the subject's namespace. Objects are plain JSON and must not be changed."""

    @property
    def config(self) -> OperatorConfig:
        """The operator's configuration."""

    def get(self, kind: Kind, name: str) -> Json | None:
        """An object by name, or None."""

    def select(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[Json]:
        """Objects with these labels, sorted by name."""

    def indexed(self, kind: Kind, key: str) -> list[Json]:
        """Objects that have this key in their kind's index (`KindSpec.index`), sorted by name. Costs as much as there
        are of them, however many objects the kind has."""

    def owned(self, kind: Kind) -> list[Json]:
        """Objects whose controller is the subject, sorted by name."""

    def served(self, kind: Kind) -> bool:
        """Whether the API server has this kind. Of one that it hasn't there are no objects, and none can be made:
        a plan that would want one says so in a condition."""

    def claims(self, kind: Kind, near: Claim) -> tuple[Claim, ...]:
        """What objects of this kind claim that a claim may meet, in all namespaces that are watched. The same tuple as
        long as nothing changes."""

    def elsewhere(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """An object of a kind in `KindSpec.anywhere`, in any namespace that is watched, or None. Whether the subject's
        namespace may use it is for the plan to ask."""

    def answer(self, request: Request) -> Answer:
        """The answer to a request that `observe` returned; `Failed("NotAsked", …)` for any other."""

    @property
    def memo(self) -> Memo[Any] | None:
        """What earlier looks have found out; None where objects may change in place."""

    @property
    def shared(self) -> dict[Hashable, Any] | None:
        """What this look's `observe` has found out, for its `plan`; None where objects may change in between."""

    @property
    def crowd(self) -> int:
        """How many subjects are looked at all the time (`Plan.steady`), in the cluster; 0 where that isn't known."""


@dataclass(frozen=True)
class Context(Generic[M]):
    """What a plan goes by: the object, what was observed, and the time (epoch seconds)."""

    subject: Subject[M]
    world: World
    now: float

    @property
    def name(self) -> str:
        """The object's name."""
        return self.subject.meta.name

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.subject.meta.namespace

    @property
    def uid(self) -> str:
        """Its uid."""
        return self.subject.meta.uid

    @property
    def stamp(self) -> str:
        """The time as Kubernetes writes it."""
        return rfc3339(self.now)


@dataclass
class Draft(Generic[M, S]):
    """A status that is being made."""

    context: Context[M]
    status: S

    def update(self, **changes: Any) -> None:
        """Change fields of the status."""
        self.status = self.status.model_copy(update=changes)


# --- plans -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """A Kubernetes event on the subject, for people. Emitted after the status that caused it was written."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Delete:
    """Delete exactly this object: the uid is a precondition."""

    kind: Kind
    name: str
    uid: str
    propagation: str = "Background"
    after: tuple[tuple[Kind, str], ...] = ()
    """(kind, name) of objects of the same plan that take its place: if one of them can't be written, this one stays."""
    resource_version: str = ""
    """A precondition too, where it is given: an object that has changed since stays."""


@dataclass
class Plan:
    """What should be."""

    status: Model
    """The whole new status. Written only when it differs."""
    apply: list[Json] = field(default_factory=list)
    """Objects by server-side apply, the most important first. One that already is as wanted costs no call (see
    `engine`); one that can't be written keeps no other from being written."""
    create: list[Json] = field(default_factory=list)
    """Objects that are made once (Jobs, PipelineRuns, ModelVersions). If the name is taken by another owner, the
    kernel reports a conflict naming it."""
    delete: list[Delete] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    requeue_after: float | None = None
    """Look again after this many seconds even if nothing changes."""
    steady: bool = False
    """Nothing follows from what this plan writes: it need not be looked at again at once, as after any other write."""
    moving: bool = False
    """Hundreds of things go on that it tells of: that look after look writes is no sign that it does not settle, unless
    it comes back to the same status again and again."""


@dataclass(frozen=True)
class Gauge:
    """A sample of the operator's own metrics that is read off an object's status at each scrape."""

    name: str
    help: str
    labels: Mapping[str, str]
    value: float


def no_requests(_subject: Subject[Any], _world: World, _now: float) -> Iterable[Request]:
    """For kinds that need no signals."""
    return ()


def no_gauges(_raw: Json) -> Iterable[Gauge]:
    """For kinds without gauges."""
    return ()


def no_smaller(_status: Any) -> Iterable[Any]:
    """For kinds whose statuses have nothing that can be done without."""
    return ()


def never_settled(_raw: Json) -> bool:
    """For kinds whose objects are always looked after."""
    return False


def never_stale(_raw: Json, _world: World) -> bool:
    """For kinds whose settled objects say nothing of others."""
    return False


def says_nothing(_raw: Json) -> bool:
    """For kinds whose settled objects say nothing of others."""
    return False


def no_keys(_raw: Json) -> Iterable[str]:
    """For kinds whose objects are found by name, label and owner only."""
    return ()


class Peers(Protocol):
    """All objects of a kind in a namespace, each read only when it is asked for."""

    def __iter__(self) -> Iterator[Json]:
        """All of them, in no order."""

    def get(self, name: str) -> Json | None:
        """One by name, or None."""

    def indexed(self, key: str) -> list[Json]:
        """Those that have this key in their kind's index, sorted by name."""


Mapper = Callable[[Json, Peers], Iterable[str]]
"""(an object of another kind, all objects of this kind in its namespace) -> names of those to look at again."""


@dataclass(frozen=True)
class KindSpec(Generic[M]):
    """All that the kernel knows of a kind."""

    kind: Kind
    info: KindInfo
    plan: Callable[[Subject[M], World, float], Plan]
    observe: Callable[[Subject[M], World, float], Iterable[Request]] = no_requests
    children: tuple[Kind, ...] = ()
    """Kinds whose objects wake their controlling owner. Watched with the label `managed-by=fairlead` only."""
    mappers: Mapping[Kind, Mapper] = field(default_factory=dict)
    """Other kinds whose objects wake this kind's."""
    foreign: frozenset[Kind] = frozenset()
    """Those of the mappers' whose objects are other people's: watched whole. There must be few of them."""
    anywhere: frozenset[Kind] = frozenset()
    """Those of the mappers' whose objects are used in other namespaces, too: they wake this kind's objects in all of
    them. Such objects must change seldom: one asks the mapper once for each namespace."""
    heeds: Mapping[Kind, Callable[[Json], Any]] = field(default_factory=dict)
    """What plans of this kind go by in another kind's object, for those that change all the time: as long as that stays
    as it was, a change wakes nobody."""
    claims: Callable[[Json], tuple[Claim, ...]] | None = None
    """What an object claims of what those of other namespaces want, too."""
    meet: Callable[[Claim, Claim], bool] = lambda _one, _other: False
    """Whether a change of one claim can matter to the object of the other."""
    gauges: Callable[[Json], Iterable[Gauge]] = no_gauges
    smaller: Callable[[Any], Iterable[Model]] = no_smaller
    """Smaller and smaller forms of a status, for an API server that does not take the whole one. Each has what the next
    decisions and the children follow from."""
    optional: frozenset[Kind] = frozenset()
    """Other kinds that a cluster may lack, or not let Fairlead see."""
    index: Callable[[Json], Iterable[str]] = no_keys
    """Keys by which an object is found among thousands; read once for each version of an object."""
    settled: Callable[[Json], bool] = never_settled
    """Whether nothing is left to be done for an object, whatever becomes of its children (a finished run that is
    cleaned up). Such an object is not even parsed. Gets the raw object; must be cheap."""
    stale: Callable[[Json, World], bool] = never_stale
    """Whether a settled object that was woken says something of others that is not so any more, and is to be looked at
    after all. Must be cheap, too."""
    speaks: Callable[[Json], bool] = says_nothing
    """Whether a settled object says anything of others at all: they may be gone since, so an operator that starts looks
    whether it is `stale`."""


# --- errors that a plan may raise ------------------------------------------------------------------------------


class Invalid(Exception):  # noqa: N818 - the house's names of errors
    """A person must act. The kernel sets `Ready=False`, reason `Invalid`, and waits for a change."""

    def __init__(self, field_path: str, message: str) -> None:
        super().__init__(f"{field_path}: {message}")
        self.field_path = field_path


def rfc3339(epoch: float) -> str:
    """Epoch seconds as RFC 3339 in UTC, to the microsecond."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def epoch(timestamp: str) -> float:
    """RFC 3339 as epoch seconds."""
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()
