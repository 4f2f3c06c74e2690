"""Where the operator goes for what people have written, and with whose identity.

Whoever may write a Dataset would otherwise have the operator knock at doors that only it can reach. Names are looked at
before anything is sent, and addresses when the connection is made: a name may mean another address a moment later.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterable
from typing import Protocol
from urllib.parse import urlsplit

from fairlead.api.common import S3Location
from fairlead.api.config import OperatorConfig
from fairlead.plan.requests import ListSource
from fairlead.store.errors import StoreError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

API_SERVER = "kubernetes.default.svc"
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")))
"""Where clouds tell machines their secrets, besides the link-local 169.254.169.254."""


class Named(Protocol):
    """What of a request says where it goes."""

    @property
    def namespace(self) -> str:
        """Whose it is."""

    @property
    def bucket(self) -> str:
        """The bucket."""

    @property
    def endpoint(self) -> str | None:
        """None: AWS."""

    @property
    def credentials(self) -> str | None:
        """None: the operator's own identity."""


def control_plane(told: Iterable[str] = ()) -> frozenset[str]:
    """The API server's addresses as a pod sees them, and the names by which it was told. `told`: `host:port` of more.

    Asks the resolver."""
    hosts = {os.environ.get("KUBERNETES_SERVICE_HOST", ""), *(urlsplit(f"//{one}").hostname or "" for one in told)}
    return frozenset({*_addresses(API_SERVER), *(found for host in hosts for found in _addresses(host)), *hosts} - {""})


def _addresses(host: str) -> list[str]:
    if not host:
        return []
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except OSError:  # outside of a cluster there is no such name
        return []


class Rules:
    """What the platform allows. `control`: names and addresses of the API server."""

    def __init__(self, config: OperatorConfig, control: Iterable[str] = ()) -> None:
        self._store = config.store
        self._own = _place(config.store.endpoint) if config.store and config.store.endpoint else None
        self._names, self._allowed = _sorted_out(config.endpoints.allow)
        unwanted, self._refused = _sorted_out([*config.endpoints.refuse, *control])
        self._unwanted = unwanted | {"localhost", *_short(API_SERVER)}
        self._identity = frozenset(config.identity.namespaces)
        self._insecure = frozenset(config.endpoints.insecure)

    def check(self, request: Named) -> None:
        """Raises StoreError for what nothing may be sent to. Sends nothing and looks no name up."""
        if request.endpoint is not None:
            self.check_endpoint(request.endpoint)
        if request.credentials is None and _by_identity(request) and not self._lends(request):
            raise StoreError("CredentialsMissing", NO_IDENTITY.format(bucket=request.bucket, ns=request.namespace))

    def check_endpoint(self, endpoint: str) -> None:
        """The same for an address alone."""
        if _place(endpoint) == self._own:
            return
        host = _place(endpoint)[1]
        literal = _literal(host)
        if literal is not None:
            self._check_address(endpoint, host, literal)
        elif self._unwelcome(host) or not (self._welcome(host) or self._allowed or not self._names):
            raise _refusal(endpoint)

    def insecure(self, host: str) -> bool:
        """Whether a registry (host and port, as images name it) is spoken to without TLS."""
        return host.lower() in self._insecure

    def connecting(self, endpoint: str | None) -> Callable[[str], None]:
        """What is told the address before each connection that is made for an endpoint. It raises StoreError."""

        def check(address: str) -> None:
            found = ipaddress.ip_address(address)
            if endpoint is None:
                if self._forbidden(found):
                    raise _refusal("of AWS")
            elif _place(endpoint) != self._own:
                self._check_address(endpoint, _place(endpoint)[1], found)

        return check

    def trusts(self, endpoint: str | None) -> bool:
        """Whether the platform has named it: then what is wrong there may be told in full."""
        if endpoint is None or _place(endpoint) == self._own:
            return True
        host = _place(endpoint)[1]
        literal = _literal(host)
        return self._welcome(host) if literal is None else _within(literal, self._allowed)

    def _check_address(self, endpoint: str, host: str, address: Address) -> None:
        if _within(address, self._allowed):
            return
        if self._forbidden(address) or ((self._names or self._allowed) and not self._welcome(host)):
            raise _refusal(endpoint)

    def _forbidden(self, address: Address) -> bool:
        inner = _inside(address)
        if inner is not None and self._forbidden(inner):
            return True
        return (
            address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
            or address.is_reserved or address in METADATA or _within(address, (THIS_NETWORK, *self._refused))
        )  # fmt: skip

    def _welcome(self, host: str) -> bool:
        return _matches(host, self._names)

    def _unwelcome(self, host: str) -> bool:
        return _matches(host, self._unwanted) or host.endswith(".localhost") or host.startswith(f"{API_SERVER}.")

    def _lends(self, request: Named) -> bool:
        """Whether the operator's own identity may be used for it."""
        if not self.trusts(request.endpoint):
            return False
        if self._identity & {"*", request.namespace}:
            return True
        return self._store is not None and _in_own_folder(request, self._store)


def _by_identity(request: Named) -> bool:
    return not isinstance(request, ListSource) or request.identity


NO_IDENTITY = (
    "bucket {bucket} is named without credentials, and the operator's own cloud identity is not used for it; name a "
    "Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in credentials, or have the platform's team allow it "
    "(identity.namespaces of the chart: {ns})"
)


def _refusal(endpoint: str) -> StoreError:
    return StoreError(
        "EndpointRefused",
        f"endpoint {endpoint} is not one that Fairlead connects to; write the address of an S3 service (loopback, "
        "link-local and control-plane addresses are none), or have the platform's team allow it (endpoints.allow of "
        "the chart)",
    )


def _in_own_folder(request: Named, store: S3Location) -> bool:
    folder = store.prefix if not store.prefix or store.prefix.endswith("/") else f"{store.prefix}/"
    wanted = str(getattr(request, "prefix", "") or getattr(request, "key", ""))
    same = (request.bucket, request.endpoint) == (store.bucket, store.endpoint)
    return same and wanted.startswith(f"{folder}{request.namespace}/")


def _place(endpoint: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises StoreError for what is no address."""
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise StoreError("BadTask", f"{endpoint} is not an address: {error}; correct endpoint") from error
    if not parts.hostname:
        raise StoreError("BadTask", f"{endpoint} is not an address; correct endpoint")
    return parts.scheme, parts.hostname.rstrip("."), port or (443 if parts.scheme == "https" else 80)


def _literal(host: str) -> Address | None:
    """The address that a host is, in any of the ways to write one that the resolver understands: 127.1, 0x7f000001."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _inside(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 one leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    found = {address, _inside(address)}
    return any(one is not None and one in network for one in found for network in networks)


def _sorted_out(entries: Iterable[str]) -> tuple[frozenset[str], tuple[Network, ...]]:
    """Names, and networks."""
    names, networks = set(), []
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            names.add(entry)
    return frozenset(names), tuple(networks)


def _matches(host: str, names: Iterable[str]) -> bool:
    return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in names)


def _short(name: str) -> list[str]:
    """A Service's name, and its shorter forms."""
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
