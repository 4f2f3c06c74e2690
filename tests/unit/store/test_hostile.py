"""What a tenant's store does reaches nobody else: not the threads, not the memory, not what is beside it."""

from __future__ import annotations

import asyncio
import base64
import gc
import resource
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from hack.testbed.badstore import Store, serving

from fairlead.api.config import OperatorConfig
from fairlead.engine import resolve
from fairlead.engine.resolve import Resolver
from fairlead.plan.requests import Failed, Listed, ReadDocument, Saved, SaveDocument
from fairlead.plan.sources.s3 import ListObjects
from fairlead.store import listing
from fairlead.store.endpoints import Rules

MIB = 1 << 20
pytestmark = pytest.mark.usefixtures("unhurried")


class Secrets:
    """Each namespace has keys."""

    async def get(self, *_: Any) -> dict[str, Any]:
        keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush"}
        return {"data": {name: base64.b64encode(value.encode()).decode() for name, value in keys.items()}}


def rules(**endpoints: list[str]) -> Rules:
    return Rules(OperatorConfig.model_validate({"images": {"worker": "w"}, "endpoints": endpoints}))


TESTING = rules(allow=["127.0.0.0/8"])


@pytest.fixture
def store() -> Iterator[Store]:
    with serving() as server:
        yield server


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    found = Resolver(Secrets(), None, lambda *_: None, TESTING)  # type: ignore[arg-type]
    yield found
    found.close()


def asked(store: Store, bucket: str, namespace: str = "a") -> ListObjects:
    return ListObjects(namespace, store.endpoint, bucket, "s3", "in/")


async def answer(resolver: Resolver, request: Any) -> Any:
    return (await resolver.resolve([request]))[request]


def resident() -> int:
    """Bytes that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def test_attack_03_forty_datasets_on_a_slow_store_keep_no_other_namespace_waiting(
    store: Store, resolver: Resolver
) -> None:
    store.slowness = 600.0
    slow = [asyncio.ensure_future(answer(resolver, asked(store, f"bucket{n:02}", "sec-a"))) for n in range(40)]
    assert await asyncio.to_thread(store.wait_for, 6)
    found = await answer(resolver, asked(store, "good", "b"))
    assert isinstance(found, Listed)
    assert found.objects == 3
    saved = SaveDocument("sec-a", "good", "evidence/1.jsonl", "{}\n", store.endpoint, None, "s3")
    assert await answer(resolver, saved) == Saved(), "the evidence has threads of its own"
    assert not any(one.done() for one in slow)
    assert len(store.asked) == 8, "no more than the share was begun"
    store.go.set()
    assert all(isinstance(one, Listed) for one in await asyncio.gather(*slow))


@pytest.mark.parametrize(
    ("bucket", "reason", "says"),
    [
        ("endless", "ListingTooSlow", "narrow prefix"),
        ("pages", "ListingTooSlow", "narrow prefix"),
        ("trickle", "ListingTooSlow", "narrow prefix"),
        ("headers", "ListingTooSlow", "narrow prefix"),
        ("continue", "ListingTooLarge", "larger than a page of S3"),
        ("giant", "ListingTooLarge", "larger than a page of S3"),
        ("chunks", "Unreachable", "check the store"),
        ("tags", "ListingTooLarge", "larger than a page of S3"),
        ("nested", "ListingTooLarge", "larger than a page of S3"),
        ("attributes", "ListingTooLarge", "larger than a page of S3"),
        ("lines", "ListingTooLarge", "larger than a page of S3"),
        ("references", "ListingTooLarge", "larger than a page of S3"),
        ("unordered", "ListingTooLarge", "listed in no order"),
        ("again", "Unreachable", "what no S3 store does"),
        ("bomb", "Unreachable", "what no S3 store does"),
        ("wide", "Unreachable", "what no S3 store does"),
        ("html", "Unreachable", "what no S3 store does"),
        ("json", "Unreachable", "tried again"),
        ("empty", "Unreachable", "what no S3 store does"),
        ("digits", "Unreachable", "what no S3 store does"),
        ("huge", "Unreachable", "what no S3 store does"),
        ("float", "Unreachable", "what no S3 store does"),
        ("negative", "Unreachable", "what no S3 store does"),
        ("nameless", "Unreachable", "what no S3 store does"),
        ("dated", "Unreachable", "what no S3 store does"),
    ],
)
async def test_a_listing_that_is_none_ends_with_a_reason_and_within_bounds(
    store: Store, resolver: Resolver, monkeypatch: pytest.MonkeyPatch, bucket: str, reason: str, says: str
) -> None:
    monkeypatch.setattr(listing, "UNORDERED", 2 * MIB)
    if reason == "ListingTooSlow":
        monkeypatch.setattr(resolve, "LISTING", 1.5)
    gc.collect()
    before = resident()
    found = await answer(resolver, asked(store, bucket))
    assert isinstance(found, Failed)
    assert (found.reason, says in found.message) == (reason, True), found.message
    assert len(found.message) < 600
    assert resident() - before < 96 * MIB


async def test_a_listing_is_bounded_in_objects(
    store: Store, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "OBJECTS", 2500)
    found = await answer(resolver, asked(store, "endless"))
    assert isinstance(found, Failed)
    assert (found.reason, "has more objects than" in found.message) == ("ListingTooLarge", True)
    assert len(store.asked) == 3


@pytest.mark.parametrize("bucket", ["moved", "elsewhere"])
async def test_nobody_is_sent_elsewhere(store: Store, resolver: Resolver, bucket: str) -> None:
    with serving() as other:
        store.elsewhere = other.endpoint
        found = await answer(resolver, asked(store, bucket))
        assert isinstance(found, Failed)
        assert other.asked == []


@pytest.mark.parametrize(
    ("bucket", "reason"), [("longer", "BadTask"), ("longline", "Unreachable"), ("trickle", "Unreachable")]
)
async def test_a_document_is_bounded_whatever_the_store_says_of_its_length(
    store: Store, resolver: Resolver, monkeypatch: pytest.MonkeyPatch, bucket: str, reason: str
) -> None:
    if bucket == "trickle":
        monkeypatch.setattr(resolve, "EVIDENCE", 2.0)
    before = resident()
    found = await answer(resolver, ReadDocument("a", bucket, "answer.json", "0" * 64, store.endpoint, None, "s3"))
    assert isinstance(found, Failed)
    assert found.reason == reason, found.message
    assert resident() - before < 64 * MIB


async def test_a_store_that_says_go_on_and_hangs_up_is_not_waited_for_for_ever(
    store: Store, resolver: Resolver
) -> None:
    found = await answer(resolver, SaveDocument("a", "hangup", "k", "{}", store.endpoint, None, "s3"))
    assert isinstance(found, Failed)
    assert found.reason == "Unreachable", found.message
    assert "too long" not in found.message, "it was read on until the time was up"


SECRETIVE = ["html", "json", "empty", "refuses", "fails", "moved", "elsewhere", "bomb", "dated"]


async def test_to_who_may_not_know_all_that_is_no_store_looks_alike(
    store: Store, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether nothing listens, or what does, is nobody's who names an endpoint that the platform has not."""
    monkeypatch.setattr(Rules, "trusts", lambda *_: False)
    told = set()
    for bucket in SECRETIVE:
        found = await answer(resolver, asked(store, bucket))
        assert isinstance(found, Failed)
        assert "secret" not in found.message
        told.add((found.reason, found.message.replace(store.endpoint, "E").replace(bucket, "B")))
    closed = replace(asked(store, "html"), endpoint="http://127.0.0.1:1")
    found = await answer(resolver, closed)
    told.add((found.reason, found.message.replace("http://127.0.0.1:1", "E").replace("html", "B")))
    assert len(told) == 1, told


