"""Deployment, its status: what is live, what is on its way, what was seen, and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead.api.common import StatusBase, Timestamp
from fairlead.api.experiment import Comparison, Contender, Division
from fairlead.api.labelled import Joined, LabelsSeen
from fairlead.api.ledger import Ledger
from fairlead.api.review import Review
from fairlead.api.schema import LIST_ATOMIC, Duration, Model, Name, Text, list_map


class Live(Model):
    """The version that serves."""

    version: Name
    since: Timestamp


class ArmCounts(Model):
    """What a window, or a whole rollout, counted for one version."""

    requests: int = 0
    failures: int = 0


class Proven(Model):
    """What has been shown for a guardrail or a target so far."""

    log_evidence: Annotated[str, Field(max_length=32)] = "0"
    """Log of the evidence that it holds."""
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence it is proven."""
    log_lr: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """Per alternative: the state of the test."""
    rate: Annotated[str, Field(max_length=32)] = ""
    """With a guardrail: the live version's share of bad answers, as it is expected in the next window."""
    weight: Annotated[str, Field(max_length=32)] = ""
    """With a guardrail: the requests that `rate` stands for."""
    worse_by: Annotated[str, Field(max_length=32)] = ""
    """With a guardrail: the margin as a difference of shares, fixed with the guard's `odds`."""


class Values(Model):
    """What a guard on a value has seen: the whole state of its test (`verdict.gauges`)."""

    pairs: int = 0
    """Of the live version's and the candidate's value at the same moment."""
    sums: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=2)] = []
    """Of the live version's values, and of the candidate's."""
    at: Timestamp
    """When the last pair was read that counted."""
    last: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=2)] = []
    """That pair."""
    length: int = 1
    """Pairs of a batch; it grows while batches next to each other are alike."""
    means: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=48)] = []
    """Of each batch: by how much the candidate was worse than tolerated."""
    open: int = 0
    """Pairs of the batch that is not complete."""
    rest: Annotated[str, Field(max_length=32)] = "0"
    """The sum of their differences."""


Place = Annotated[str, Field(max_length=32)]


class Scores(Model):
    """What a guard on the answers themselves holds them against (`verdict.scores`)."""

    first: Annotated[list[Place], Field(max_length=200)] = []
    """The live version's first answers, until there are enough of them."""
    unread: int = 0
    """Answers of the live version meanwhile that could not be read."""
    bounds: Annotated[list[Place], Field(max_length=11)] = []
    """Of numbers: the live version's 5 % quantile, its deciles, and its 95 % quantile."""
    labels: Annotated[list[Place], Field(max_length=50)] = []
    """Of labels: those that the live version gave."""
    live: Annotated[dict[str, int], Field(max_length=64)] = {}
    """Its first answers by place: a tenth, or a label; empty: beyond."""
    own: Annotated[dict[str, int], Field(max_length=64)] = {}
    """The candidate's first answers, until there are enough of them."""
    chosen: bool = False
    """Whether it is known if the candidate has a favourite."""
    favourite: Place = ""
    """The place where the candidate has many more answers than the live version; empty: none."""


class Beyond(Model):
    """Of a guard with `worseBy`: the evidence that the candidate's rate lies above the live version's by more than
    that. It is what counts."""

    worse_by: Annotated[str, Field(max_length=32)]
    """A difference of shares."""
    began: Annotated[str, Field(max_length=32)]
    """The live version's share of bad answers, as it was known at the start."""
    rate: Annotated[str, Field(max_length=32)]
    """The same, as it is expected in the next window."""
    weight: Annotated[str, Field(max_length=32)]
    """The requests that `rate` stands for."""
    log_e: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """Per alternative: the state of the test."""


class GuardEvidence(Model):
    """What a guard has seen in this rollout, over all its windows."""

    guard: Annotated[str, Field(max_length=64)]
    """Index and metric, `0/errors`."""
    stable: ArmCounts = ArmCounts()
    candidate: ArmCounts = ArmCounts()
    windows: int = 0
    log_lr: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """Log likelihood ratio per odds ratio of the test's grid: the whole state of the test."""
    log_evidence: Annotated[str, Field(max_length=32)] = "0"
    """Log of the evidence that the candidate is worse."""
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence it is rolled back."""
    odds: Annotated[str, Field(max_length=32)] = "1"
    """The tolerated odds ratio, from `worseBy` and the live version's rate when the rollout began."""
    floor: Annotated[str, Field(max_length=32)] = "0"
    """With a margin: the candidate's own share of bad answers up to which nothing is harm, fixed with `odds`."""
    beyond: Beyond | None = None
    """With `worseBy` in percentage points. Rollouts that began before there was this go on by `odds` and `floor`."""
    proven: Proven | None = None
    """Of a guardrail or a target."""
    threshold: Annotated[str, Field(max_length=32)] = ""
    """Latency: a request counts as slow above this many seconds."""
    values: Values | None = None
    """With `gauge`."""
    scores: Scores | None = None
    """With `scores`."""
    state: Literal["Watching", "Harm", "NoEvidence"] = "NoEvidence"
    reason: Annotated[str, Field(max_length=64)] = ""
    """With NoEvidence: why, in a word."""
    message: Text = ""
    digest: Annotated[str, Field(max_length=16)] = ""
    """Of the guard as it was written: a changed guard begins anew."""
    began_at: Timestamp | None = None
    """When its counters were first read; what they counted before is not evidence."""
    step_events: int = 0
    """What it has counted for the candidate in this step."""
    since: Timestamp | None = None
    """When its last window ended."""
    labels: LabelsSeen | None = None


