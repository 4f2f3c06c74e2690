"""How fast a bad version is taken back, and whether a good one ever is, under real traffic through the gateway.

bad         a candidate that fails 20 % of its requests, against a live version that fails 2 %
healthy     a candidate that fails 2 % like the live version, at 10 requests/s
outage      Prometheus is killed while a healthy candidate is on its way
blind       Prometheus is down, the candidate is bad, the steps are short
shadow      candidates that get copies only: half fail 20 % of them, half answer 30 % of them otherwise
after       a version that is live, and turns bad when the pods of the one before it are gone
promotion   candidates that never fail go live under load; no request may be lost
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from hack.bench.lane import Lane, Outcome
from hack.bench.load import Load
from hack.bench.process import SCRATCH, Operator, configuration
from hack.bench.report import keep, quantile, table
from hack.testbed.cluster import Cluster, Team, make_team
from hack.testbed.serving import traffic

LIVE, BAD = 0.02, 0.2
SERIES = 'infer_requests_total{namespace="{{namespace}}",version="{{version}}"'
OUTCOMES = {"metric": "outcomes", "promql": {"total": SERIES + "}", "failures": SERIES + ',code="500"}'}}
ERRORS = {"metric": "errors"}
NO_ERRORS = {"metric": "errors", "off": True}


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    runs: int
    rate: float
    lanes: int


Scenario = Callable[[Team, Options], tuple[list[Outcome], bool]]


def bad(team: Team, options: Options) -> tuple[list[Outcome], bool]:
    """Reaction and harm at 10 % weight."""
    lane = Lane(team, "bad")
    lane.begin(LIVE, steps=[{"weight": 10, "for": "60s", "requests": 1000}], falseAlarms="1%")
    with traffic(team, options.rate, lane.name, lane.name) as load:
        lane.settle(load)
        for _ in range(options.runs):
            _say(lane.rollout(load, BAD))
    found = lane.outcomes
    reactions, failed = [o.reaction for o in found], [o.failed for o in found]
    good = (
        all(o.result == "RolledBack" for o in found) and quantile(reactions, 0.5) <= 4.5
        and max(reactions) <= 10 and quantile(failed, 0.5) <= 12 and not sum(o.lost for o in found)
    )  # fmt: skip
    return found, good


def healthy(team: Team, options: Options) -> tuple[list[Outcome], bool]:
    """False alarms."""
    steps = [{"weight": 10, "for": "30s", "requests": 20}, {"weight": 50, "for": "15s", "requests": 50}]

    def work(lane: Lane, load: Load) -> None:
        _say(lane.rollout(load, LIVE))

    found = _in_lanes(team, options, work, LIVE, steps=steps, falseAlarms="1%")
    return found, all(o.result == "Live" for o in found) and len(found) >= options.runs


def after(team: Team, options: Options) -> tuple[list[Outcome], bool]:
    """What asking the version before costs in time, and in failed requests, when the live one really is worse."""
    lane = Lane(team, "after")
    lane.begin(0.0, steps=[{"weight": 50, "for": "3s", "requests": 100}], falseAlarms="1%")
    with traffic(team, options.rate, lane.name, lane.name) as load:
        lane.settle(load)
        for _ in range(options.runs):
            _say(lane.after_promotion(load, BAD))
    return lane.outcomes, all(o.result == "RolledBack" and not o.lost for o in lane.outcomes)


def promotion(team: Team, options: Options) -> tuple[list[Outcome], bool]:
    """Requests that route edits, promotion and drain lose: counted at the client."""
    lane = Lane(team, "promotion")
    lane.begin(0.0, steps=[{"weight": 10, "for": "3s", "requests": 20}, {"weight": 50, "for": "3s", "requests": 50}])
    with traffic(team, options.rate, lane.name, lane.name) as load:
        lane.settle(load)
        for _ in range(options.runs):
            _say(lane.rollout(load, 0.0))
        time.sleep(20)  # the last version's pods drain under load too
    wrong = [answer for answer in load.answers if answer.code != 200]
    print(f"{len(load.answers)} requests, {len(wrong)} failed")
    began = {version: min(a.sent for a in load.answers if a.version == version) for version in load.by_version()}
    for answer in wrong:
        print(
            f"  {answer.version or answer.error or 'nobody'}: {answer.code} after {answer.seconds:.3f} s, sent "
            f"{answer.sent - began[answer.version]:.2f} s after that version's first request; {answer.body[:200]!r}"
        )
    return lane.outcomes, not wrong and all(o.result == "Live" for o in lane.outcomes)


def shadow(team: Team, options: Options) -> tuple[list[Outcome], bool]:
    """Reaction before any user has got an answer: from the step's beginning, as the status has it, to the end."""
    lane = Lane(team, "shadow")
    steps = [{"shadow": "100%", "for": "60s", "requests": 1000}, {"weight": 10}]
    guards = [ERRORS, {"metric": "disagreement", "worseBy": "5%"}]
    lane.begin(LIVE, steps=steps, guard=guards, falseAlarms="1%", more={"record": {"output": {"type": "number"}}})
    with traffic(team, options.rate, lane.name, lane.name) as load:
        lane.settle(load)
        for index in range(options.runs):
            bad = {"errorRate": BAD} if index % 2 == 0 else {"errorRate": LIVE, "wrongRate": 0.3}
            _say(lane.shadowed(load, **bad))
    found = lane.outcomes
    reactions = [o.reaction for o in found]
    good = all(o.result == "RolledBack" and not o.hits for o in found) and quantile(reactions, 0.5) <= 4.0
    return found, good


