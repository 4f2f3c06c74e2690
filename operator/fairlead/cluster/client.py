"""The API server by HTTP. The only file that imports the Kubernetes client.

The client's generated models are left aside: parsing a Pod with them costs twelve times as much as plain JSON, and they
cannot tell an absent field from a null one, which server-side apply needs.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies

import aiohttp
from kubernetes.aio import client as k8s
from kubernetes.aio import config as k8s_config

from fairlead.cluster import errors
from fairlead.cluster.port import IN_PATHS, NAMESPACE, Json, Log, Page, Reply, climbs
from fairlead.plan.core import MANAGER, POD, SERVICE, Kind

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
PAGE = 500
LOG_LINES, LOG_READ = 20_000, 64 << 20
"""Lines of a log that are asked for, from its end, and bytes that are read."""
ANSWER = 4 << 20
"""Bytes of an answer of what is behind a Service."""
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Observer = Callable[[str, str, int, float], None]
"""(verb, resource, HTTP code or 0, seconds)"""


@dataclass(frozen=True)
class Connection:
    """How the API server is reached: for those who need a connection of their own (the watch source)."""

    server: str
    ca_file: str | None
    verify: bool
    certificate_file: str | None
    key_file: str | None
    authorization: str | None
    """Value of the HTTP header; the token in it may expire."""


def path_of(kind: Kind, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
    """The path of a resource, a collection, an object or its subresource."""
    root = f"/apis/{kind.api_version}" if "/" in kind.api_version else f"/api/{kind.api_version}"
    parts = [root]
    if namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(kind.plural)
    if name:
        parts.append(quote(name, safe=""))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def resource_of(kind: Kind) -> str:
    """`deployments.apps`; the core group's have no suffix."""
    group = kind.api_version.rpartition("/")[0]
    return f"{kind.plural}.{group}" if group else kind.plural


async def load_configuration(kubeconfig: str | None = None) -> k8s.Configuration:
    """From a file if one is named, else from the pod's service account, else from `KUBECONFIG` or `~/.kube/config`."""
    found = k8s.Configuration()
    if kubeconfig is None:
        try:
            k8s_config.load_incluster_config(client_configuration=found)
            return found
        except k8s_config.ConfigException:
            pass  # not in a pod: a person's own configuration follows
    await k8s_config.load_kube_config(config_file=kubeconfig, client_configuration=found, persist_config=False)
    return found


async def connection(configuration: k8s.Configuration) -> Connection:
    """The connection's parts, with a fresh token."""
    return Connection(
        server=configuration.host,
        ca_file=configuration.ssl_ca_cert,
        verify=bool(configuration.verify_ssl),
        certificate_file=configuration.cert_file,
        key_file=configuration.key_file,
        authorization=await configuration.get_api_key_with_prefix("BearerToken", alias="authorization"),
    )


def _allow() -> None:
    return None


def _ignore(_verb: str, _resource: str, _code: int, _seconds: float) -> None:
    return None


