"""PipelineRun: one run of a Pipeline, and its record."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.code import CodeJob, Commit
from fairlead.api.common import Artifact, EnvVar, Resources, StatusBase, Timestamp
from fairlead.api.component import StepParams
from fairlead.api.each import Items
from fairlead.api.logged import Logged, Number
from fairlead.api.pipeline import OutputRef, Params, PipelineSpec
from fairlead.api.schema import LIST_ATOMIC, LIST_SET, Author, Decimal, Image, Key, Model, Name, Text, cel, list_map


class StepEdit(Model):
    """One step, as it is to be otherwise in this run only."""

    step: Name
    image: Image | None = None
    command: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] | None = None
    args: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] | None = None
    env: Annotated[list[EnvVar], Field(max_length=64, json_schema_extra=list_map("name"))] = []
    """These variables; the others stay."""
    resources: Resources | None = None
    params: StepParams = {}
    """Of a step with a component: these; the others stay."""


class PipelineRunSpec(Model):
    """Which pipeline, with what."""

    pipeline: Name
    params: Params = {}
    """Override the pipeline's."""
    datasets: Annotated[dict[str, Annotated[str, Field(max_length=16)]], Field(max_length=32)] = {}
    """Versions of Datasets by name, also such as only the store still has. Default: each Dataset's current version when
    the run starts."""
    commit: Commit | None = None
    """Of the pipeline's code. Default: the one that `spec.code.git.ref` of the pipeline stands for when the run starts."""
    after: Annotated[dict[str, Name], Field(max_length=32)] = {}
    """Runs of other Pipelines whose outputs are read, by the Pipeline's name. Default: of each Pipeline the completed
    run that was started last."""
    reason: Text = ""
    """Why it was started."""
    author: Author | None = None
    """Who started it; of one that a trigger started, the Pipeline's author."""
    resume_from: Name | None = None
    """A run of the same pipeline that has ended: parameters and versions of Datasets that are not given are its, and
    steps whose key is still the same take its outputs, with or without `cache`. It stays as it is."""
    edit: StepEdit | None = None
    cancel: Literal["now", "finally", "drain"] | None = None
    """`now` stops all steps, and none begins any more; `finally` stops them, and then steps with `when: always` run;
    `drain` lets running ones end before that. The run is Aborted when its pods are gone."""
    suspend: bool = False
    """No step begins; running ones go on."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("self.pipeline == oldSelf.pipeline", "pipeline is immutable; make a new run"),
            ("has(self.params) == has(oldSelf.params) && (!has(self.params) || self.params == oldSelf.params)",
             "params are immutable; make a new run"),
            ("has(self.datasets) == has(oldSelf.datasets) && (!has(self.datasets) || self.datasets == oldSelf.datasets)",
             "datasets are immutable; make a new run"),
            ("has(self.commit) == has(oldSelf.commit) && (!has(self.commit) || self.commit == oldSelf.commit)",
             "commit is immutable; make a new run"),
            ("has(self.after) == has(oldSelf.after) && (!has(self.after) || self.after == oldSelf.after)",
             "after is immutable; make a new run"),
            ("has(self.author) == has(oldSelf.author) && (!has(self.author) || self.author == oldSelf.author)",
             "author is immutable; make a new run"),
            ("has(self.resumeFrom) == has(oldSelf.resumeFrom) && "
             "(!has(self.resumeFrom) || self.resumeFrom == oldSelf.resumeFrom)",
             "resumeFrom is immutable; make a new run"),
            ("has(self.edit) == has(oldSelf.edit) && (!has(self.edit) || self.edit == oldSelf.edit)",
             "edit is immutable; make a new run"),
            ("!has(self.edit) || has(self.resumeFrom)", "edit goes with resumeFrom; else change the Pipeline"),
            ("!has(oldSelf.cancel) || has(self.cancel)", "a cancel can't be taken back; make a new run"),
            ("!has(oldSelf.cancel) || !has(self.cancel) || self.cancel == oldSelf.cancel || self.cancel == 'now' || "
             "(oldSelf.cancel == 'drain' && self.cancel == 'finally')",
             "a cancel can only be made stronger: drain, finally, now"),
        )
    )  # fmt: skip


class PinnedDataset(Model):
    """The version of a Dataset that a run reads."""

    name: Name
    version: Annotated[str, Field(max_length=16)]
    digest: Annotated[str, Field(max_length=64)]
    """Of what the version consists of; of one that only the store still had, its first 16 digits."""
    manifest: Annotated[str, Field(max_length=1024)]


class PinnedOutput(Model):
    """An output of another Pipeline's run that a run reads."""

    pipeline: Name
    output: OutputRef
    run: Name
    run_uid: Annotated[str, Field(max_length=36)]
    artifact: Artifact
    """The bytes, with the access that has written them."""