class Cursor(Model):
    """How far a source's counters have been read: each delta is counted once, whatever happens to the operator."""

    source: Annotated[str, Field(max_length=128)]
    """Pod uid and container start, or the hash of a series' labels, with the arm and guard."""
    values: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=4)]
    """Of a pod: requests and failures, or requests and slow ones. Of a series: its value."""


class AnswerCursor(Model):
    """How far a pod's recorder has been read."""

    source: Annotated[str, Field(max_length=128)]
    """Arm and pod uid."""
    boot: Annotated[str, Field(max_length=64)] = ""
    """The recorder's process."""
    after: int = 0
    """Number of the last answer that has been dealt with."""


class Copies(Model):
    """What came of a shadow step's copies so far."""

    pairs: int = 0
    """Requests that both versions answered, and whose answers could be compared."""
    different: int = 0
    """Those among them with different answers."""
    unclear: int = 0
    """Requests that both answered, but where the live version's answer is not of the declared type, or a failure."""
    alone: int = 0
    """Requests that only the live version answered."""


class Split(Model):
    """Whether the traffic is divided as asked, in this step."""

    stable: int = 0
    candidate: int = 0
    log_evidence: Annotated[str, Field(max_length=32)] = "0"
    wrong: bool = False
    """The traffic was not divided as asked; it is counted anew, to see when it is again."""


class Common(Model):
    """Whether the live version itself fails more than it used to: then a step is not left."""

    before: ArmCounts = ArmCounts()
    """What it had counted when the rollout began."""
    tolerated: Annotated[str, Field(max_length=32)] = "0"
    """Its share of failures up to which nothing is wrong; 0: too little was known."""
    log_r: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """The detector's state, per alternative; empty at its start."""
    requests: int = 0
    """Since the detector began (anew)."""
    worse: bool = False


class GpuPlace(Model):
    """The place of a candidate among those of the namespace that need GPUs. It has pods only while it holds one."""

    state: Literal["Waiting", "Held"] = "Waiting"
    since: Timestamp
    """When it asked: the first that asked is the first that starts."""
    held_since: Timestamp | None = None
    gpus: int = 0
    """What its pods request, all together."""
    tries: int = 0
    """How often it gave its place up, because no node had room."""
    until: Timestamp | None = None
    """It does not ask again before."""


class Candidate(Model):
    """The version on its way."""

    version: Name
    since: Timestamp
    against: Annotated[str, Field(max_length=63)] = ""
    """The live version when the rollout began: promotion happens only if it still is. Empty for the first version."""
    place: GpuPlace | None = None
    """Of one whose pods need GPUs."""
    step: Annotated[int, Field(ge=-1)] = -1
    """Index of the step; -1 while its pods start and are warmed."""
    weight: int = 0
    shadow: Annotated[str, Field(max_length=12)] = ""
    """In a shadow step: the share of the live version's requests that it gets copies of, `25%`."""
    copies: Copies = Copies()
    """Of this step."""
    step_since: Timestamp | None = None
    """When the step's weight was asked for."""
    let_on: int = -1
    """The last step, with `manual: true`, that a person has let go on."""
    routed_at: Timestamp | None = None
    """When the route was first seen to have this weight."""
    observed: Annotated[str, Field(max_length=32)] = "0"
    """Seconds of this step in which evidence came in."""
    step_requests: int = 0
    """Requests that the candidate answered in this step."""
    answered: ArmCounts = ArmCounts()
    """What the candidate's pods have counted in this rollout."""
    live_answered: ArmCounts = ArmCounts()
    """What the live version's pods have counted in the same windows."""
    counting_since: Timestamp | None = None
    """When the counters of both versions' pods were first read, just before the first traffic."""
    restarts: int = 0
    """Restarts of its pods then: later ones are held against it."""
    warmed: Annotated[list[Annotated[str, Field(max_length=48)]], Field(max_length=500)] = []
    """Pods that have answered a warm-up request: uid and number of restarts."""
    verdict: Literal["Starting", "Continue", "Harm", "NoEvidence"] = "Starting"
    expected: Annotated[str, Field(max_length=16)] = ""
    """How long it will still take at the present traffic if nothing is found, `4m10s`; empty while it isn't known."""
    doubling: Annotated[str, Field(max_length=16)] = ""
    """How long it takes at the present traffic to find out that it fails twice as often; empty while nothing fails."""
    guards: Annotated[list[GuardEvidence], Field(max_length=8, json_schema_extra=list_map("guard"))] = []
    split: Split = Split()
    common: Common = Common()
    cursors: Annotated[list[Cursor], Field(max_length=256, json_schema_extra=list_map("source"))] = []
    answers: Annotated[list[AnswerCursor], Field(max_length=256, json_schema_extra=list_map("source"))] = []
    """Of the recorders whose answers are compared."""
    ledger: Ledger = Ledger()
    """What was seen, window by window, and what was decided on it."""
    review: Review | None = None
    """With a guard on `review`: answers that wait for a person's judgement, and what was said of others."""
    first_request_at: Timestamp | None = None
    last_window_at: Timestamp | None = None


