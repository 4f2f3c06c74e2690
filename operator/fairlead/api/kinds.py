"""The list of kinds: names, printer columns. Adding a kind starts with a line here."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.component import Component
from fairlead.api.dataset import Dataset
from fairlead.api.deployment import Deployment
from fairlead.api.modelversion import ModelVersion
from fairlead.api.pipeline import Pipeline
from fairlead.api.pipelinerun import PipelineRun
from fairlead.api.schema import Model, cel


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True)
class Scale:
    """Where the subresource `scale` finds and leaves the number of pods, and finds their labels."""

    wanted: str = ".spec.replicas.count"
    there: str = ".status.replicas"
    selector: str = ".status.selector"


@dataclass(frozen=True)
class KindInfo:
    """What a CustomResourceDefinition needs besides the schema."""

    model: type[Model]
    plural: str
    short: str
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = (".status.phase",)
    """Paths that `kubectl get --field-selector` understands, besides name and namespace."""
    scale: Scale | None = None
    """None: it has no subresource `scale`."""

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.model.__name__


NAME_RULE = cel(
    ("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 63",
     "metadata.name must begin with a lower-case letter and have at most 63 lower-case letters, digits and '-': "
     "labels and Services are named by it"),
)  # fmt: skip
"""Of every kind's objects."""

AGE = Column("Age", ".metadata.creationTimestamp", "date")
PHASE = Column("Phase", ".status.phase")
PROBLEM = Column("Problem", ".status.problem")
"""Long where there is one, so it comes last of what is always shown."""
MESSAGE = Column("Message", ".status.message", wide=True)

KINDS: tuple[KindInfo, ...] = (
    KindInfo(Dataset, "datasets", "dset", (
        Column("Version", ".status.current.version"), Column("Rows", ".status.current.rows", "integer"),
        Column("Published", ".status.current.at", "date"), PHASE, AGE, PROBLEM, MESSAGE,
    )),
    KindInfo(Pipeline, "pipelines", "mlpipe", (
        Column("Last run", ".status.lastRun.name"), Column("Active", ".status.active", "integer"),
        Column("Succeeded", ".status.succeeded", "integer"), Column("Failed", ".status.failed", "integer"),
        PHASE, AGE, PROBLEM, MESSAGE,
    )),
    KindInfo(Component, "components", "mlcomp", (
        Column("Version", ".spec.version"), PHASE, AGE, Column("Description", ".spec.description", wide=True), PROBLEM,
        MESSAGE,
    )),
    KindInfo(PipelineRun, "pipelineruns", "mlrun", (
        Column("Pipeline", ".spec.pipeline"), PHASE, Column("Progress", ".status.progress"),
        Column("Started", ".status.startedAt", "date"), Column("Reason", ".spec.reason", wide=True), AGE,
        PROBLEM, MESSAGE,
    )),
    KindInfo(ModelVersion, "modelversions", "mv", (
        Column("Model", ".spec.model"), PHASE, Column("Champion", ".status.evidence.champion"),
        Column("In use", ".status.inUse"), AGE, PROBLEM, MESSAGE,
    )),
    KindInfo(Deployment, "deployments", "mdeploy", (
        Column("Live", ".status.live.version"), Column("Candidate", ".status.candidate.version"),
        Column("Weight", ".status.candidate.weight", "integer"), Column("Verdict", ".status.candidate.verdict"),
        PHASE, AGE, PROBLEM,
        Column("Rollback ready", ".status.conditions[?(@.type=='RollbackReady')].status", wide=True), MESSAGE,
    ), scale=Scale()),
)  # fmt: skip
