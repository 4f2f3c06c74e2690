"""Signals: each ends in an answer, and no Secret is read without leave."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from fairlead.cluster import errors as api
from fairlead.engine import resolve
from fairlead.engine.resolve import NAMESPACE_TTL, Accounts, Credentials, CredentialsError, Namespaces, Resolver
from fairlead.plan.core import Kind
from fairlead.plan.requests import (
    AccountSeen,
    Counters,
    Document,
    Failed,
    FindObject,
    GatewaySeen,
    Listed,
    MetricNames,
    NamespaceSeen,
    Newest,
    Presence,
    PromQuery,
    ReadAccount,
    ReadDocument,
    ReadGateway,
    ReadNamespace,
    ReadNewest,
    Saved,
    SaveDocument,
    ScrapePod,
    Vector,
    Warm,
    WarmUp,
)
from fairlead.plan.sources.s3 import ListObjects
from fairlead.signals.errors import SignalError
from fairlead.store.errors import StoreError

Json = dict[str, Any]
SCRAPE = ScrapePod("http://10.0.0.1:8080/metrics", MetricNames("r", "f"))
LIST = ListObjects("team", "http://s3:9000", "bucket", "s3", "rows/")
SAVE = SaveDocument("team", "bucket", "evidence/00000.jsonl", "{}\n", "http://s3:9000", None, "s3")
SECRET_VALUE = "very-secret-value"
pytestmark = pytest.mark.usefixtures("unhurried")


class Secrets:
    """The API server's Secrets; counts how often it was asked."""

    def __init__(self, error: api.ApiError | None = None) -> None:
        self.error, self.reads = error, 0

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        assert (kind.kind, namespace, name) == ("Secret", "team", "s3")
        self.reads += 1
        if self.error:
            raise self.error
        return {"data": {"AWS_ACCESS_KEY_ID": base64.b64encode(SECRET_VALUE.encode()).decode()}}


def resolver(kube: Any, seen: list[Any] | None = None) -> Resolver:
    found = seen if seen is not None else []
    return Resolver(kube, None, lambda *what: found.append(what))  # type: ignore[arg-type]


def answering(value: Any) -> Callable[..., Awaitable[Any]]:
    async def answer(*_: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    return answer


async def test_each_request_gets_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve.pods, "scrape", answering(Counters(10, 1)))
    monkeypatch.setattr(resolve.pods, "warm_up", answering(Warm()))
    monkeypatch.setattr(resolve.prometheus, "query", answering(SignalError("Unreachable", "no prometheus")))
    monkeypatch.setattr(resolve, "list_source", lambda *_: Listed("d", 1, 2))
    query, warm = PromQuery("http://prom", "up"), WarmUp("http://10.0.0.1", "{}")
    seen: list[Any] = []
    found = resolver(Secrets(), seen)
    answers = await found.resolve([SCRAPE, query, warm, LIST, SCRAPE])
    found.close()
    assert answers == {
        SCRAPE: Counters(10, 1),
        query: Failed("Unreachable", "no prometheus"),
        warm: Warm(),
        LIST: Listed("d", 1, 2),
    }
    assert sorted((signal, result) for signal, result, _ in seen) == [
        ("ListObjects", "ok"), ("PromQuery", "Unreachable"), ("ScrapePod", "ok"), ("WarmUp", "ok")
    ]  # fmt: skip


async def test_a_slow_source_ends_in_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forever(*_: Any) -> Vector:
        await asyncio.sleep(3600)
        return Vector(())

    monkeypatch.setattr(resolve.pods, "scrape", forever)
    monkeypatch.setitem(resolve.LIMITS, ScrapePod, 0.02)
    answers = await resolver(Secrets()).resolve([SCRAPE])
    assert answers[SCRAPE] == Failed("Timeout", "no answer within 0.02 s")


