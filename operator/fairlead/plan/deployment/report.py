"""What people are told: conditions, phase, one sentence, and the address."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.deploymentstatus import Claimed, DeploymentStatus
from fairlead.api.units import many
from fairlead.api.watch import WayBack
from fairlead.manifests.route import path_of
from fairlead.plan import standing as kstatus
from fairlead.plan.conditions import AVAILABLE, Conditions, quoted
from fairlead.plan.core import Json
from fairlead.plan.deployment import alerting, claims, effect, goal, phase, pins, versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import absent, ledger, memory
from fairlead.plan.deployment.experiment import tell as experiments
from fairlead.plan.deployment.metrics.registry import METRICS
from fairlead.plan.deployment.monitors import hold
from fairlead.plan.deployment.monitors import tell as monitors
from fairlead.plan.deployment.monitors.period import Outcome
from fairlead.plan.deployment.rollback import afterwards, asking, readiness, world
from fairlead.plan.deployment.rollout import analysis, forecast
from fairlead.plan.deployment.serving import ability, pods, replacing, scaling, sizes, starting
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.versions import Choice
from fairlead.plan.requests import GatewaySeen

ROUTE, NOT_ACCEPTED = "RouteAccepted", "RouteNotAccepted"


def tell(
    look: Look, state: State, choice: Choice, problem: Problem | None, unseen: Problem | None = None,
    stuck: Problem | None = None, trial: Problem | None = None, misplaced: Problem | None = None,
    doubt: Problem | None = None, watched: Outcome | None = None, asked: Problem | None = None,
) -> DeploymentStatus:  # fmt: skip
    """The status with all that is derived from it. unseen: of a version under watch; stuck: why a rollback of the live
    version does not go on; trial: what stands in an experiment's way; misplaced: why
    its route can't be where the spec says; doubt: why it can't be found out whether the live version has become
    worse; watched: what the monitors have found out; asked: where the question stands that real harm asks."""
    status = state.status
    ready = [pod for pod in pods.of(look, status.live.version) if pod.ready] if status.live else []
    told = Conditions(status.conditions, look.now, look.subject.meta.generation)
    _route_accepted(look, told, status)
    gateway = ability.tell(look, told, status)
    seen = alerting.tell(look, told, status)
    _evidence(look, told, status, problem, trial)
    _saved(told, status)
    for metric in METRICS.values():
        metric.tell(look, told)
    _strangers(look, told, status)
    afterwards.tell(look, told, status.watch, unseen)
    world.tell(told, status, doubt or asked)
    monitors.tell(look, told, status, watched or Outcome())
    readiness.tell(look, told, status, stuck)
    pins.tell(look, told, status)
    memory.tell(look, told, status)
    scaling.tell(look, told, status)
    experiments.tell(look, told, status, trial)
    late = effect.late(look, status)
    alone = asking.holds(status) or (doubt is not None and status.candidate is None)
    found = _standing(look, status, choice, stuck if status.way_back else doubt if alone else problem)
    standing = effect.told(status, found, late)
    told.set("Progressing", *standing)
    progress = standing[2]
    trouble = _available(look, told, status, bool(ready), progress, late)
    if misplaced:
        trouble = misplaced.message
        if status.claimed is None:
            told.set(AVAILABLE, False, misplaced.reason, trouble)
    kstatus.tell(told, goal.standing(look, status, choice, told, standing, misplaced, trial))
    return status.model_copy(update={
        "observed_generation": look.subject.meta.generation,
        **told.said(),
        "phase": "Holding" if misplaced and status.live else _phase(status, bool(ready), told, late),
        "message": (trouble or progress)[:1024],
        "ready_replicas": len(ready),
        "replicas": len(pods.of(look, sizes.primary(status))),
        "selector": sizes.labels_of(look, status),
        "address": address(look, status) if not misplaced else status.address if status.claimed else "",
        "gateway": gateway,
        "alerts": seen,
    })  # fmt: skip


def _phase(status: DeploymentStatus, ready: bool, told: Conditions, late: str) -> str:
    if status.live is None:
        return "Holding" if status.candidate and not told.is_true("Progressing") else "Pending"
    route = told.get(ROUTE)
    if not ready or (route is not None and route.status == "False"):
        return "Degraded"
    if status.way_back or asking.holds(status) or (status.candidate is None and asking.blocked(status)):
        return "Progressing" if told.is_true("Progressing") else "Holding"
    if status.candidate:
        held = not told.is_true("Progressing") or status.candidate.verdict == "NoEvidence"
        return "Holding" if held else "Progressing"
    if phase.running(status):
        return "Progressing"
    progress = told.get("Progressing")
    if progress is not None and progress.reason == hold.REASON:
        return "Holding"
    if late:
        return "Progressing"
    if route is not None and route.status == "Unknown":
        return "Pending"  # nobody knows whether any request gets here
    last = status.history[0].result if status.history else "Live"
    return "RolledBack" if last in effect.TAKEN_BACK else "Live"


# --- conditions ----------------------------------------------------------------------------------------------------


def _available(
    look: Look, told: Conditions, status: DeploymentStatus, ready: bool, progress: str, late: str
) -> str:  # fmt: skip
    """Whether requests are answered. late: how the route differs from what was decided. Returns what a person must know
    first, or nothing."""
    if status.live is None:
        told.set(AVAILABLE, False, "NothingLive", progress)
        return ""
    live = status.live.version
    if not ready:
        cause = pods.problem(look, live)
        message = f"no pod of {live} is ready" + (f": {cause.message}" if cause else "")
        told.set(AVAILABLE, False, cause.reason if cause else "NoReadyPod", message)
        return message
    if not effect.is_served(look, live):
        message = f"{live} is live, but gets no requests: {late}"
        told.set(AVAILABLE, False, "NotRouted", message)
        return message
    route = told.get(ROUTE)
    if route is not None and route.status != "True":
        told.set(AVAILABLE, False, NOT_ACCEPTED, route.message)
        return route.message
    why = versions.revoked(look, live)
    if why:
        message = f"{live} is live but was revoked: {why}; approve another version, or name one"
        told.set(AVAILABLE, True, "LiveRevoked", message)
        return message
    gone = "" if versions.record(look, live) else f"; {_without(look, live)}"
    told.set(AVAILABLE, True, "Serving", f"{live} answers{gone}")
    return ""


def _without(look: Look, live: str) -> str:
    """What it means that the live version's own ModelVersion is not there."""
    if versions.read(look, live) is None:
        return f"ModelVersion {live} is gone, so its pods can't be changed: apply it again"
    return f"its ModelVersion is gone; {live} is served as it was recorded when it was chosen"


