"""Whatever happens in whatever order, these hold: see `Rollouts.holds`."""

from __future__ import annotations

import copy
import json

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.plan.rollout_world import OUTCOMES, Sim, dump, spec

from fairlead.cli.replay import replay
from fairlead.manifests.route import services
from fairlead.plan.core import HTTP_ROUTE, MODEL_VERSION, SERVICE, WORKLOAD, rfc3339

GUARDS = [{"metric": "errors"}, OUTCOMES]
LOADS = st.integers(0, 80)


class Rollouts(RuleBasedStateMachine):
    """Versions come and go, pods come and go, sources fail, the operator dies; traffic flows."""

    @initialize(
        outcomes=st.booleans(), seed=st.integers(0, 1000), holdback=st.sampled_from(["0%", "10%"]),
        promoted=st.booleans(),
    )  # fmt: skip
    def begin(self, outcomes: bool, seed: int, holdback: str, promoted: bool) -> None:
        guards = GUARDS if outcomes else GUARDS[:1]
        rollout = {"afterPromotion": {"holdback": holdback}}
        self.sim = Sim(spec(*guards, steps=[(10, "2s", 5), (50, "2s", 10)], rollout=rollout), seed=seed)
        self.bad: set[str] = set()
        self.turned: set[str] = set()
        self.number = 1
        self.sim.go_live()
        self.sim.traffic(150)
        if promoted:
            self.number = 2
            self.sim.begin("m-2")
            self.sim.run(40, 80)
            self.sim.tick(seconds=20)
        self.known = copy.deepcopy(self.sim.status)

    # --- what may happen -------------------------------------------------------------------------------------

    @rule(bad=st.booleans())
    def new_version(self, bad: bool) -> None:
        if self.number >= 6:
            return
        self.number += 1
        name = f"m-{self.number}"
        self.sim.now += 1
        self.sim.version(name)
        if bad:
            self.bad.add(name)
            self.sim.errors[name] = 0.9
        self.look()
        self.sim.ready(name)
        self.look()

    @rule(requests=LOADS, seconds=st.sampled_from([0.3, 1.0, 1.0, 1.0, 4.0, 30.0]))
    def time_passes(self, requests: int, seconds: float) -> None:
        self.sim.traffic(requests)
        self.sim.now += seconds
        self.look()

    @rule(requests=st.integers(40, 80))
    def busy(self, requests: int) -> None:
        for _ in range(5):
            self.time_passes(requests, 1.0)

    @rule()
    def the_live_one_turns_bad(self) -> None:
        live = self.sim.status["live"]["version"]
        self.turned.add(live)
        self.sim.errors[live] = 0.9
        for _ in range(4):
            self.time_passes(80, 10.0)

    @rule(action=st.sampled_from(["Rollback", "Promote"]))
    def a_person_decides(self, action: str) -> None:
        status = self.sim.status
        version = status.get("previous") if action == "Rollback" else status.get("candidate", {}).get("version")
        if version:
            at = rfc3339(self.sim.now)
            self.sim.spec["override"] = {"action": action, "version": version, "reason": "so it is", "at": at}
            self.look()

    @rule(down=st.booleans())
    def prometheus(self, down: bool) -> None:
        self.sim.prometheus_down = down
        self.look()

    @rule(which=st.sampled_from(["live", "candidate"]), down=st.booleans())
    def scrapes(self, which: str, down: bool) -> None:
        version = self.sim.status.get(which, {}).get("version")
        if version and down:
            self.sim.unreadable.add(version)
        else:
            self.sim.unreadable.clear()
        self.look()

    @rule(which=st.sampled_from(["live", "candidate", "wayBack", "wayBack"]), ready=st.booleans())
    def pods(self, which: str, ready: bool) -> None:
        version = self.sim.status.get(which, {}).get("version")
        if version:
            self.sim.ready(version, ready)
            self.look()

    @rule(which=st.sampled_from(["live", "candidate"]))
    def restart(self, which: str) -> None:
        version = self.sim.status.get(which, {}).get("version")
        if version:
            self.look()  # what was counted before is read, as far as it can be
            self.sim.restart(version)
            self.look()

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.sim.spec["paused"] = paused
        self.look()

    @rule()
    def delete_candidate(self) -> None:
        version = self.sim.status.get("candidate", {}).get("version")
        if version:
            del self.sim.of(MODEL_VERSION)[version]
            self.look()

    @rule(which=st.sampled_from(["live", "candidate", "previous"]), phase=st.sampled_from(["Pending", "Approved"]))
    def made_again_with_other_bytes(self, which: str, phase: str) -> None:
        found = self.sim.status.get(which, {})
        version = found if isinstance(found, str) else found.get("version")
        if version:
            self.sim.now += 1
            artifact = {"uri": f"s3://elsewhere/{version}-{self.sim.now:.0f}", "sha256": "e" * 64}
            again = self.sim.version(version, phase=phase, artifact=artifact)
            again["metadata"]["uid"] = f"uid-{version}-{self.sim.now:.0f}"
            self.look()

    @rule(writes=st.integers(0, 2))
    def dies_between_writes(self, writes: int) -> None:
        """The operator dies after the status was written, and after some of the children."""
        found = self.sim.plan()
        self.sim.status = dump(found.status)
        for wanted in found.apply[:writes]:
            self.sim._apply(copy.deepcopy(wanted))
        self.look()

    def look(self) -> None:
        self.sim.look(passes=10)

    # --- what must hold --------------------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "sim"):
            return
        status = self.sim.status
        self._weights(status)
        self._nothing_promoted_blindly(status)
        self._harm_is_out_of_the_route(status)
        self._evidence_is_of_real_requests(status)
        self._nothing_is_written_twice()
        self._pods_are_of_the_bytes_that_were_chosen(status)
        self.known = copy.deepcopy(status)

    def _weights(self, status: dict) -> None:
        shares = self.sim.shares()
        assert sum(shares.values()) == 100
        assert all(weight > 0 for weight in shares.values())
        assert set(shares) <= {status["live"]["version"], status.get("candidate", {}).get("version"), held_back(status)}

    def _nothing_promoted_blindly(self, status: dict) -> None:
        before = self.known["live"]["version"]
        if status["live"]["version"] == before:
            return
        gone = next((r for r in status["history"] if r["version"] == before and r["result"] == "RolledBack"), None)
        if gone:
            assert gone["against"] == status["live"]["version"]
            assert gone["reason"].endswith("AfterPromotion") or gone["reason"] == "Forced"
            assert before in status["refused"]
            assert all(p["status"]["conditions"][0]["status"] == "True" for p in self.sim.pods(gone["against"]))
            return
        record = next(r for r in status["history"] if r["version"] == status["live"]["version"])
        assert record["result"] == "Live"
        assert record["against"] == before
        if record["reason"] == "Forced":
            return
        assert record["candidate"]["requests"] >= 10
        assert all(guard["state"] == "Watching" for guard in record["guards"])
        assert not [g for g in record["guards"] if g["guard"].endswith("outcomes") and g["candidate"]["requests"] < 10]
        equal = before in self.turned | self.bad  # no worse than a live version that fails as often
        assert status["live"]["version"] not in self.bad or record["candidate"]["requests"] < 15 or equal

    def _harm_is_out_of_the_route(self, status: dict) -> None:
        route = self.sim.get(HTTP_ROUTE, "web")
        assert route
        labels = {
            s["metadata"]["name"]: s["metadata"]["labels"]["fairlead.dev/version"] for s in self.sim.select(SERVICE)
        }
        named = {labels[service] for service in services(route)}
        current = {status["live"]["version"], status.get("candidate", {}).get("version"), held_back(status)}
        assert named <= current | {status.get("wayBack", {}).get("version")}
        for guard in status.get("candidate", {}).get("guards", []):
            assert guard["state"] != "Harm"

    def _pods_are_of_the_bytes_that_were_chosen(self, status: dict) -> None:
        live = status["live"]["version"]
        records = {one["name"]: one["record"] for one in status["versions"] if one["record"]}
        assert live in records
        for workload in self.sim.select(WORKLOAD):
            name = workload["metadata"]["labels"]["fairlead.dev/version"]
            if name in records:
                assert json.loads(records[name])["spec"]["artifact"]["uri"] in str(workload["spec"]["template"])

    def _evidence_is_of_real_requests(self, status: dict) -> None:
        candidate = status.get("candidate")
        if not candidate:
            return
        assert candidate["answered"]["requests"] <= self.sim.served.get(candidate["version"], 0)
        book = candidate["ledger"]
        if book["dropped"]:
            return
        again = replay(book["lines"])  # all windows are still there
        assert again.different == []
        states = again.judged[-1].state.guards if again.judged else ()
        for guard, state in zip(candidate["guards"], states, strict=False):
            if guard["odds"]:
                assert guard["candidate"] == {
                    "requests": state.candidate.requests,
                    "failures": state.candidate.failures,
                }

    def _nothing_is_written_twice(self) -> None:
        found = self.sim.plan()
        assert dump(found.status) == self.sim.status
        assert found.delete == []
        for wanted in found.apply:
            if wanted["kind"] in ("Service", "HTTPRoute"):
                kind = SERVICE if wanted["kind"] == "Service" else HTTP_ROUTE
                assert self.sim.of(kind)[wanted["metadata"]["name"]]["spec"] == wanted["spec"]
        kept = {self.sim.status["live"]["version"], self.sim.status.get("candidate", {}).get("version")}
        kept |= {one["version"] for one in self.sim.status["retiring"]}
        kept |= {held_back(self.sim.status), self.sim.status.get("wayBack", {}).get("version")}
        assert {w["metadata"]["labels"]["fairlead.dev/version"] for w in self.sim.select(WORKLOAD)} <= kept


def held_back(status: dict) -> str | None:
    """The version that keeps a share after the promotion."""
    watch = status.get("watch", {})
    return watch["against"] if watch.get("holdback") else None


Rollouts.TestCase.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
test_rollouts = Rollouts.TestCase