async def test_slow_pods_of_one_namespace_keep_no_other_s_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """All places were taken by whoever had as many slow pods."""
    at_once, most, full, answered = 0, 0, asyncio.Event(), asyncio.Event()

    async def slow(_: Any, request: ScrapePod) -> Counters:
        nonlocal at_once, most
        if request.namespace == "slow":
            at_once += 1
            most = max(most, at_once)
            if most == resolve.SHARES[ScrapePod]:
                full.set()
            await answered.wait()
            at_once -= 1
        return Counters(1, 0)

    monkeypatch.setattr(resolve.pods, "scrape", slow)
    found = resolver(Secrets())
    many = [ScrapePod(f"http://10.0.0.{i}", MetricNames("r", "f"), "slow") for i in range(200)]
    waiting = asyncio.create_task(found.resolve(many))
    await full.wait()
    assert (await found.resolve([SCRAPE]))[SCRAPE] == Counters(1, 0)
    assert not waiting.done()
    answered.set()
    assert len(await waiting) == len(many)
    assert most == resolve.SHARES[ScrapePod]


async def test_a_store_s_error_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Listed:
        raise StoreError("BucketMissing", "make the bucket")

    monkeypatch.setattr(resolve, "list_source", broken)
    assert (await resolver(Secrets()).resolve([LIST]))[LIST] == Failed("BucketMissing", "make the bucket")


async def test_a_programming_error_costs_its_own_request_and_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resolve.pods, "scrape", answering(OverflowError("bug")))
    monkeypatch.setattr(resolve.pods, "warm_up", answering(Warm()))
    warm, seen = WarmUp("http://10.0.0.1", "{}"), list[Any]()
    answers = await resolver(Secrets(), seen).resolve([SCRAPE, warm])
    assert answers[warm] == Warm()
    found = answers[SCRAPE]
    assert isinstance(found, Failed)
    assert (found.reason, found.message.split()[0]) == ("Bug", "OverflowError")
    assert ("ScrapePod", "Bug") in [(signal, result) for signal, result, _ in seen]
    assert "Traceback" in caplog.text


async def test_credentials_reach_the_listing_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given: list[Mapping[str, str]] = []

    def listing(_request: ListObjects, credentials: Mapping[str, str]) -> Listed:
        given.append(credentials)
        return Listed("d", 1, 2)

    monkeypatch.setattr(resolve, "list_source", listing)
    answers = await resolver(Secrets()).resolve([LIST])
    assert given == [{"AWS_ACCESS_KEY_ID": SECRET_VALUE}]
    assert SECRET_VALUE not in str(answers) + caplog.text


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (api.NotFound("no", 404), "CredentialsMissing", "Secret s3 is not in namespace team"),
        (
            api.Forbidden("no", 403), "CredentialsForbidden",
            "kubectl -n team create rolebinding fairlead-credentials-reader "
            "--clusterrole=fairlead-credentials-reader --serviceaccount=system:operator",
        ),
    ],
)  # fmt: skip
async def test_what_to_do_without_credentials(
    monkeypatch: pytest.MonkeyPatch, error: api.ApiError, reason: str, says: str
) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "system")
    monkeypatch.setenv("POD_SERVICE_ACCOUNT", "operator")
    answer = (await resolver(Secrets(error)).resolve([LIST]))[LIST]
    assert isinstance(answer, Failed)
    assert answer.reason == reason
    assert says in answer.message


async def test_secrets_are_kept_for_a_minute_at_most_and_errors_not_at_all() -> None:
    now = 0.0
    secrets = Secrets()
    found = Credentials(secrets, lambda: now)  # type: ignore[arg-type]
    await found.read("team", "s3")
    await found.read("team", "s3")
    assert secrets.reads == 1
    now = 61.0
    secrets.error = api.Forbidden("no more", 403)
    for _ in range(2):
        with pytest.raises(CredentialsError):
            await found.read("team", "s3")
    assert secrets.reads == 3


async def test_a_store_that_hangs_holds_nothing_up_and_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, asked = threading.Event(), []

    def slowly(request: SaveDocument, _secret: Any) -> Saved:
        asked.append(request)
        answered.wait(60)
        return Saved()

    monkeypatch.setattr(resolve, "save", slowly)
    monkeypatch.setattr(resolve, "PATIENCE", 0.01)
    found = resolver(Secrets())
    for _ in range(3):
        answers = await found.resolve([SAVE])
        assert answers[SAVE] == Failed("Underway", "the store has not answered yet")
    answered.set()
    monkeypatch.setattr(resolve, "PATIENCE", 60.0)
    assert (await found.resolve([SAVE]))[SAVE] == Saved()
    assert len(asked) == 1
    found.close()