def _standing(
    look: Look, status: DeploymentStatus, choice: Choice, problem: Problem | None
) -> effect.Standing:  # fmt: skip
    """Whether a rollout is on its way, and where things stand, in a sentence."""
    candidate, back = status.candidate, status.way_back
    if back:
        return _going_back(look, back, problem)
    if asking.holds(status) or (candidate is None and asking.blocked(status)):
        return asking.standing(status, problem)
    if candidate:
        return _on_its_way(look, candidate, problem)
    trial = experiments.progress(status, choice.version)
    if trial:
        return trial
    if choice.version is None:
        return False, choice.reason, choice.message
    if choice.reason and status.live:
        return False, choice.reason, f"{status.live.version} is live; {choice.message}"
    last = status.history[0] if status.history else None
    if last and last.result in effect.TAKEN_BACK:
        return False, last.reason, f"{last.version} was taken back: {last.message}"
    if look.spec.paused and status.live and choice.version != status.live.version:
        return False, "Paused", f"{choice.version} waits: set spec.paused to false to roll it out"
    doubt = hold.held(look, choice.version) if status.live and choice.version != status.live.version else None
    if doubt:
        return False, doubt.reason, doubt.message
    anew = replacing.told(look, status.live.version) if status.live else None
    return anew or (False, "Settled", f"{status.live.version} is live" if status.live else "nothing is live yet")


def _going_back(look: Look, back: WayBack, problem: Problem | None) -> tuple[bool, str, str]:
    words = f"{back.message}. {back.version} shall answer again"
    if problem:
        return False, problem.reason, f"{words}, but can't: {problem.message}"
    waits = starting.told(look, back.version)
    return True, "RollingBack", f"{words}; its pods start and are warmed up: {waits}"


