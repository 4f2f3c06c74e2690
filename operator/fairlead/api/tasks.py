"""What the operator tells a worker, and what a worker says back.

A task travels as JSON in the environment variable `FAIRLEAD_TASK`; a result as a document in the store, whose digest is
the container's termination message (see `api/answers.py`). Both sides use these types, so they cannot drift apart.
"""

from __future__ import annotations

import base64
import zlib
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fairlead.api import foreign
from fairlead.api.dataset import Check, CheckResult, DatasetVersion, Schema
from fairlead.api.explain import SHOWN, Contribution, Reference
from fairlead.api.fetching import RESULT_LIMIT as RESULT_LIMIT
from fairlead.api.fetching import RESULT_PATH as RESULT_PATH
from fairlead.api.fetching import TASK_ENV as TASK_ENV
from fairlead.api.fetching import Access as Access
from fairlead.api.fetching import FetchItem as FetchItem
from fairlead.api.fetching import FetchTask as FetchTask
from fairlead.api.fetching import Outcomes as Outcomes
from fairlead.api.fetching import Place as Place
from fairlead.api.fetching import Said
from fairlead.api.fetching import TaskError as TaskError
from fairlead.api.fetching import Told as Told
from fairlead.api.formats import ARTIFACT, FormatName
from fairlead.api.guard import Loss
from fairlead.api.items import MOST, PAGE
from fairlead.api.labelled import UsedLabels
from fairlead.api.logged import FILES, FOLDER, NAMES, ArtifactRecord, Number
from fairlead.api.modelversion import Gate, GateResult, GoldenRef, Metric, ProfileRef, Score
from fairlead.api.pipelinerun import OutputRecord
from fairlead.api.reading import Csv, ShownReading
from fairlead.api.schema import Key, Model, Text

INPUTS = "/fairlead/in"
OUTPUTS = "/fairlead/out"
LOGGED = f"{OUTPUTS}/{FOLDER}"
MODEL = "/fairlead/model"
CREDENTIALS = "/fairlead/credentials"
SECRETS = "/fairlead/secrets"


class SnapshotTask(Model):
    """Read a listing to an end: hash and keep each object, check the data, publish a version."""

    dataset: str
    listing: str
    """Digest of the listing to read (see store.listing); if the source differs, the answer is ObjectChanged."""
    source: Told
    """`prefix` is a folder, or an object (see store.keys)."""
    exclude: list[str] | None = None
    """Patterns of paths that are no data."""
    store: Place
    """`prefix` is the Dataset's own folder."""
    format: FormatName
    pin: Literal["copy", "reference"]
    schema_: Schema | None = None
    csv: Csv | None = None
    checks: list[Check] = []
    previous: str | None = None
    """Manifest of the last version (`s3://…` in the store): objects with the same key, size and ETag are not read
    again."""


class SnapshotResult(Model):
    """`version` when one was published (or was there already); None when the checks refused it."""

    version: DatasetVersion | None = None
    checks: list[CheckResult] = []
    read: int = 0
    """Objects that had to be read."""
    reading: ShownReading | None = None
    """How the version's files are read; None if there is none, or if an earlier release has read them."""


class PublishItem(Model):
    """An output of a step."""

    name: str
    type: Literal["dataset", "model", "file", "preview", "value"]
    path: str


class PublishEntry(Model):
    """What is left for later runs that have the same key (`api/cached.py`)."""

    store: Place
    """`prefix` is the key's folder."""
    number: int
    """Of the document that is written; who comes first wins."""
    key: str
    run: str
    run_uid: str
    step: str
    at: str
    """When the step began; RFC 3339."""
    image: str = ""
    """With its digest."""
    expected: dict[str, str] | None = None
    """Digests that the outputs must have, by name: an audit of what stands there, which is dropped if one differs."""


class PublishTask(Model):
    """Commit a step's outputs: the first attempt that writes the outcome wins, a late one adopts it."""

    store: Place
    """`prefix` is the folder of the run's step."""
    attempt: int
    outputs: list[PublishItem]
    cache: PublishEntry | None = None
    outcome: str | None = None
    """Key of the outcome, where it is not in the folder: those of a step's items are side by side."""
    item: dict[str, str | None] | None = None
    """The item's values."""
    logged: str = ""
    """Folder of what the program has logged; empty: nothing is looked for."""
    workers: int | None = None
    """Of several pods that work together, how many they are: only index 0 commits. None: there is one."""


