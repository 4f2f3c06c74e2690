"""Deployment, its status: what is live, what is on its way, what was seen, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fairlead.api import halves
from fairlead.api.candidate import Candidate, ExperimentStatus, RolloutRecord
from fairlead.api.common import StatusBase, Timestamp
from fairlead.api.confirmation import Unasked, WorldChange
from fairlead.api.halves import Own
from fairlead.api.labelled import Joined
from fairlead.api.ledger import Ledger
from fairlead.api.memory import Memory
from fairlead.api.monitors import Monitored
from fairlead.api.pinned import Pinned
from fairlead.api.replicas import Scaling
from fairlead.api.schema import LIST_ATOMIC, Model, Name, list_map
from fairlead.api.watch import Watch, WayBack


class Live(Model):
    """The version that serves."""

    version: Name
    since: Timestamp


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


class AlertsSeen(Model):
    """What Prometheus has said of this Deployment's alert rules."""

    rules: Annotated[str, Field(max_length=16)]
    """Digest of the rules that it shall have."""
    version: Name | None = None
    """The live version that they were made for."""
    since: Timestamp
    """Since when they are these."""
    asked: Timestamp | None = None
    """When it was asked last."""
    loaded: bool = False


class Finding(Model):
    """What a version's own pods have found of its bytes."""

    version: Name
    uid: Annotated[str, Field(max_length=36)]
    """Of the ModelVersion."""
    reason: Annotated[str, Field(max_length=64)]
    """`Verified`: they are what the spec names. `DigestMismatch`: they are not. Else why that is not known yet."""
    message: Annotated[str, Field(max_length=1024)] = ""


class Claimed(Model):
    """The host and path that this Deployment holds; nobody who asks for them later gets them."""

    gateway: Annotated[str, Field(max_length=320)]
    """`<namespace>/<name>`."""
    protocol: Literal["HTTP", "GRPC"] = "HTTP"
    host: Annotated[str, Field(max_length=253)] | None = None
    """Absent: whatever the host."""
    path: Annotated[str, Field(max_length=256)] | None = None
    """Absent: by gRPC."""
    since: Timestamp


class DeploymentStatus(StatusBase):
    """What is live, what is on its way, and what became of earlier rollouts. Phases: Pending, Progressing, Live,
    Holding, RolledBack, Degraded. Conditions: Ready (what the spec asks for is live), Reconciling, Stalled, Available (a
    version answers), Progressing, RouteAccepted, GatewayAble, EvidenceAvailable,
    EvidenceSaved, ErrorsGuarded, Watched, WorldChanged, RollbackReady, VersionReplaced, StateSaved, Experiment, AlertsLoaded,
    ForeignPod (somebody's pod stands in for a version's), Scaled, MonitorReady, Harmed, Unfair, Drifting, Stale; of any kind: ClockBehind, StatusTooLarge."""

    live: Live | None = None
    candidate: Candidate | None = None
    previous: Name | None = None
    """The last good version before the live one: the way back."""
    versions: Own[Annotated[list[Pinned], Field(max_length=20, json_schema_extra=list_map("name"))]] = []
    """Which objects the names above and below stand for, and what their pods need: a ModelVersion that is deleted, or
    made again under its name, changes nothing of what is served."""
    findings: Own[Annotated[list[Finding], Field(max_length=20, json_schema_extra=list_map("version"))]] = []
    """Of versions whose bytes nobody else has verified, what their pods have found; until their ModelVersions know it."""
    served: Own[Annotated[list[Pinned], Field(max_length=50, json_schema_extra=list_map("name"))]] = []
    """The versions that were live here, the last one first: what a person may go back to."""
    watch: Watch | None = None
    """The live version's behaviour since it was promoted, while it is watched."""
    monitors: Monitored | None = None
    """What the monitors know of the live version."""
    world: WorldChange | None = None
    """What has changed for every version, not by the live one's fault; until it is over, or another one is live."""
    unasked: Own[Unasked | None] = None
    """For a while after a rollback because of crashes: whether the version before crashes too."""
    joins: Own[Annotated[list[Joined], Field(max_length=40, json_schema_extra=list_map("version", "guard"))]] = []
    """Of guards on labels: of a candidate, or of each of an experiment's, and of the version under watch."""
    way_back: WayBack | None = None
    """A rollback of the live version that is under way."""
    experiment: ExperimentStatus | None = None
    """Versions that are compared with each other."""
    stored: Own[Stored | None] = None
    """Whether the way back's model is still in the store; looked for once an hour."""
    memory: Own[Memory | None] = None
    """Whether the store has what must survive the loss of this status (with a store)."""
    older: Own[Annotated[list[Name], Field(max_length=200, json_schema_extra=LIST_ATOMIC)]] = []
    """After a restore: versions that were older than the live one, however new their objects are."""
    heeded: Own[Annotated[str, Field(max_length=16)]] = ""
    """Digest of the override that was carried out last."""
    refused: Annotated[list[Name], Field(max_length=50, json_schema_extra=LIST_ATOMIC)] = []
    """Versions that were rolled back here; they are not tried again, unless the annotation `fairlead.dev/retry`
    names one."""
    retried: Own[Annotated[str, Field(max_length=63)]] = ""
    """The value of the annotation `fairlead.dev/retry` that has been heeded."""
    retiring: Annotated[list[Retiring], Field(max_length=10, json_schema_extra=list_map("version"))] = []
    history: Annotated[list[RolloutRecord], Field(max_length=10, json_schema_extra=LIST_ATOMIC)] = []
    """The last 10 rollouts, newest first."""
    unsaved: Own[Annotated[list[Ledger], Field(max_length=6, json_schema_extra=LIST_ATOMIC)]] = []
    """Evidence of ended rollouts that the store does not have yet."""
    address: Annotated[str, Field(max_length=512)] = ""
    """Where clients reach it."""
    gateway: Own[GatewayState | None] = None
    """What is known of the Gateway."""
    alerts: Own[AlertsSeen | None] = None
    """Whether Prometheus has the alert rules; absent where none are made, or none can be asked."""
    claimed: Claimed | None = None
    """Where its route may be; absent: nowhere."""
    ready_replicas: int = 0
    replicas: int = 0
    """Pods that `selector` finds: those of the version that gets most of the requests."""
    selector: Annotated[str, Field(max_length=256)] = ""
    """Their labels; whoever scales measures these pods."""
    scaling: Scaling | None = None
    """Where somebody scales: what is kept of the number of pods."""

    @model_validator(mode="before")
    @classmethod
    def _join(cls, status: Any) -> Any:
        return halves.joined(cls, status)