def _on_its_way(look: Look, candidate: Candidate, problem: Problem | None) -> tuple[bool, str, str]:
    if candidate.step < 0:
        if problem:
            return False, problem.reason, f"{candidate.version} can't start: {problem.message}"
        if look.spec.paused:
            return False, "Paused", f"{candidate.version} is started; set spec.paused to false to go on"
        name = candidate.version
        return True, "Starting", f"the pods of {name} start and are warmed up: {starting.told(look, name)}"
    steps = look.spec.rollout.steps
    what = f"copies of {candidate.shadow}" if candidate.shadow else f"{candidate.weight} %"
    where = f"{candidate.version} gets {what} (step {candidate.step + 1} of {len(steps)})"
    if problem:
        held = problem.reason == hold.REASON
        return not held, problem.reason if held else "Frozen", f"{where}; it stays there: {problem.message}"
    if look.spec.paused:
        return False, "Paused", f"{where}; set spec.paused to false to go on"
    quiet = absent.quiet(look, candidate)
    if quiet:
        return True, quiet.reason, f"{where}; {quiet.message}"
    late = forecast.impatient(look, candidate)
    if late:
        return True, "TooSlow", f"{where}; {late}"
    missing, waived = analysis.missing(look, candidate), candidate.waived
    now = f". {waived.message}" if waived and waived.step == candidate.step else ""
    return True, "Observing", where + (f"; waiting for {missing}" if missing else "") + now


def _evidence(
    look: Look, told: Conditions, status: DeploymentStatus, problem: Problem | None, trial: Problem | None
) -> None:  # fmt: skip
    missing = experiments.frozen(status, trial) or _unseen(status.candidate, problem)
    if missing is None and status.candidate and status.candidate.step >= 0:
        missing = absent.quiet(look, status.candidate)
    if missing:
        told.set("EvidenceAvailable", False, missing.reason, missing.message)
    elif phase.opened(status) or (status.candidate and status.candidate.step >= 0):
        told.set(
            "EvidenceAvailable", True, "Watching", "; ".join(["all versions' counters are read", *_doubts(status)])
        )
    else:
        told.drop("EvidenceAvailable")


def _doubts(status: DeploymentStatus) -> list[str]:
    """What is taken for a zero, and could be a slip of the pen."""
    guards = status.candidate.guards if status.candidate else []
    return [guard.message for guard in guards if guard.state == "Watching" and guard.message]


def _unseen(candidate: Candidate | None, problem: Problem | None) -> Problem | None:
    """Why nothing shows how a candidate does. One that can't be read for long gets no requests, and is still unseen."""
    if candidate is None or problem is None:
        return None
    blind = problem.arm or (candidate.step >= 0 and candidate.verdict == "NoEvidence")
    return problem if blind else None


def _saved(told: Conditions, status: DeploymentStatus) -> None:
    books = ledger.books(status)
    failing = next((book for book in books if book.failing), None)
    if failing:
        lost = sum(book.dropped for book in books)
        words = f"{failing.message}; {many(lost, 'line is', 'lines are')} nowhere any more" if lost else failing.message
        told.set("EvidenceSaved", False, failing.failing, words)
    elif any(book.segment for book in books):
        told.set("EvidenceSaved", True, "Saved", "the store has what was seen")
    elif not books or not any(book.uri for book in books):
        told.drop("EvidenceSaved")


def _strangers(look: Look, told: Conditions, status: DeploymentStatus) -> None:
    """Pods that have a version's labels and are not its own."""
    names = {one.version for one in (status.live, status.candidate, *phase.arms(status)) if one}
    found = pods.foreign(look, *sorted(names))
    if found:
        told.set(pods.FOREIGN, True, found.reason, found.message)
    else:
        told.drop(pods.FOREIGN)


# --- the route -----------------------------------------------------------------------------------------------------


def _route_accepted(look: Look, told: Conditions, status: DeploymentStatus) -> None:
    if status.live is None:
        told.drop(ROUTE)
        return
    if not look.world.served(look.route_kind):
        told.set(ROUTE, False, "GatewayApiMissing", f"the cluster has no {look.route_kind.kind} that "
                 "Fairlead may see: install Gateway API and a controller for it; if they are there, see the operator's "
                 "log and its role")  # fmt: skip
        return
    raw = look.route
    if not raw or _elsewhere(look.subject.body.status.claimed, status.claimed):
        told.drop(ROUTE)  # what was said was said of another route, or by another Gateway
    said = _said(look, raw)
    if not said:
        if told.get(ROUTE) is None or not _parents(look, raw):
            told.set(ROUTE, None, "Waiting", f"{_gateway(look)} has not answered yet; is it there, and does "
                     "its controller run?")  # fmt: skip
        return  # weights move all the time: what was said of the last ones holds until something else is said
    bad = next((c for c in said if c["type"] in ("Accepted", "ResolvedRefs") and c["status"] == "False"), None)
    if bad:
        why = quoted(str(bad.get("message") or bad.get("reason", "")), 500)
        told.set(ROUTE, False, str(bad.get("reason", "NotAccepted"))[:64], f"{_gateway(look)} does not take the "
                 f"route: {why}. {_remedy(look, bad)}")  # fmt: skip
    elif any(c["type"] == "Accepted" and c["status"] == "True" for c in said):
        told.set(ROUTE, True, "Accepted", f"{_gateway(look)} has taken the route")


