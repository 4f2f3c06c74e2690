"""Getting the signals that a decision needs: each with a time limit, many at once, none in the others' way."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp

from fairlead.api.config import OperatorConfig
from fairlead.cluster import errors as api
from fairlead.cluster.port import GATEWAY, GATEWAY_CLASS, NAMESPACE, SECRET, SERVICE_ACCOUNT, Kube, Log
from fairlead.engine.images import Images
from fairlead.engine.logs import fields
from fairlead.engine.pools import CrowdedError, FairPool
from fairlead.engine.repositories import Repositories
from fairlead.plan.core import LABEL_PREFIX, SERVE
from fairlead.plan.requests import (
    NO_TURN,
    UNDERWAY,
    AccountSeen,
    Answer,
    AskReady,
    Failed,
    FindObject,
    FindOutputs,
    GatewaySeen,
    KeepLog,
    ListSource,
    LogKept,
    NamespaceSeen,
    PromQuery,
    ReadAccount,
    ReadAnswers,
    ReadCached,
    ReadCounts,
    ReadDocument,
    ReadGateway,
    ReadGit,
    ReadImage,
    ReadInput,
    ReadNamespace,
    ReadNewest,
    ReadRules,
    Request,
    SaveDocument,
    ScrapePod,
    WarmUp,
)
from fairlead.signals import pods, prometheus
from fairlead.signals.answers import answers, kept_input
from fairlead.signals.aside import Aside
from fairlead.signals.binned import counts
from fairlead.signals.budget import Allowance
from fairlead.signals.errors import SignalError
from fairlead.signals.gate import Gate
from fairlead.signals.http import Outside, of_answers, of_counts
from fairlead.store import cached
from fairlead.store.documents import find, keep_log, newest, read, save
from fairlead.store.endpoints import Rules
from fairlead.store.errors import StoreError
from fairlead.store.sources.registry import list_source
from fairlead.store.terms import Terms, under

log = logging.getLogger(__name__)

LIMITS: dict[type[Any], float] = {
    ListSource: 300.0, ScrapePod: 3.0, ReadAnswers: 3.0, PromQuery: 15.0, WarmUp: 60.0, ReadGateway: 10.0,
    SaveDocument: 5.0, FindObject: 5.0, ReadDocument: 5.0, ReadInput: 3.0, ReadNewest: 10.0, ReadNamespace: 2.0,
    ReadRules: 15.0, ReadAccount: 2.0, AskReady: 2.0, ReadCounts: 3.0, ReadImage: 5.0,
    ReadGit: 5.0, KeepLog: 60.0, ReadCached: 5.0, FindOutputs: 5.0,
}  # fmt: skip
"""Seconds that an answer may take, waiting for a place included."""
AT_ONCE: dict[type[Any], int] = {
    ScrapePod: 128, ReadAnswers: 64, PromQuery: 8, WarmUp: 32, ReadGateway: 8, ReadInput: 8, ReadNamespace: 8,
    ReadRules: 4, ReadAccount: 8, AskReady: 32, ReadCounts: 64,
}  # fmt: skip
"""Requests of the same type at a time. What is asked of stores has pools instead."""
SHARES: dict[type[Any], int] = {
    ScrapePod: 32, ReadAnswers: 16, PromQuery: 4, WarmUp: 8, ReadInput: 4, AskReady: 8, ReadCounts: 16,
}  # fmt: skip
"""Of these, how many of one namespace: its pods may be slow."""
LISTING, EVIDENCE = 120.0, 20.0
"""Seconds that a thread may work on a listing, and on a document."""
TURN = 150.0
"""Seconds that a listing waits for its turn."""
CREDENTIALS_TTL = 60.0
NAMESPACE_TTL = 10.0
"""Seconds for which a Namespace's annotations are believed, and that a ServiceAccount may be used."""
PATIENCE = 0.3
"""Seconds that a look waits for a store."""
LOGS, LOG, LOG_TURN = 20.0, 15.0, 120.0
"""Seconds that a thread may work on a log, that a pod's node may take to send it, and that it waits for its turn."""
LOGS_KEPT = 600.0
"""Seconds for which it is known that a log is kept, for whoever asks: outputs may take so long to be published."""
LOGS_AT_ONCE, LOGS_EACH = 16, 6
"""Logs that are in memory, and of one namespace."""
AGAIN = 5.0
"""Seconds until a log that could not be kept is asked for again."""
KEEP = 60.0
"""Seconds for which a late answer of the store is kept for whoever asks."""

