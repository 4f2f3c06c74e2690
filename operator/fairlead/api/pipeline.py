"""Pipeline: steps that run as Jobs when a trigger says so, and the models that they produce."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from fairlead.api.code import Code, CodeSeen, CodeTrigger
from fairlead.api.common import Container, S3Location, SecretRef, StatusBase, Timestamp
from fairlead.api.component import ComponentRef, Output, StepParams
from fairlead.api.each import Each, ItemValue
from fairlead.api.modelversion import ModelVersionTemplate
from fairlead.api.schema import (
    LIST_ATOMIC,
    LIST_SET,
    Author,
    Decimal,
    Duration,
    Image,
    Key,
    Memory,
    Model,
    Name,
    Share,
    Span,
    Text,
    cel,
    exactly_one_of,
    list_map,
    one_field,
    strictly,
)

ParamValue = Annotated[str, Field(max_length=1024)]
Params = Annotated[dict[str, ParamValue], Field(max_length=64)]
OutputRef = Annotated[str, Field(max_length=127, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\.[A-Za-z_][A-Za-z0-9_]*$")]
"""`step.output`."""


class DatasetTrigger(Model):
    """A run for each new version of a Dataset."""

    name: Name


class ScheduleTrigger(Model):
    """A run at given times. Times that were missed because the operator was down are made up by at most one run; times
    while the pipeline was suspended are not made up."""

    cron: Annotated[str, Field(min_length=9, max_length=128)]
    """Five fields: minute, hour, day of month, month, day of week."""
    time_zone: Annotated[str, Field(max_length=64)] = "Etc/UTC"
    """IANA name."""


ConditionWord = Annotated[str, Field(max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")]
"""A type or a reason of a condition, in CamelCase."""


class ConditionTrigger(Model):
    """A run when a condition of a Deployment is `True`: one for each time that it becomes so, and for each version that
    is live then."""

    deployment: Name
    type: ConditionWord
    """For example `WorldChanged`. Whatever conditions the Deployment has: one that it does not have is told as not seen
    so far."""
    reasons: Annotated[list[ConditionWord], Field(max_length=8, json_schema_extra=LIST_SET)] = []
    """Only with one of these reasons; none: with any."""
    for_: Annotated[Duration, Field(alias="for")] = "0s"
    """It must have been `True` for so long, with the same version live."""


class StaleTrigger(Model):
    """A run when the newest approved version of a model was made too long ago. It is as old as its ModelVersion:
    neither a later evaluation nor an approval makes a model younger."""

    model: Name
    after: Span


class PrometheusTrigger(Model):
    """A run when a value in the installation's Prometheus is above or below a number for some time. No series, several
    ones, not a finite number, or no answer: then nobody knows, and no run is started."""

    query: Annotated[str, Field(min_length=1, max_length=1024)]
    """PromQL, an instant query that gives one series; `{{namespace}}` stands for the namespace."""
    above: Decimal | None = None
    below: Decimal | None = None
    for_: Annotated[Duration, Field(alias="for")] = "10m"
    """It must have been so at each look in such a time. Time in which nobody looked, or nobody answered, does not count;
    after a longer gap than `for` it begins anew."""
    every: Span = "1m"
    """How often Prometheus is asked; at least `5s`."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one_of("above", "below")))


class ImageTrigger(Model):
    """A run when a tag means another image, and for the image that it means at first. The registry does not answer, or
    does not tell: then nobody knows, and no run is started."""

    name: Image
    """With a tag: `registry.example.com/team/app:stable`."""
    every: Span = "5m"
    """How often the registry is asked; at least `30s`."""
    credentials: SecretRef | None = None
    """A Secret of type `kubernetes.io/dockerconfigjson`, for an image that is not open to everybody."""


class AfterTrigger(Model):
    """A run when a run of another Pipeline has completed: of several, for the one that was started last."""

    pipeline: Name
    """Pipelines that wait for each other in a circle start no runs."""