class PublishResult(Model):
    """What was committed, possibly by an earlier attempt."""

    attempt: int
    outputs: list[OutputRecord]
    uncached: str = ""
    """Why nothing was left for later runs that asked for it; empty: it was, or nobody asked."""
    item: dict[str, str | None] | None = None
    """The values of the item whose outputs these are."""
    outcome: Annotated[str, Field(max_length=1024)] = ""
    """Where this was committed."""
    metrics: Annotated[dict[Key, Number], Field(max_length=NAMES)] = {}
    """The last value of each metric."""
    values: int = 0
    """Values of metrics in `series`."""
    series: ArtifactRecord | None = None
    """All values that were logged, in their order: JSON lines."""
    artifacts: Annotated[list[ArtifactRecord], Field(max_length=FILES)] = []
    left_out: Annotated[list[Text], Field(max_length=16)] = []
    """What was logged and is not kept, and why."""


class ResolveTask(Model):
    """Ask a private repository what a ref stands for."""

    url: str
    ref: str = ""
    """Empty: the default branch."""
    path: str = ""
    """A folder whose tree is wanted too; empty: none."""
    credentials: str
    """Folder with the files `username` and `password` (a mounted Secret)."""
    store: Place
    """Where the answer goes."""


class ResolveResult(Model):
    """What the ref stands for."""

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    tree: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    """Empty: none was asked for, or the server hands out no single trees."""


class ItemsTask(Model):
    """Find the distinct rows of columns: the items of a step with `each`."""

    columns: list[str]
    folder: str
    """Where the data lie that were fetched."""
    store: Place
    """`prefix` is the folder of the run's step."""