class ExperimentStatus(Model):
    """An experiment on its way, or how it ended; kept while the spec has it."""

    key: Annotated[str, Field(max_length=16)]
    """Digest of its versions and its reward, part of every cookie: another experiment assigns its users anew."""
    since: Timestamp
    against: Name
    """The live version when it began."""
    phase: Literal["Starting", "Running", "Ended"] = "Starting"
    result: Literal["", "Won", "Undecided", "Stopped"] = ""
    winner: Annotated[str, Field(max_length=63)] = ""
    message: Text = ""
    """How it ended, and why."""
    ended_at: Timestamp | None = None
    contenders: Annotated[list[Contender], Field(max_length=5, json_schema_extra=list_map("version"))] = []
    """The live version first."""
    arms: Annotated[list[Candidate], Field(max_length=4, json_schema_extra=list_map("version"))] = []
    """The candidates that take part, each held against the live version as in a rollout."""
    comparisons: Annotated[list[Comparison], Field(max_length=20, json_schema_extra=LIST_ATOMIC)] = []
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence a version is shown to be worse than another one."""
    division: Division = Division()
    observed: Annotated[str, Field(max_length=32)] = "0"
    """Seconds in which evidence came in."""
    counted_at: Timestamp | None = None
    """When the reward's counters were last read."""
    moved_at: Timestamp | None = None
    """When the shares were last changed."""
    silent: Annotated[str, Field(max_length=64)] = ""
    """Why the reward is not known at the moment, in a word,"""
    said: Text = ""
    """and in a sentence."""
    cursors: Annotated[list[Cursor], Field(max_length=256, json_schema_extra=list_map("source"))] = []


class RolloutRecord(Model):
    """How a rollout ended, and why."""

    version: Name
    against: Annotated[str, Field(max_length=63)] = ""
    result: Literal["Live", "RolledBack", "Superseded", "Failed"]
    reason: Annotated[str, Field(max_length=64)]
    message: Text = ""
    started_at: Timestamp
    ended_at: Timestamp
    weight: int = 0
    """The weight that it had reached."""
    stable: ArmCounts = ArmCounts()
    candidate: ArmCounts = ArmCounts()
    guards: Annotated[list[GuardEvidence], Field(max_length=8, json_schema_extra=LIST_ATOMIC)] = []
    ledger: Annotated[str, Field(max_length=1024)] = ""
    """Where its evidence lies in the store, window by window: `kubectl fairlead replay` judges it once more."""


class WatchedGuard(Model):
    """What a guard has seen after the promotion."""

    guard: Annotated[str, Field(max_length=64)]
    """Index and metric, `0/errors`."""
    digest: Annotated[str, Field(max_length=16)] = ""
    """Of the guard as it was written: a changed guard is not watched any more."""
    state: Literal["Watching", "Alarm", "NoEvidence"] = "Watching"
    reason: Annotated[str, Field(max_length=64)] = ""
    """With NoEvidence: why, in a word."""
    tolerated: Annotated[str, Field(max_length=32)] = ""
    """Without a holdback: the share of bad answers up to which nothing is wrong, fixed at the promotion. Empty: too
    little was known."""
    odds: Annotated[str, Field(max_length=32)] = "1"
    """With a holdback: the tolerated odds ratio, as in the rollout."""
    floor: Annotated[str, Field(max_length=32)] = "0"
    """With a holdback: as in the rollout."""
    threshold: Annotated[str, Field(max_length=32)] = ""
    """Latency: a request counts as slow above this many seconds, as in the rollout."""
    live: ArmCounts = ArmCounts()
    previous: ArmCounts = ArmCounts()
    """With a holdback."""
    windows: int = 0
    """Those that could say something."""
    log_r: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)] = []
    """The detector's whole state, per alternative."""
    log_evidence: Annotated[str, Field(max_length=32)] = "-inf"
    bound: Annotated[str, Field(max_length=32)] = ""
    """At this log evidence it is rolled back."""