class OutputRecord(Model):
    """An output that was committed to the store."""

    name: Annotated[str, Field(max_length=63)]
    type: Literal["dataset", "model", "file", "preview", "value"] = "file"
    uri: Annotated[str, Field(max_length=1024)]
    sha256: Annotated[str, Field(max_length=64)]
    bytes: int = 0
    media: Annotated[str, Field(max_length=64)] = ""
    """Media type of a preview that is one file."""
    value: Annotated[str, Field(max_length=1024)] | None = None
    """Of type `value`: its text."""


class UsedComponent(Model):
    """What a step's component was when the run started."""

    step: Name
    builtin: bool = False
    name: Name
    namespace: Annotated[str, Field(max_length=63)] = ""
    """Empty: the run's own."""
    version: Annotated[str, Field(max_length=32)]
    digest: Annotated[str, Field(max_length=64)]
    """Of all that its results can follow from."""


class StepLog(Model):
    """The log of the last attempt whose program has run."""

    attempt: int
    uri: Annotated[str, Field(max_length=1024)] = ""
    """Where it is kept; empty while it is not. Logs of attempts before lie in the folders `1`, `2` … beside."""
    bytes: int = 0
    cut: bool = False
    """Only its end is kept."""
    pod: Annotated[str, Field(max_length=253)] = ""
    """Whose log is still to be kept."""
    since: Timestamp | None = None
    """Since when it is."""
    problem: Annotated[str, Field(max_length=256)] = ""
    """Why it is not kept."""
    others: Annotated[dict[str, Annotated[str, Field(max_length=253)]], Field(max_length=63)] = {}
    """Of a step with several workers: pods of those besides index 0 whose logs are still to be kept, by index."""
    kept: Annotated[list[int], Field(max_length=63, json_schema_extra=LIST_ATOMIC)] = []
    """Indices of those whose logs are kept, as `log-<index>.txt` beside that of index 0."""


class StepCache(Model):
    """Where a step's outputs come from, or why it ran."""

    outcome: Literal["Asks", "Hit", "Resumed", "Miss", "Audit", "Agreed", "Mismatch", "NotCacheable"]
    """`Asks`: not known yet. `Audit`: there are outputs, and it runs all the same, to be compared."""
    message: Annotated[str, Field(max_length=512)] = ""
    run: Annotated[str, Field(max_length=63)] = ""
    """The run whose outputs they are, or with whose they are compared; its step has the same name."""
    run_uid: Annotated[str, Field(max_length=36)] = ""
    attempt: int = 0
    """Of that run's step."""
    entry: int = 0
    """Number that the step writes into the store under its key when it is completed; 0: it writes none."""
    expected: Annotated[dict[Key, Annotated[str, Field(max_length=64)]], Field(max_length=32)] = {}
    """Of an audit: digests of the outputs by name."""
    waits: Annotated[str, Field(max_length=127)] = ""
    """`run/step` that makes the same just now."""
    asked: Timestamp | None = None
    """When it first asked: of several that ask, the first makes it."""
    since: Timestamp | None = None
    """Since when it waits for that one."""


class WorkerFailure(Model):
    """Why an attempt with several workers has failed, until all of them have ended."""

    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=512)]
    fault: Annotated[str, Field(max_length=16)]
    """Whose: `own`, `cluster`, `final` …"""
    rank: int = 0
    """What comes to be known later counts if this is lower."""


class GpuTime(Model):
    """GPUs that an attempt has now."""

    since: Timestamp
    """Since when its pod is on a node."""
    count: Decimal
    """In all its pods that are on nodes."""


