"""How a model is served: its image, what it listens on, and what its counters are called."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import EnvVar, Placement
from fairlead.api.ownserver import (
    TAKEN_PORTS,
    Annotations,
    ConfigFiles,
    Labels,
    ObjectName,
    Protocol,
    ServerResources,
    Spread,
    Stop,
    UrlPath,
    WarmUpRequest,
)
from fairlead.api.schema import LIST_SET, Image, Model, Name, Span, cel, list_map, strictly
from fairlead.api.selectors import WRITTEN

Counter = Annotated[
    str,
    Field(
        max_length=256,
        json_schema_extra=cel((
            f"self.matches('{WRITTEN.translate({92: chr(92) * 2})}') && !self.contains('__name__')",
            'a selector is name or name{label="value",code=~"5.."}, several joined by +; within quotes a backslash is '
            "written twice",
        )),
    ),
]  # fmt: skip
"""A metric of the server's page, and which series of it."""


class ServerMetrics(Model):
    """Names of the counters that a custom server exports. Each may carry a label selector: `name{code=~"5.."}`.
    Supported matchers: `=`, `!=`, `=~`, `!~`. All series that match are added up."""

    from_: Annotated[Literal["Server", "Proxy"] | None, Field(alias="from")] = None
    """`Server` (default): the server counts, and the names below are needed. `Proxy`: a proxy beside the server counts
    requests, failures (an answer of 500 or above, or none) and latency, whatever the server is."""
    path: Annotated[
        str, Field(max_length=128, pattern=r"^/", json_schema_extra=strictly("^/[-A-Za-z0-9._~/?&=%:,;+@!$'()*]*$"))
    ] = "/metrics"
    port: Annotated[int, Field(ge=1024, le=65535)] | None = None
    """Default: the server's port."""
    requests: Counter | None = None
    """Counter of answered requests, failed ones included."""
    failures: Counter | None = None
    """Counter of failed requests."""
    latency: Counter | None = None
    """Histogram of response times, without `_bucket`."""
    latency_unit: Literal["s", "ms"] = "s"
    """Unit of that histogram's bounds."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("(has(self.from) && self.from == 'Proxy') || (has(self.requests) && has(self.failures))",
             "name the counters requests and failures; or let the proxy count any server's: from: Proxy"),
            ("!has(self.from) || self.from != 'Proxy' || "
             "!(has(self.requests) || has(self.failures) || has(self.latency) || has(self.port))",
             "the proxy's counters have names of their own: take requests, failures, latency and port out"),
            (f"!has(self.port) || !(self.port in {list(TAKEN_PORTS)})",
             f"ports {TAKEN_PORTS[0]} to {TAKEN_PORTS[-1]} are those of Fairlead's proxy and recorder beside the server; "
             "let its counters be read elsewhere"),
        )
    )  # fmt: skip


_OWN = ("command", "port", "ready", "warmUp")
"""What only a custom server can say."""


class Server(Placement):
    """How a model is served. The same server is used to evaluate it.

    The model's files are at `/fairlead/model`. A custom server listens on `port`, or on `$PORT`, and says by `ready` when
    it can answer."""

    runtime: Literal["sklearn", "custom"] = "sklearn"
    """`sklearn`: MLServer with scikit-learn, which loads `model.joblib`. `custom`: the server of `image`."""
    image: Image | None = None
    """Default: the image that the operator's configuration names for the runtime."""
    protocol: Protocol = "oip"
    """What requests look like. `oip`: Open Inference Protocol v2 over REST, which evaluations speak. `openai`, and `http`
    for whatever else there is: Fairlead sends no request but `warmUp`."""
    command: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] = []
    """Replaces the image's entry point. May use `$(PORT)` and the variables of `env`."""
    args: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] = []
    """Arguments. May use `$(PORT)` and the variables of `env`; `$$(PORT)` is the text `$(PORT)`."""
    env: Annotated[list[EnvVar], Field(max_length=64, json_schema_extra=list_map("name"))] = []
    """Plain variables; values may use `$(PORT)`, `$(GRPC_PORT)` and the variables before them. `PORT` and `GRPC_PORT` are
    Fairlead's to set."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where the server listens, whatever it is told; `$PORT` is then the same. Default: on `$PORT`, which is 8080, and in an
    evaluation, where two servers share a pod, another one."""
    ready: UrlPath | None = None
    """Path that answers 200 once requests can be answered. Default: `/v2/health/ready`, for `openai` `/health`."""
    warm_up: WarmUpRequest | None = None
    """A request that each new pod answers three times before it gets a share of the traffic, by POST as
    `application/json`; an answer of 500 or above (or 429) holds the version up. For `oip` it is one of the evaluation."""
    stop: Stop | None = None
    """How it is stopped. Default: it has 30 s to finish open requests."""
    secrets: Annotated[list[Name], Field(max_length=8, json_schema_extra=LIST_SET)] = []
    """Secrets of the namespace, each mounted read-only at `/fairlead/secrets/<name>`."""
    files: Annotated[list[ConfigFiles], Field(max_length=8, json_schema_extra=list_map("path"))] = []
    """ConfigMaps of the namespace, each mounted read-only."""
    resources: ServerResources = ServerResources()
    labels: Labels = {}
    """Labels of the serving pods: keys without a domain, and those that the installation allows."""
    annotations: Annotations = {}
    """Annotations of the serving pods, as far as the installation allows them."""
    image_pull_secrets: Annotated[list[Name], Field(max_length=4, json_schema_extra=LIST_SET)] = []
    """Secrets of the namespace that images are pulled with."""
    service_account: Name | None = None
    """ServiceAccount that pods run as, with its token. It must have the label `fairlead.dev/serve: "true"`."""
    spread: Annotated[list[Spread], Field(max_length=4, json_schema_extra=list_map("topologyKey"))] = []
    """How pods are spread. Default: over nodes, as far as possible."""
    priority_class: ObjectName | None = None
    """PriorityClass of the pods."""
    runtime_class: ObjectName | None = None
    """RuntimeClass of the pods, for example one of a confidential virtual machine."""
    metrics: ServerMetrics | None = None
    """Which counters a custom server exports. Default: it exports none, and a proxy beside it counts."""
    timeout: Span = "2m"
    """How long a pod may take to load the model."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.runtime) || self.runtime != 'custom' || has(self.image)", "a custom server needs image"),
            (
                "has(self.runtime) && self.runtime == 'custom' || "
                f"!({' || '.join(f'has(self.{name})' for name in _OWN)} || has(self.protocol) && self.protocol != 'oip')",
                f"protocol, {', '.join(_OWN)} are for runtime: custom; another runtime's preset knows its own",
            ),
            (
                "!has(self.protocol) || self.protocol != 'http' || has(self.ready)",
                "protocol: http needs ready: the path that answers 200 when requests can be answered",
            ),
            (
                "!has(self.warmUp) || has(self.protocol) && self.protocol != 'oip'",
                "warmUp is for protocol openai or http; new pods that speak oip are warmed with a request of the evaluation",
            ),
            (
                f"!has(self.port) || !(self.port in {list(TAKEN_PORTS)})",
                f"ports {TAKEN_PORTS[0]} to {TAKEN_PORTS[-1]} are those of Fairlead's proxy and recorder beside the "
                "server; let it listen elsewhere",
            ),
            (
                "!has(self.files) || self.files.all(a, self.files.all(b, a.path == b.path || "
                "!(a.path + '/').startsWith(b.path + '/')))",
                "a folder of files lies in another one of them; mount them beside each other",
            ),
            (
                "!has(self.priorityClass) || !self.priorityClass.startsWith('system-')",
                "priority classes that begin with system- are the cluster's own",
            ),
        )
    )
