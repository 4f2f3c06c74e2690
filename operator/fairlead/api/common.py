"""Types that several kinds share: references, storage locations, containers, conditions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.schema import (
    LIST_ATOMIC,
    LIST_SET,
    Cores,
    Decimal,
    Duration,
    Image,
    Key,
    LabelKey,
    LabelValue,
    Memory,
    Model,
    Name,
    S3Uri,
    Text,
    cel,
    list_map,
    strictly,
)

GROUP = "fairlead.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class SecretRef(Model):
    """A Secret in the same namespace."""

    name: Name
    """Name of the Secret. For S3 its keys are `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (optionally
    `AWS_SESSION_TOKEN`)."""


Endpoint = Annotated[
    str,
    Field(
        max_length=256,
        pattern=r"^https?://[^/@\s]+$",
        json_schema_extra=strictly(r"^https?://([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$")
        | cel(
            (r"!self.matches(r'^https?://(([^:]*[.])?localhost[.]?(:[0-9]+)?$|127[.]|0[.]0[.]0[.]0|169[.]254[.]|\[::1?\]|\[[fF][eE][89abAB])')",
             "loopback and link-local addresses are no stores; write the address of an S3 service"),
            ("!self.matches(':(6[6-9]|[7-9][0-9]|65[6-9]|655[4-9]|6553[6-9])[0-9]*$') || self.matches(':[0-9]{1,4}$')",
             "a port is at most 65535"),
        ),
    ),
]  # fmt: skip
"""Scheme, host and port, and no more. Which hosts the operator goes to, store/endpoints.py says."""


class S3Access(Model):
    """How an S3 bucket is reached."""

    endpoint: Endpoint | None = None
    """Address of an S3-compatible service, `http://s3.example:9000`. Default: the operator's store, else AWS."""
    region: Annotated[str, Field(max_length=32, json_schema_extra=strictly("^[A-Za-z0-9-]*$"))] | None = None
    """Region; default `us-east-1`."""
    credentials: SecretRef | None = None
    """Secret with the access key. Default: the operator's store's; else the pod's own cloud identity."""


class S3Location(S3Access):
    """A folder of objects in a bucket."""

    bucket: Annotated[str, Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$")]
    """The bucket."""
    prefix: Annotated[str, Field(max_length=512, json_schema_extra=strictly(r"^[^\x00-\x1f\x7f]*$"))] = ""
    """The folder, for example `flights/`."""


class Artifact(S3Access):
    """Bytes in the store, named by their content."""

    uri: S3Uri
    """Where they lie: one object, or with a trailing slash a folder of objects."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
    """Digest, as `kubectl fairlead digest` prints it. Of one object: of its bytes. Of a folder: of one line an object,
    which is its digest, two spaces, its path and a newline; sorted."""


class Gpu(Model):
    """GPUs, as scheduled by the cluster's device plugin."""

    count: Annotated[int, Field(ge=1, le=64)] = 1
    """How many a pod needs."""
    resource: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9.-]+/[a-zA-Z0-9._-]+$")] = "nvidia.com/gpu"
    """The extended resource that is requested."""
    mig: Annotated[str, Field(max_length=24, pattern=r"^[1-9]g\.[1-9][0-9]{0,3}gb([+][a-z0-9.]+)?$")] | None = None
    """Parts of a GPU instead of whole ones, by their MIG profile: `1g.10gb`. As device plugins name them under the strategy
    `mixed`: the resource is `nvidia.com/mig-1g.10gb`."""
    product: Annotated[str, Field(max_length=63, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")] | None = None
    """Only nodes whose label `nvidia.com/gpu.product` has this value."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.mig) || !has(self.resource) || self.resource == 'nvidia.com/gpu'",
             "mig names the resource by itself: take resource away"),
        )
    )  # fmt: skip

    @property
    def requested(self) -> str:
        """The extended resource that a pod asks for. A profile's `+` can't stand in a resource's name: plugins write a
        dot."""
        return f"nvidia.com/mig-{self.mig.replace('+', '.')}" if self.mig else self.resource


class Resources(Model):
    """What a container needs. Memory is request and limit alike; CPU is a request only, so it may use idle cores."""

    cpu: Cores | None = None
    """Cores: `2`, `500m`."""
    memory: Memory | None = None
    """Bytes: `8Gi`."""
    gpu: Gpu | None = None
    """GPUs of one pod."""


class EnvVar(Model):
    """A plain environment variable; secrets are mounted as files instead."""

    name: Key
    value: Annotated[str, Field(max_length=4096)] = ""


class Toleration(Model):
    """A taint that the pod tolerates."""

    key: (
        Annotated[str, Field(max_length=253, json_schema_extra=strictly("^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$"))]
        | None
    ) = None
    """Without one, and with `operator: Exists`, every taint is tolerated."""
    operator: Literal["Exists", "Equal"] = "Equal"
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
                "a toleration without key needs operator: Exists, and tolerates every taint then",
            ),
            (
                "!has(self.value) || !has(self.operator) || self.operator != 'Exists'",
                "operator Exists goes without a value",
            ),
        )
    )


class Placement(Model):
    """Where a pod may run."""

    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] = {}
    """Labels that a node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=16, json_schema_extra=LIST_ATOMIC)] = []
    """Taints that are tolerated."""


class Container(Placement):
    """A user's program: a curated part of a Kubernetes container, so that no field can widen a pod's rights."""

    image: Image
    """Container image; pin it by digest for repeatable runs."""
    command: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] = []
    """Replaces the image's entry point. Arguments may contain `{{params.NAME}}`."""
    args: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] = []
    """Arguments; may contain `{{params.NAME}}`."""
    env: Annotated[list[EnvVar], Field(max_length=64, json_schema_extra=list_map("name"))] = []
    """Plain variables; values may contain `{{params.NAME}}`."""
    secrets: Annotated[list[Name], Field(max_length=8, json_schema_extra=LIST_SET)] = []
    """Secrets of the namespace, each mounted read-only at `/fairlead/secrets/<name>`."""
    resources: Resources = Resources()
    """What it needs; the scheduler places it accordingly."""


class Condition(Model):
    """One aspect of an object's state, by the Kubernetes API conventions."""

    type: Annotated[str, Field(max_length=64)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Field(max_length=64)]
    """A stable CamelCase word; the reference lists them."""
    message: Text = ""
    """What is the case, and what to do about it."""
    last_transition_time: Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
    observed_generation: int = 0


Conditions = Annotated[list[Condition], Field(max_length=24, json_schema_extra=list_map("type"))]


class StatusBase(Model):
    """What every kind's status has."""

    observed_generation: int = 0
    """The generation of the spec that this status speaks of."""
    phase: Annotated[str, Field(max_length=32)] = ""
    """One word, derived from the conditions, for people and printer columns."""
    message: Text = ""
    """What is going on, and what to do next if a person must act."""
    problem: Annotated[str, Field(max_length=120)] = ""
    """The worst of the conditions in a few words; empty where none is bad."""
    conditions: Conditions = []


Timestamp = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
"""RFC 3339 time in UTC."""

__all__ = [
    "API_VERSION", "GROUP", "VERSION", "Artifact", "Condition", "Conditions", "Container", "Decimal", "Duration",
    "EnvVar", "Gpu", "Placement", "Resources", "S3Access", "S3Location", "SecretRef", "StatusBase", "Timestamp",
    "Toleration", "cel",
]  # fmt: skip