async def test_a_late_failure_that_nobody_asks_for_is_no_error_of_the_operator(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It stood in the log with a trace, for each document that a tenant's store gave up late."""
    answered = threading.Event()

    def gives_up(*_: Any) -> Saved:
        answered.wait(60)
        raise StoreError("Unreachable", "no answer")

    monkeypatch.setattr(resolve, "save", gives_up)
    monkeypatch.setattr(resolve, "PATIENCE", 0.01)
    monkeypatch.setattr(resolve, "KEEP", 0.0)
    found = resolver(Secrets())
    assert (await found.resolve([SAVE]))[SAVE] == Failed("Underway", "the store has not answered yet")
    (task,) = found._late.values()
    answered.set()
    await asyncio.wait({task})
    del task
    forgotten = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, forgotten.set)
    await forgotten.wait()
    assert not found._late
    gc.collect()
    assert not caplog.records
    found.close()


async def test_a_store_that_refuses_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Any] = [StoreError("AccessDenied", "no"), Saved()]

    def once(*_: Any) -> Saved:
        outcome = outcomes.pop(0)
        if isinstance(outcome, StoreError):
            raise outcome
        return Saved()

    monkeypatch.setattr(resolve, "save", once)
    found = resolver(Secrets())
    assert (await found.resolve([SAVE]))[SAVE] == Failed("AccessDenied", "no")
    assert (await found.resolve([SAVE]))[SAVE] == Saved()
    found.close()


async def test_what_is_in_the_store_is_asked_with_the_namespaces_own_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def find(request: FindObject, secret: Any) -> Presence:
        asked.append((request.key, secret))
        return Presence(True)

    monkeypatch.setattr(resolve, "find", find)
    found = resolver(Secrets())
    request = FindObject("team", "bucket", "models/m-1/", "http://s3:9000", None, "s3")
    assert (await found.resolve([request]))[request] == Presence(True)
    assert [key for key, _ in asked] == ["models/m-1/"]
    assert asked[0][1]
    found.close()


async def test_the_newest_document_is_asked_for_with_the_namespaces_own_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def newest(request: ReadNewest, secret: Any) -> Newest:
        asked.append((request.prefix, secret))
        return Newest("state/web/000000002.json", "{}")

    monkeypatch.setattr(resolve, "newest", newest)
    found = resolver(Secrets())
    request = ReadNewest("team", "bucket", "state/web/", "http://s3:9000", None, "s3")
    assert (await found.resolve([request]))[request] == Newest("state/web/000000002.json", "{}")
    assert [prefix for prefix, _ in asked] == ["state/web/"]
    assert asked[0][1]
    found.close()


async def test_an_answer_of_a_job_is_read_with_the_namespaces_own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def read(request: ReadDocument, secret: Any) -> Document:
        asked.append((request.key, request.sha256, secret))
        return Document("{}")

    monkeypatch.setattr(resolve, "read", read)
    found = resolver(Secrets())
    request = ReadDocument("team", "bucket", "answers/a.json", "a" * 64, "http://s3:9000", None, "s3")
    assert (await found.resolve([request]))[request] == Document("{}")
    assert [one[:2] for one in asked] == [("answers/a.json", "a" * 64)]
    assert asked[0][2]
    found.close()


class Gateways:
    """An API server with a Gateway, and its class, or what is answered instead of it."""

    def __init__(self, class_: dict[str, Any] | api.ApiError) -> None:
        self.class_ = class_

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        if kind.kind == "Gateway":
            assert (namespace, name) == ("infra", "public")
            listeners = [
                {"protocol": "HTTP", "port": port, "allowedRoutes": {"kinds": [{"kind": kind}]}}
                for port, kind in ((80, "HTTPRoute"), (8001, "GRPCRoute"))
            ]
            return {"spec": {"gatewayClassName": "c", "listeners": listeners}, "status": {"addresses": []}}
        assert (kind.kind, namespace, name) == ("GatewayClass", "", "c")
        if isinstance(self.class_, api.ApiError):
            raise self.class_
        return self.class_


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([{"name": "HTTPRoute"}, {"name": "GRPCRoute"}], ("HTTPRoute", "GRPCRoute")),
        (["HTTPRoute"], ("HTTPRoute",)),  # as it was before Gateway API 1.3
        (None, ()),
    ],
)
async def test_a_gateway_s_class_says_what_it_can(features: Any, expected: tuple[str, ...]) -> None:
    class_ = {"metadata": {"name": "c"}, "spec": {"controllerName": "x/y"}, "status": {"supportedFeatures": features}}
    asked = ReadGateway("infra", "public")
    answers = await resolver(Gateways(class_)).resolve([asked])
    assert answers[asked] == GatewaySeen((), (("HTTP", 80),), (("HTTP", 8001),), "c", "x/y", expected)