def outage(team: Team, options: Options) -> tuple[list[Outcome], bool]:
    """Prometheus goes for 15 s while a healthy candidate has traffic, and one guard needs it."""
    lane = Lane(team, "outage")
    steps = [{"weight": 10, "for": "5s", "requests": 20}, {"weight": 50, "for": "5s", "requests": 20}]
    lane.begin(LIVE, steps=steps, guard=[ERRORS, OUTCOMES], falseAlarms="1%")

    def strike(version: str) -> None:
        with without_prometheus(team):
            time.sleep(15)
            state = (team.get("deployment", lane.name) or {}).get("status", {}).get("candidate", {})
            print(f"  {version} meanwhile: weight {state.get('weight')}, verdict {state.get('verdict')}")

    with traffic(team, options.rate, lane.name, lane.name) as load:
        lane.settle(load)
        for _ in range(options.runs):
            _say(lane.rollout(load, LIVE, strike))
    return lane.outcomes, all(o.result == "Live" for o in lane.outcomes)


def blind(team: Team, options: Options) -> tuple[list[Outcome], bool]:
    """Half of the runs with the errors guard too, half with nothing but Prometheus to see by."""
    lane = Lane(team, "blind")
    steps = [{"weight": 10, "for": "5s", "requests": 10}, {"weight": 50, "for": "5s", "requests": 10}]
    lane.begin(LIVE, steps=steps, falseAlarms="1%")
    with traffic(team, options.rate, lane.name, lane.name) as load, without_prometheus(team):
        lane.settle(load)
        for index in range(options.runs):
            only_prometheus = index % 2 == 1
            lane.configure(
                steps=steps, falseAlarms="1%", guard=[OUTCOMES, NO_ERRORS] if only_prometheus else [ERRORS, OUTCOMES]
            )  # fmt: skip
            _say(_frozen(lane, load) if only_prometheus else lane.rollout(load, BAD))
    found = lane.outcomes
    good = all(o.result in ("RolledBack", "Frozen", "Superseded") for o in found)
    return found, good and not any(o.result == "Live" for o in found)


def _frozen(lane: Lane, load: Load) -> Outcome:
    """A bad candidate that only Prometheus could judge: after 40 s (four times its steps) it must still be where it
    was. It is then taken away by hand."""
    first = len(load.answers)
    version = lane.next_version(BAD)
    lane.team.wait(
        "deployment", lane.name, lambda o: (o["status"].get("candidate") or {}).get("weight", 0) > 0, 120, "sending"
    )
    time.sleep(40)
    status = (lane.team.get("deployment", lane.name) or {}).get("status", {})
    mine = [answer for answer in load.answers[first:] if answer.version == version]
    live, weight = status["live"]["version"], (status.get("candidate") or {}).get("weight")
    found = Outcome(
        version, "Live" if live == version else "Frozen" if weight == 10 else "Advanced", "NoEvidence",
        hits=len(mine), failed=sum(a.code != 200 for a in mine), message=f"weight {weight} after 40 s",
    )  # fmt: skip
    lane.outcomes.append(found)
    lane.team.cluster.delete("modelversion", version, lane.team.namespace)
    lane.team.wait("deployment", lane.name, lambda o: "candidate" not in o["status"], 60, "alone again")
    return found


