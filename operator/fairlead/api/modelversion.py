"""ModelVersion: an immutable model with its lineage, its proof against the champion, and its approval."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import Artifact, StatusBase, Timestamp
from fairlead.api.limits import JobResources
from fairlead.api.schema import (
    LIST_ATOMIC,
    LIST_SET,
    Author,
    Decimal,
    Key,
    Limit,
    Model,
    Name,
    Percent,
    S3Uri,
    Share,
    Span,
    Text,
    cel,
    exactly_one_of,
    list_map,
)
from fairlead.api.server import Server

SAMPLE_LIMIT = 1500
"""Bytes of the longest request that an evaluation keeps (`Evidence.sample`)."""


class Lineage(Model):
    """What the model was made from."""

    run: Name | None = None
    """The PipelineRun."""
    run_uid: Annotated[str, Field(max_length=36)] | None = None
    pipeline: Name | None = None
    datasets: Annotated[dict[str, Annotated[str, Field(max_length=64)]], Field(max_length=32)] = {}
    """Versions of the Datasets that were read, by name."""
    after: Annotated[dict[str, Annotated[str, Field(max_length=64)]], Field(max_length=32)] = {}
    """Digests of what was read of other Pipelines, by `run/step.output`."""
    author: Author | None = None
    """Who wrote the Pipeline, where somebody else started the run. Neither's approval counts under `notAuthor`."""
    images: Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=64)] = {}
    """The code: the image that each step ran, with its digest."""
    components: Annotated[dict[str, Annotated[str, Field(max_length=192)]], Field(max_length=64)] = {}
    """Of steps that used one: which Component, in which version, `platform/clean 1.2.0` or `builtin split 1`."""
    commit: Annotated[str, Field(max_length=40)] | None = None
    """The code beside the images: the commit that the run pinned."""
    repository: Annotated[str, Field(max_length=512)] | None = None
    """Where that commit is."""
    params: Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(max_length=64)] = {}
    reused: Annotated[dict[str, Annotated[str, Field(max_length=80)]], Field(max_length=64)] = {}
    """Steps whose outputs another run has made: that run and its attempt, `delay-7/1`."""


class DatasetVersionRef(Model):
    """A version of a Dataset."""

    name: Name
    version: Annotated[str, Field(max_length=16)] | None = None
    """Also one that only the store still has. Default: the current one when the evaluation starts; it is then pinned in
    the evidence."""


class EvaluationData(Model):
    """Held-out rows. Champion and challenger see the same ones."""

    dataset: DatasetVersionRef | None = None
    artifact: Artifact | None = None
    """Parquet files in the store, for example an output of the run that made the model."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one_of("dataset", "artifact")))


class EvaluationDataTemplate(Model):
    """Held-out rows of a version that a run will make."""

    dataset: DatasetVersionRef | None = None
    output: Annotated[
        str | None, Field(max_length=127, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\.[A-Za-z_][A-Za-z0-9_]*$")
    ] = None
    """An output of type `dataset` of the run, `step.output`."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one_of("dataset", "output")))


class Baseline(Model):
    """A model that needs no training: the average of the target in the reference rows, by group. Groups that the
    reference lacks get the overall average."""

    by: Annotated[list[Key], Field(max_length=8, json_schema_extra=LIST_SET)] = []
    """Columns that make the groups; none: one average for all."""
    reference: EvaluationData
    """The rows that the averages are taken from, usually the training data."""


class BaselineTemplate(Model):
    """The baseline of a version that a run will make."""

    by: Annotated[list[Key], Field(max_length=8, json_schema_extra=LIST_SET)] = []
    reference: EvaluationDataTemplate


Metric = Literal["mae", "mse", "rmse", "mape", "error_rate", "accuracy", "log_loss"]
Gap = Literal["selection_rate_gap", "tpr_gap", "fpr_gap", "fnr_gap", "ppv_gap", "npv_gap", "error_gap"]
"""Of a share of `monitor.confusion.SHARES`, between the slices of a column."""


