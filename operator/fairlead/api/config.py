"""The operator's configuration: one YAML file, written by the Helm chart."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from fairlead.api.common import S3Location
from fairlead.api.limits import Bytes
from fairlead.api.requirement import Requirement
from fairlead.api.schema import Model, Span


class Images(Model):
    """Images that the operator starts pods with."""

    worker: str
    """Runs checks, transfers and evaluations."""
    runtimes: dict[str, str] = {}
    """Model server by runtime, for example `sklearn`."""
    trainer: str | None = None
    """Runs the Components of Fairlead that train models; it has the libraries of the `sklearn` server, so what it writes
    is served as it is. None: they can't be used."""
    proxy: str | None = None
    """Envoy, beside servers whose answers are recorded. None: no Deployment can record."""


class PrometheusConfig(Model):
    """Where outcomes are read, and which labels rules and monitors need to be selected."""

    url: str | None = None
    """Base address, `http://prometheus.monitoring:9090`. None: guards that need it have no evidence."""
    labels: dict[str, str] = {}
    """Put on each PrometheusRule and PodMonitor."""
    enabled: bool = True
    """Make PrometheusRules and PodMonitors (needs prometheus-operator's CRDs)."""
    runbooks: str = "docs"
    """Where Fairlead's docs can be read: what the links in alerts begin with."""


class Tuning(Model):
    """Intervals, in seconds."""

    window: float = Field(default=1.0, gt=0)
    """Length of an evidence window during a rollout. With more than 100 rollouts at a time it is a hundredth of a second
    for each of them, if that is longer."""
    drain: float = Field(default=15.0, ge=0)
    """How long pods without traffic stay."""
    evidence_deadline: float = Field(default=10.0, gt=0)
    """Without evidence for this long, a rollout says so (it froze at once)."""
    monitors: float = Field(default=60.0, ge=10)
    """The shortest window of a live version's monitors, whatever its Deployment asks for."""


class Surge(Model):
    """What candidates may take besides what serves."""

    gpus: int | None = Field(default=None, ge=0)
    """GPUs that the pods of all candidates of a namespace may request at a time. None: they take their turn, each as
    soon as the one before it has a node for all of its pods."""
    wait: float = Field(default=600.0, gt=0)
    """Seconds after which a candidate whose pods no node has room for lets its GPUs go, to ask again later."""


class JobsConfig(Model):
    """Limits of Fairlead's own containers in Jobs. Users' steps and model servers have their own."""

    deadline: Span = "1h"
    """How long a Job may run that has no `timeout` of its own, from the moment when its pod is on a node."""
    memory: Bytes = "4Gi"
    """Memory that each may use."""
    scratch: Bytes = "20Gi"
    """Room on the node's disk that a Job may use which is known to need less; not of pods with a user's step."""
    logs: bool = True
    """Keep the logs of steps' programs in the store; `false`: they go with their pods."""


class Granted(Model):
    """A host, or paths, that some namespaces' Deployments may have besides what is theirs anyway."""

    host: str | None = None
    """A host, or `*.` and the end of hosts; it is then no other namespace's. None: whatever the host, or none."""
    path: str = Field(default="/", pattern=r"^/")
    """All paths below this prefix."""
    namespaces: list[str] = []
    """To whom; empty: to all."""


class MonitorsConfig(Model):
    """What the monitors of all live versions share."""

    false_alarms_per_year: float | None = Field(default=None, gt=0)
    """How many are expected at most of all Deployments of one namespace together, while nothing changes. Where they ask
    for more (`spec.monitors.falseAlarmsPerYear`, added up), each gets its part. None: each has what it asks for."""


class RoutesConfig(Model):
    """Which routes Deployments may have besides those below `/<namespace>/` and on hosts of their own."""

    any_path: bool = False
    """Whatever they ask for, as far as nobody has it already: where all namespaces are one team's."""
    granted: list[Granted] = []


def _named(entry: str) -> str:
    """A host or a network. A network with a slip in it would be taken for a host, and keep nobody out."""
    if "/" in entry or ":" in entry or not entry.strip("0123456789."):
        ipaddress.ip_network(entry, strict=False)
    return entry.lower().rstrip(".")


Hosts = list[Annotated[str, AfterValidator(_named)]]


class EndpointsConfig(Model):
    """Which stores, registries and git servers the operator connects to for what people write; its own `store` always."""

    allow: Hosts = []
    """Hosts, `*.` and the end of hosts, addresses and networks (`10.0.0.0/8`); if there are any, no other endpoint is
    used. An address that is named is allowed even where it would be refused: loopback, link-local, the API server's."""
    refuse: Hosts = []
    """Addresses and networks that are refused besides, for example those of the control plane's nodes."""
    insecure: list[Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]+)?$")]] = []
    """Registries that are asked without TLS, as images name them: `registry.local:5000`."""


class IdentityConfig(Model):
    """Who may have the operator's own cloud identity used for what it names without a Secret."""

    namespaces: list[str] = []
    """Besides each namespace for its own folder in the operator's store; `*`: all."""


class Allowed(Model):
    """Keys of labels or annotations."""

    allowed: list[Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9._-]*$")]] = []
    """`example.com/team`; with a slash at the end, `example.com/`, all of that domain."""


class PodsConfig(Model):
    """What serving pods may have besides what each installation allows (manifests/marks.py)."""

    labels: Allowed = Allowed()
    annotations: Allowed = Allowed()


class OperatorConfig(Model):
    """Everything that can be set at installation."""

    images: Images
    store: S3Location | None = None
    """Where Datasets and Pipelines without a store of their own keep versions and outputs."""
    prometheus: PrometheusConfig = PrometheusConfig()
    tuning: Tuning = Tuning()
    surge: Surge = Surge()
    jobs: JobsConfig = JobsConfig()
    monitors: MonitorsConfig = MonitorsConfig()
    require: Requirement = Requirement()
    """What each version must have before it goes live, in all namespaces."""
    routes: RoutesConfig = RoutesConfig()
    endpoints: EndpointsConfig = EndpointsConfig()
    identity: IdentityConfig = IdentityConfig()
    pods: PodsConfig = PodsConfig()
    namespaces: list[str] = []
    """Namespaces to watch; empty: all."""
    workers: int = Field(default=8, ge=1, le=64)
    """Reconciles at a time."""