@contextmanager
def own_operator(namespace: str) -> Iterator[None]:
    """An operator for this namespace alone, with a lease of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    operator = Operator(configuration([namespace]), namespace, lease=namespace, port=port)
    operator.start()
    try:
        while not operator.ready():
            if not operator.alive():
                raise RuntimeError(f"the operator ended; see {SCRATCH / namespace}.log")
            time.sleep(0.5)
        yield
    finally:
        operator.kill(signal.SIGTERM)


@contextmanager
def without_prometheus(team: Team) -> Iterator[None]:
    """Prometheus is killed and stays away while the block runs."""
    name = str(team.cluster.list("prometheus", "monitoring")[0]["metadata"]["name"])
    _prometheus(team, name, 0)
    try:
        for pod in team.cluster.list("pod", "monitoring", "app.kubernetes.io/name=prometheus"):
            team.cluster.resource("pod").delete(
                name=pod["metadata"]["name"], namespace="monitoring", body={"gracePeriodSeconds": 0}
            )
        yield
    finally:
        _prometheus(team, name, 1)
        team.cluster.wait(
            "prometheus", name, "monitoring", lambda o: o["status"].get("availableReplicas", 0) == 1, 180, "back"
        )


def _prometheus(team: Team, name: str, replicas: int) -> None:
    team.cluster.apply({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
        "metadata": {"name": name, "namespace": "monitoring"}, "spec": {"replicas": replicas},
    })  # fmt: skip


def _in_lanes(
    team: Team, options: Options, work: Callable[[Lane, Load], None], error_rate: float, **rollout: Any
) -> list[Outcome]:
    """`runs` rollouts, divided over lanes at a time."""
    lanes = [Lane(team, f"lane{index}") for index in range(options.lanes)]
    left = iter(range(options.runs))
    lock = threading.Lock()

    def drive(lane: Lane, load: Load) -> None:
        lane.settle(load)
        while True:
            with lock:
                if next(left, None) is None:
                    return
            work(lane, load)

    with ExitStack() as stack:
        for lane in lanes:
            lane.begin(error_rate, **rollout)
        loads = [stack.enter_context(traffic(team, options.rate, lane.name, lane.name)) for lane in lanes]
        threads = [threading.Thread(target=drive, args=pair) for pair in zip(lanes, loads, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [outcome for lane in lanes for outcome in lane.outcomes]


def _say(outcome: Outcome) -> None:
    print(
        f"{outcome.version}: {outcome.result} {outcome.reason}, {outcome.reaction:.1f} s ({outcome.verdict:.1f} to the "
        f"verdict, {outcome.effect:.1f} to its effect), {outcome.hits} requests, "
        f"{outcome.failed} failed, {outcome.windows} windows, lost {outcome.lost_codes or 0}", flush=True,
    )  # fmt: skip


def report(scenario: str, options: Options, found: list[Outcome], good: bool) -> None:
    """One row of what was seen."""
    reactions, failed = [o.reaction for o in found], [float(o.failed) for o in found]
    results = {result: sum(o.result == result for o in found) for result in sorted({o.result for o in found})}
    row = [
        scenario, options.rate, len(found), ", ".join(f"{n} {result}" for result, n in results.items()),
        _spread(reactions), _spread([float(o.hits) for o in found]), _spread(failed),
        _spread([o.start for o in found]), sum(o.lost for o in found), "met" if good else "MISSED",
    ]  # fmt: skip
    head = ["scenario", "requests/s", "runs", "results", "reaction s (min/med/max)", "candidate's requests",
            "failed ones", "start s", "lost", "target"]  # fmt: skip
    table(f"rollback {scenario}", [row], head)
    keep(f"rollback-{scenario}", {"options": vars(options), "runs": [o.row() for o in found], "met": good})


def _spread(values: list[float]) -> str:
    return f"{min(values):.3g} / {quantile(values, 0.5):.3g} / {max(values):.3g}" if values else "-"


SCENARIOS: dict[str, tuple[Scenario, Options]] = {
    "bad": (bad, Options(10, 100, 1)),
    "healthy": (healthy, Options(20, 10, 5)),
    "outage": (outage, Options(5, 50, 1)),
    "blind": (blind, Options(6, 50, 1)),
    "shadow": (shadow, Options(10, 100, 1)),
    "after": (after, Options(5, 100, 1)),
    "promotion": (promotion, Options(20, 100, 1)),
}


def main(arguments: list[str]) -> int:
    """Run the scenarios and print a table of each."""
    parser = argparse.ArgumentParser(
        prog="rollback", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", nargs="*", help=f"any of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--runs", type=int, help="rollouts; default by scenario")
    parser.add_argument("--rate", type=float, help="requests/s of a lane; default by scenario")
    parser.add_argument("--lanes", type=int, help="Deployments at a time (healthy only)")
    parser.add_argument(
        "--own-operator", action="store_true",
        help="judge by an operator process of this machine instead of the installed one (for an installation that "
        "watches other namespaces)",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if unknown := set(given.scenario) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is taken away
    cluster = Cluster()
    met = True
    for scenario in given.scenario or SCENARIOS:
        run, default = SCENARIOS[scenario]
        options = Options(given.runs or default.runs, given.rate or default.rate, given.lanes or default.lanes)
        team = make_team(cluster, f"fl-bench-{scenario}-{uuid.uuid4().hex[:6]}")
        try:
            with own_operator(team.namespace) if given.own_operator else nullcontext():
                found, good = run(team, options)
        finally:
            cluster.dynamic.resources.get(api_version="v1", kind="Namespace").delete(name=team.namespace)
        report(scenario, options, found, good)
        met &= good
    return 0 if met else 1