class Gate(Model):
    """A demand on a metric. `max`/`min` bound the value; `against` compares, row by row, with the champion or the
    baseline: the 95 % interval of the difference (paired bootstrap) must lie on the right side of the margin. A metric
    that ends in `_gap` is the largest difference of a share between the slices of `by`: the whole 95 % interval must lie
    at or below `max`."""

    metric: Literal[Metric, Gap]
    by: Key | None = None
    """With a gap, and needed there: the column of the held-out rows whose values are the slices. It need not be a feature.
    Rows without a value are a slice of their own, `(none)`."""
    positive: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """With a gap: the class that counts as positive, against all others. Default where there are two classes: the later
    one in order (`1` of 0 and 1, `true`, `yes` of `no` and `yes`). `error_gap` needs none."""
    max: Limit | None = None
    """Of a gap a share, `10%`; of other metrics a number, `"0.9"`."""
    min: Decimal | None = None
    against: Literal["champion", "baseline"] | None = None
    margin: Percent | None = None
    """With `against`: how much worse it may be, relative to the other's value. Default `0%` with no `betterBy`."""
    better_by: Percent | None = None
    """With `against`: how much better it must be, relative to the other's value."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("(has(self.max) ? 1 : 0) + (has(self.min) ? 1 : 0) + (has(self.against) ? 1 : 0) == 1",
             "exactly one of max, min, against must be set"),
            ("has(self.against) || !(has(self.margin) || has(self.betterBy))", "margin and betterBy need against"),
            ("!(has(self.margin) && has(self.betterBy))", "set margin or betterBy, not both"),
            ("self.metric.endsWith('_gap') == has(self.by)",
             "a gap needs by, the column whose values are compared; other metrics have none"),
            ("!self.metric.endsWith('_gap') || has(self.max)", "a gap needs max, such as 10%: it has no min and no against"),
            ("!has(self.max) || self.metric.endsWith('_gap') == self.max.endsWith('%')",
             "max of a gap is a percentage, such as 10%; of other metrics it is a number"),
            ("!has(self.positive) || self.metric.endsWith('_gap') && self.metric != 'error_gap'",
             "positive goes with gaps, but not with error_gap: an answer is wrong whatever its class"),
        )
    )  # fmt: skip


class EvaluationBase(Model):
    """How a model is proven."""

    task: Literal["regression", "classification"] = "regression"
    features: Annotated[list[Key], Field(min_length=1, max_length=500, json_schema_extra=LIST_ATOMIC)]
    """Columns that are sent to the model, each as one input tensor."""
    target: Key
    """Column with the truth."""
    batch: Annotated[int, Field(ge=1, le=10000)] = 500
    """Rows a request."""
    metrics: Annotated[list[Metric], Field(min_length=1, max_length=7, json_schema_extra=LIST_SET)]
    """Computed for challenger, champion and baseline alike. `mape`, `error_rate` and `accuracy` are shares (`0.45`).
    Rows whose target is 0 don't count for `mape`. For `log_loss` the server is asked for the output `predict_proba`."""
    gates: Annotated[list[Gate], Field(max_length=32, json_schema_extra=LIST_ATOMIC)] = []
    """Demands on metrics, each of which is in `metrics`, and on gaps between slices, which are not."""
    timeout: Span = "1h"
    """An attempt that runs longer is stopped and counts as failed."""
    resources: JobResources | None = None
    """What the program needs that brings the bytes, asks the servers, and computes the metrics. `scratch` is of the whole
    pod: models and rows lie there."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.gates) || self.gates.all(g, g.metric.endsWith('_gap') || g.metric in self.metrics)",
             "a gate's metric must be in metrics"),
            ("!has(self.gates) || has(self.task) && self.task == 'classification' || "
             "!self.gates.exists(g, g.metric.endsWith('_gap'))", "gaps need task: classification"),
            ("!has(self.gates) || has(self.baseline) || !self.gates.exists(g, has(g.against) && g.against == 'baseline')",
             "a gate against the baseline needs baseline"),
            ("has(self.task) && self.task == 'classification' || self.metrics.all(m, m in ['mae', 'mse', 'rmse', 'mape'])",
             "error_rate, accuracy and log_loss need task: classification"),
        )
    )  # fmt: skip


class Evaluation(EvaluationBase):
    """How this model is proven."""

    data: EvaluationData
    baseline: Baseline | None = None


class EvaluationTemplate(EvaluationBase):
    """How the models that a run makes are proven."""

    data: EvaluationDataTemplate
    baseline: BaselineTemplate | None = None


class ApprovalPolicy(Model):
    """People who must agree before the model may go live."""

    required: Annotated[int, Field(ge=1, le=10)] = 1
    """How many different people. Each needs the verb `approve` on modelversions."""
    expires: Span = "14d"
    """A version that is not approved this long after its evaluation is rejected."""


class Approval(Model):
    """One person's word. The API server checks that `user` is who writes it and may approve."""

    user: Annotated[str, Field(min_length=1, max_length=253)]
    evidence: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
    """The digest of the evidence that was approved (`status.evidence.digest`)."""
    comment: Text = ""