class Trigger(Model):
    """What starts a run."""

    dataset: DatasetTrigger | None = None
    schedule: ScheduleTrigger | None = None
    condition: ConditionTrigger | None = None
    stale: StaleTrigger | None = None
    prometheus: PrometheusTrigger | None = None
    code: CodeTrigger | None = None
    image: ImageTrigger | None = None
    after: AfterTrigger | None = None

    model_config = ConfigDict(json_schema_extra=one_field)


ExitCode = Annotated[int, Field(ge=1, le=255)]


class AfterInput(Model):
    """An output of another Pipeline's run: of the one that has started this run, else of the completed one that was
    started last."""

    pipeline: Name
    output: OutputRef


class Input(Model):
    """What a step reads, found at `/fairlead/in/<name>/`."""

    dataset: Name | None = None
    """A Dataset: the version that the run pinned at its start."""
    output: OutputRef | None = None
    """An output of an earlier step, `step.output`. Of a step with `each`: the item's own, where the reader has the same
    items (`itemsOf`); else a folder with one entry an item, and `items.json`, which says which is which."""
    item: Annotated[dict[Key, ItemValue], Field(min_length=1, max_length=8)] | None = None
    """Of a step with `each`: of this item only."""
    after: AfterInput | None = None
    """An output of another Pipeline, as the run has pinned it at its start."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one_of("dataset", "output", "after"), ("!has(self.item) || has(self.output)", "item needs output")
        )
    )


class Retry(Model):
    """How often a failed step is tried again. Disruptions (eviction, a lost node) have a budget of their own."""

    limit: Annotated[int, Field(ge=0, le=20)] = 0
    """Retries after the first attempt."""
    backoff: Duration = "10s"
    """Pause before the first retry; it doubles with each, up to an hour."""
    memory: Memory | None = None
    """After an attempt that ran out of memory the next one gets twice as much, up to this; one that had all of it is
    the last. Needs `resources.memory`."""
    not_on: Annotated[list[ExitCode], Field(max_length=16, json_schema_extra=LIST_SET)] = []
    """Exit codes of the program after which another attempt can't help."""


Texts = Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1, max_length=16)]


class StepCondition(Model):
    """What must be so for a step to run, when its turn comes."""

    metric: OutputRef | None = None
    """A metric of an earlier step, `step.metric`. Missing, the step fails: nobody knows."""
    param: Key | None = None
    value: OutputRef | None = None
    """An output of type `value`, `step.output`."""
    above: Decimal | None = None
    below: Decimal | None = None
    in_: Annotated[Texts | None, Field(alias="in", json_schema_extra=LIST_SET)] = None

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one_of("metric", "param", "value"),
            ("(has(self.above) ? 1 : 0) + (has(self.below) ? 1 : 0) + (has(self.__in__) ? 1 : 0) == 1",
             "exactly one of above, below, in must be set"),
            ("!has(self.metric) || !has(self.__in__)", "a metric is a number: compare it with above or below"),
        )
    )  # fmt: skip


class Claim(Model):
    """Devices that a step asks for by a ResourceClaimTemplate of the namespace (dynamic resource allocation)."""

    name: Name
    template: Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """Name of the ResourceClaimTemplate: each attempt gets a claim of its own."""
    request: Name | None = None
    """One of the template's requests; default: all of them."""


class Workers(Model):
    """Several pods that work together, as distributed training does. They start, fail and are tried again as one."""

    count: Annotated[int, Field(ge=2, le=64)]
    """Pods, with indices from 0; what index 0 leaves at `/fairlead/out` is kept."""


class EvaluateStep(Model):
    """Measures a model as the ModelVersion made of it will be measured: the same server, metrics and slices."""

    model: Name
    """One of `produces`, by its `model`. Its inputs `model` and `data` are what is measured, and on which rows; default:
    those that the version is made of, and evaluated on. What was measured are metrics of the step, and its output
    `evaluation`."""


class ReportStep(Model):
    """Makes a page of the run: what it read, how its steps went, metrics beside those of the last completed run, and
    what its inputs hold. It is the output `report`. Inputs of steps that have not completed are told as missing."""

    title: Annotated[str, Field(max_length=128)] = ""
    """Default: the run's name."""


def _maybe_image(schema: dict[str, Any]) -> None:
    """An image that need not be there: none is not an empty one."""
    schema.pop("default", None)
    schema |= strictly("^[A-Za-z0-9][-A-Za-z0-9._:/@+]*$")


