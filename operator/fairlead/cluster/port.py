"""The one door to the API server, as the rest of Fairlead sees it: plain JSON in and out, typed errors.

`client.HttpKube` is the real one; the tests' FakeCluster is the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

from fairlead.plan.core import Kind

Json = dict[str, Any]

SECRET = Kind("v1", "Secret", "secrets")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
EVENT = Kind("events.k8s.io/v1", "Event", "events")
NAMESPACE = Kind("v1", "Namespace", "namespaces")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
GATEWAY_CLASS = Kind("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses")
GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways")


@dataclass(frozen=True)
class Page:
    """A part of a list. `resource_version` is the whole list's."""

    items: list[Json]
    resource_version: str


@dataclass(frozen=True)
class Log:
    """The end of a container's log."""

    body: bytes
    cut: bool
    """It is longer."""


@dataclass(frozen=True)
class Reply:
    """What a server behind a Service has answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


IN_PATHS = "/?&=%:+,;@!$'()*~"
"""Characters that stand in paths and queries as they are."""


def climbs(path: str) -> bool:
    """Whether a path, as clients and servers read it, leaves the folder that it is below."""
    return not {".", ".."}.isdisjoint(unquote(path.partition("?")[0]).replace("\\", "/").split("/"))


class Kube(Protocol):
    """Requests to the API server. All raise `cluster.errors.ApiError`; writes also `NotLeading`."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """One object. Raises NotFound."""

    def pages(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Page]:
        """All objects (of a namespace), at most 500 at a time. Raises Gone when it took too long: begin again."""

    async def create(self, kind: Kind, obj: Json) -> Json:
        """Make an object. Raises AlreadyExists."""

    async def apply(self, kind: Kind, obj: Json) -> Json:
        """Server-side apply with field manager `fairlead`, taking over fields that others hold."""

    async def replace(self, kind: Kind, obj: Json) -> Json:
        """Replace an object; its resourceVersion is a precondition. Raises Conflict."""

    async def replace_status(self, kind: Kind, obj: Json) -> Json:
        """Replace an object's status; its resourceVersion is a precondition. Raises Conflict."""

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, propagation: str = "Background", version: str = ""
    ) -> Json:
        """Delete exactly the object with this uid; with `version`, only as it was then. Returns the object if it is
        still going away, else a Status."""

    async def served(self, kind: Kind) -> bool:
        """Whether the API server has this kind."""

    async def log(self, namespace: str, pod: str, container: str, limit: int) -> Log:
        """The end of a container's log. Raises NotFound for a pod that is gone, Refused for a container without one."""

    async def close(self) -> None:
        """Close the connections."""


class Door(Kube, Protocol):
    """What people's commands use besides."""

    def stream(self, namespace: str, pod: str, container: str, follow: bool) -> AsyncIterator[bytes]:
        """A container's log, part by part; with `follow` until it ends. Raises NotFound, and Refused for a container
        without one."""

    async def post(self, namespace: str, service: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a request to a Service (`name:port`) through the API server. An answer of the API server's own is an
        ApiError."""
