"""A tiny world for rollouts: objects in dictionaries, pods with counters, traffic by the route's weights.

Every look goes through the status as the API server keeps it (JSON, in two halves), so each one is the first after a
restart.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.effort import SOAK, few
from tests.unit.plan import kstatus
from tests.unit.plan.answering import Answers
from tests.unit.plan.indexing import indexed

from fairlead.api import halves
from fairlead.api.common import S3Location
from fairlead.api.config import Images, OperatorConfig, PrometheusConfig, Tuning
from fairlead.api.deployment import Deployment
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.manifests import alerts
from fairlead.manifests.route import weights
from fairlead.plan.core import (
    ENDPOINT_SLICE,
    GRPC_ROUTE,
    HTTP_ROUTE,
    MODEL_VERSION,
    POD,
    PROMETHEUS_RULE,
    REPLICA_SET,
    SERVICE,
    WORKLOAD,
    Claim,
    Kind,
    Meta,
    Plan,
    Subject,
    rfc3339,
)
from fairlead.plan.deployment import alerting
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.memo import Memo
from fairlead.plan.requests import (
    AccountSeen,
    Answer,
    AnswersPage,
    AskReady,
    Counters,
    Failed,
    FindObject,
    GatewaySeen,
    KeptAnswer,
    KeptInput,
    NamespaceSeen,
    Newest,
    Presence,
    PromQuery,
    ReadAccount,
    ReadAnswers,
    ReadDocument,
    ReadGateway,
    ReadInput,
    ReadNamespace,
    ReadNewest,
    ReadRules,
    Request,
    RulesSeen,
    Saved,
    SaveDocument,
    ScrapePod,
    Vector,
    Warm,
    WarmUp,
)
from fairlead.signals.errors import SignalError
from fairlead.signals.page import parse_page
from fairlead.store.s3 import Object

Json = dict[str, Any]
START = 1_800_000_000.0
BOUNDS = (0.01, 0.05, 0.1, 1.0, float("inf"))
KINDS = {("apps/v1", "Deployment"): WORKLOAD, ("v1", "Service"): SERVICE}
KINDS |= {(k.api_version, k.kind): k for k in (HTTP_ROUTE, *deployment.SPEC.children)}
METRICS = {"requests": "requests_total", "failures": 'requests_total{code=~"5.."}', "latency": "seconds"}


NOTHING_LISTENS = Failed("Unreachable", "nothing listens")


@dataclass
class PodCounts:
    """What a pod has counted."""

    requests: int = 0
    failures: int = 0
    slow: int = 0
    hung: int = 0
    """Those that took longer than a second."""


ENVOY_GATEWAY = "gateway.envoyproxy.io/gatewayclass-controller"
NO_FLOOR = NamespaceSeen()
GATEWAY = GatewaySeen(("10.0.0.1",), (("HTTP", 80),), (("HTTP", 80),), "public", ENVOY_GATEWAY)


@dataclass
class Sim:
    """The world and its clock. `errors`, `slow`, `wrong`: shares by version."""

    memo = None
    shared = None
    crowd = 0

    spec: Json
    now: float = START
    seed: int = 0
    errors: dict[str, float] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    wrong: dict[str, float] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    """Versions whose pods don't answer a scrape."""
    pages: dict[str, Callable[[PodCounts], str]] = field(default_factory=dict)
    """What the page of a version's pods looks like, where it matters: it is read as the operator does."""
    processes: dict[str, int] = field(default_factory=dict)
    """How many processes of a version's pods answer at the same port, each with counters of its own; else one."""
    unlisted: set[str] = field(default_factory=set)
    """Versions whose Service has no EndpointSlice yet."""
    generation: int = 1
    """Of the spec: rises with each edit, for whatever depends on it."""
    prometheus_down: bool = False
    prometheus: str | None = "http://prometheus:9090"
    series: list[str] = field(default_factory=lambda: ["series"])
    """Those by which Prometheus has the outcomes now; each has its part of them."""
    gauges: dict[str, Answer] = field(default_factory=dict)
    """What Prometheus answers for the gauge of a version."""
    lost: set[str] = field(default_factory=set)
    """Keys that are not in the store any more."""
    counted: dict[str, PodCounts] = field(default_factory=dict)
    outcomes: dict[str, list[int]] = field(default_factory=dict)
    """version → [total, wrong]"""
    served: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    objects: dict[Kind, dict[str, Json]] = field(default_factory=dict)
    status: Json = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    plans: int = 0
    addresses: int = 0
    split_by: dict[str, int] | None = None
    """Weights that the gateway really uses, instead of the route's."""
    accepts: bool = True
    """Whether the gateway's controller takes routes; without, it says nothing of them."""
    window: float = 1.0
    store: bool = False
    """Whether the installation has a store."""
    store_says: Failed | None = None
    """What the store answers instead of saving."""
    documents: dict[str, str] = field(default_factory=dict)
    told: Answers = field(default_factory=Answers)
    """What workers have left in the store."""
    says: dict[str, Callable[[int], object]] = field(default_factory=dict)
    """What a version answers to a request, by the request's number; default: always [1]."""
    asks: Callable[[str], str] = lambda request: f'{{"inputs":[{{"name":"{request}"}}]}}'
    """A request's body, by its id."""
    refusals: dict[str, tuple[int, object]] = field(default_factory=dict)
    """Status and body of a version's bad answers; default: 500 and what it says to others. From 500 on they are counted
    as failures."""
    slowness: dict[str, float] = field(default_factory=dict)
    """Seconds that a version takes to answer a copy."""
    kept: dict[str, list[KeptAnswer]] = field(default_factory=dict)
    """By pod, what its recorder has kept."""
    boots: dict[str, int] = field(default_factory=dict)
    """By pod, how often its recorder has begun anew."""
    asked: int = 0
    unready: Answer = NOTHING_LISTENS
    """What servers answer that have not started yet."""
    gateway: GatewaySeen | Failed = GATEWAY
    gateway_asked: int = 0
    looks: int = 0
    loaded: Answer | None = None
    """What Prometheus says of its alert rules; None: it has those that there are."""
    rules_asked: int = 0
    floor: NamespaceSeen | Failed = NO_FLOOR
    """What the Namespace's annotations say."""
    accounts: dict[str, AccountSeen | Failed] = field(default_factory=dict)
    """ServiceAccounts by name; any other is not there."""
    others: tuple[Claim, ...] = ()
    """What Deployments of other namespaces claim."""
    form: Callable[[Json], Json] = lambda status: in_halves(status)
    """How the API server keeps a status."""

    def __post_init__(self) -> None:
        self.spec = copy.deepcopy(self.spec)  # tests edit it, and its parts are constants of their modules
        self.known = None if SOAK else Memo[Any]()
        self._copies: dict[Any, Json] = {}
        self.random = random.Random(self.seed)
        self.config = OperatorConfig(
            images=Images(worker="worker:1", runtimes={"sklearn": "sklearn:1"}, proxy="envoy:1"),
            prometheus=PrometheusConfig(url=self.prometheus), tuning=Tuning(window=self.window, drain=15),
            store=S3Location(bucket="fairlead") if self.store else None,
        )  # fmt: skip

    # --- the world as a plan sees it -------------------------------------------------------------------------

    def of(self, kind: Kind) -> dict[str, Json]:
        return self.objects.setdefault(kind, {})

    def get(self, kind: Kind, name: str) -> Json | None:
        return self.of(kind).get(name)

    def select(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[Json]:
        wanted = (labels or {}).items()
        known = self.slices() if kind == ENDPOINT_SLICE else self.of(kind)
        return [o for _, o in sorted(known.items()) if wanted <= o["metadata"].get("labels", {}).items()]

    def slices(self) -> dict[str, Json]:
        """What the endpoint controller makes of the Services of versions and their ready pods."""
        found = {}
        for service in self.of(SERVICE).values():
            meta = service["metadata"]
            version = meta["labels"].get("fairlead.dev/version", "")
            if version and version not in self.unlisted:
                name = f"{meta['name']}-x7d2k"
                ready = [{"targetRef": {"uid": p["metadata"]["uid"]}, "conditions": {"ready": True}}
                         for p in self.answering(version)]  # fmt: skip
                labels = meta["labels"] | {"kubernetes.io/service-name": meta["name"]}
                found[name] = {"metadata": {"name": name, "labels": labels}, "endpoints": ready}
        return found

    def indexed(self, kind: Kind, key: str) -> list[Json]:
        return indexed(kind, self.select(kind), key)

    def owned(self, kind: Kind) -> list[Json]:
        return [o for o in self.select(kind) if o["metadata"].get("ownerReferences")]

    def is_served(self, _kind: Kind) -> bool:
        return True

    def same(self, raw: Json) -> Json:
        """The object as the kernel's cache has it: tests edit theirs in its place, there a changed one is another."""
        meta = raw["metadata"]
        key = raw.get("kind"), meta["name"], meta.get("uid")
        kept = self._copies.get(key)
        if kept != raw:
            kept = self._copies[key] = copy.deepcopy(raw)
        return kept

    # --- versions, pods, traffic -----------------------------------------------------------------------------

    def version(self, name: str, phase: str = "Approved", age: float = 0.0, **spec: Any) -> Json:
        body = {
            "metadata": {
                "name": name, "uid": f"uid-{name}", "creationTimestamp": rfc3339(self.now - age), "labels": {},
            },
            "spec": {
                "model": "m", "artifact": {"uri": f"s3://bucket/{name}", "sha256": "a" * 64},
                "server": {"runtime": "custom", "image": "server:1", "metrics": METRICS}, **spec,
            },
            "status": {"phase": phase, "evidence": {"digest": "d", "sample": '{"inputs":[]}'}},
        }  # fmt: skip
        self.of(MODEL_VERSION)[name] = body
        return body

    def pods(self, version: str) -> list[Json]:
        return self.select(POD, {"fairlead.dev/version": version})

    def templates(self, version: str) -> list[Json]:
        """What a version's pods were made from."""
        found = self.select(REPLICA_SET, {"fairlead.dev/version": version})
        return [one["spec"]["template"] for one in found]

    def ready(self, version: str, ready: bool = True) -> None:
        """The pods of a version become ready, or are no more."""
        for workload in self.select(WORKLOAD, {"fairlead.dev/version": version}):
            many = workload["spec"]["replicas"]
            workload["status"] |= {"readyReplicas": many if ready else 0, "updatedReplicas": many, "replicas": many}
        for pod in self.pods(version):
            pod["status"]["conditions"] = [{"type": "Ready", "status": "True" if ready else "False"}]

    def restart(self, version: str) -> None:
        """Each server of a version dies and begins again; its counters begin at zero."""
        self.begin_anew(version)
        self.tell_of_restart(version, self.now)

    def begin_anew(self, version: str) -> None:
        """The counters of a version's servers begin at zero; their pods' status does not tell why yet."""
        for pod in self.pods(version):
            self.counted[pod["metadata"]["uid"]] = PodCounts()

    def tell_of_restart(self, version: str, at: float) -> None:
        """The status of a version's pods tells of a restart."""
        for pod in self.pods(version):
            server = pod["status"]["containerStatuses"][0]
            server["restartCount"] += 1
            server["lastState"] = {"terminated": {"exitCode": 1, "finishedAt": rfc3339(at)}}
            server["state"] = {"running": {"startedAt": rfc3339(at)}}

    def shares(self) -> dict[str, int]:
        """Weight by version, as the gateway has it."""
        if self.split_by is not None:
            return self.split_by
        found = weights(self.of(HTTP_ROUTE).get("web") or self.of(GRPC_ROUTE).get("web", {}))
        versions = {
            s["metadata"]["name"]: s["metadata"]["labels"].get("fairlead.dev/version", "") for s in self.select(SERVICE)
        }
        return {versions[service]: weight for service, weight in found.items() if service in versions}

    def traffic(self, requests: int) -> None:
        """So many requests reach the gateway."""
        shares = self.shares()
        if not shares:
            return
        ready, copied = {version: self.answering(version) for version in shares}, self.copied()
        for version in self.random.choices(list(shares), list(shares.values()), k=requests):
            pods = ready[version]
            self.served[version] = self.served.get(version, 0) + 1
            if not pods:
                self.failed[version] = self.failed.get(version, 0) + 1
                continue
            counts = self.process(self.random.choice(pods))
            bad = self.random.random() < self.errors.get(version, 0.0)
            counts.requests += 1
            counts.failures += bad and self.code(version) >= 500
            counts.slow += self.random.random() < self.slow.get(version, 0.02)
            self.failed[version] = self.failed.get(version, 0) + bad
            outcome = self.outcomes.setdefault(version, [0, 0])
            outcome[0] += 1
            outcome[1] += self.random.random() < self.wrong.get(version, 0.0)
            self.asked += 1
            self._keep(version, self.code(version) if bad else 200)
            self._copy(copied)

    def process(self, pod: Json) -> PodCounts:
        """The counters of the process that answers next in a pod."""
        uid, many = pod["metadata"]["uid"], self.processes.get(pod["metadata"]["labels"]["fairlead.dev/version"], 1)
        number = self.random.randrange(many) if many > 1 else 0
        return self.counted.setdefault(f"{uid}/{number}" if number else uid, PodCounts())

    def code(self, version: str) -> int:
        """The status of a version's bad answers."""
        return self.refusals.get(version, (500, None))[0]

    def copied(self) -> tuple[str, float] | None:
        """The version that gets copies, and of which share."""
        route = self.of(HTTP_ROUTE).get("web") or self.of(GRPC_ROUTE)["web"]
        for rule in route["spec"]["rules"]:
            for one in rule.get("filters", []):
                if one["type"] == "RequestMirror":
                    mirror = one["requestMirror"]
                    service = self.of(SERVICE)[mirror["backendRef"]["name"]]
                    part = mirror["fraction"]["numerator"] / mirror["fraction"]["denominator"]
                    return service["metadata"]["labels"]["fairlead.dev/version"], part
        return None

    def answering(self, version: str) -> list[Json]:
        """The pods of a version that are ready."""
        return [p for p in self.pods(version) if p["status"]["conditions"][0]["status"] == "True"]

    def _copy(self, found: tuple[str, float] | None) -> None:
        if found is None or self.random.random() >= found[1]:
            return
        version = found[0]
        ready = self.answering(version)
        if ready:
            bad = self.random.random() < self.errors.get(version, 0.0)
            counts = self.process(self.random.choice(ready))
            counts.requests += 1
            counts.failures += bad and self.code(version) >= 500
            self._keep(version, self.code(version) if bad else 200, copied=True)

    def _keep(self, version: str, status: int, copied: bool = False) -> None:
        """In the recorder of one of the version's pods, if the spec has one."""
        if "record" not in self.spec:
            return
        pod = self.random.choice(self.pods(version))["metadata"]["uid"]
        output = self.says.get(version, lambda _: [1])(self.asked)
        output = self.refusals.get(version, (0, output))[1] if status >= 400 else output
        late = self.slowness.get(version, 0.0) if copied else 0.0
        log = self.kept.setdefault(pod, [])
        number = log[-1].number + 1 if log else 1
        log.append(KeptAnswer(number, f"r{self.asked}", self.now + late, status, 5.0, output, copied))

    def forget(self, version: str) -> None:
        """The recorders of a version's pods die and begin anew."""
        for pod in self.pods(version):
            uid = pod["metadata"]["uid"]
            self.boots[uid] = self.boots.get(uid, 0) + 1
            self.kept[uid] = []

    # --- signals ---------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        return self._answer(request)

    def _loaded(self, request: ReadRules) -> RulesSeen:
        return RulesSeen(tuple(
            (group, one, "")
            for raw in self.of(PROMETHEUS_RULE).values() for group, ones in alerts.wanted(raw).items() for one in ones
            if group in request.groups
        ))  # fmt: skip

    def _answer(self, request: Request) -> Answer:
        match request:
            case ReadGateway():
                self.gateway_asked += 1
                return self.gateway
            case ReadNamespace():
                return self.floor
            case ReadAccount():
                return self.accounts.get(request.name, AccountSeen(False))
            case ReadRules():
                self.rules_asked += 1
                return self.loaded or self._loaded(request)
            case WarmUp():
                return self._warm(request)
            case AskReady():
                return self.unready
            case ScrapePod():
                return self._scrape(request)
            case PromQuery():
                return self._query(request)
            case ReadAnswers():
                return self._answers(request)
            case ReadInput():
                return self._input(request)
            case ReadDocument():
                return self.told.answer(request)
            case FindObject():
                return Presence(request.key not in self.lost)
            case ReadNewest():
                return self.store_says or self._newest(request)
            case SaveDocument():
                return self.store_says or self._save(request)
        return Failed("NotAsked", "unknown")

    def _warm(self, request: WarmUp) -> Answer:
        """A server counts what it is warmed with as any other request."""
        pod = next(p for p in self.select(POD) if f"http://{p['status']['podIP']}:" in request.url)
        for _ in range(request.times):
            self.process(pod).requests += 1
        return Warm()

    def _scrape(self, request: ScrapePod) -> Answer:
        pod = next((p for p in self.select(POD) if f"http://{p['status']['podIP']}:" in request.url), None)
        if pod is None or pod["metadata"]["labels"]["fairlead.dev/version"] in self.unreadable:
            return Failed("Unreachable", "the pod did not answer")
        counts = self.process(pod)
        page = self.pages.get(pod["metadata"]["labels"]["fairlead.dev/version"])
        if page is not None:
            try:
                return parse_page(page(counts), request.names)
            except SignalError as failed:
                return Failed(failed.reason, failed.message)
        quick, fast = counts.requests - counts.hung, counts.requests - counts.slow - counts.hung
        buckets = tuple(zip(BOUNDS, (fast // 2, fast, fast, quick, counts.requests), strict=True))
        return Counters(counts.requests, counts.failures, buckets)

    def _answers(self, request: ReadAnswers) -> Answer:
        pod = next((p for p in self.select(POD) if f"http://{p['status']['podIP']}:" in request.url), None)
        if pod is None or pod["metadata"]["labels"]["fairlead.dev/version"] in self.unreadable:
            return Failed("Unreachable", "the recorder did not answer")
        uid = pod["metadata"]["uid"]
        boot, log = f"boot-{self.boots.get(uid, 0)}", self.kept.get(uid, [])
        after = 0 if request.boot and request.boot != boot else request.after
        found = tuple(one for one in log if one.number > after and one.at <= self.now)
        newest = max((one.number for one in log if one.at <= self.now), default=0)
        return AnswersPage(boot, found[-1].number if found else newest, 0, found)

    def _input(self, request: ReadInput) -> Answer:
        """Of the pod that has answered; the recorders keep bodies only if they shall."""
        pod = next((p for p in self.select(POD) if f"http://{p['status']['podIP']}:" in request.url), None)
        if pod is None or pod["metadata"]["labels"]["fairlead.dev/version"] in self.unreadable:
            return Failed("Unreachable", "the recorder did not answer")
        mine = any(one.request_id == request.request_id for one in self.kept.get(pod["metadata"]["uid"], []))
        return KeptInput(self.asks(request.request_id) if mine and self.spec["record"].get("inputs") else None)

    def _save(self, request: SaveDocument) -> Answer:
        if self.documents.setdefault(request.key, request.body) != request.body:
            return Failed("ObjectChanged", f"{request.key} was written by somebody else")
        return Saved()

    def _newest(self, request: ReadNewest) -> Answer:
        last = max((key for key in self.documents if key.startswith(request.prefix)), default="")
        return Newest(last, self.documents.get(last, ""))

    def _query(self, request: PromQuery) -> Answer:
        if self.prometheus_down:
            return Failed("Unreachable", "no connection to Prometheus")
        name, _, version = request.expression.rpartition(":")
        if name == "gauge":
            return self.gauges.get(version, Vector(()))
        if version not in self.outcomes:
            return Vector(())
        total, wrong = self.outcomes[version]
        counted = {"total": total, "failures": wrong, "successes": total - wrong}
        return Vector(tuple((one, float(counted[name] // len(self.series))) for one in self.series))

    # --- one look --------------------------------------------------------------------------------------------

    def subject(self) -> Subject[Deployment]:
        status = self.form(self.status)
        raw = {"metadata": {"name": "web", "namespace": "team", "uid": "u"}, "spec": self.spec, "status": status}
        meta = Meta("web", "team", "u", self.generation, "1", START, annotations=self.annotations)
        return Subject(meta, Deployment.model_validate({"spec": self._wanted(), "status": status}), raw)

    def _wanted(self) -> Any:
        """The spec, parsed once as long as it stays the same, as the kernel does."""
        if self.known is None:
            return self.spec
        return self.known.find(
            "spec", lambda kept: kept == self.spec,
            lambda: (copy.deepcopy(self.spec), Deployment.model_validate({"spec": self.spec}).spec),
        )  # fmt: skip

    def requests(self) -> list[Request]:
        """What is asked for the next look."""
        return list(deployment.observe(self.subject(), View(self), self.now))

    def plan(self) -> Plan:
        """What the plan says now; nothing is carried out."""
        subject, world = self.subject(), View(self)
        world.answers = {request: self._answer(request) for request in deployment.observe(subject, world, self.now)}
        found = deployment.plan(subject, world, self.now)
        kstatus.obey(dump(found.status), self.generation)
        return found

    def look(self, passes: int = 10) -> Plan:
        """Look and carry out until nothing changes, as the kernel does: where a look has only added a window
        (`Plan.steady`), it does not look at once again. That nothing would change then is seen at each third of these
        looks (`make soak`: at all of them)."""
        self.looks += 1
        for _ in range(passes):
            found = self.plan()
            if not self.carry_out(found) or (found.steady and self.looks % few(3, 1)):
                return found
        raise AssertionError(f"the plan does not settle: {self.status}")

    def rests(self) -> bool:
        """Whether nothing is due; that Prometheus is asked for its rules again is no sign of anything."""
        for _ in range(3):
            after = self.look().requeue_after
            if after is None or after > 2 * alerting.AGAIN:
                return True
            self.now += after
        return False

    def carry_out(self, found: Plan) -> bool:
        """Write a plan; whether anything changed."""
        status = dump(found.status)
        changed = status != self.status
        self.status = status
        for wanted in found.apply:
            changed |= self._apply(wanted)
        for gone in found.delete:
            changed |= self.of(gone.kind).pop(gone.name, None) is not None
            if gone.kind == WORKLOAD:
                self._drop_pods()
        self.events += [event.reason for event in found.events]
        self.plans += 1
        return changed

    def _apply(self, wanted: Json) -> bool:
        kind = KINDS[wanted["apiVersion"], wanted["kind"]]
        name = wanted["metadata"]["name"]
        old = self.of(kind).get(name)
        wanted = {**wanted, "metadata": {**wanted["metadata"], "uid": name}, "status": (old or {}).get("status", {})}
        if self.accepts and kind in (HTTP_ROUTE, GRPC_ROUTE) and not wanted["status"]:
            wanted["status"] = accepted()
        if old == wanted:
            return False
        self.of(kind)[name] = wanted = copy.deepcopy(wanted)
        if kind == WORKLOAD:
            self._make_pods(wanted)
        return True

    def _make_pods(self, workload: Json) -> None:
        made = self._replica_set(workload)
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": made["metadata"]["name"],
                 "uid": made["metadata"]["uid"], "controller": True}  # fmt: skip
        for index in range(workload["spec"]["replicas"]):
            uid = f"{workload['metadata']['name']}-{index}"
            if uid in self.of(POD):
                continue
            self.of(POD)[uid] = {
                "metadata": {
                    "name": uid, "namespace": "team", "uid": uid, "creationTimestamp": rfc3339(self.now),
                    "labels": workload["spec"]["template"]["metadata"]["labels"], "ownerReferences": [owner],
                    "annotations": workload["spec"]["template"]["metadata"].get("annotations", {}),
                },
                "spec": copy.deepcopy(made["spec"]["template"]["spec"]),
                "status": {
                    "phase": "Running", "podIP": self._address(),
                    "conditions": [{"type": "Ready", "status": "False"}],
                    "containerStatuses": [{
                        "name": "server", "image": "server:1", "restartCount": 0,
                        "state": {"running": {"startedAt": rfc3339(self.now)}},
                    }],
                },
            }  # fmt: skip

    def _replica_set(self, workload: Json) -> Json:
        """The workload's, with the template of its first pods."""
        meta = workload["metadata"]
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"],
                 "controller": True}  # fmt: skip
        name, template = f"{meta['name']}-5d4c", workload["spec"]["template"]
        return self.of(REPLICA_SET).setdefault(name, {
            "metadata": {
                "name": name, "namespace": "team", "uid": f"uid-{name}", "ownerReferences": [owner],
                "labels": template["metadata"]["labels"],
            },
            "spec": {"template": template},
        })  # fmt: skip

    def _address(self) -> str:
        self.addresses += 1
        return f"10.1.{self.addresses // 250}.{self.addresses % 250}"

    def _drop_pods(self) -> None:
        alive = {w["metadata"]["labels"]["fairlead.dev/version"] for w in self.select(WORKLOAD)}
        for kind in (POD, REPLICA_SET):
            found = self.of(kind)
            for uid in [u for u, p in found.items() if p["metadata"]["labels"]["fairlead.dev/version"] not in alive]:
                del found[uid]

    # --- shortcuts -------------------------------------------------------------------------------------------

    def go_live(self, name: str = "m-1", **spec: Any) -> None:
        """The first version is live."""
        self.version(name, age=1000, **spec)
        self.look()
        self.ready(name)
        self.look()
        assert self.status["live"]["version"] == name

    def begin(self, name: str = "m-2") -> None:
        """A new version gets its first share."""
        self.version(name)
        self.look()
        self.ready(name)
        self.look()

    def tick(self, requests: int = 0, seconds: float = 1.0) -> Plan:
        """Time passes with so many requests, and somebody looks."""
        self.traffic(requests)
        self.now += seconds
        return self.look()

    def run(self, windows: int, requests: int) -> None:
        """Several windows; ends early when the rollout does."""
        for _ in range(windows):
            self.tick(requests)
            if "candidate" not in self.status:
                return

    def condition(self, type_: str) -> Json:
        return next((c for c in self.status.get("conditions", []) if c["type"] == type_), {})

    @property
    def candidate(self) -> Json:
        found: Json = self.status["candidate"]
        return found


class View:
    """The world during one look, as the kernel gives it: nothing changes meanwhile, and an object that is as it was at
    the look before is the very same one."""

    crowd = 0

    def __init__(self, sim: Sim) -> None:
        self._sim, self.config, self.memo, self.served = sim, sim.config, sim.known, sim.is_served
        self.answers: dict[Request, Answer] = {}
        self.shared: dict[Any, Any] = {}
        self._seen: dict[Any, Any] = {}

    def _once(self, key: Any, look: Callable[[], list[Json]]) -> list[Json]:
        if key not in self._seen:
            self._seen[key] = list(map(self._sim.same, look()))
        return list(self._seen[key])

    def get(self, kind: Kind, name: str) -> Json | None:
        found = self._once(("get", kind, name), lambda: [one for one in [self._sim.get(kind, name)] if one is not None])
        return found[0] if found else None

    def select(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[Json]:
        wanted = tuple(sorted((labels or {}).items()))
        return self._once(("select", kind, wanted), lambda: self._sim.select(kind, labels))

    def indexed(self, kind: Kind, key: str) -> list[Json]:
        return self._once(("indexed", kind, key), lambda: self._sim.indexed(kind, key))

    def owned(self, kind: Kind) -> list[Json]:
        return self._once(("owned", kind), lambda: self._sim.owned(kind))

    def claims(self, _kind: Kind, near: Claim) -> tuple[Claim, ...]:
        return tuple(one for one in self._sim.others if one.place == near.place)

    def answer(self, request: Request) -> Answer:
        return self.answers.get(request, Failed("NotAsked", "not asked"))


def accepted(name: str = "public", namespace: str = "infra", verdict: str = "True", **said: str) -> Json:
    """A route's status, as a gateway's controller writes it."""
    condition = {"type": "Accepted", "status": verdict, "reason": "Accepted", **said}
    return {"parents": [{"parentRef": {"name": name, "namespace": namespace}, "conditions": [condition]}]}


class Documents:
    """What is saved, as a bucket that can be listed and read."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim

    def list(self, prefix: str) -> Iterator[Object]:
        """All that lies in a folder."""
        return (Object(key, len(body), "") for key, body in self._sim.documents.items() if key.startswith(prefix))

    def read(self, key: str) -> bytes:
        """One document."""
        return self._sim.documents[key].encode()


def in_halves(status: Json) -> Json:
    """A status as it is written."""
    return halves.written(DeploymentStatus.model_validate(status))


def dump(status: DeploymentStatus) -> Json:
    """As one tree of JSON. The API server keeps it in two halves (`subject`)."""
    found: Json = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


def spec(*guards: Json, steps: Iterable[tuple[int, str, int]] = ((10, "3s", 10), (50, "3s", 20)), **more: Any) -> Json:
    """A Deployment's spec. steps: (weight, for, requests)."""
    rollout = {
        "steps": [{"weight": w, "for": f, "requests": r} for w, f, r in steps],
        "guard": list(guards) or [{"metric": "errors"}], **more.pop("rollout", {}),
    }  # fmt: skip
    return {
        "model": {"name": "m"}, "route": {"gateway": {"name": "public", "namespace": "infra"}}, "rollout": rollout,
        **more,
    }  # fmt: skip


OUTCOMES: Json = {
    "metric": "outcomes", "promql": {"total": "total:{{version}}", "failures": "failures:{{version}}"}, "minEvents": 5,
}  # fmt: skip