class Step(Container):
    """A program that runs as a Job."""

    name: Name
    image: Annotated[str, Field(max_length=512, json_schema_extra=_maybe_image)] = ""
    """Container image; pin it by digest for repeatable runs."""
    component: ComponentRef | None = None
    """In place of an image: a program that somebody has described once, with its inputs, outputs and parameters."""
    params: StepParams = {}
    """Of the component; values may contain `{{params.NAME}}` of the Pipeline, `{{each.NAME}}` and `{{steps.STEP.OUTPUT}}`."""
    evaluate: EvaluateStep | None = None
    report: ReportStep | None = None
    needs: Annotated[list[Name], Field(max_length=64, json_schema_extra=LIST_SET)] = []
    """Steps that must have succeeded before, besides those whose outputs are read."""
    each: Each | None = None
    """The program runs once for each item of a list."""
    when: Literal["succeeded", "always", "failed"] = "succeeded"
    """`always`: after all others, however the run went, unless it is cancelled `now`; `failed`: the same, if the run has
    failed. How such a step ends does not change how the run does."""
    if_: Annotated[list[StepCondition], Field(alias="if", max_length=8, json_schema_extra=LIST_ATOMIC)] = []
    """All must hold, else the step is skipped, and with it the steps that read its outputs."""
    inputs: Annotated[dict[Key, Input], Field(max_length=32)] = {}
    outputs: Annotated[dict[Key, Output], Field(max_length=32)] = {}
    workers: Workers | None = None
    """Its program runs in several pods, each with `resources`; they find each other by what torchrun reads."""
    claims: Annotated[list[Claim], Field(max_length=8, json_schema_extra=list_map("name"))] = []
    """Devices for its program, besides `resources`."""
    priority_class: (
        Annotated[
            str,
            Field(
                max_length=253,
                pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
                json_schema_extra=cel(
                    ("!self.startsWith('system-')", "classes of the system are not for steps; name one of your own")
                ),
            ),
        ]
        | None
    ) = None
    """PriorityClass of its pods: which of them Kubernetes starts first, and which it may end for them."""
    queue: Name | None = None
    """A LocalQueue of the namespace: Kueue lets its Jobs begin when the queue's quota has room for them, and may suspend
    them again. Time in the queue is no time of the step's."""
    notebook: (
        Annotated[str, Field(min_length=1, max_length=256, json_schema_extra=strictly(r"^[^\x00-\x1f\x7f]+$"))] | None
    ) = None
    """A notebook that papermill of the image runs, in place of a command; a path in the image or, with `code`, in its
    folder. The run's parameters are the notebook's; `args` are papermill's. The executed one is the output `notebook`."""
    retry: Retry = Retry()
    queue_timeout: Span | None = None
    """An attempt that waits longer for a node ends the step. Default: it waits."""
    start_timeout: Span = "1h"
    """An attempt that takes longer from its node to its program (images, volumes, inputs) is lost to the cluster."""
    timeout: Span = "24h"
    """An attempt whose program runs longer is stopped and counts as failed."""
    cache: bool = False
    """Take the outputs of an earlier run if everything that its result can follow from is the same."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one_of("image", "component", "evaluate", "report"),
            ("!has(self.each) || !has(self.cache) || !self.cache",
             "what a step with each leaves is not taken from earlier runs: take cache away"),
            ("!has(self.when) || self.when == 'succeeded' || !has(self.cache) || !self.cache",
             "a step with when: always or failed runs for what it does in its own run, not for what it leaves: take cache "
             "away"),
            ("!has(self.report) || !has(self.cache) || !self.cache",
             "a report tells of its own run, and is not taken from earlier ones: take cache away"),
            ("!has(self.report) || !has(self.each)", "a report is of a whole run: take each away"),
            ("!has(self.params) || has(self.component)", "params are a component's; a program gets the Pipeline's by "
             "{{params.NAME}} in command, args and env"),
            ("has(self.image) || !(has(self.command) || has(self.args) || has(self.outputs) || has(self.notebook))",
             "command, args, notebook and outputs go with image; a component brings its own"),
            ("!has(self.workers) || !(has(self.each) || has(self.notebook) || has(self.evaluate) || has(self.report))",
             "workers are for one program with image or component: take each, notebook, evaluate or report away"),
        )
    )  # fmt: skip


class Produces(Model):
    """A ModelVersion made by a run that succeeded."""

    model: Name
    """Name of the model; versions are called `<model>-<number of the run>`."""
    from_: Annotated[OutputRef, Field(alias="from")]
    """The output of type `model`, `step.output`."""
    version: ModelVersionTemplate


class VersionHistory(Model):
    """Which of the ModelVersions that its runs have made are kept on the API server, counted by model. A version is
    cleared away when there are so many newer ones with the same outcome and it is older than `age`; its bytes and its
    evaluation stay in the store. One that something still needs stays: `VersionsCleared` says which, and why."""

    clear: bool = True
    """`false`: none is ever cleared away."""
    approved: Annotated[int, Field(ge=1, le=10000)] = 50
    rejected: Annotated[int, Field(ge=0, le=10000)] = 20
    """Rejected and revoked ones."""
    age: Duration = "7d"
    """Nothing is cleared away sooner after it was approved, rejected or revoked."""


class History(Model):
    """How many finished runs, and which ModelVersions, are kept on the API server. Their data stays in the store. A run
    stays in any case while a Deployment needs a version that it has made, while a run that is under way names it, and
    with the annotation `fairlead.dev/keep`."""

    succeeded: Annotated[int, Field(ge=1, le=1000)] = 10
    failed: Annotated[int, Field(ge=1, le=1000)] = 10
    ttl: Span | None = None
    """A run goes, too, when it ended so long ago; the newest one stays. Default: however old it is."""
    versions: VersionHistory = VersionHistory()


class Limits(Model):
    """How many runs triggers may start. A run that is made by hand is neither held back nor counted. `condition`,
    `stale` and `prometheus` go by what stays as it is until something is done about it: if their run makes no version
    that is approved, they would ask again and again."""

    per_day: Annotated[int, Field(ge=1, le=100)] | None = None
    """Runs in any 24 hours, whatever the trigger. Default: 24 for `condition`, `stale` and `prometheus`; none for
    `dataset` and `schedule`, whose pace is that of your data and of your clock."""
    per_month: Annotated[int, Field(ge=1, le=3000)] | None = None
    """Runs in any 30 days, counted by whole days in UTC; so it may be up to a day more. Default: as many as come."""
    gpu_hours_per_month: Annotated[int, Field(ge=1, le=1000000)] | None = None
    """GPU hours of all runs in any 30 days, counted by whole days in UTC on which attempts ended, those by hand included:
    once they are used, triggers start nothing. What is under way goes on."""
    backoff: Duration = "1h"
    """Of `condition`, `stale` and `prometheus`: least time from the end of a run's matter (its version is rejected, or
    it failed) until the same asks again; at least `cooldown`."""
    give_up: Annotated[int, Field(ge=1, le=20)] = 3
    """Of these: after so many runs in a row that have not helped a person is asked (`GaveUp`), and no more are started.
    One helps if its version is approved, is not taken back, and what the trigger goes by ends with it."""


class CacheRules(Model):
    """How far the outputs of earlier runs are trusted, by steps with `cache: true`."""

    audit: Share = "0%"
    """So many of the hits run all the same, and must have the same outputs: what differs is dropped, and told as
    `CacheMismatch`."""
    max_age: Span | None = None
    """What was begun longer ago is made again. Default: it is never too old."""


class PipelineSpec(Model):
    """What runs, when, and what comes out of it."""

    author: Author | None = None
    """Who changed it last: whoever changes anything but `suspend` puts their own name here, or takes it out. Versions
    of runs need it where `notAuthor` is required."""
    params: Params = {}
    """Defaults of the parameters, as strings; a run may override them."""
    code: Code | None = None
    """Code beside the images: a run pins a commit when it starts."""
    triggers: Annotated[list[Trigger], Field(max_length=16, json_schema_extra=LIST_ATOMIC)] = []
    """Any of these starts a run. Without triggers, runs are made by hand."""
    cooldown: Duration = "0s"
    """Least time between the starts of two triggered runs."""
    limits: Limits = Limits()
    concurrency: Literal["Forbid", "Allow", "Replace", "Queue"] = "Forbid"
    """`Forbid`: a trigger waits until the running one has ended, and then starts one run for all that has happened;
    a run that is made by hand starts in any case. `Queue`: every run, also one made by hand, waits its turn, and reads
    the data of its start. `Replace`: a new run cancels the one before it (`finally`), and starts when that has ended."""
    timeout: Span | None = None
    """A run that takes longer is stopped and has failed; steps with `when: always` or `failed` come after that."""
    steps: Annotated[list[Step], Field(min_length=1, max_length=64, json_schema_extra=list_map("name"))]
    produces: Annotated[list[Produces], Field(max_length=32, json_schema_extra=list_map("model"))] = []
    history: History = History()
    cache: CacheRules = CacheRules()
    store: S3Location | None = None
    """Where outputs are kept. Default: the operator's store."""
    suspend: bool = False
    """No trigger starts a run; running ones go on."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.triggers) || has(self.code) || !self.triggers.exists(t, has(t.code))",
             "a trigger on code needs spec.code.git: the repository that it looks at"),
            ("!has(self.produces) || self.produces.all(p, self.steps.exists(t, has(t.component) ? "
             "p.from.startsWith(t.name + '.') : has(t.outputs) && "
             "t.outputs.exists(o, p.from == t.name + '.' + o && has(t.outputs[o].type) && t.outputs[o].type == 'model')))",
             "produces[].from must name an output of type model, `step.output`"),
        )
    )  # fmt: skip


class TriggerDecision(Model):
    """Why a run was started, or not. A "no" that stands is one decision, from when it was first so."""

    at: Timestamp
    trigger: Annotated[str, Field(max_length=128)]
    """Which one, for example `dataset/flights` or `schedule/0 3 * * 1`."""
    key: Annotated[str, Field(max_length=128)]
    """What it saw: the data's version, the time that was due."""
    run: Annotated[str, Field(max_length=63)] = ""
    """The run that it started; empty when it did not."""
    because: Annotated[str, Field(max_length=64)] = ""
    """Why not, in a word: RunActive, RunQueued, CoolDown, StormLimit, MonthlyBudget, GpuBudget, Suspended, Proving,
    AwaitingApproval, BackOff, GaveUp; or why nobody knows: NotSeen, NoSeries, Unreachable …"""
    reason: Text = ""