class Watch(Model):
    """The live version under watch after its promotion."""

    version: Name
    against: Name
    """The version before it: the way back."""
    since: Timestamp
    until: Timestamp
    """It ends by then in any case."""
    length: Duration
    """It ends after so much observed time."""
    observed: Annotated[str, Field(max_length=32)] = "0"
    """Seconds in which requests were seen."""
    holdback: int = 0
    """Percent of the requests that the previous version answers."""
    standby: Timestamp | None = None
    """The previous version's pods stay until then."""
    restarts: int = 0
    """Restarts of its pods at the promotion."""
    last_window_at: Timestamp
    guards: Annotated[list[WatchedGuard], Field(max_length=8, json_schema_extra=list_map("guard"))] = []
    cursors: Annotated[list[Cursor], Field(max_length=32, json_schema_extra=list_map("source"))] = []
    ledger: Ledger = Ledger()
    """What was seen since the promotion, window by window."""


class WayBack(Model):
    """A rollback of the live version that waits for the pods of the version before it."""

    version: Name
    """The version that shall be live again."""
    leaves: Name
    """The version that is live until then."""
    since: Timestamp
    reason: Annotated[str, Field(max_length=64)]
    message: Text = ""
    forced: bool = False
    """A person's decision."""
    warmed: Annotated[list[Annotated[str, Field(max_length=48)]], Field(max_length=500)] = []
    """Pods that have answered a warm-up request: uid and number of restarts."""


class Stored(Model):
    """What was found when the way back's model was last looked for in the store."""

    version: Name
    at: Timestamp
    state: Literal["Found", "Missing", "Unknown"]
    """`Unknown`: it could not be looked for."""


class Retiring(Model):
    """A version without traffic whose pods finish what they have."""

    version: Name
    until: Timestamp


class GatewayState(Model):
    """What the Gateway's implementation says of itself; asked at the start of each rollout."""

    name: Annotated[str, Field(max_length=320)]
    """`<namespace>/<name>`."""
    class_: Annotated[str, Field(alias="class", max_length=253)] = ""
    """The GatewayClass; empty: it could not be read."""
    controller: Annotated[str, Field(max_length=253)] = ""
    """Name of the controller that implements it."""
    features: (
        Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20, json_schema_extra=LIST_ATOMIC)]
        | None
    ) = None
    """Of the features that it lists as supported, those that Fairlead can use; absent: it lists none at all."""
    at: Timestamp
    """When it was asked."""


class DeploymentStatus(StatusBase):
    """What is live, what is on its way, and what became of earlier rollouts. Phases: Pending, Progressing, Live,
    Holding, RolledBack, Degraded. Conditions: Ready, Progressing, RouteAccepted, GatewayAble, EvidenceAvailable,
    Watched, RollbackReady, Experiment."""

    live: Live | None = None
    candidate: Candidate | None = None
    previous: Name | None = None
    """The last good version before the live one: the way back."""
    watch: Watch | None = None
    """The live version's behaviour since it was promoted, while it is watched."""
    joins: Annotated[list[Joined], Field(max_length=16, json_schema_extra=list_map("version", "guard"))] = []
    """Of guards on labels."""
    way_back: WayBack | None = None
    """A rollback of the live version that is under way."""
    experiment: ExperimentStatus | None = None
    """Versions that are compared with each other."""
    stored: Stored | None = None
    """Whether the way back's model is still in the store; looked for once an hour."""
    heeded: Annotated[str, Field(max_length=16)] = ""
    """Digest of the override that was carried out last."""
    refused: Annotated[list[Name], Field(max_length=50, json_schema_extra=LIST_ATOMIC)] = []
    """Versions that were rolled back here; they are not tried again, unless the annotation `fairlead.dev/retry`
    names one."""
    retried: Annotated[str, Field(max_length=63)] = ""
    """The value of the annotation `fairlead.dev/retry` that has been heeded."""
    retiring: Annotated[list[Retiring], Field(max_length=10, json_schema_extra=list_map("version"))] = []
    history: Annotated[list[RolloutRecord], Field(max_length=10, json_schema_extra=LIST_ATOMIC)] = []
    """The last 10 rollouts, newest first."""
    unsaved: Annotated[list[Ledger], Field(max_length=6, json_schema_extra=LIST_ATOMIC)] = []
    """Evidence of ended rollouts that the store does not have yet."""
    address: Annotated[str, Field(max_length=512)] = ""
    """Where clients reach it."""
    gateway: GatewayState | None = None
    """What is known of the Gateway."""
    ready_replicas: int = 0