class GoldenRows(Model):
    """Rows with the answers that are expected: each new serving pod must give them before it gets traffic."""

    file: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_.]*$")] | None = None
    """In the model's artifact, such as `golden.jsonl`: a line of JSON a row, `{"inputs": {"x": 1.5}, "expected": 2.5}`; at
    most 64 rows and 64 KiB. Default: rows that the evaluation keeps."""
    tolerance: Share = "0.1%"
    """How far an answered number may lie from the expected one, as a share of its size."""


class Golden(GoldenRows):
    """Where a version's golden rows lie, and what is tolerated."""

    uri: S3Uri | None = None
    """Where they lie outside of the artifact. It is read with the keys of the installation's store."""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)] | None = None
    """With `uri`: SHA-256 of the bytes."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.uri) == has(self.digest)", "uri and digest go together"),
            ("!(has(self.uri) && has(self.file))", "golden rows lie in the artifact (file) or elsewhere (uri), not both"),
        )
    )  # fmt: skip


_EVALUATES = (
    "!has(self.evaluation) || !has(self.server) || !has(self.server.protocol) || self.server.protocol == 'oip'",
    "an evaluation speaks Open Inference Protocol: leave evaluation out, or serve by protocol: oip",
)


class ModelVersionTemplate(Model):
    """The part of a ModelVersion that a pipeline's author writes."""

    server: Server = Server()
    evaluation: EvaluationTemplate | None = None
    """Without one, nothing is measured: each pod verifies the artifact before it loads it."""
    approval: ApprovalPolicy | None = None
    golden: GoldenRows | None = None

    model_config = ConfigDict(json_schema_extra=cel(_EVALUATES))


class OwnProfile(Model):
    """A profile that was made elsewhere, with `fairlead profile ROWS… -o profile.json`."""

    uri: S3Uri
    """Where it lies. It is read with the keys of the installation's store."""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
    """SHA-256 of its bytes."""