class LastRun(Model):
    """The run that a decision started."""

    number: int
    name: Annotated[str, Field(max_length=63)]
    uid: Annotated[str, Field(max_length=36)] = ""
    """Empty until the run exists: the decision is recorded before the run is made."""
    trigger: Annotated[str, Field(max_length=128)] = ""
    key: Annotated[str, Field(max_length=128)] = ""
    at: Timestamp


Outcome = Literal[
    "Running", "Proving", "AwaitingApproval", "Approved", "Done", "Rejected", "Refused", "Failed", "Gone"
]  # fmt: skip


class Tried(Model):
    """The last run for what a trigger saw, and what came of it."""

    run: Annotated[str, Field(max_length=63)]
    """Empty: of a version that was approved meanwhile, and that no run has made."""
    at: Timestamp
    """When it was started."""
    begun: Annotated[str, Field(max_length=40)] = ""
    """Since when that was the case for which it was started."""
    outcome: Outcome = "Running"
    """`Done`: it completed, and makes no models. `Refused`: its version was approved, and taken back where it was rolled
    out. `Gone`: nobody knows."""
    message: Annotated[str, Field(max_length=256)] = ""
    since: Timestamp | None = None
    """Since when that is its outcome; absent: nothing waits for it any more."""
    tries: int = 0
    """Runs in a row that have not helped."""
    generation: int = 0
    """Of the spec by which they are counted."""


