"""A pod that answers golden rows otherwise gets no traffic, and what follows from that."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.unit.experiment.test_experiment_way import contender, experiment
from tests.unit.plan.monitor_world import Counting, watched
from tests.unit.plan.rollout_world import Json, PodCounts, rfc3339, spec

from fairlead.api.tasks import RecordTask
from fairlead.manifests import presets
from fairlead.monitor import golden
from fairlead.plan.core import MODEL_VERSION, POD, WORKLOAD
from fairlead.plan.requests import Answer, AskReady, ReadySaid, Request
from fairlead.worker.record import gate as gates

OK = "Ok AsProven: 32 golden rows are answered as when the version was proven"
SKEW = (
    "Skew Skew: golden row 2: output y is 2.2, and was 2 when the version was proven (0.001 of its size is tolerated)"
)
REFUSED = "Unknown Refused: golden row 1 is answered 400"
KEPT = {"digest": "b" * 64, "uri": "s3://fairlead/golden.json", "rows": 32}
STATUS = {"Ok": 200, "Skew": 409, "Unknown": 200}


@dataclass
class Tried(Counting):
    """The world with kubelets, which ask whether a server has started."""

    says: dict[str, str] = field(default_factory=dict)  # type: ignore[assignment]
    """By version or pod, what its recorder says of golden rows; default: that it does not know yet."""
    golden_asked: int = 0
    server_says: Answer | None = None
    """Of itself, while it starts."""
    ready_asked: set[str] = field(default_factory=set)

    def version(self, name: str, phase: str = "Approved", age: float = 0.0, **spec: Any) -> Json:
        made = super().version(name, phase, age, **spec)
        made["status"]["evidence"]["golden"] = dict(KEPT)
        return made

    def of_pod(self, pod: Json) -> str:
        return self.says.get(pod["metadata"]["uid"]) or self.says.get(_version(pod), "")

    def kubelet(self, version: str) -> None:
        """Each server that may start has started, and is ready; its own counters have the golden rows."""
        for pod in self.pods(version):
            if self.of_pod(pod).startswith(("Ok", "Unknown")):
                server = pod["status"]["containerStatuses"][0]
                if not server.get("started"):
                    self.counted.setdefault(pod["metadata"]["uid"], PodCounts()).requests += 32
                server["started"] = True
                pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        for workload in self.select(WORKLOAD, {"fairlead.dev/version": version}):
            ready = sum(one["status"]["conditions"][0]["status"] == "True" for one in self.pods(version))
            workload["status"] |= {"readyReplicas": ready, "updatedReplicas": ready, "replicas": ready}

    def _answer(self, request: Request) -> Answer:
        if isinstance(request, AskReady) and request.url.endswith(golden.PATH):
            self.golden_asked += 1
            assert f":{presets.GOLDEN_PORT}/" in request.url
            pod = next(p for p in self.select(POD) if f"http://{p['status']['podIP']}:" in request.url)
            said = self.of_pod(pod)
            return ReadySaid(STATUS[said.split()[0]], said) if said else ReadySaid(503, "not asked yet")
        if isinstance(request, AskReady):
            self.ready_asked.add(request.url)
            return self.server_says or super()._answer(request)
        return super()._answer(request)


def _version(pod: Json) -> str:
    return str(pod["metadata"]["labels"]["fairlead.dev/version"])


def live(monitors: Json | None = None, says: str = OK, pods: int = 1, **more: Any) -> Tried:
    """m-1 is live; its pods have been asked."""
    sim = Tried(spec(monitors={} if monitors is None else monitors, replicas={"min": pods}, **more), store=True)
    sim.says["m-1"] = says
    sim.version("m-1", age=1000)
    sim.learns("m-1")
    settle(sim, "m-1")
    assert sim.status["live"]["version"] == "m-1"
    return sim


def settle(sim: Tried, version: str) -> None:
    sim.look()
    sim.kubelet(version)
    sim.look()
    sim.look()


def line(sim: Counting) -> tuple[str, str, str]:
    one = next(one for one in sim.monitored["lines"] if one["monitor"] == "skew")
    return one["state"], one["reason"], one["message"]


def server(sim: Counting, version: str = "m-1") -> Json:
    (workload,) = sim.select(WORKLOAD, {"fairlead.dev/version": version})
    return dict(workload["spec"]["template"]["spec"]["containers"][0])


def recorder(sim: Counting, version: str = "m-1") -> tuple[Json, RecordTask]:
    (workload,) = sim.select(WORKLOAD, {"fairlead.dev/version": version})
    found = next(one for one in workload["spec"]["template"]["spec"]["initContainers"] if one["name"] == "recorder")
    env = {one["name"]: one.get("value") for one in found["env"]}
    return found, RecordTask.model_validate_json(env["FAIRLEAD_TASK"])


# --- what pods are told ----------------------------------------------------------------------------------------------


def test_the_start_up_probe_of_the_server_asks_the_recorder() -> None:
    sim = live()
    probe = server(sim)["startupProbe"]
    assert probe["httpGet"] == {"path": "/v2/health/ready", "port": 8094}
    assert probe["failureThreshold"] == 120 + 75, "golden rows have a time of their own"
    plain = server(live(monitors={"without": ["skew"]}))["startupProbe"]
    assert gates.ASKING == plain["timeoutSeconds"] < probe["timeoutSeconds"] - 1, (
        "a server that is slow to say how it is may be as slow"
    )
    assert server(sim)["readinessProbe"]["httpGet"]["port"] == 8090, (
        "nothing asks the recorder of a pod that has started"
    )
    told = recorder(sim)[1].golden
    assert told is not None
    assert told.at is not None
    assert (told.at.uri, told.at.sha256, told.proven) == (KEPT["uri"], KEPT["digest"], True)
    assert (told.server, told.infer, told.ready) == (8080, "/v2/models/m/infer", "/v2/health/ready")


def test_a_mesh_that_writes_probes_anew_hides_no_verdict() -> None:
    sim = live(pods=2)
    other = sim.pods("m-1")[1]
    for pod in sim.pods("m-1"):
        pod["spec"]["containers"][0]["startupProbe"]["httpGet"] = {"path": "/app-health/server/startupz", "port": 15020}
    other["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    del other["status"]["containerStatuses"][0]["started"]
    sim.says[other["metadata"]["uid"]] = SKEW
    sim.look()
    assert line(sim)[0] == "Bad"


def test_rows_of_training_lie_in_the_model() -> None:
    sim = Tried(spec(monitors={}), store=True)
    sim.version("m-1", golden={"file": "golden.jsonl", "tolerance": "1%"})
    sim.look()
    made, task = recorder(sim)
    assert task.golden is not None
    assert (task.golden.file, task.golden.at, task.golden.tolerance) == ("/fairlead/model/golden.jsonl", None, 0.01)
    assert not task.golden.proven
    (mount,) = [one for one in made["volumeMounts"] if one["name"] == "model"]
    assert mount == {"name": "model", "mountPath": "/fairlead/model", "readOnly": True}


def test_rows_that_a_version_names_take_the_place_of_the_evaluations() -> None:
    sim = Tried(spec(monitors={}), store=True)
    sim.version("m-1", golden={"uri": "s3://own/rows.jsonl", "digest": "c" * 64})
    sim.look()
    told = recorder(sim)[1].golden
    assert told is not None
    assert told.at is not None
    assert (told.at.uri, told.at.sha256, told.proven, told.file) == ("s3://own/rows.jsonl", "c" * 64, False, "")


def test_who_does_not_want_it_has_pods_as_before() -> None:
    plain = watched({"without": ["skew"]})
    assert server(plain)["startupProbe"]["httpGet"]["port"] == 8080
    without = Tried(spec(monitors={"without": ["skew"]}, replicas={"min": 1}), store=True)
    without.version("m-1", age=1000)
    without.learns("m-1")
    without.look()
    without.ready("m-1")
    without.look()
    assert server(without) == server(plain)
    assert recorder(without)[1] == recorder(plain)[1]
    assert "skew" not in json.dumps(without.monitored)
    assert "skew" not in json.dumps(without.of(WORKLOAD))


def test_a_version_without_golden_rows_has_pods_as_before() -> None:
    sim = watched()
    assert server(sim)["startupProbe"]["httpGet"]["port"] == 8080
    assert recorder(sim)[1].golden is None


def test_golden_rows_stay_with_a_live_version_whose_object_is_gone() -> None:
    sim = live()
    before = recorder(sim)[1]
    del sim.of(MODEL_VERSION)["m-1"]
    sim.look()
    assert recorder(sim)[1] == before


# --- what is said ----------------------------------------------------------------------------------------------------


def test_pods_that_answered_as_they_should_are_ok() -> None:
    sim = live(pods=2)
    assert line(sim) == ("Ok", "AsProven", "32 golden rows are answered as when the version was proven")
    before = sim.golden_asked
    sim.tick()
    assert sim.golden_asked == before, "what is well is not asked at each look"


UNKNOWN: dict[str, tuple[Json, Json, str]] = {
    "no rows": ({}, {}, "NoGoldenRows"),
    "another protocol": ({}, {"server": {"runtime": "custom", "image": "i:1", "protocol": "openai"}}, "OtherProtocol"),
    "the port is taken": ({}, {"server": {"runtime": "custom", "image": "i:1", "port": 8094}}, "PortTaken"),
    "only gRPC": ({"route": {**spec()["route"], "protocol": "GRPC", "host": "iris.example.com"}}, {}, "OnlyGrpc"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_can_not_be_asked_is_unknown_and_stops_nothing(case: str) -> None:
    more, version, reason = UNKNOWN[case]
    sim = Tried(spec(monitors={}, **more), store=True)
    made = sim.version("m-1", age=1000, **version)
    if case == "no rows":
        del made["status"]["evidence"]["golden"]
        made["status"]["evidence"]["noGolden"] = "the model does not answer the same row alike"
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    state, why, message = line(sim)
    assert (state, why) == ("Unknown", reason)
    assert case != "no rows" or "(the model does not answer the same row alike)" in message
    assert server(sim)["startupProbe"]["httpGet"]["port"] != 8094 or case == "the port is taken"
    assert recorder(sim)[1].golden is None


def test_what_a_pod_could_not_compare_is_said_and_stops_nothing() -> None:
    sim = live(says=REFUSED)
    assert line(sim) == ("Unknown", "Refused", "a pod of m-1 says: golden row 1 is answered 400")
    sim.says["m-1"] = OK
    sim.look()
    assert line(sim)[0] == "Ok"


@pytest.mark.parametrize("said", ["", "Fine", "Skewed Skew: x", "{}", "\x00", "Ok"])
def test_words_that_nobody_knows_are_no_verdict(said: str) -> None:
    sim = live()
    sim.says["m-1"] = said
    sim.unready = ReadySaid(200, said)
    STATUS.setdefault(said.split()[0] if said.split() else "", 200)
    sim.look()
    assert line(sim)[0] == "Ok", "what was known last"


# --- a candidate -----------------------------------------------------------------------------------------------------


def test_a_candidate_that_answers_otherwise_is_refused_before_any_traffic() -> None:
    sim = live()
    sim.says["m-2"] = SKEW
    sim.version("m-2")
    routes = []
    for _ in range(3):
        settle(sim, "m-2")
        routes.append(sim.shares())
    assert "candidate" not in sim.status
    assert all("m-2" not in one for one in routes)
    said = sim.status["history"][0]
    assert (said["version"], said["result"], said["reason"]) == ("m-2", "RolledBack", "Skew")
    assert "golden row 2: output y is 2.2, and was 2 when the version was proven" in said["message"]
    assert "spec.golden.tolerance" in said["message"]
    assert sim.status["refused"] == ["m-2"]
    assert sim.status["live"]["version"] == "m-1"
    assert line(sim)[0] == "Ok", "the live version is as it was"


def test_what_a_new_pod_waits_for_is_said_of_the_server_itself() -> None:
    """Nobody asks the recorder but the kubelet, and about what came of golden rows."""
    sim = live()
    sim.version("m-2")
    sim.look()
    (pod,) = sim.pods("m-2")
    server = pod["status"]["containerStatuses"][0]
    server |= {"state": {"running": {"startedAt": rfc3339(sim.now)}}, "started": False}
    pod["status"]["conditions"] = []
    sim.look()
    assert "nothing answers GET :8080/v2/health/ready yet; it may take 120 s" in sim.status["message"]
    sim.server_says = ReadySaid(200, "")
    sim.look()
    assert sim.status["message"].endswith("the server can answer, and is asked for golden rows")
    assert sim.ready_asked
    assert all(":8080/" in url for url in sim.ready_asked)


def test_the_first_version_of_all_is_refused_too() -> None:
    sim = Tried(spec(monitors={}), store=True)
    sim.says["m-1"] = SKEW
    sim.version("m-1", age=1000)
    settle(sim, "m-1")
    assert "live" not in sim.status
    assert sim.status["history"][0]["reason"] == "Skew"
    assert "go back to ." not in sim.status["history"][0]["message"]


def test_a_pod_of_a_candidate_that_comes_later_ends_it() -> None:
    sim = live()
    sim.says["m-2"] = OK
    sim.version("m-2")
    settle(sim, "m-2")
    assert sim.candidate["weight"] == 10
    pod = sim.pods("m-2")[0]
    pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    del pod["status"]["containerStatuses"][0]["started"]
    sim.says["m-2"] = SKEW
    sim.tick()
    assert sim.status["history"][0]["reason"] == "Skew"
    assert sim.shares() == {"m-1": 100}


def test_what_is_not_known_of_a_candidate_stops_nothing() -> None:
    sim = live()
    sim.says["m-2"] = REFUSED
    sim.version("m-2")
    settle(sim, "m-2")
    assert sim.candidate["weight"] == 10


def test_a_contender_of_an_experiment_that_answers_otherwise_is_out_and_the_others_go_on() -> None:
    sim = Tried(experiment() | {"monitors": {}}, store=True, says={"m-1": OK, "m-2": SKEW, "m-3": OK})
    sim.version("m-1", age=1000)
    settle(sim, "m-1")
    for name in ("m-2", "m-3"):
        sim.version(name)
    sim.look()
    for name in ("m-2", "m-3"):
        settle(sim, name)
    assert (contender(sim, "m-2")["state"], contender(sim, "m-2")["reason"]) == ("Out", "Skew")
    assert contender(sim, "m-3")["state"] == "In"
    assert "m-2" not in sim.shares()


# --- the live version ------------------------------------------------------------------------------------------------


def test_a_new_pod_of_the_live_version_that_differs_takes_nothing_down() -> None:
    sim = live(pods=2)
    one, other = sim.pods("m-1")
    other["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    del other["status"]["containerStatuses"][0]["started"]
    sim.says[other["metadata"]["uid"]] = SKEW
    sim.look()
    state, reason, message = line(sim)
    assert (state, reason) == ("Bad", "Skew")
    assert "golden row 2" in message
    assert "Its other pods go on" in message
    assert sim.status["live"]["version"] == "m-1"
    assert sim.shares() == {"m-1": 100}
    assert sim.condition("Available")["status"] == "True"
    assert sim.events[-1] == "Skew"
    assert sim.pods("m-1") == [one, other]
    sim.says[other["metadata"]["uid"]] = OK
    sim.kubelet("m-1")
    sim.look()
    assert line(sim)[0] == "Ok"


def test_that_the_kubelet_begins_its_server_anew_is_no_crash_of_the_live_version() -> None:
    sim = live(pods=2)
    sim.says["m-2"] = OK
    sim.version("m-2")
    settle(sim, "m-2")
    for _ in range(60):
        sim.tick(100)
        if "candidate" not in sim.status:
            break
    assert sim.status["live"]["version"] == "m-2"
    assert sim.status["watch"]["version"] == "m-2"
    _replace(sim, "m-2")
    new = next(pod for pod in sim.pods("m-2") if pod["metadata"]["uid"].endswith("-new"))
    sim.says[new["metadata"]["uid"]] = SKEW
    for restarts in range(8):
        new["status"]["containerStatuses"][0]["restartCount"] = restarts
        sim.tick(100)
    assert sim.status["live"]["version"] == "m-2"
    assert "wayBack" not in sim.status
    assert line(sim)[:2] == ("Bad", "Skew")


def test_nothing_is_written_while_nothing_changes() -> None:
    sim = live(pods=2)
    other = sim.pods("m-1")[1]
    other["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    del other["status"]["containerStatuses"][0]["started"]
    sim.says[other["metadata"]["uid"]] = SKEW
    sim.look()
    before = json.dumps(sim.status["monitors"]["lines"])
    sim.now += 5
    sim.look()
    assert json.dumps(sim.status["monitors"]["lines"]) == before


# --- they are no traffic ---------------------------------------------------------------------------------------------


def test_golden_rows_of_a_pod_that_comes_during_a_rollout_are_no_evidence() -> None:
    """The server counts for itself, so its counters have them: what was there when the pod began to serve is no
    request."""
    sim = live(pods=2)
    sim.says["m-2"] = OK
    sim.version("m-2")
    settle(sim, "m-2")
    sim.tick(50)
    sim.tick(50)
    before = requests(sim)
    assert before
    _replace(sim, "m-2")
    for _ in range(2):
        sim.tick()
    sim.kubelet("m-2")
    for _ in range(3):
        sim.tick()
    assert requests(sim) == before
    assert sim.candidate["weight"] == 10
    sim.tick(100)
    sim.tick()
    assert before < requests(sim) < before + 32, "10 % of what people ask"


def requests(sim: Tried) -> int:
    """That were counted of the candidate."""
    return int(sim.candidate["guards"][0]["candidate"]["requests"])


def _replace(sim: Tried, version: str) -> None:
    """A version's pod goes, and another one comes, which has counted some golden rows by now."""
    old = sim.pods(version)[0]["metadata"]["uid"]
    pod = sim.of(POD).pop(old)
    sim.now += 1
    new = json.loads(json.dumps(pod))
    new["metadata"] |= {"uid": f"{old}-new", "name": f"{old}-new", "creationTimestamp": rfc3339(sim.now)}
    new["status"] |= {"podIP": "10.9.9.9", "conditions": [{"type": "Ready", "status": "False"}]}
    new["status"]["containerStatuses"][0] |= {"state": {"running": {"startedAt": rfc3339(sim.now)}}}
    del new["status"]["containerStatuses"][0]["started"]
    sim.of(POD)[f"{old}-new"] = new
    sim.counted[f"{old}-new"] = PodCounts(requests=7)