class ModelVersionSpec(Model):
    """A model. Immutable, but for `approvals` and `revoked`."""

    model: Name
    """The model that this is a version of."""
    author: Author | None = None
    """Who made it. Of a run's version: who started the run."""
    artifact: Artifact | None = None
    """Not needed where the image of a custom server is the model: then `server.image` has a digest (`name@sha256:…`)."""
    server: Server = Server()
    lineage: Lineage = Lineage()
    evaluation: Evaluation | None = None
    approval: ApprovalPolicy | None = None
    profile: OwnProfile | None = None
    """What the model learnt from, where no evaluation can say it. It takes the place of the evaluation's."""
    golden: Golden | None = None
    approvals: Annotated[list[Approval], Field(max_length=10, json_schema_extra=list_map("user"))] = []
    revoked: Text | None = None
    """Why this version must not be used any more. It is never chosen again; where it is live, a condition says so."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            _EVALUATES,
            ("self.model == oldSelf.model", "model is immutable; make a new version"),
            ("has(self.author) == has(oldSelf.author) && (!has(self.author) || self.author == oldSelf.author)",
             "author is immutable; make a new version"),
            ("has(self.artifact) == has(oldSelf.artifact) && (!has(self.artifact) || self.artifact == oldSelf.artifact)",
             "artifact is immutable; make a new version"),
            ("has(self.artifact) || has(self.server) && has(self.server.runtime) && self.server.runtime == 'custom'",
             "artifact is needed: only the image of a custom server can be a model by itself"),
            ("has(self.artifact) || !has(self.server) || !has(self.server.image) || "
             "self.server.image.matches('@sha256:[0-9a-f]{64}$')",
             "without artifact the image is the model: name it by its digest, name@sha256:…"),
            ("has(self.server) == has(oldSelf.server) && (!has(self.server) || self.server == oldSelf.server)",
             "server is immutable; make a new version"),
            ("has(self.lineage) == has(oldSelf.lineage) && (!has(self.lineage) || self.lineage == oldSelf.lineage)",
             "lineage is immutable; make a new version"),
            ("has(self.evaluation) == has(oldSelf.evaluation) && (!has(self.evaluation) || self.evaluation == oldSelf.evaluation)",
             "evaluation is immutable; make a new version"),
            ("has(self.approval) == has(oldSelf.approval) && (!has(self.approval) || self.approval == oldSelf.approval)",
             "approval is immutable; make a new version"),
            ("has(self.profile) == has(oldSelf.profile) && (!has(self.profile) || self.profile == oldSelf.profile)",
             "profile is immutable; make a new version"),
            ("has(self.golden) == has(oldSelf.golden) && (!has(self.golden) || self.golden == oldSelf.golden)",
             "golden is immutable; make a new version"),
            ("!has(self.golden) || !has(self.golden.file) || has(self.artifact)",
             "golden.file is in the artifact, and there is none: name a uri"),
        )
    )  # fmt: skip


class Interval(Model):
    """A value with its 95 % interval."""

    value: Decimal
    low: Decimal | None = None
    high: Decimal | None = None


class GateResult(Model):
    """What became of a gate."""

    gate: Annotated[str, Field(max_length=128)]
    """The demand in words: `mae against champion, margin 0.5%`."""
    verdict: Literal["Passed", "Failed", "Skipped"]
    """`Skipped`: there is no champion yet."""
    value: Annotated[str, Field(max_length=32)] = ""
    low: Annotated[str, Field(max_length=32)] = ""
    high: Annotated[str, Field(max_length=32)] = ""
    message: Text = ""


class Score(Model):
    """One model's metrics on the held-out rows."""

    subject: Literal["challenger", "champion", "baseline"]
    version: Annotated[str, Field(max_length=63)] = ""
    values: Annotated[dict[str, Annotated[str, Field(max_length=32)]], Field(max_length=16)] = {}


class ProfileRef(Model):
    """Where the profile of what a version learnt from lies."""

    digest: Annotated[str, Field(max_length=64)]
    """SHA-256 of the document."""
    uri: Annotated[str, Field(max_length=1024)]
    """`s3://…`."""
    rows: Annotated[int, Field(ge=0)] = 0
    """What it learnt from, or the held-out rows in their place."""
    features: Annotated[int, Field(ge=0)] = 0
    """Columns that it has."""
    message: Annotated[str, Field(max_length=400)] = ""
    """What it does not have, and why."""


class GoldenRef(Model):
    """Where the golden rows lie that an evaluation has kept."""

    digest: Annotated[str, Field(max_length=64)]
    """SHA-256 of the document."""
    uri: Annotated[str, Field(max_length=1024)]
    """`s3://…`."""
    rows: Annotated[int, Field(ge=0)] = 0