class StepStatus(Model):
    """Where a step stands. Phases: Pending, Running, Completed, Failed, Aborted."""

    name: Name
    phase: Literal["Pending", "Running", "Completed", "Failed", "Aborted"] = "Pending"
    reason: Annotated[str, Field(max_length=64)] = ""
    """UserError, OutOfMemory, DeadlineExceeded, QueueTimeout, StartTimeout, Disrupted, ImagePull, Unschedulable,
    Refused …; of one that is over without having run: Skipped, MetricMissing."""
    message: Text = ""
    attempt: int = 0
    """Number of the running or last attempt, from 1."""
    failures: int = 0
    """Attempts that failed by the step's own fault; they spend `retry`."""
    disruptions: int = 0
    """Attempts that were lost to the cluster; at most 10."""
    not_before: Timestamp | None = None
    """A retry waits until then."""
    job: Annotated[str, Field(max_length=63)] = ""
    job_uid: Annotated[str, Field(max_length=36)] = ""
    """Empty until the Job exists: the attempt is recorded before the Job is made."""
    image: Annotated[str, Field(max_length=512)] = ""
    """The image that ran, with its digest."""
    memory: Annotated[str, Field(max_length=20)] = ""
    """What the attempt may use, once it is more than `resources.memory`."""
    stage: Literal["Queued", "Starting", "Running"] | None = None
    """Which of the attempt's clocks runs: it waits for a node; for images and inputs; its program runs."""
    stage_at: Timestamp | None = None
    """Since when."""
    ran: int = 0
    """Seconds that the attempt's program had run before that, in pods that it was moved from."""
    failing: WorkerFailure | None = None
    """Of an attempt with several workers that has failed, while some of them have not ended."""
    gpu: GpuTime | None = None
    gpu_seconds: int = 0
    """Of all attempts that are over: GPUs times the seconds for which a pod was on a node."""
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    outputs: Annotated[list[OutputRecord], Field(max_length=32, json_schema_extra=list_map("name"))] = []
    key: Annotated[str, Field(max_length=64)] = ""
    """SHA-256 of everything that its result can follow from; empty: that is not known (yet)."""
    cache: StepCache | None = None
    items: Items | None = None
    """Of a step with `each` that has begun."""
    metrics: Annotated[dict[Key, Number], Field(max_length=32)] = {}
    """The last value of each metric that it has logged."""
    logged: Logged | None = None
    log: StepLog | None = None


class ItemStatus(StepStatus):
    """Where one item of a step with `each` stands, as a step is recorded; a status has it in fewer words."""

    item: int = 0


class RunVerdict(Model):
    """How a run went: what it ends as when steps with `when: always` or `failed` are over, too."""

    phase: Literal["Completed", "Failed", "Aborted"]
    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=512)] = ""
    at: Timestamp


class PipelineRunStatus(StatusBase):
    """The record of the run. Conditions: Ready (it has succeeded), Reconciling, Stalled (it failed), Succeeded,
    FinallySucceeded (of one with steps `when: always` or `failed`: none of these has failed), LogsKept (`False`: the log of
    a step's last attempt is lost)."""

    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    template: PipelineSpec | None = None
    """The pipeline as it was when the run started: later edits affect the next run."""
    params: Params = {}
    datasets: Annotated[list[PinnedDataset], Field(max_length=32, json_schema_extra=list_map("name"))] = []
    images: Annotated[dict[str, Annotated[str, Field(max_length=80)]], Field(max_length=64)] = {}
    """Digests that images' names meant when the run started; steps run these."""
    components: Annotated[list[UsedComponent], Field(max_length=64, json_schema_extra=list_map("step"))] = []
    """Which Components its steps use; `template` has their programs in place."""
    commit: Annotated[str, Field(max_length=40)] = ""
    """Of the code; the same for all steps."""
    code_tree: Annotated[str, Field(max_length=40)] = ""
    """What that commit has at `spec.code.git.path`; empty without a path, and where the git server can't tell."""
    pinning: CodeJob | None = None
    """The Job that asks a private repository which commit that is, until it is known."""
    after: Annotated[list[PinnedOutput], Field(max_length=32, json_schema_extra=list_map("pipeline", "output"))] = []
    """What it reads of other Pipelines."""
    steps: Annotated[list[StepStatus], Field(max_length=64, json_schema_extra=list_map("name"))] = []
    models: Annotated[list[Name], Field(max_length=32, json_schema_extra=LIST_SET)] = []
    """The ModelVersions that it made."""
    progress: Annotated[str, Field(max_length=16)] = ""
    """Completed steps of all, `2/3`."""
    verdict: RunVerdict | None = None
    """Once all steps are over that decide it; nothing changes it any more."""
    replaced_by: Annotated[str, Field(max_length=63)] = ""
    """The newer run for which this one is cancelled (`concurrency: Replace`)."""


class PipelineRun(Model):
    """One run of a Pipeline, and its record."""

    spec: PipelineRunSpec
    status: PipelineRunStatus = PipelineRunStatus()