@pytest.mark.parametrize(
    "instead",
    [
        api.Forbidden("no right to see it", 403),
        api.NotFound('gatewayclasses.gateway.networking.k8s.io "c" not found', 404),
        api.NotServed("404 page not found", 404),  # as where its definition is not installed
    ],
    ids=lambda one: type(one).__name__,
)
async def test_a_class_that_can_not_be_read_is_left_out(instead: api.ApiError) -> None:
    """Where the Gateway listens is known all the same, and is not asked for at each look."""
    asked = ReadGateway("infra", "public")
    answers = await resolver(Gateways(instead)).resolve([asked])
    assert answers[asked] == GatewaySeen((), (("HTTP", 80),), (("HTTP", 8001),))


class OneNamespace:
    """As much of the API server as reading a Namespace needs."""

    def __init__(self) -> None:
        self.annotations: dict[str, str] | None = None
        self.forbidden = False
        self.asked = 0

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        assert (kind.kind, namespace, name) == ("Namespace", "", "team")
        self.asked += 1
        if self.forbidden:
            raise api.Forbidden("no right to see it", 403)
        return {"metadata": {"name": name} | ({"annotations": self.annotations} if self.annotations else {})}


async def test_of_a_namespace_s_annotations_only_ours_are_told_and_they_are_believed_for_seconds() -> None:
    kube, now = OneNamespace(), 0.0
    kube.annotations = {"fairlead.dev/require-gates": "true", "team": "a", "fairlead.dev/require-approvals": "1"}
    read = Namespaces(kube, lambda: now).read  # type: ignore[arg-type]
    expected = NamespaceSeen((("fairlead.dev/require-approvals", "1"), ("fairlead.dev/require-gates", "true")))
    assert [await read("team"), await read("team")] == [expected] * 2
    assert kube.asked == 1
    kube.annotations, now = None, NAMESPACE_TTL + 1
    assert await read("team") == NamespaceSeen()


class OneAccount:
    """As much of the API server as reading a ServiceAccount needs."""

    def __init__(self, labels: dict[str, str] | None, error: Exception | None = None) -> None:
        self.labels, self.error, self.asked = labels, error, 0

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        assert (kind.kind, namespace, name) == ("ServiceAccount", "team", "scorer")
        self.asked += 1
        if self.error:
            raise self.error
        return {"metadata": {"name": name, "labels": self.labels}}


SCORER = ReadAccount("team", "scorer")


async def test_a_grant_of_an_account_is_believed_for_seconds_and_a_refusal_is_not_kept() -> None:
    kube, now = OneAccount({"fairlead.dev/serve": "no"}), 0.0
    read = Accounts(kube, lambda: now).read  # type: ignore[arg-type]
    assert await read(SCORER) == AccountSeen(True)
    kube.labels = {"fairlead.dev/serve": "true"}
    assert [await read(SCORER), await read(SCORER)] == [AccountSeen(True, True)] * 2
    assert kube.asked == 2
    kube.labels, now = None, NAMESPACE_TTL + 1
    assert await read(SCORER) == AccountSeen(True)


async def test_an_account_that_is_not_there_is_told_apart_from_one_that_may_not_be_read() -> None:
    missing = OneAccount(None, api.NotFound("none", 404))
    assert await resolver(missing).resolve([SCORER]) == {SCORER: AccountSeen(False)}
    answers = await resolver(OneAccount(None, api.Forbidden("no right to see it", 403))).resolve([SCORER])
    assert answers[SCORER].reason == "AccountForbidden"  # type: ignore[union-attr]


async def test_a_namespace_that_may_not_be_read_is_not_one_without_annotations() -> None:
    kube = OneNamespace()
    kube.forbidden = True
    asked = ReadNamespace("team")
    answers = await resolver(kube).resolve([asked])
    assert answers[asked].reason == "NamespaceForbidden"  # type: ignore[union-attr]
    kube.forbidden = False  # a refusal is not kept
    assert await resolver(kube).resolve([asked]) == {asked: NamespaceSeen()}