class HttpKube:
    """`cluster.port.Kube` over HTTP. `guard` is called before each write and raises if it must not happen."""

    def __init__(
        self, configuration: k8s.Configuration, guard: Callable[[], None] = _allow, observe: Observer = _ignore
    ) -> None:
        configuration.connection_pool_maxsize = 32
        # where no proxy is named, the environment has nothing else to say; asking costs a thread's work a request
        configuration.client_session_kwargs = {"trust_env": bool(getproxies())}
        self._configuration = configuration
        self._api = k8s.ApiClient(configuration)
        self._guard = guard
        self._observe = observe

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """One object."""
        return await self._call("GET", "get", kind, path_of(kind, namespace, name))

    async def pages(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Page]:
        """All objects, page by page."""
        query: dict[str, str] = {"limit": str(PAGE)}
        if selector:
            query["labelSelector"] = selector
        accept = _METADATA_LIST if metadata_only else "application/json"
        while True:
            found = await self._call("GET", "list", kind, path_of(kind, namespace), query=query, accept=accept)
            meta, items = found["metadata"], found.get("items") or []  # an empty list of metadata is null
            for item in items:
                # the items of a list carry neither; everywhere else they do
                item["apiVersion"], item["kind"] = kind.api_version, kind.kind
            yield Page(items, meta.get("resourceVersion", ""))
            if not meta.get("continue"):
                return
            query["continue"] = meta["continue"]

    async def create(self, kind: Kind, obj: Json) -> Json:
        """Make an object."""
        self._guard()
        path = path_of(kind, obj["metadata"].get("namespace"))
        return await self._call("POST", "create", kind, path, obj, {"fieldManager": MANAGER})

    async def apply(self, kind: Kind, obj: Json) -> Json:
        """Server-side apply."""
        self._guard()
        meta = obj["metadata"]
        return await self._call(
            "PATCH", "apply", kind, path_of(kind, meta.get("namespace"), meta["name"]), obj,
            {"fieldManager": MANAGER, "force": "true"}, content="application/apply-patch+yaml",
        )  # fmt: skip

    async def replace(self, kind: Kind, obj: Json) -> Json:
        """Replace an object."""
        return await self._replace(kind, obj, "")

    async def replace_status(self, kind: Kind, obj: Json) -> Json:
        """Replace an object's status."""
        return await self._replace(kind, obj, "status")

    async def _replace(self, kind: Kind, obj: Json, subresource: str) -> Json:
        self._guard()
        meta = obj["metadata"]
        path = path_of(kind, meta.get("namespace"), meta["name"], subresource)
        verb = "replace_status" if subresource else "replace"
        return await self._call("PUT", verb, kind, path, obj, {"fieldManager": MANAGER})

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, propagation: str = "Background", version: str = ""
    ) -> Json:
        """Delete exactly this object; with `version`, only if it has not changed since."""
        self._guard()
        same = {"uid": uid, "resourceVersion": version} if version else {"uid": uid}
        body = {"preconditions": same, "propagationPolicy": propagation}
        return await self._call("DELETE", "delete", kind, path_of(kind, namespace, name), body)

    async def served(self, kind: Kind) -> bool:
        """Whether the API server has this kind."""
        group = f"/apis/{kind.api_version}" if "/" in kind.api_version else f"/api/{kind.api_version}"
        try:
            found = await self._call("GET", "discover", kind, group)
        except (errors.NotFound, errors.NotServed):
            return False
        return any(r.get("name") == kind.plural and r.get("kind") == kind.kind for r in found.get("resources", ()))

    async def log(self, namespace: str, pod: str, container: str, limit: int) -> Log:
        """The last `limit` bytes of a container's log, and at most LOG_LINES lines."""
        query, started, code = {"container": container, "tailLines": str(LOG_LINES)}, time.monotonic(), 0
        try:
            async with await self._log(namespace, pod, query, TIMEOUT) as answer:
                code = answer.status
                found = await _tail(answer.content, limit)
        except (aiohttp.ClientError, TimeoutError, OSError) as broken:
            raise errors.Unavailable(f"no answer from the API server: {broken or type(broken).__name__}") from broken
        finally:
            self._observe("log", resource_of(POD), code, time.monotonic() - started)
        if code >= 300:
            _answer(code, found.body, None)
        return found

    async def stream(self, namespace: str, pod: str, container: str, follow: bool) -> AsyncIterator[bytes]:
        """A container's log, part by part."""
        query, endless = {"container": container}, aiohttp.ClientTimeout(total=None, sock_connect=10)
        query |= {"follow": "true"} if follow else {}
        try:
            async with await self._log(namespace, pod, query, endless) as answer:
                if answer.status >= 300:
                    _answer(answer.status, (await _tail(answer.content, ANSWER)).body, None)
                async for part in answer.content.iter_chunked(1 << 16):
                    yield part
        except (aiohttp.ClientError, TimeoutError, OSError) as broken:
            raise errors.Unavailable(f"no answer from the API server: {broken or type(broken).__name__}") from broken

    async def _log(
        self, namespace: str, pod: str, query: Mapping[str, str], limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """An answer whose body is still to come."""
        headers = {"Accept": "*/*", "Content-Type": "application/json", "User-Agent": MANAGER}
        url = f"{self._configuration.host}{path_of(POD, namespace, pod, 'log')}?{urlencode(query)}"
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], url, "GET", None)
        found = await self._api.rest_client.request("GET", url, headers=headers, _request_timeout=limits)
        answer: aiohttp.ClientResponse = found.response
        return answer

    async def addresses(self) -> list[str]:
        """Where the API server that answers says that it is reached (`host:port`), besides what it was asked at."""
        found = await self._call("GET", "discover", NAMESPACE, "/api")
        own = [str(one.get("serverAddress", "")) for one in found.get("serverAddressByClientCIDRs") or ()]
        return [urlsplit(self._configuration.host).netloc, *filter(None, own)]

    async def post(self, namespace: str, service: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a request to a Service (`name:port`) through the API server: as it is, which `_send` could not do.

        It goes there with the rights of whoever asks, and to nowhere else: neither by a path that leads out of the
        Service's own (ValueError), nor by a redirection, which anybody's server may answer.
        """
        if climbs(path):
            raise ValueError(f"the path {path!r} leads out of the service")
        root = path_of(SERVICE, namespace, service, "proxy")
        url = f"{self._configuration.host}{root}{quote(path, safe=IN_PATHS)}"
        mine: dict[str, str] = {"User-Agent": MANAGER, **headers}
        await self._api.update_params_for_auth(mine, [], ["BearerToken"], url, "POST", None)
        rest = self._api.rest_client
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT, trust_env=bool(getproxies())) as session,
                session.post(
                    url, data=body, headers=mine, ssl=rest.ssl_context, proxy=rest.proxy, allow_redirects=False
                ) as answer,
            ):
                reply = await whole(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as broken:
            raise errors.Unavailable(f"no answer from the API server: {broken or type(broken).__name__}") from broken
        if _own(reply):
            _answer(reply.status, reply.body, None)
        return reply

    async def _call(
        self, method: str, verb: str, kind: Kind, path: str, body: Json | None = None,
        query: dict[str, str] | None = None, *, accept: str = "application/json", content: str = "application/json",
    ) -> Json:  # fmt: skip
        url = f"{self._configuration.host}{path}"
        if query:
            url = f"{url}?{urlencode(query)}"
        started, code = time.monotonic(), 0
        try:
            code, data, retry_after = await self._send(method, url, body, accept, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as broken:
            raise errors.Unavailable(f"no answer from the API server: {broken or type(broken).__name__}") from broken
        finally:
            self._observe(verb, resource_of(kind), code, time.monotonic() - started)
        return _answer(code, data, retry_after)

    async def _send(
        self, method: str, url: str, body: Json | None, accept: str, content: str
    ) -> tuple[int, bytes, float | None]:
        headers = {"Accept": accept, "Content-Type": content, "User-Agent": MANAGER}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], url, method, body)
        response = await self._api.rest_client.request(
            method, url, headers=headers, body=body, _request_timeout=TIMEOUT
        )
        return response.status, await response.read(), _seconds(response.headers.get("Retry-After"))


async def _tail(content: aiohttp.StreamReader, limit: int) -> Log:
    """The last bytes of what comes; of more than LOG_READ, the last ones until there."""
    kept, dropped, read, lines = bytearray(), False, 0, 0
    async for part in content.iter_chunked(1 << 16):
        kept += part
        read += len(part)
        lines += part.count(b"\n")
        if len(kept) > 2 * limit:
            del kept[:-limit]
            dropped = True
        if read > LOG_READ:
            break
    cut = dropped or len(kept) > limit or lines >= LOG_LINES or read > LOG_READ
    return Log(bytes(kept[-limit:]), cut)


async def whole(answer: aiohttp.ClientResponse) -> Reply:
    """An answer within bounds. Raises ApiError for a longer one."""
    body = bytearray()
    async for part in answer.content.iter_chunked(1 << 16):
        body += part
        if len(body) > ANSWER:
            raise errors.ApiError(f"it answers {answer.status} with more than {ANSWER >> 20} MiB", answer.status)
    return Reply(answer.status, dict(answer.headers), bytes(body))


def _own(reply: Reply) -> bool:
    """Whether the API server itself has refused, instead of what is behind the Service."""
    if reply.status < 400 or len(reply.body) > 1 << 20:
        return False
    try:
        found = json.loads(reply.body)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("kind") == "Status" and found.get("apiVersion") == "v1"


def _seconds(header: str | None) -> float | None:
    try:
        return float(header) if header else None
    except ValueError:
        return None  # an HTTP date: our own back-off does


def _answer(code: int, data: bytes, retry_after: float | None) -> Json:
    """The parsed body of a success. Raises the error that another answer stands for."""
    try:
        parsed: Any = json.loads(data) if data else {}
    except ValueError:
        parsed = {"message": data[:200].decode("utf-8", "replace")}
    if 200 <= code <= 299 and isinstance(parsed, dict):
        return parsed
    status = parsed if isinstance(parsed, dict) else {}
    message = str(status.get("message") or f"the API server answered {code}")
    raise errors.from_answer(code, str(status.get("reason", "")), message, retry_after)
