"""What somebody's own server asks of the pods that it runs in: the parts of `spec.server` besides image and counters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import Resources
from fairlead.api.schema import Cores, LabelKey, LabelValue, Model, Name, cel, strictly

Protocol = Literal["oip", "openai", "http"]

TAKEN_PORTS = range(8090, 8095)
"""Where Fairlead's sidecars listen in a serving pod: proxy, recorder, the proxy's statistics, the proxy for gRPC, and
where the recorder says whether the server has started."""

UrlPath = Annotated[
    str,
    Field(
        max_length=256,
        pattern=r"^/",
        json_schema_extra=strictly(r"^/[-A-Za-z0-9._~/:@!$&'()*+,;=%]*$")
        | cel(
            (
                "!self.startsWith('//') && !self.matches('/([.]|%2[eE]){1,2}(/|%2[fF]|$)')",
                "a path begins with one slash and has no part '.' or '..': it would be asked for elsewhere",
            )
        ),
    ),
]
"""A path of HTTP, without a query."""

_PART = r"[.]?[A-Za-z0-9_-][A-Za-z0-9._-]*"

Folder = Annotated[
    str,
    Field(
        min_length=2,
        max_length=256,
        json_schema_extra=strictly(f"^(/{_PART})+$")
        | cel((
            "!self.matches('^/(fairlead|tmp|proc|dev|sys|run|var/run)(/|$)') && !(self in ['/etc', '/var'])",
            "nothing can be mounted at or below /fairlead, /tmp, /proc, /dev, /sys, /run and /var/run, nor at /etc and "
            "/var themselves; name a folder of its own",
        )),
    ),
]  # fmt: skip
"""A folder in a container, with its absolute path."""

ObjectName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        json_schema_extra=strictly("^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
    ),
]
"""The name of an object of the cluster, which may have dots."""


class ConfigFiles(Model):
    """A ConfigMap of the namespace as a read-only folder: each of its keys is a file."""

    config_map: Name
    """When it changes, the files follow within a minute or so, and the server must notice. To roll out another
    configuration like another model, make a ConfigMap by another name, and a version with it."""
    path: Folder
    """The folder. What the image has there is hidden."""


class WarmUpRequest(Model):
    """A request that each new pod answers a few times before it gets a share of the traffic."""

    path: UrlPath
    body: Annotated[str, Field(min_length=1, max_length=8192)]
    """JSON."""


class Stop(Model):
    """How the server is stopped: it goes on answering for 5 s, then it gets SIGTERM."""

    after: Annotated[
        str,
        Field(
            max_length=20, pattern=r"^([0-9]+(s|m|h))+$",
            json_schema_extra=strictly("^([1-9][0-9]{0,2}s|[1-9][0-9]?m)$"),
        ),
    ] = "30s"  # fmt: skip
    """How long it may then take to finish open requests, up to `99m`. A process that still runs is killed."""


class Spread(Model):
    """Pods of a version are spread over the values of a node's label."""

    topology_key: Annotated[LabelKey, Field(max_length=317)]
    """The label, such as `topology.kubernetes.io/zone`."""
    when_unsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"] | None = None
    """Default: `ScheduleAnyway`."""
    max_skew: Annotated[int, Field(ge=1, le=100)] | None = None
    """By how many pods two values may differ. Default: 1."""


class ServerResources(Resources):
    """What a server needs. Memory is request and limit alike; CPU is a request, so it may use idle cores."""

    cpu_limit: Cores | None = None
    """Cores that it may use at most. A server at its limit is slowed down, which shows as latency."""

    model_config = ConfigDict(
        json_schema_extra=cel((
            "!has(self.cpu) || !has(self.cpuLimit) || quantity(self.cpu).compareTo(quantity(self.cpuLimit)) <= 0",
            "cpuLimit is below cpu",
        ))
    )  # fmt: skip


Labels = Annotated[
    dict[LabelKey, LabelValue],
    Field(
        max_length=16,
        json_schema_extra=cel((
            "self.all(k, k.size() <= 317 && !k.startsWith('fairlead.dev/') && k != 'app.kubernetes.io/managed-by')",
            "labels of fairlead.dev and app.kubernetes.io/managed-by say whose pods these are, and are Fairlead's own",
        )),
    ),
]  # fmt: skip
"""Labels of pods. Which keys may be set, manifests/marks.py says."""

Annotations = Annotated[
    dict[LabelKey, Annotated[str, Field(max_length=1024)]],
    Field(
        max_length=16,
        json_schema_extra=cel((
            "self.all(k, k.size() <= 317 && !k.startsWith('fairlead.dev/'))",
            "annotations of fairlead.dev are Fairlead's own",
        )),
    ),
]  # fmt: skip
"""Annotations of pods, under the same rule."""