class Evidence(Model):
    """The proof."""

    digest: Annotated[str, Field(max_length=64)]
    """SHA-256 of the report: what an approval refers to."""
    champion: Annotated[str, Field(max_length=63)] = ""
    """The version it was compared with; empty when there was none."""
    champion_digest: Annotated[str, Field(max_length=64)] = ""
    """Digest of that version's model and server: whoever has its name later is another champion."""
    data: Annotated[str, Field(max_length=64)] = ""
    """Digest of the held-out rows."""
    rows: int = 0
    scores: Annotated[list[Score], Field(max_length=3, json_schema_extra=list_map("subject"))] = []
    gates: Annotated[list[GateResult], Field(max_length=32, json_schema_extra=LIST_ATOMIC)] = []
    report: Annotated[str, Field(max_length=1024)] = ""
    """Where the whole report lies (`s3://…`)."""
    profile: ProfileRef | None = None
    """What it learnt from, in few numbers: monitors compare requests with it."""
    no_profile: Annotated[str, Field(max_length=400)] = ""
    """Why the evaluation made none."""
    golden: GoldenRef | None = None
    """Held-out rows with the answers that it got: each new serving pod is asked for them before it gets traffic."""
    no_golden: Annotated[str, Field(max_length=400)] = ""
    """Why it has kept none."""
    sample: Annotated[str, Field(max_length=2048)] = ""
    """One request as it was sent to the model; new serving pods are warmed with it."""


class Crash(Model):
    """How the challenger's server ended by itself, for the first time in this way."""

    code: int
    """Its exit code."""
    said: Annotated[str, Field(max_length=400)] = ""
    """The most telling line of its log's end."""
    at: Timestamp


class EvaluationJob(Model):
    """The Job that verifies and evaluates."""

    name: Annotated[str, Field(max_length=63)]
    uid: Annotated[str, Field(max_length=36)] = ""
    attempt: int = 1
    failures: int = 0
    """Attempts that failed by the model's or its evaluation's own fault; at most 3."""
    champion: Annotated[str, Field(max_length=63)] = ""
    """Chosen when the attempt began."""
    champion_digest: Annotated[str, Field(max_length=64)] = ""
    """Digest of its model and server."""
    dataset_version: Annotated[str, Field(max_length=16)] = ""
    """Pinned when the attempt began."""
    not_before: Timestamp | None = None
    crash: Crash | None = None
    verified: bool = False
    """The artifact's bytes have the digest that the spec names."""


class Use(Model):
    """A Deployment that uses the version, or has taken it back."""

    name: Name
    role: Literal["Live", "Candidate", "WayBack", "Arm", "Standby", "Refused"]
    """`Arm`: it takes part in an experiment; `Standby`: its pods wait to answer again, or answer a share; `Refused`: it
    was taken back there, and is not tried again."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why it was taken back, as the Deployment's history says."""
    since: Timestamp | None = None


class ModelVersionStatus(StatusBase):
    """How far the proof has come, and where the version is used. Phases: Pending, Verifying, Evaluating, Rejected,
    AwaitingApproval, Approved, Revoked. Conditions: Ready (it is approved), Reconciling, Stalled, Verified (unknown while
    its pods are to do that), Evaluated, Approved."""

    job: EvaluationJob | None = None
    evidence: Evidence | None = None
    evaluated_at: Timestamp | None = None
    approved_at: Timestamp | None = None
    approved_by: Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=10)] = []
    deployments: Annotated[list[Use], Field(max_length=20, json_schema_extra=list_map("name"))] = []
    """The Deployments that use it, newest first."""
    more_deployments: int = 0
    """How many there are besides."""
    in_use: Annotated[str, Field(max_length=120)] = ""
    """The same in a few words."""


class ModelVersion(Model):
    """An immutable model with its lineage, its proof against the champion, and its approval."""

    spec: ModelVersionSpec
    status: ModelVersionStatus = ModelVersionStatus()


__all__ = [
    "Approval", "ApprovalPolicy", "Artifact", "Baseline", "BaselineTemplate", "Crash", "Evaluation", "EvaluationData",
    "EvaluationDataTemplate", "EvaluationTemplate", "Evidence", "Gap", "Gate", "GateResult", "Golden", "GoldenRef",
    "GoldenRows", "Interval", "Lineage",
    "ModelVersion", "ModelVersionSpec", "ModelVersionStatus", "ModelVersionTemplate", "S3Uri", "Score",
    "Use",
]  # fmt: skip
