"""Where the operator goes: not to itself, not to what only it can reach, and with nobody's identity but who may."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fairlead.api.config import OperatorConfig
from fairlead.api.dataset import Dataset
from fairlead.plan.requests import FindObject, ListSource
from fairlead.plan.sources.s3 import ListObjects
from fairlead.store.endpoints import Rules, control_plane
from fairlead.store.errors import StoreError

API = "10.96.0.1"
STORE = {"bucket": "kept", "prefix": "fairlead", "endpoint": "http://s3.s3.svc:9000"}


def rules(store: Any = STORE, control: tuple[str, ...] = (API,), **config: Any) -> Rules:
    return Rules(OperatorConfig.model_validate({"images": {"worker": "w"}, "store": store, **config}), control)


def listing(endpoint: str | None, secret: str | None = "s3", bucket: str = "data", prefix: str = "in/") -> ListObjects:
    return ListObjects("team", endpoint, bucket, secret, prefix)


def refused(found: Rules, endpoint: str, address: str | None = None) -> bool:
    """Before anything is sent, or at the latest when an address is about to be connected to."""

    def go() -> None:
        found.check(listing(endpoint))
        if address is not None:
            found.connecting(endpoint)(address)

    return fails(go, "EndpointRefused", endpoint, "endpoints.allow")


def fails(act: Callable[[], None], reason: str, *says: str) -> bool:
    """Whether it does, and then so."""
    caught = None
    try:
        act()
    except StoreError as error:
        caught = error
    if caught is None:
        return False
    assert caught.reason == reason
    assert all(words in caught.message for words in says), caught.message
    return True


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "localhost.", "api.localhost", "[::1]", "0.0.0.0",
        "0.1.2.3", "169.254.169.254", "[fe80::1]", "[::]", "224.0.0.1", "[ff02::1]", "240.0.0.1", "255.255.255.255",
        "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]",
        "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "0", "100.100.100.200", "168.63.129.16", "[fd00:ec2::254]",
        API, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
    ],
)  # fmt: skip
def test_loopback_link_local_metadata_and_the_api_server_are_refused_before_anything_is_sent(host: str) -> None:
    assert refused(rules(), f"http://{host}:9000")
    assert refused(rules(), f"https://{host}")


@pytest.mark.parametrize(
    "host", ["10.0.0.7", "s3.team.svc", "192.168.1.1", "[fd12::7]", "8.8.8.8", "kubernetes.example"]
)
def test_other_stores_may_be_used(host: str) -> None:
    assert not refused(rules(), f"http://{host}:9000", "10.0.0.7")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "fe80::1", "::ffff:10.96.0.1", API, "0.0.0.0"]
)
def test_a_name_that_means_such_an_address_is_refused_when_it_is_connected_to(address: str) -> None:
    """Whatever it meant before: the address that is checked is the one that is used."""
    assert refused(rules(), "http://s3.team.svc:9000", address)


def test_of_the_operators_own_store_nothing_is_asked() -> None:
    own = rules({**STORE, "endpoint": "http://127.0.0.1:9000"})
    assert not refused(own, "http://127.0.0.1:9000", "127.0.0.1")
    assert refused(own, "http://127.0.0.1:6443"), "another port is another service"
    assert own.trusts("http://127.0.0.1:9000")
    assert not own.trusts("http://10.0.0.7:9000")


def test_with_a_list_of_the_platforms_no_other_one_is_used() -> None:
    found = rules(endpoints={"allow": ["s3.example.com", "*.stores.example", "10.7.0.0/16"]})
    for good, address in (
        ("https://s3.example.com", "8.8.8.8"), ("https://a.stores.example", "10.0.0.1"),
        ("http://10.7.1.2:9000", "10.7.1.2"), ("http://name.elsewhere", "10.7.1.2"), (STORE["endpoint"], "10.0.0.1"),
    ):  # fmt: skip
        assert not refused(found, good, address), good
    for bad, address in (
        ("https://stores.example", "10.0.0.1"), ("http://10.8.1.2:9000", "10.8.1.2"),
        ("http://name.elsewhere", "10.8.1.2"),
        ("https://s3.example.com", "127.0.0.1"), ("https://s3.example.com.evil.test", "8.8.8.8"),
    ):  # fmt: skip
        assert refused(found, bad, address), bad
    assert found.trusts("https://s3.example.com")
    assert not found.trusts("http://name.elsewhere")


def test_a_list_of_names_alone_refuses_a_name_without_looking_it_up() -> None:
    assert refused(rules(endpoints={"allow": ["s3.example.com"]}), "http://s3.example.org")


def test_an_address_that_the_platform_names_is_allowed_whatever_it_is() -> None:
    found = rules(endpoints={"allow": ["127.0.0.0/8"]})
    assert not refused(found, "http://127.0.0.1:9000", "127.0.0.1")
    assert refused(found, "http://169.254.169.254")


def test_addresses_that_the_platform_refuses() -> None:
    found = rules(endpoints={"refuse": ["10.1.0.0/16", "nodes.example"]})
    assert refused(found, "http://10.1.2.3:2379")
    assert refused(found, "http://nodes.example:10250")
    assert refused(found, "http://name.example", "10.1.2.3")
    assert not refused(found, "http://10.2.2.3:9000", "10.2.2.3")


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "10.0.0.256", "fd00::/129", "10.0.0.0/8/8"])
def test_a_network_with_a_slip_in_it_is_not_taken_for_a_host(entry: str) -> None:
    for field in ("allow", "refuse"):
        with pytest.raises(ValueError, match=f"endpoints.{field}"):
            rules(endpoints={field: [entry]})


@pytest.mark.parametrize("endpoint", ["http://", "http://[::1", "http://a:port", "http://a:99999"])
def test_what_is_no_address_is_said_so(endpoint: str) -> None:
    with pytest.raises(StoreError, match="correct endpoint") as caught:
        rules().check(listing(endpoint))
    assert caught.value.reason == "BadTask"


def test_without_an_endpoint_it_is_aws_and_never_this_machine() -> None:
    check = rules(None).connecting(None)
    check("52.1.1.1")
    check("10.0.0.9")
    with pytest.raises(StoreError):
        check("127.0.0.1")


def test_the_api_servers_addresses_are_those_a_pod_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(host: str, *_: Any, **__: Any) -> Any:
        if host == "kubernetes.default.svc":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.96.0.1", 0))]
        if host in ("api.example.com", "172.18.0.2"):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("172.18.0.2", 0))]
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "api.example.com")
    assert control_plane() == {"10.96.0.1", "172.18.0.2", "api.example.com"}
    assert control_plane(["172.18.0.2:6443", "[fd00::2]:6443"]) == control_plane() | {"fd00::2"}
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found("elsewhere"))
    assert control_plane() == frozenset()


# --- whose identity ----------------------------------------------------------------------------------------------


def lent(found: Rules, request: Any) -> bool:
    return not fails(lambda: found.check(request), "CredentialsMissing", "in credentials", "identity.namespaces")


OWN = STORE["endpoint"]


def test_the_operators_identity_is_for_a_namespaces_own_folder_of_its_store() -> None:
    found = rules()
    assert lent(found, listing(OWN, None, "kept", "fairlead/team/datasets/x/"))
    assert lent(found, FindObject("team", "kept", "fairlead/team/models/m", OWN, None, None))
    for request in (
        listing(OWN, None, "kept", "fairlead/other/"),
        listing(OWN, None, "kept", "fairlead/team"),
        listing(OWN, None, "kept", ""),
        listing(OWN, None, "data", "fairlead/team/"),
        listing(None, None, "kept", "fairlead/team/"),
        listing("http://s3.evil.test", None, "kept", "fairlead/team/"),
        FindObject("team", "kept", "fairlead/other/models/m", OWN, None, None),
    ):
        assert not lent(found, request), request


def test_the_platform_may_let_namespaces_use_it_where_it_knows_the_store() -> None:
    for who in ("team", "*"):
        found = rules(identity={"namespaces": [who]})
        assert lent(found, listing(OWN, None))
        assert lent(found, listing(None, None))
        assert not lent(found, listing("http://s3.evil.test", None)), "a signature is no greeting"
    assert not lent(rules(identity={"namespaces": ["other"]}), listing(OWN, None))


def test_who_brings_a_secret_needs_no_leave() -> None:
    assert lent(rules(None), listing("http://s3.team.svc", "s3"))


# --- at kubectl apply --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "taken"),
    [
        ("http://s3.example.com:9000", True), ("https://s3", True), ("http://10.0.0.7:9000", True),
        ("http://[fd12::7]:9000", True),
        ("http://localhost.example.com", True), ("http://127-0-0-1.example.com", True),
        ("http://localhost", False), ("http://localhost:9000", False), ("http://a.localhost.", False),
        ("http://127.0.0.1", False), ("https://169.254.169.254", False), ("http://0.0.0.0:80", False),
        ("http://[::1]:9000", False), ("http://[::]", False), ("http://[FE80::1]", False),
        ("http://me:secret@s3", False), ("http://s3/path", False), ("http://s3?x", False), ("http://s3#x", False),
        ("http://s3\\@127.0.0.1", False), ("ftp://s3", False), ("http://", False), ("http:// s3", False),
    ],
)  # fmt: skip
def test_what_can_be_said_at_kubectl_apply_is_said_there(endpoint: str, taken: bool) -> None:
    found = Dataset.model_json_schema()["$defs"]["S3Location"]["properties"]["endpoint"]["anyOf"][0]
    hosts, _ports = found["x-kubernetes-validations"]
    bad = hosts["rule"].removeprefix("!self.matches(r'").removesuffix("')")
    assert (re.search(found["pattern"], endpoint) is not None and re.search(bad, endpoint) is None) is taken


@dataclass(frozen=True)
class ListOpen(ListSource):
    """Of a source that nobody's identity opens."""

    source = "open"


def test_a_source_that_needs_no_keys_is_asked_without_but_not_everywhere() -> None:
    rules().check(ListOpen("team", "https://data.example", "/index", None))
    asked = ListOpen("team", "http://169.254.169.254", "/index", None)
    assert fails(lambda: rules().check(asked), "EndpointRefused")