class Seen(Model):
    """What a trigger saw. Written when that changes, not at each look."""

    trigger: Annotated[str, Field(max_length=128)]
    state: Literal["Quiet", "Holding", "Asks", "Unknown"]
    """`Holding`: it is the case, and counts until `for` is over. `Unknown`: nobody knows, and it starts no run."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why nobody knows."""
    message: Annotated[str, Field(max_length=256)] = ""
    since: Timestamp
    """Since when the state is this."""
    begun: Annotated[str, Field(max_length=40)] = ""
    """Since when it is the case."""
    at: Annotated[str, Field(max_length=40)] = ""
    """The last look that was counted."""
    held: int = 0
    """Seconds that are counted."""
    last: Tried | None = None


class Starts(Model):
    """When triggers have started runs, for the limits; runs that are cleared away are counted all the same."""

    recent: Annotated[list[Timestamp], Field(max_length=100, json_schema_extra=LIST_ATOMIC)] = []
    """Those of the last 24 hours, newest first."""
    days: Annotated[dict[str, int], Field(max_length=32)] = {}
    """How many there were by day (UTC), of the last 31."""


class GpuUse(Model):
    """GPU seconds of the Pipeline's runs; those that are cleared away are counted all the same."""

    days: Annotated[dict[str, int], Field(max_length=32)] = {}
    """By the day (UTC) on which an attempt ended, of the last 31."""
    counted: Annotated[dict[str, int], Field(max_length=256)] = {}
    """How many of them are of which run, by uid; of those that ended before `until`, all."""
    until: Timestamp | None = None


