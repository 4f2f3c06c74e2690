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

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from fairlead.api.common import API_VERSION
from fairlead.api.config import OperatorConfig
from fairlead.api.kinds import KindInfo
from fairlead.api.schema import Model

Json = dict[str, Any]
M = TypeVar("M", bound=Model)

MANAGER = "fairlead"
MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_PREFIX = "fairlead.dev/"
SERVE = f"{LABEL_PREFIX}serve"
"""On a ServiceAccount: `true` lets served models run as it."""


class Kind(NamedTuple):
    """A resource type of the API server. A tuple, for it is hashed all the time."""

    api_version: str
    kind: str
    plural: str


DATASET = Kind(API_VERSION, "Dataset", "datasets")
PIPELINE = Kind(API_VERSION, "Pipeline", "pipelines")
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


@dataclass(frozen=True)
class Subject(Generic[M]):
    """The object that is planned for, parsed."""

    meta: Meta
    body: M
    raw: Json


# --- signals ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListObjects:
    """List the objects under a prefix. Answer: `Listed`."""

    namespace: str
    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    credentials: str | None
    """Name of the Secret in the namespace."""
    exclude: tuple[str, ...] = ()
    """Patterns of paths that are no data (see store.keys)."""


@dataclass(frozen=True)
class Listed:
    """A listing, reduced: `digest` is SHA-256 over the sorted lines `key<TAB>size<TAB>etag`."""

    digest: str
    objects: int
    bytes: int
    ignored: int = 0
    """Objects besides that are no data."""


@dataclass(frozen=True)
class MetricNames:
    """Selectors of a server's counters, `name{label="value",code=~"5.."}`; matching series are added up."""

    requests: str
    failures: str
    latency: str | None = None
    """Histogram, without `_bucket`."""
    latency_unit: float = 1.0
    """Seconds per unit of the histogram's bounds."""


@dataclass(frozen=True)
class ScrapePod:
    """Read a pod's counters straight from it. Answer: `Counters`."""

    url: str
    names: MetricNames
    namespace: str = field(default="", compare=False)
    """Whose request it is: requests of all namespaces come in turn."""


@dataclass(frozen=True)
class Counters:
    """A pod's counters at one moment. `buckets`: cumulative counts by upper bound in seconds, rising."""

    requests: float
    failures: float
    buckets: tuple[tuple[float, float], ...] = ()
    unproven: tuple[Unproven, ...] = field(default=(), compare=False)
    """What is 0 here without a proof that it is counted at all."""


@dataclass(frozen=True)
class Unproven:
    """A name or a label that a selector asks for and a page does not have: nobody knows whether nothing has happened,
    or it is spelt wrongly."""

    of: Literal["requests", "failures", "latency"]
    reason: str
    """MetricMissing: another pod of the version may have it, which has had a request already. LabelMissing: its series
    are there, and have other labels."""
    name: str
    """The metric, or the label."""
    message: str


@dataclass(frozen=True)
class ReadAnswers:
    """Read which answers a pod's recorder has kept. Answer: `AnswersPage`."""

    url: str
    after: int
    """Only later ones than this number."""
    boot: str = ""
    """The recorder's process that gave the number; another one has other numbers. Empty: not known yet."""
    namespace: str = field(default="", compare=False)


@dataclass(frozen=True)
class KeptAnswer:
    """An answer that a recorder has kept."""

    number: int
    """Rises by one with each answer of the recorder's process."""
    request_id: str
    at: float
    """When it was given (epoch seconds, by the pod's clock)."""
    status: int
    """Of HTTP."""
    milliseconds: float
    output: Any = None
    """What the model said, as JSON; None: nothing that could be read."""
    shadow: bool = False
    """The request was a copy; nobody got the answer."""
    probability: float = 1.0
    """With which it was kept."""


@dataclass(frozen=True)
class AnswersPage:
    """Answers that a recorder still has, in their order."""

    boot: str
    next: int
    """What to ask for next time: the last of these, or the newest there is if there are none."""
    dropped: int
    """How many after the asked number are gone."""
    answers: tuple[KeptAnswer, ...]
    more: bool = False
    """There are later ones too: somebody reads too slowly."""


@dataclass(frozen=True)
class ReadInput:
    """Read what was asked in a request that a pod's recorder has kept. Answer: `KeptInput`."""

    url: str
    request_id: str
    namespace: str = field(default="", compare=False)


@dataclass(frozen=True)
class KeptInput:
    """The body of a request. `text` None: it was not kept, or is gone by now."""

    text: str | None


@dataclass(frozen=True)
class PromQuery:
    """An instant query. Answer: `Vector`."""

    url: str
    expression: str
    signed: bool = False
    """Of a gauge: negative values are values."""
    namespace: str = field(default="", compare=False)


@dataclass(frozen=True)
class Vector:
    """The series of an instant vector: (short hash of the labels, value). NaN and infinite values, and unless the query
    is `signed` negative ones, are left out and counted in `unusable`."""

    series: tuple[tuple[str, float], ...]
    unusable: int = 0


@dataclass(frozen=True)
class ReadRules:
    """Which alert rules Prometheus has loaded in these groups. Answer: `RulesSeen`."""

    url: str
    groups: tuple[str, ...]
    namespace: str = field(default="", compare=False)