async def test_to_an_endpoint_that_is_refused_nothing_is_sent_and_no_secret_is_read(store: Store) -> None:
    read: list[Any] = []

    class NoSecrets:
        async def get(self, *what: Any) -> dict[str, Any]:
            read.append(what)
            return {}

    resolver = Resolver(NoSecrets(), None, lambda *_: None, rules())  # type: ignore[arg-type]
    document = ReadDocument("a", "good", "answer.json", "0" * 64, store.endpoint, None, "s3")
    for request in (asked(store, "good"), document):
        found = await answer(resolver, request)
        assert isinstance(found, Failed)
        assert found.reason == "EndpointRefused"
    assert (store.asked, read) == ([], [])
    resolver.close()


async def test_a_name_that_means_this_machine_is_not_connected_to(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it meant when somebody has looked before: the address that is used is the one that is checked."""
    port = store.server_address[1]
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    looked_up: list[str] = []

    def lookup(host: str, *_: Any, **__: Any) -> Any:
        looked_up.append(host)
        return here

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    resolver = Resolver(Secrets(), None, lambda *_: None, rules())  # type: ignore[arg-type]
    found = await answer(resolver, replace(asked(store, "good"), endpoint=f"http://s3.team.test:{port}"))
    assert isinstance(found, Failed)
    assert found.reason == "EndpointRefused"
    assert (store.asked, looked_up) == ([], ["s3.team.test"]), "it is looked up once, and not tried again"
    resolver.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For 127.0.0.1, with its key in the same file."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run(made, check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


@pytest.mark.parametrize(
    ("bucket", "reason"), [("good", ""), ("trickle", "ListingTooSlow"), ("giant", "ListingTooLarge")]
)
async def test_the_bounds_hold_behind_tls_too(
    store: Store, certificate: Path, monkeypatch: pytest.MonkeyPatch, resolver: Resolver, bucket: str, reason: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    store.socket = context.wrap_socket(store.socket, server_side=True)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    if bucket == "trickle":
        monkeypatch.setattr(resolve, "LISTING", 2.0)
    request = replace(asked(store, bucket), endpoint=store.endpoint.replace("http:", "https:"))
    found = await answer(resolver, request)
    if reason:
        assert isinstance(found, Failed)
        assert found.reason == reason, found.message
    else:
        assert isinstance(found, Listed), found


async def test_a_proxy_is_the_platform_s_and_is_gone_through(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks the name up itself; that it is on this machine is nobody else's choice."""
    monkeypatch.setenv("http_proxy", store.endpoint)
    monkeypatch.delenv("no_proxy", raising=False)
    resolver = Resolver(Secrets(), None, lambda *_: None, rules())  # type: ignore[arg-type]
    found = await answer(resolver, replace(asked(store, "good"), endpoint="http://s3.team-behind-a-proxy.test:9000"))
    assert isinstance(found, Listed), found
    refused = await answer(resolver, replace(asked(store, "good"), endpoint="http://127.1:9000"))
    assert isinstance(refused, Failed)
    assert refused.reason == "EndpointRefused"
    assert store.asked == ["good"]
    resolver.close()


async def test_an_error_keeps_no_answer_in_memory(store: Store, resolver: Resolver) -> None:
    """Else 40 Datasets a second would fill it before somebody looks for cycles."""
    gc.collect()
    gc.disable()
    try:
        assert isinstance(await answer(resolver, asked(store, "tags")), Failed)
        kept = [one for one in gc.get_objects() if isinstance(one, AWSResponse) and len(one.content) > MIB]
    finally:
        gc.enable()
    assert kept == []