class ClearedVersion(Model):
    """A ModelVersion that was cleared away, by `spec.history.versions`."""

    name: Name
    uid: Annotated[str, Field(max_length=36)]
    at: Timestamp
    reason: Text = ""


class CacheCounts(Model):
    """What the cache did in the runs that are kept."""

    hits: int = 0
    """Steps that took the outputs of an earlier run."""
    audits: int = 0
    """Steps that ran though there were some, and have the same outputs."""
    mismatches: int = 0
    """Steps that ran though there were some, and have others."""


class Turn(Model):
    """Whose turn it is: the one run that may be under way."""

    run: Annotated[str, Field(max_length=63)]
    uid: Annotated[str, Field(max_length=36)]
    at: Timestamp


class PipelineStatus(StatusBase):
    """What happened. Conditions: Ready (runs can start), Reconciling, Stalled, LastRunSucceeded, TriggersObserved (what
    triggers go by can be seen), GaveUp (a trigger has tried as often as it may; a person is asked), VersionsCleared (no
    more old versions are there than asked for; once there were more), CacheMismatch (an audit of the cache has found
    other outputs)."""

    runs: int = 0
    """How many runs have been numbered."""
    last_run: LastRun | None = None
    handled: Annotated[dict[str, Annotated[str, Field(max_length=128)]], Field(max_length=32)] = {}
    """The last handled key of each trigger."""
    decisions: Annotated[list[TriggerDecision], Field(max_length=20, json_schema_extra=LIST_ATOMIC)] = []
    """The last 20, newest first."""
    seen: Annotated[list[Seen], Field(max_length=16, json_schema_extra=list_map("trigger"))] = []
    """What triggers saw that may also see nothing: all but `dataset` and `schedule`."""
    code: Annotated[list[CodeSeen], Field(max_length=16, json_schema_extra=list_map("asked"))] = []
    """What its private repository has said."""
    starts: Starts | None = None
    turn: Turn | None = None
    """Of `concurrency: Queue` and `Replace`."""
    queue: Annotated[
        list[Annotated[str, Field(max_length=63)]], Field(max_length=5, json_schema_extra=LIST_ATOMIC)
    ] = []
    """The next runs that wait for their turn, in order."""
    queued: int = 0
    """How many wait."""
    gpu: GpuUse | None = None
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    cleared: Annotated[list[ClearedVersion], Field(max_length=20, json_schema_extra=list_map("name", "uid"))] = []
    """The last 20 versions that were cleared away, newest first."""
    cleared_versions: int = 0
    """How many that were in all."""
    cache: CacheCounts | None = None


class Pipeline(Model):
    """Steps that run as Jobs when a trigger says so, and the models that they produce."""

    spec: PipelineSpec
    status: PipelineStatus = PipelineStatus()