@dataclass(frozen=True)
class RulesSeen:
    """The alert rules that are loaded: (group, fingerprint as of `manifests.alerts.fingerprint`, what went wrong when
    the rule was evaluated last)."""

    rules: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class WarmUp:
    """Send a request to a server a few times. Answer: `Warm`."""

    url: str
    body: str
    """JSON of an inference request; empty: only ask whether the model is ready."""
    times: int = 3
    own: bool = False
    """It is `spec.server.warmUp`, and no request of the evaluation: what the server thinks of it is its own affair."""
    namespace: str = field(default="", compare=False)


@dataclass(frozen=True)
class Warm:
    """The server answered all of them."""


@dataclass(frozen=True)
class AskReady:
    """Ask a server that has not started yet, as its start-up probe does, for people to see. Answer: `ReadySaid`."""

    url: str
    namespace: str = field(default="", compare=False)


@dataclass(frozen=True)
class ReadySaid:
    """What a server answers when it is asked whether it is ready."""

    status: int
    text: str
    """The beginning of the body."""


@dataclass(frozen=True)
class SaveDocument:
    """Write a document that is written once: if it is there already, it must be the same. Answer: `Saved`."""

    namespace: str
    bucket: str
    key: str
    body: str
    endpoint: str | None
    region: str | None
    credentials: str | None
    """Name of the Secret in the namespace."""


@dataclass(frozen=True)
class FindObject:
    """Whether something is in the store. Answer: `Presence`."""

    namespace: str
    bucket: str
    key: str
    """With a slash at the end: any object below it."""
    endpoint: str | None
    region: str | None
    credentials: str | None
    """Name of the Secret in the namespace."""


@dataclass(frozen=True)
class ReadDocument:
    """Read a document that has this digest, and not more than `limit` bytes. Answer: `Document`."""

    namespace: str
    bucket: str
    key: str
    sha256: str
    endpoint: str | None
    region: str | None
    credentials: str | None
    """Name of the Secret in the namespace."""
    limit: int = 256 << 10


@dataclass(frozen=True)
class Document:
    """A document with the digest that was asked for."""

    text: str


@dataclass(frozen=True)
class ReadNewest:
    """Read the numbered document with the highest number in a folder. Answer: `Newest`."""

    namespace: str
    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    credentials: str | None
    """Name of the Secret in the namespace."""


@dataclass(frozen=True)
class Newest:
    """A document, with its key. Both are empty where there is none."""

    key: str
    text: str


@dataclass(frozen=True)
class Presence:
    """Whether it is there."""

    found: bool


@dataclass(frozen=True)
class Saved:
    """The document is in the store."""


@dataclass(frozen=True)
class ReadGateway:
    """Where a Gateway listens, and what implements it. Answer: `GatewaySeen`."""

    namespace: str
    name: str


@dataclass(frozen=True)
class GatewaySeen:
    """A Gateway's addresses, as its controller reports them, and its listeners for HTTPRoutes as (protocol, port)."""

    addresses: tuple[str, ...]
    listeners: tuple[tuple[str, int], ...]
    grpc_listeners: tuple[tuple[str, int], ...] = ()
    """Those for GRPCRoutes."""
    class_name: str = ""
    """Its GatewayClass; empty where that can't be read."""
    controller: str = ""
    """The class's controller."""
    features: tuple[str, ...] = ()
    """The features that the class lists as supported; none: it has no list."""


@dataclass(frozen=True)
class ReadNamespace:
    """What a Namespace's annotations say to Fairlead. Answer: `NamespaceSeen`."""

    name: str


@dataclass(frozen=True)
class NamespaceSeen:
    """Its annotations that begin with `fairlead.dev/`, sorted by name."""

    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ReadAccount:
    """Whether the owner of a namespace lets served models run as a ServiceAccount. Answer: `AccountSeen`."""

    namespace: str
    name: str


@dataclass(frozen=True)
class AccountSeen:
    """Whether it is there, and whether it has the label `fairlead.dev/serve: "true"`."""

    exists: bool
    granted: bool = False


@dataclass(frozen=True)
class Failed:
    """A signal that could not be had. `reason` is CamelCase; `message` says what to do."""

    reason: str
    message: str


UNDERWAY = "Underway"
"""Reason of a `Failed` where a store has not answered yet; it may at a later look."""
NOT_YET = ("NotAsked", UNDERWAY)
"""Reasons that say nothing of what was asked for."""
NO_TURN = "NoTurn"
"""Reason of a `Failed` where the store was not asked: others of the namespace were under way all the time."""

Request = (
    ListObjects | ScrapePod | ReadAnswers | ReadInput | PromQuery | WarmUp | SaveDocument | FindObject | ReadDocument
    | ReadGateway | ReadNewest | ReadNamespace | ReadRules | ReadAccount | AskReady
)  # fmt: skip
Answer = (
    Listed | Counters | AnswersPage | KeptInput | Vector | Warm | Saved | Presence | Document | GatewaySeen | Newest
    | NamespaceSeen | RulesSeen | AccountSeen | ReadySaid | Failed
)  # fmt: skip


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

    def answer(self, request: Request) -> Answer:
        """The answer to a request that `observe` returned; `Failed("NotAsked", …)` for any other."""


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