def _elsewhere(before: Claimed | None, after: Claimed | None) -> bool:
    """Whether the route has gone to another Gateway, or speaks another protocol."""
    if before is None or after is None:
        return False
    return (before.gateway, before.protocol) != (after.gateway, after.protocol)


def _remedy(look: Look, bad: Json) -> str:
    if look.grpc and bad.get("reason") == "HostnameConflict":
        return "A listener takes HTTPRoutes or GRPCRoutes for a host, and an HTTPRoute without hosts is for all of " \
               "them: give the Gateway a listener whose allowedRoutes.kinds is GRPCRoute alone"  # fmt: skip
    return "Check spec.route and the listener's allowedRoutes"


def _said(look: Look, raw: Json) -> list[Json]:
    """What the Gateway's controller says of the route as it is now. Another one, of whose class the Gateway was before,
    may have left its own words: those of the known one count, if it has any."""
    wanted, state = ability.gateway(look), look.subject.body.status.gateway
    known = state.controller if state and state.name == f"{wanted.namespace}/{wanted.name}" else ""
    generation = raw["metadata"].get("generation", 0) if raw else 0
    found: dict[str, list[Json]] = {}
    for parent in _parents(look, raw):
        said = [c for c in parent.get("conditions") or [] if c.get("observedGeneration", generation) == generation]
        found.setdefault(str(parent.get("controllerName", "")), []).extend(said)
    return found.get(known) or [one for said in found.values() for one in said]


def _parents(look: Look, raw: Json) -> list[Json]:
    """What is said of the route on the Gateway's behalf, by each controller. Nothing any more when that was deleted."""
    wanted, found = ability.gateway(look), (raw.get("status") or {}).get("parents") or []
    refs = [(one, one.get("parentRef", {})) for one in found]
    return [
        one for one, ref in refs
        if (ref.get("namespace", look.namespace), ref.get("name")) == (wanted.namespace, wanted.name)
    ]  # fmt: skip


def _gateway(look: Look) -> str:
    wanted = ability.gateway(look)
    return f"Gateway {wanted.namespace}/{wanted.name}"


# --- the address ---------------------------------------------------------------------------------------------------


def needs_address(look: Look, status: DeploymentStatus) -> bool:
    """Whether the Gateway must be asked where it listens: never known, or known for another path or host."""
    if status.live is None and status.candidate is None:
        return False
    kept = status.claimed
    if kept and not claims.is_for(kept, look.spec.route, look.namespace, look.name):
        return False  # it stays where it was
    host, path = look.spec.route.host, _path(look)
    known = status.address
    known_as = known.startswith("grpc") if look.grpc else known.startswith("http") and known.endswith(path)
    return not known_as or (bool(host) and f"//{host}" not in known)


def _path(look: Look) -> str:
    """The end of the address: a gRPC client's has none."""
    return "" if look.grpc else path_of(look.spec.route, look.namespace, look.name)


def address(look: Look, status: DeploymentStatus) -> str:
    """`http://host:port/path`, where clients find `/v2/models/…`, or `grpc://host:port`; empty while it isn't known."""
    if not needs_address(look, status):
        return status.address
    seen = look.world.answer(ability.gateway(look))
    if not isinstance(seen, GatewaySeen):
        return ""
    listeners = seen.grpc_listeners if look.grpc else seen.listeners
    listener = next((one for one in sorted(listeners) if one[0] in ("HTTP", "HTTPS")), None)
    host = look.spec.route.host or next(iter(seen.addresses), None)
    if listener is None or host is None:
        return ""
    protocol, port = listener
    if look.grpc:
        return f"grpc{'s' if protocol == 'HTTPS' else ''}://{host}:{port}"
    suffix = "" if (protocol, port) in (("HTTP", 80), ("HTTPS", 443)) else f":{port}"
    return f"{protocol.lower()}://{host}{suffix}{_path(look)}"