Late = SaveDocument | FindObject | ReadDocument | ReadNewest | ReadCached | FindOutputs
"""What is asked of a store, and may be answered later."""
Shared = ScrapePod | ReadAnswers | PromQuery | WarmUp | ReadInput | AskReady | ReadCounts
"""What has SHARES."""
Observer = Callable[[str, str, float], None]
"""(signal, result, seconds)"""


KEYS = "with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
LOGIN = "with kubectl create secret docker-registry"
"""How Secrets for stores and for registries are made."""


class CredentialsError(Exception):
    """The Secret can't be read; `reason` and `message` go into a condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class Credentials:
    """Secrets that the namespace's owner lets Fairlead read, kept for at most a minute and never shown."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube, self._clock = kube, clock
        self._kept: dict[tuple[str, str], tuple[float, dict[str, str]]] = {}

    async def read(self, namespace: str, name: str, made: str = KEYS) -> dict[str, str]:
        """The decoded data of a Secret. made: how it is made. Raises CredentialsError and
        `cluster.errors.ApiError`."""
        now = self._clock()
        self._kept = {k: v for k, v in self._kept.items() if v[0] > now}
        if (namespace, name) in self._kept:
            return self._kept[namespace, name][1]
        try:
            secret = await self._kube.get(SECRET, namespace, name)
        except api.NotFound:
            raise CredentialsError(
                "CredentialsMissing",
                f"Secret {name} is not in namespace {namespace}; make it {made}",
            ) from None
        except api.Forbidden:
            raise CredentialsError("CredentialsForbidden", binding_hint(namespace, name)) from None
        data = {k: base64.b64decode(v).decode("utf-8", "replace") for k, v in (secret.get("data") or {}).items()}
        self._kept[namespace, name] = (now + CREDENTIALS_TTL, data)
        return data


def binding_hint(namespace: str, secret: str) -> str:
    """How the owner of a namespace lets the operator read Secrets there."""
    account = f"{os.environ.get('POD_NAMESPACE', 'fairlead')}:{os.environ.get('POD_SERVICE_ACCOUNT', 'fairlead')}"
    return (
        f"Fairlead may not read Secret {secret}; allow it by: kubectl -n {namespace} create rolebinding "
        f"fairlead-credentials-reader --clusterrole=fairlead-credentials-reader --serviceaccount={account}"
    )


class Namespaces:
    """What Namespaces' annotations say to Fairlead, kept for a few seconds: each look of a rollout asks."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube, self._clock = kube, clock
        self._kept: dict[str, tuple[float, NamespaceSeen]] = {}

    async def read(self, name: str) -> Answer:
        """Those that are ours. Raises `cluster.errors.ApiError`."""
        now = self._clock()
        self._kept = {key: value for key, value in self._kept.items() if value[0] > now}
        if name in self._kept:
            return self._kept[name][1]
        try:
            found = await self._kube.get(NAMESPACE, "", name)
        except api.Forbidden:
            return Failed("NamespaceForbidden", f"Fairlead may not read Namespace {name}; give its ServiceAccount the "
                          "verb get on namespaces (docs/reference/rbac.md)")  # fmt: skip
        own = (found["metadata"].get("annotations") or {}).items()
        seen = NamespaceSeen(tuple(sorted((k, str(v)) for k, v in own if k.startswith(LABEL_PREFIX))))
        self._kept[name] = (now + NAMESPACE_TTL, seen)
        return seen


class Accounts:
    """As which ServiceAccounts served models may run. That one may is kept for a few seconds."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube, self._clock = kube, clock
        self._granted: dict[ReadAccount, float] = {}

    async def read(self, asked: ReadAccount) -> Answer:
        """Raises `cluster.errors.ApiError`."""
        now = self._clock()
        self._granted = {key: until for key, until in self._granted.items() if until > now}
        if asked in self._granted:
            return AccountSeen(True, True)
        try:
            found = await self._kube.get(SERVICE_ACCOUNT, asked.namespace, asked.name)
        except api.NotFound:
            return AccountSeen(False)
        except api.Forbidden:
            return Failed("AccountForbidden", "Fairlead may not read ServiceAccounts; give its own one the verb get on "
                          "serviceaccounts (docs/reference/rbac.md)")  # fmt: skip
        granted = (found["metadata"].get("labels") or {}).get(SERVE) == "true"
        if granted:
            self._granted[asked] = now + NAMESPACE_TTL
        return AccountSeen(True, granted)


