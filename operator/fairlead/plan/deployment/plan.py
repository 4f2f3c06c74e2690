"""Deployment: which version answers, who comes next, and whether that one may stay.

The order of one look: heed what people decided, let drained versions go, watch what is live, go back if it must be,
choose, go on with the rollout and the experiment, tell people, and say which objects follow from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fairlead.api.deployment import Deployment
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.kinds import KINDS
from fairlead.plan import accounts
from fairlead.plan.core import (
    AUTOSCALER,
    DATASET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    GRPC_ROUTE,
    HTTP_ROUTE,
    JOB,
    LABEL_PREFIX,
    MODEL_VERSION,
    POD,
    POD_MONITOR,
    PROMETHEUS_RULE,
    REPLICA_SET,
    SERVICE,
    WORKLOAD,
    Invalid,
    Json,
    KindSpec,
    Plan,
    Subject,
    World,
    epoch,
)
from fairlead.plan.deployment import (
    alerting,
    children,
    choosing,
    claims,
    frame,
    gauges,
    override,
    phase,
    pins,
    report,
    requirements,
    smaller,
    versions,
)
from fairlead.plan.deployment.context import RETRY, Look, State, look_at
from fairlead.plan.deployment.evidence import answers, inputs, ledger, memory, signals
from fairlead.plan.deployment.experiment import machine
from fairlead.plan.deployment.metrics import joining, labeljobs, labels, registry
from fairlead.plan.deployment.monitors import book as monitorbook
from fairlead.plan.deployment.monitors import explaining
from fairlead.plan.deployment.monitors import labels as observing
from fairlead.plan.deployment.monitors import period as monitors
from fairlead.plan.deployment.rollback import afterwards, asking, confirming, wayback
from fairlead.plan.deployment.rollout import firstlook, gathering, lines, patience, progress
from fairlead.plan.deployment.serving import (
    ability,
    draining,
    endpoints,
    gpus,
    place,
    running,
    scaling,
    starting,
    stored,
)
from fairlead.plan.deployment.watch import period as watch
from fairlead.plan.deployment.watch import windows as watching
from fairlead.plan.model import usage
from fairlead.plan.requests import Request

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
STARTING = 5.0
"""Seconds between looks while pods start: some of their troubles are announced by no event."""
WARMING = 2.0
SAVING, UNSAVED = 0.5, 10.0
"""Seconds between looks while the end of a ledger is saved, and while the store does not take it."""
ADDRESS = 300.0
"""A Gateway without an address is asked again so rarely: when it takes the route, an event tells."""


def observe(subject: Subject[Deployment], world: World, now: float) -> Iterable[Request]:
    """Counters, warm-ups and queries of a running rollout; nothing else costs anything."""
    look, status = _look(subject, world, now), subject.body.status
    first = memory.unread(look)
    if first:
        return [first, *choosing.requests(look)]
    found: list[Request] = []
    if report.needs_address(look, status) or ability.due(look):
        found.append(ability.gateway(look))
    found += alerting.requests(look, status)
    if status.candidate:
        found += gathering.requests(look, status.candidate)
        found += answers.requests(look, status.candidate)
        found += inputs.requests(look, status.candidate)
    if status.way_back:
        found += wayback.requests(look, status)
    elif status.watch:
        found += [*watching.requests(look, status.watch), *asking.requests(look, status)]
    found += [*monitors.requests(look, status), *explaining.requests(look, status)]
    found += running.requests(look, status, children.serving(status))
    found += starting.requests(look, status)
    found += [*machine.requests(look), *labeljobs.requests(look, status), *choosing.requests(look)]
    return [*found, *stored.requests(look, status), *ledger.requests(look, status),
            *memory.requests(look, status)]  # fmt: skip


def _look(subject: Subject[Deployment], world: World, now: float) -> Look:
    return look_at(subject, world, now, registry.timed(subject.body.spec.rollout.guards))


def plan(subject: Subject[Deployment], world: World, now: float) -> Plan:
    """What should be. Raises Invalid for a name that can't be a Service's."""
    if not _NAME.fullmatch(subject.meta.name):
        raise Invalid("metadata.name", "must be at most 63 lower-case letters, digits and dashes, and begin with a "
                      "letter: Services are named after it")  # fmt: skip
    look = _look(subject, world, now)
    recalled = memory.recall(look)
    if recalled:
        return recalled
    state = draining.retry(State(subject.body.status), subject.meta.annotations.get(RETRY, ""))
    state = memory.settled(look, ledger.settled(look, draining.tidy(look, state)))
    state = monitorbook.settled(look, state)
    state, misplaced = place.claim(look, state)
    state = firstlook.heed(look, stored.heed(look, state))
    state, unseen, doubt = afterwards.go_on(look, override.heed(look, state))
    state, stuck = wayback.go_on(look, state)
    state, watched = monitors.go_on(look, state)
    state, asked = confirming.go_on(look, state)
    choice = versions.choose(look, state.status)
    state, problem = progress.choose(look, state, choice), None
    if state.candidate and asking.holds(state.status):
        state = patience.told(look, state, held=True)
    elif state.candidate:
        state, problem = progress.go_on(look, state)
        # what has just been taken back, or gone live, is not a choice any more
        choice = versions.choose(look, state.status) if state.candidate is None else choice
    if state.candidate:
        state = state.having(candidate=lines.recorded(look, state.candidate))
    state, trial = machine.go_on(look, state, choice)
    state = scaling.go_on(look, state)
    state = memory.noted(look, pins.kept(look, labels.tidied(state)))
    status = report.tell(look, state, choice, problem, unseen, stuck, trial, misplaced, doubt, watched, asked)
    wanted = frame.wanted(look, status)
    events = [*state.events, *scaling.set_back(look, wanted)]
    return Plan(
        status=status,
        apply=wanted,
        create=[
            *labeljobs.wanted(look, status),
            *observing.wanted(look, status),
            *explaining.wanted(look, status),
        ],
        delete=[
            *children.unwanted(look, status),
            *labeljobs.unwanted(look, status),
            *observing.unwanted(look, status),
            *explaining.unwanted(look, status),
        ],
        events=events,
        requeue_after=_next(look, status),
        steady=not events and frame.steady(subject.body.status, status),
    )


def _next(look: Look, status: DeploymentStatus) -> float | None:
    """When something is due that no event announces; None in steady state."""
    times = [*(epoch(one.until) - look.now for one in status.retiring), *labeljobs.due(look, status)]
    if report.needs_address(look, status):
        times.append(ADDRESS)
    again = ability.asks_again(look, status)
    if again is not None:
        times.append(again)
    if (alerts := alerting.asks_again(look, status)) is not None:
        times.append(alerts)
    if requirements.waits(status):
        times.append(requirements.AGAIN)
    if running.waits(look, children.serving(status)):
        times.append(accounts.AGAIN)
    if status.unsaved:
        times.append(SAVING if not any(book.failing for book in status.unsaved) else UNSAVED)
    unsaved = memory.next_try(look, status)
    if unsaved is not None:
        times.append(unsaved)
    if stored.requests(look, status):
        times.append(stored.LATE)
    if (monitored := monitors.next_look(look, status)) is not None:
        times.append(monitored)
    if (open_until := confirming.next_look(look, status)) is not None:
        times.append(open_until)
    if status.unasked:
        times.append(epoch(status.unasked.until) - look.now)
    if (kept := scaling.next_look(look, status)) is not None:
        times.append(kept)
    if status.way_back:
        times.append(wayback.SOON)
    elif status.watch:
        times.append(watch.next_look(look, status.watch))
        times += [] if (soon := asking.next_look(look, status.watch)) is None else [soon]
    if phase.running(status):
        times.append(machine.next_look(look, status))
    candidate = status.candidate
    if candidate:
        if (over := patience.ends(look, candidate)) is not None:
            times.append(over - look.now)
        if candidate.step >= 0:
            times.append(signals.next_window(look, candidate.last_window_at))
        elif signals.is_warm(look, candidate):
            times.append(look.window)
        else:
            waiting = gpus.waits(candidate) and look.now < epoch(candidate.since) + STARTING
            times.append(gpus.SETTLE if waiting else WARMING if signals.warm_ups(look, candidate) else STARTING)
    return max(0.0, min(times)) + 0.001 if times else None


# --- who wakes it --------------------------------------------------------------------------------------------------


def of_pod(pod: Json, _all: Iterable[Json]) -> Iterable[str]:
    """Serving pods belong to a ReplicaSet, but are labelled with the Deployment's name; so are those of joins
    and explanations."""
    own = pod["metadata"].get("labels") or {}
    jobs = (own.get(label) for label in (joining.LABEL, observing.LABEL, explaining.LABEL))
    name = own.get(f"{LABEL_PREFIX}deployment") or next(filter(None, jobs), None)
    return [name] if name else []


def of_set(made: Json, _all: Iterable[Json]) -> Iterable[str]:
    """ReplicaSets have the labels of their pods, and EndpointSlices those of their Service."""
    name = (made["metadata"].get("labels") or {}).get(f"{LABEL_PREFIX}deployment")
    return [name] if name else []


def _of_set(made: Json) -> object:
    """How many pods it has is seen by the pods."""
    return made["metadata"].get("ownerReferences"), made["spec"].get("template")


def of_version(version: Json, deployments: Iterable[Json]) -> Iterable[str]:
    """Deployments that name a version, its model, or have it live, on its way, or as the way back."""
    name, model = version["metadata"]["name"], version["spec"].get("model")
    for deployment in deployments:
        wanted, status = deployment["spec"].get("model") or {}, deployment.get("status") or {}
        mine = {(status.get(key) or {}).get("version") for key in ("live", "candidate", "wayBack")}
        mine |= set((deployment["spec"].get("experiment") or {}).get("versions") or [])
        mine |= {arm["version"] for arm in (status.get("experiment") or {}).get("arms") or []}
        mine |= {status.get("previous"), (status.get("watch") or {}).get("against")}
        if wanted.get("version") == name or wanted.get("name") == model or name in mine:
            yield deployment["metadata"]["name"]


SPEC: KindSpec[Deployment] = KindSpec(
    kind=DEPLOYMENT,
    info=next(info for info in KINDS if info.model is Deployment),
    plan=plan,
    observe=observe,
    children=(WORKLOAD, SERVICE, JOB, HTTP_ROUTE, GRPC_ROUTE, PROMETHEUS_RULE, POD_MONITOR, AUTOSCALER),
    mappers={
        MODEL_VERSION: of_version,
        POD: of_pod,
        REPLICA_SET: of_set,
        ENDPOINT_SLICE: of_set,
        DATASET: labeljobs.of_dataset,
    },
    heeds={REPLICA_SET: _of_set, ENDPOINT_SLICE: endpoints.heeded, MODEL_VERSION: usage.besides},
    smaller=smaller.forms,
    optional=frozenset({HTTP_ROUTE, GRPC_ROUTE, PROMETHEUS_RULE, POD_MONITOR, ENDPOINT_SLICE, AUTOSCALER}),
    claims=claims.of,
    meet=claims.meet,
    index=usage.index,
    gauges=gauges.of,
)
