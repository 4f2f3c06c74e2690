"""What can be asked of the outside before a plan is made, and the answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from fairlead.api.cached import Entry
from fairlead.monitor.counts import Tally


@dataclass(frozen=True)
class ListSource:
    """List what is in a source. Each source has a request of its own below this one (plan/sources). Answer:
    `Listed`."""

    source: ClassVar[str]
    """The field of spec.source."""
    identity: ClassVar[bool] = False
    """Whether, without credentials, the operator's own cloud identity opens it."""
    namespace: str
    endpoint: str | None
    """The server."""
    bucket: str
    """The part of it that is asked; requests for one part come in turn."""
    credentials: str | None
    """Name of the Secret in the namespace."""


@dataclass(frozen=True)
class Listed:
    """A listing, reduced: `digest` is SHA-256 over the sorted lines `key<TAB>size<TAB>etag` (see store.listing)."""

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
class ReadCounts:
    """Read what a pod's recorder has counted. Answer: `CountsPage`."""

    url: str
    mark: str = ""
    """The page that was taken last, for `CountsPage.since`; empty: none was."""
    namespace: str = field(default="", compare=False)


@dataclass(frozen=True)
class CountsPage:
    """What a recorder's process has counted since it began."""

    boot: str
    """The process."""
    profile: str
    """Digest of the profile that it counts by."""
    problem: str
    """Why it counts nothing, as a reason; empty: it does."""
    tally: Tally
    mark: str
    """Names these counts: the recorder remembers the last ones, so that what comes after them can be asked for."""
    since: Tally | None = None
    """What was counted since the mark that was asked for; None: the recorder does not know it, or not any more."""
    message: str = ""
    """The problem in words."""
    chance: float = 1.0
    """With which it chooses a request now."""


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
class ReadImage:
    """Which manifest an image's name means now, as its registry says. Answer: `ImageSeen`."""

    namespace: str
    name: str
    """As people write it: `registry.example.com/team/app:stable`."""
    credentials: str | None = None
    """Name of a Secret of the namespace, of type kubernetes.io/dockerconfigjson; None: whoever asks is told."""
    look: str = ""
    """An answer to another one does not count."""
    age: float = field(default=60.0, compare=False)
    """Seconds that an answer may be old."""


@dataclass(frozen=True)
class ImageSeen:
    """What a registry has said."""

    digest: str
    """`sha256:…` of the manifest, or of the list of manifests of several platforms."""
    left: float = field(default=0.0, compare=False)
    """Seconds for which it is still young enough."""


@dataclass(frozen=True)
class ReadGit:
    """What a name stands for in a public repository now. Answer: `GitSeen`."""

    namespace: str
    url: str
    ref: str
    """A branch, a tag, a whole name or a commit; empty: the default branch."""
    path: str = ""
    """A folder whose tree is wanted too; empty: none."""
    look: str = ""
    """An answer to another one does not count."""
    age: float = field(default=60.0, compare=False)
    """Seconds that an answer may be old."""


@dataclass(frozen=True)
class GitSeen:
    """A commit, and what stands at the path there."""

    commit: str
    tree: str = ""
    """Empty: none was asked for, or the server hands out no single trees."""
    left: float = field(default=0.0, compare=False)
    """Seconds for which it is still young enough."""


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
class KeepLog:
    """Copy the end of a container's log into the store, unless it is there already. Answer: `LogKept`."""

    namespace: str
    bucket: str
    key: str
    endpoint: str | None
    region: str | None
    credentials: str | None
    """Name of the Secret in the namespace."""
    pod: str
    container: str
    limit: int
    """Bytes."""


@dataclass(frozen=True)
class LogKept:
    """It is in the store."""

    bytes: int
    cut: bool
    """It was longer."""


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
class ReadCached:
    """Read the document that counts among those of a key (`api/cached.py`), and look whether all that it names is
    still there as it was. Answer: `Cached`."""

    namespace: str
    bucket: str
    prefix: str
    """The key's folder."""
    endpoint: str | None
    region: str | None
    credentials: str | None
    """Name of the Secret in the namespace."""


@dataclass(frozen=True)
class Cached:
    """What is kept under a key."""

    number: int
    """Of the document; 0: there is none."""
    entry: Entry | None = None
    trouble: str = ""
    """Why it can't be used: what it names is gone, or is something else; or it is no such document."""


@dataclass(frozen=True)
class FindOutputs:
    """Whether outputs that were committed are still there, with all their bytes. Answer: `OutputsSeen`."""

    namespace: str
    bucket: str
    outputs: tuple[tuple[str, int], ...]
    """(key, bytes); a key with a slash at the end is a folder."""
    endpoint: str | None
    region: str | None
    credentials: str | None
    """Name of the Secret in the namespace."""


@dataclass(frozen=True)
class OutputsSeen:
    """Which of them are not."""

    trouble: str = ""
    """What is gone or has another size; empty: all are there."""


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
    ListSource | ScrapePod | ReadAnswers | ReadInput | PromQuery | WarmUp | SaveDocument | FindObject | ReadDocument
    | ReadGateway | ReadNewest | ReadNamespace | ReadRules | ReadAccount | AskReady | ReadCounts
    | ReadImage | ReadGit | KeepLog | ReadCached | FindOutputs
)  # fmt: skip
Answer = (
    Listed | Counters | AnswersPage | KeptInput | Vector | Warm | Saved | Presence | Document | GatewaySeen | Newest
    | NamespaceSeen | RulesSeen | AccountSeen | ReadySaid | CountsPage | ImageSeen | GitSeen | LogKept
    | Cached | OutputsSeen | Failed
)  # fmt: skip