@dataclass(frozen=True)
class Allowed:
    """What recorders may say at one look: answers, and counts, of which neither takes the other's room."""

    answers: Allowance = field(default_factory=of_answers)
    counts: Allowance = field(default_factory=of_counts)


class Resolver:
    """Answers requests. Never raises: what can't be had is a `Failed`."""

    def __init__(
        self, kube: Kube, session: aiohttp.ClientSession, observe: Observer, rules: Rules | None = None
    ) -> None:
        self._kube = kube
        self._rules = rules or Rules(OperatorConfig.model_validate({"images": {"worker": "none"}}))
        self._credentials = Credentials(kube)
        self._namespaces, self._accounts = Namespaces(kube), Accounts(kube)
        self._session, self._aside = session, Aside()
        self._observe = observe
        self._listings = FairPool("listing", threads=24, share=6, store_share=4)
        self._evidence = FairPool("evidence", threads=24, share=6, store_share=4)
        self._images = Images(self._rules, partial(self._credentials.read, made=LOGIN))
        self._repositories = Repositories(self._rules)
        self._archive = FairPool("logs", threads=12, share=4, store_share=3)
        self._logs: dict[KeepLog, asyncio.Future[Answer]] = {}
        self._reading = Gate(LOGS_AT_ONCE, LOGS_EACH)
        self._gates: dict[type[Any], Gate] = {}
        self._late: dict[Late, asyncio.Future[Answer]] = {}

    def close(self) -> None:
        """Ask no store for anything more."""
        self._listings.close()
        self._evidence.close()
        self._images.close()
        self._repositories.close()
        self._archive.close()
        for task in self._logs.values():
            task.cancel()
        self._aside.close()

    async def resolve(self, requests: Iterable[Request]) -> Mapping[Request, Answer]:
        """All the answers."""
        asked, allowed = list(dict.fromkeys(requests)), Allowed()
        found = await asyncio.gather(*(self._answer(one, allowed) for one in asked))
        # a log may have been kept while other answers were waited for
        return dict(zip(asked, found, strict=True)) | {
            one: self._archived(one) for one in asked if isinstance(one, KeepLog)
        }

    def _gate(self, request: Request) -> AbstractAsyncContextManager[None]:
        kind = type(request)
        if kind not in AT_ONCE:
            return nullcontext()
        if kind not in self._gates:
            self._gates[kind] = Gate(AT_ONCE[kind], SHARES.get(kind, AT_ONCE[kind]))
        return self._gates[kind].place(request.namespace if isinstance(request, Shared) else "")

    async def _answer(self, request: Request, allowed: Allowed) -> Answer:
        signal = type(request).__name__
        async with self._gate(request):
            started = time.monotonic()
            limit = LIMITS[ListSource if isinstance(request, ListSource) else type(request)]
            try:
                async with asyncio.timeout(limit):
                    answer = await self._ask(request, allowed)
            except TimeoutError:
                answer = Failed("Timeout", f"no answer within {limit:g} s")
            except (SignalError, StoreError, CredentialsError) as failed:
                answer = Failed(failed.reason, failed.message)
            except CrowdedError as failed:
                answer = Failed(NO_TURN, CROWDED.format(running=failed.running))
            except api.ApiError as failed:
                answer = Failed("ApiUnavailable", failed.message)
            except Exception as bug:
                # one answer that nobody has thought of must not take the others of the same look with it
                log.exception("a signal could not be read", extra=fields(kind=signal))
                answer = Failed(
                    "Bug", f"{type(bug).__name__} while it was read: please report it with the operator's log"
                )
        result = answer.reason if isinstance(answer, Failed) else "ok"
        self._observe(signal, result, time.monotonic() - started)
        return answer

    async def _ask(self, request: Request, allowed: Allowed) -> Answer:
        match request:
            case ListSource():
                return await self._in_store(self._listings, LISTING, list_source, request)
            case SaveDocument():
                return await self._patiently(save, request)
            case KeepLog():
                return self._archived(request)
            case FindObject():
                return await self._patiently(find, request)
            case ReadDocument():
                return await self._patiently(read, request)
            case ReadNewest():
                return await self._patiently(newest, request)
            case ReadCached():
                return await self._patiently(cached.entry, request)
            case FindOutputs():
                return await self._patiently(cached.find, request)
            case ScrapePod():
                return await pods.scrape(self._outside(request.namespace), request)
            case ReadAnswers():
                return await answers(self._outside(request.namespace, allowed.answers), request)
            case ReadCounts():
                return await counts(self._outside(request.namespace, allowed.counts), request)
            case ReadInput():
                return await kept_input(self._outside(request.namespace), request)
            case WarmUp():
                return await pods.warm_up(self._outside(request.namespace), request)
            case AskReady():
                return await pods.ask_ready(self._outside(request.namespace), request)
            case PromQuery():
                return await prometheus.query(self._outside(request.namespace), request)
            case ReadRules():
                return await prometheus.rules(self._outside(request.namespace), request)
            case ReadImage():
                return await self._images.read(request)
            case ReadGit():
                return await self._repositories.read(request)
            case ReadGateway():
                found = await self._kube.get(GATEWAY, request.namespace, request.name)
                return _gateway(found, await self._class_of(found))
            case ReadNamespace():
                return await self._namespaces.read(request.name)
            case ReadAccount():
                return await self._accounts.read(request)

    def _outside(self, namespace: str, allowed: Allowance | None = None) -> Outside:
        return Outside(self._session, self._aside, namespace, allowed or of_answers())

    async def _class_of(self, gateway: dict[str, Any]) -> dict[str, Any]:
        """The GatewayClass; {} where it is gone, its kind is not served, or it may not be read (an operator with rights
        in some namespaces)."""
        try:
            return await self._kube.get(GATEWAY_CLASS, "", str(gateway["spec"]["gatewayClassName"]))
        except (api.NotFound, api.NotServed, api.Forbidden):
            return {}

    async def _patiently(self, work: Callable[[Any, Any], Answer], request: Late) -> Answer:
        """A store that hangs must not hold up a rollout: the answer may be had at a later look."""
        task = self._late.get(request)
        if task is None:
            task = self._late[request] = asyncio.ensure_future(self._in_store(self._evidence, EVIDENCE, work, request))
            task.add_done_callback(lambda done: self._keep(request, done))
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        if not done:
            return Failed(UNDERWAY, "the store has not answered yet")
        self._late.pop(request, None)
        return task.result()

    def _archived(self, request: KeepLog) -> Answer:
        """No look waits for a log: it is read and written beside, and its answer is kept for a while for who asks."""
        task = self._logs.get(request)
        if task is None:
            task = self._logs[request] = asyncio.ensure_future(self._log(request))
            task.add_done_callback(lambda done: self._forget_log(request, done))
        return task.result() if task.done() else Failed(UNDERWAY, "the log is being kept")

    def _forget_log(self, request: KeepLog, done: asyncio.Future[Answer]) -> None:
        kept = not done.cancelled() and isinstance(done.result(), LogKept)
        asyncio.get_running_loop().call_later(LOGS_KEPT if kept else AGAIN, self._logs.pop, request, None)

    async def _log(self, request: KeepLog) -> Answer:
        """Copy a log. Never raises: nobody may be there to hear it."""
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(LOG_TURN):
                    await stack.enter_async_context(self._reading.place(request.namespace))
                found = await self._read_log(request)
                if isinstance(found, Failed):
                    return found

                def write(asked: KeepLog, secret: dict[str, str] | None) -> Answer:
                    keep_log(asked, secret, found.body)
                    return LogKept(len(found.body), found.cut)

                return await self._in_store(self._archive, LOGS, write, request, LOG_TURN)
        except (StoreError, CredentialsError) as failed:
            return Failed(failed.reason, failed.message)
        except CrowdedError as failed:
            return Failed(NO_TURN, CROWDED.format(running=failed.running))
        except TimeoutError:
            return Failed(NO_TURN, f"other logs of this namespace were being kept for {LOG_TURN:g} s")
        except api.ApiError as failed:
            return Failed("ApiUnavailable", failed.message)
        except Exception as bug:
            log.exception("a log could not be kept", extra=fields(namespace=request.namespace, name=request.pod))
            return Failed("Bug", f"{type(bug).__name__} while it was kept: please report it with the operator's log")

    async def _read_log(self, request: KeepLog) -> Log | Failed:
        try:
            async with asyncio.timeout(LOG):
                return await self._kube.log(request.namespace, request.pod, request.container, request.limit)
        except TimeoutError:
            return Failed("LogUnreadable", f"the node of pod {request.pod} did not send its log within {LOG:g} s")
        except api.NotFound:
            return Failed("LogGone", f"pod {request.pod} was gone before its log could be kept")
        except api.Forbidden:
            why = "Fairlead may not read logs of pods; give its ServiceAccount the verb get on pods/log"
            return Failed("LogForbidden", f"{why} (docs/reference/rbac.md)")
        except api.ApiError as failed:
            return Failed("LogUnreadable", f"the log of pod {request.pod} can't be read: {failed.message}")

    def _keep(self, request: Late, done: asyncio.Future[Answer]) -> None:
        """For whoever asks again. A failure that nobody asks for any more is none of the operator's."""
        if not done.cancelled():
            done.exception()
        asyncio.get_running_loop().call_later(KEEP, self._late.pop, request, None)

    async def _in_store(
        self,
        pool: FairPool,
        seconds: float,
        work: Callable[[Any, Any], Answer],
        request: ListSource | Late | KeepLog,
        turn: float = TURN,
    ) -> Answer:
        """boto3 blocks: it works in a thread, on these terms."""
        self._rules.check(request)
        secret, rules = request.credentials, self._rules
        found = await self._credentials.read(request.namespace, secret) if secret else None

        def act() -> Answer:
            terms = Terms(seconds, rules.connecting(request.endpoint), rules.trusts(request.endpoint))
            with under(terms):
                return work(request, found)

        return await pool.run(request.namespace, (request.endpoint, request.bucket), act, turn)