class ItemsResult(Model):
    """How many there are, and where: digests of documents below `pages/` with 250 items each."""

    total: Annotated[int, Field(ge=1, le=MOST)]
    pages: Annotated[list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]], Field(max_length=MOST // PAGE)]


class Subject(Model):
    """A model that is scored."""

    subject: Literal["challenger", "champion", "before", "model"]
    version: str
    url: str
    """Base address of its server."""
    name: str
    """The model's name in `v2/models/<name>/infer`."""
    sha256: str = ""
    """Digest of the model's bytes, which `fetch` has verified."""
    features: list[str] = []
    """The columns that this model wants, if they differ from the task's."""
    ready: str | None = None
    """Path that says when its server can answer; None: `/v2/health/ready`."""


class ScoringTask(Model):
    """Ask models for the same rows, and score what they answer with the same code."""

    version: str
    task: Literal["regression", "classification"]
    subjects: list[Subject]
    data: str
    """Folder with the held-out rows."""
    data_format: FormatName = ARTIFACT
    data_sha256: str
    reference: str | None = None
    """Folder with the baseline's rows; None: no baseline."""
    reference_format: FormatName = ARTIFACT
    reference_sha256: str = ""
    by: list[str] = []
    features: list[str]
    target: str
    batch: int
    metrics: list[Metric]
    gates: list[Gate]
    ready_timeout: float = 120.0


class EvaluateTask(ScoringTask):
    """Score challenger, champion and baseline on the same rows with the same code."""

    store: Place
    """Where the report goes."""


class MeasureTask(ScoringTask):
    """Score one model for a step of a run: its metrics become the step's. Of the gates only gaps, whose slices are
    counted; nothing is judged."""

    outputs: str
    """Folder of the step's outputs."""
    where: str
    """The field in which the model's server is described, for people."""


class EvaluateResult(Model):
    """The proof, as the status has it; the report in the store has all of it."""

    digest: str
    report: str
    data: str = ""
    """Digest of the held-out rows."""
    rows: int
    scores: list[Score]
    gates: list[GateResult]
    sample: str = ""
    profile: ProfileRef | None = None
    no_profile: str = ""
    golden: GoldenRef | None = None
    no_golden: str = ""


class ProfileAt(Model):
    """Where a version's profile lies (`monitor/profile.py`)."""

    access: Access
    uri: str
    sha256: str
    """Of its bytes."""


class GoldenTask(Model):
    """Ask the server in this pod for golden rows, each time that it has started, and say whether it may get traffic."""

    at: ProfileAt | None = None
    """The document in the store; None: `file`."""
    file: str = ""
    """Path in the pod."""
    tolerance: float
    """A share."""
    proven: bool
    """The answers were given when the version was proven, not when it was made."""
    port: int
    """Where is asked whether the server has started."""
    server: int
    """Where the server listens on loopback."""
    ready: str
    """Path that says whether it can answer."""
    infer: str
    """Path of its inference."""


class RecordTask(Model):
    """Keep the answers that the proxy in the same pod hands over. Has no end, and no result."""

    deployment: str
    version: str
    store: Place | None = None
    """`prefix` is the version's folder of predictions; None: the newest answers are held in memory only."""
    probability: float
    """Share of the requests that the proxy chooses."""
    every: float
    """Seconds that an answer waits at most before it is written."""
    inputs: bool = False
    """Keep the requests' bodies too."""
    path: str | None = None
    """See Output.path."""
    socket: str
    """Unix socket that the proxy connects to."""
    port: int
    """For `/answers` and `/metrics`."""
    spool: str
    """Folder for answers on their way to the store."""
    profile: ProfileAt | None = None
    """What requests are counted by; None: they are not."""
    steer: str | None = None
    """Folder that the proxy sees too: by settings in it the share of what is counted follows the traffic."""
    sparing: Literal[True] | None = None
    """Keep no answers but those of that share."""
    golden: GoldenTask | None = None
    """What the server must answer before the pod gets traffic; None: it is not asked."""


class JoinTask(Model):
    """Join a version of a Dataset of labels with the answers that were kept, and count what was right."""

    labels: FetchItem
    """The version's manifest; `dest` is not used."""
    format: FormatName
    request_id: str
    """Column."""
    label: str
    """Column."""
    tolerance: str = "0"
    """Of numbers."""
    loss: Loss = "wrong"
    cap: str = "1"
    """The largest loss."""
    log: Place
    """`prefix` is the folder `predictions` of the Deployment."""
    stable: str
    """The live version during the rollout."""
    candidate: str
    since: str
    """Answers since then; RFC 3339."""
    cuts: list[str] = []
    """When the weights changed."""
    used: list[UsedLabels] = []
    """Labels that were counted by earlier joins, in `store`."""
    store: Place
    """`prefix` is the folder of this rollout's labels."""


class JoinResult(Model):
    """Counts of answers whose labels were not known before."""

    rows: int = 0
    """Requests with a label in this version."""
    matched: int = 0
    """Those among them, not counted before, that one of the versions answered."""
    unmatched: int = 0
    cells: list[list[int]] = []
    """By stretch of time: its beginning in seconds after `since`, then for the live version and for the candidate:
    answers without a label so far; how many of them are labelled now; how many of these no other version answered; how
    many of these were wrong."""
    pairs: list[int] = []
    """Requests that both answered: both right, only the candidate wrong, only the live version wrong, both wrong."""
    changed: int = 0
    contradictory: int = 0
    unjudgeable: int = 0
    """Labelled answers to several rows at once: a label is of one row."""
    strange: bool = False
    """None of the labels belongs to any answer that was looked at, of any version and time."""
    kept: list[int] = []
    """Answers since the rollout began, also to copies: of the live version, of the candidate."""
    used: list[UsedLabels] = []


class ObserveTask(Model):
    """Join a version of a Dataset of labels with the answers of one version, and count by its profile."""

    labels: FetchItem
    """The version's manifest; `dest` is not used."""
    format: FormatName
    request_id: str
    """Column."""
    label: str
    """Column."""
    log: Place
    """`prefix` is the folder `predictions` of the Deployment."""
    version: str
    since: str
    """Answers since then; RFC 3339."""
    profile: ProfileAt
    path: str | None = None
    """See Output.path."""
    used: list[UsedLabels] = []
    """Labels that were counted by earlier joins, in `store`."""
    store: Place
    """`prefix` is the folder of this version's labels."""
    against: Subject | None = None
    """The version before, to be asked for its answers to the same requests; None: it is not."""
    margin: str = ""
    """By which it is called not better."""
    ready_timeout: float = 120.0
    """Seconds until its server must answer."""


class Compared(Model):
    """What the version before would have said, on the same requests: `monitor.question.Gained`, and what it lacks."""

    n: int = 0
    """Requests that both answered, whose labels were not known before."""
    total: float = 0.0
    """Sum over these of the live version's loss less that of the version before: each lies in [-1, 1]."""
    refused: int = 0
    """Requests that the version before did not answer."""
    unkept: int = 0
    """Requests that it was not asked: their bodies were not kept, or there was no time."""
    better: list[float] = []
    """Log capital per stake, that the version before is better;"""
    not_better: list[float] = []
    """that it is not, by the task's margin."""
    trouble: str = ""
    """Why the version before could not be asked; empty if it could."""


class ObserveResult(Model):
    """Counts of answers whose labels were not known before."""

    rows: int = 0
    """Requests with a label in this version of the Dataset."""
    matched: int = 0
    """Those among them, not counted before, that the version answered."""
    unmatched: int = 0
    contradictory: int = 0
    changed: int = 0
    unread: int = 0
    """Labelled answers that were not understood, or to several rows at once: a label is of one row."""
    strange: bool = False
    """None of the labels belongs to any answer that was looked at, of any version and time."""
    window: dict[str, Any] | None = None
    """`monitor.labelled.LabelledWindow`, as it dumps itself; None: nothing was counted."""
    without_rows: int = 0
    """Labelled answers whose request is not known, so that their slice is not."""
    used: list[UsedLabels] = []
    compared: Compared | None = None


class ExplainTask(Model):
    """Explain requests that a version has answered, by asking its server in the same pod."""

    version: str
    model: str
    """Its name in `v2/models/<name>/infer`."""
    url: str
    """Base address of its server."""
    ready: str | None = None
    ready_timeout: float = 120.0
    task: Literal["regression", "classification", ""] = ""
    """What it answers; empty: nobody says."""
    log: Place
    """`prefix` is the version's folder of predictions."""
    since: str
    until: str
    """Answers in between; RFC 3339."""
    name: str
    """Of what is kept."""
    rows: int
    seconds: float
    """That explaining may take."""
    profile: ProfileAt | None = None
    """Says which of two classes is the positive one; None: nobody does."""
    reference: str | None = None
    """Folder with rows of the version's evaluation; None: there are none, or the reference is made."""
    reference_format: FormatName = ARTIFACT
    target: str = ""
    """Of the evaluation."""
    made: Reference | None = None
    """None: it is to be made."""
    store: Place
    """`prefix` is the version's folder of explanations."""


_Sums = Annotated[list[float], Field(min_length=3, max_length=3)]


class Moved(Model):
    """Sums over a window's rows: n, sum, sum of squares (`verdict/bounded.Sums`)."""

    name: str
    share: _Sums
    way: _Sums


class ExplainResult(Model):
    """What was explained."""

    rows: int = 0
    answered: int = 0
    """Requests in the log, of that time."""
    without: int = 0
    """Those among them whose body was not kept."""
    unread: dict[str, int] = {}
    """Drawn, and not explained, by reason."""
    late: int = 0
    """Drawn, and not explained, for want of time."""
    several: int = 0
    """Requests of several rows, of which one was explained."""
    corrupt: int = 0
    """Files of the log that could not be read."""
    asked: int = 0
    calls: int = 0
    varies: float = 0.0
    """By how much answers to the same rows differed, at most, as a part of the mean sum of contributions."""
    explains: Annotated[str, Field(max_length=512)] = ""
    base: Annotated[str, Field(max_length=24)] = ""
    features: Annotated[list[Contribution], Field(max_length=SHOWN)] = []
    reference: Reference | None = None
    """The one that was made, or was there; None: there were too few rows to make one."""
    sums: list[Moved] = []
    """Empty where the reference was made of the same requests."""
    key: str = ""
    """Below `store`."""


UNPACKED_LIMIT = 1 << 20


class TaskResult(Said):
    """What a worker says: exactly one member is set. In a termination message these are `error`, `fetched` and `answer`;
    the others are in the document that `answer` names. Releases before wrote all of it into the message; what was too
    long travelled as `{"packed": …}`: its JSON, deflated, in base64."""

    snapshot: SnapshotResult | None = None
    publish: PublishResult | None = None
    evaluate: EvaluateResult | None = None
    join: JoinResult | None = None
    observe: ObserveResult | None = None
    explain: ExplainResult | None = None
    items: ItemsResult | None = None
    resolve: ResolveResult | None = None

    @model_validator(mode="before")
    @classmethod
    def _unpack(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "packed" not in data:
            return data
        try:
            body = zlib.decompressobj().decompress(base64.b64decode(data["packed"]), UNPACKED_LIMIT)
        except (zlib.error, TypeError) as error:
            raise ValueError(f"not a packed result: {error}") from error
        return foreign.parse(body, parts=foreign.FEW)