CROWDED = (
    "{running} other requests of this namespace to its stores were under way all the time, and it may have no more at "
    "once; see which of its stores are slow"
)


def _gateway(obj: dict[str, Any], class_: dict[str, Any]) -> GatewaySeen:
    addresses = (obj.get("status") or {}).get("addresses") or []
    return GatewaySeen(
        addresses=tuple(str(a["value"]) for a in addresses if a.get("value")),
        listeners=_listeners(obj, "HTTPRoute"),
        grpc_listeners=_listeners(obj, "GRPCRoute"),
        class_name=str(class_["metadata"]["name"]) if class_ else "",
        controller=str(class_["spec"]["controllerName"]) if class_ else "",
        features=tuple(_feature(one) for one in (class_.get("status") or {}).get("supportedFeatures") or []),
    )


def _listeners(gateway: dict[str, Any], route: str) -> tuple[tuple[str, int], ...]:
    """(protocol, port) of the listeners that take a kind of route: one that names no kinds takes all that it can."""
    found = []
    for one in gateway["spec"]["listeners"]:
        kinds = (one.get("allowedRoutes") or {}).get("kinds") or []
        if not kinds or any(kind.get("kind") == route for kind in kinds):
            found.append((str(one["protocol"]), int(one["port"])))
    return tuple(found)


def _feature(listed: Any) -> str:
    """Before Gateway API 1.3 the list was one of names."""
    return str(listed["name"] if isinstance(listed, dict) else listed)
