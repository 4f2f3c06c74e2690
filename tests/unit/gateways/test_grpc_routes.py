"""gRPC: a route of its own kind, the server's other port, and the counters that see its requests."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.api.config import Images, OperatorConfig
from fairlead.api.deployment import Route
from fairlead.api.server import Server
from fairlead.api.tasks import FetchTask
from fairlead.manifests import presets, route, server
from fairlead.manifests.recorder import Recording
from fairlead.manifests.route import Backend, Copy, Traffic
from fairlead.plan.core import GRPC_ROUTE, HTTP_ROUTE, SERVICE, WORKLOAD

GATEWAY = {"gateway": {"name": "public", "namespace": "infra"}}
GRPC = {"route": {**GATEWAY, "protocol": "GRPC", "host": "iris.example.com"}}
OLD, NEW = Backend("a", "svc-a", 8081), Backend("b", "svc-b", 8081)


def answering(backend: Backend, weight: int) -> dict[str, Any]:
    header = {"set": [{"name": "x-fairlead-model", "value": backend.version}]}
    return {
        "kind": "Service", "name": backend.service, "port": 8081, "weight": weight,
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": header}],
    }  # fmt: skip


def asked(backend: Backend) -> dict[str, Any]:
    match = {"headers": [{"type": "Exact", "name": "x-fairlead-version", "value": backend.version}]}
    return {"matches": [match], "backendRefs": [answering(backend, 1)]}


def test_the_route_is_the_http_one_without_a_path() -> None:
    where = Route.model_validate(GRPC["route"])
    traffic = Traffic([OLD, NEW], [(OLD, 90), (NEW, 10)])
    made = route.grpc_route("iris", "team", {"uid": "u"}, {"l": "v"}, where, traffic)
    assert made == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GRPCRoute",
        "metadata": {"name": "iris", "namespace": "team", "labels": {"l": "v"}, "ownerReferences": [{"uid": "u"}]},
        "spec": {
            "parentRefs": [{
                "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "infra",
            }],
            "rules": [{"backendRefs": [answering(OLD, 90), answering(NEW, 10)]}, asked(OLD), asked(NEW)],
            "hostnames": ["iris.example.com"],
        },
    }  # fmt: skip
    assert route.weights(made) == {"svc-a": 90, "svc-b": 10}
    again = route.grpc_route("iris", "team", {}, {}, where, Traffic([NEW], [(NEW, 100)]), made)
    assert route.weights(again) == {"svc-b": 100}
    copied = Traffic([OLD, NEW], [(OLD, 100)], Copy(NEW, "25%"))
    mirrored = route.grpc_route("iris", "team", {}, {}, where, copied, made)["spec"]["rules"]
    assert mirrored[0]["filters"][0]["requestMirror"]["backendRef"]["name"] == "svc-b"
    assert "filters" not in mirrored[1]


def serving(recorded: bool) -> server.Serving:
    kept = Recording(
        deployment="iris", version="m-1", parts=256, every=60, inputs=False, path=None, store=None, credentials=None,
        copies="iris-copies", grpc=True,
    )  # fmt: skip
    return server.Serving(
        name="iris-m-1", namespace="team", owner={}, labels={}, selector={}, server=Server(runtime="sklearn"),
        model_name="iris", replicas=1, fetch=FetchTask(items=[]), credentials=(), worker_image="worker:1",
        recording=kept if recorded else None, grpc=True,
    )  # fmt: skip


@pytest.mark.parametrize(("recorded", "container", "port"), [(False, "server", 8081), (True, "proxy", 8093)])
def test_the_service_leads_to_the_server_s_port_or_the_proxy_s(recorded: bool, container: str, port: int) -> None:
    config = OperatorConfig(images=Images(worker="worker:1", proxy="proxy:1", runtimes={"sklearn": "sklearn:1"}))
    pod = server.workload(serving(recorded), config)["spec"]["template"]["spec"]
    offered = {
        (one["name"], ports["containerPort"])
        for one in [*pod["containers"], *pod["initContainers"]]
        for ports in one.get("ports", [])
        if ports["name"] == "grpc"
    }
    assert offered == {(container, port)}
    assert {"name": "GRPC_PORT", "value": "8081"} in pod["containers"][0]["env"]
    ports = {one["name"]: one for one in server.service(serving(recorded))["spec"]["ports"]}
    assert ports["grpc"] == {
        "name": "grpc", "port": 8081, "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c",
    }  # fmt: skip


def test_counters() -> None:
    sklearn = Server(runtime="sklearn")
    assert presets.counters(sklearn, False) == presets.metrics(sklearn)
    found = presets.counters(sklearn, True)
    assert found.requests == "model_infer_request_success_total + model_infer_request_failure_total"
    own = {"requests": "r_total", "failures": "f_total"}
    custom = Server.model_validate({"runtime": "custom", "image": "i:1", "metrics": own})
    assert presets.counters(custom, True).requests == "r_total"


def test_a_rollout_by_grpc() -> None:
    sim = Sim(spec(**GRPC))
    sim.go_live()
    assert sim.status["address"] == "grpc://iris.example.com:80"
    sim.begin()
    sim.run(30, 200)
    assert sim.status["live"]["version"] == "m-2"
    assert not sim.of(HTTP_ROUTE)
    backends = sim.of(GRPC_ROUTE)["web"]["spec"]["rules"][0]["backendRefs"]
    assert {one["port"] for one in backends} == {8081}
    assert all("grpc" in {port["name"] for port in one["spec"]["ports"]} for one in sim.select(SERVICE))


def test_going_over_to_grpc_takes_the_other_route_away() -> None:
    sim = Sim(spec())
    sim.go_live()
    assert sim.status["address"].startswith("http://")
    sim.spec |= GRPC
    sim.look()
    assert not sim.of(HTTP_ROUTE)
    assert sim.of(GRPC_ROUTE)
    assert sim.status["address"] == "grpc://iris.example.com:80"


def test_copies_go_to_the_candidate_by_a_service_that_stays() -> None:
    sim = Sim(spec(record={"sample": "100%"}))
    sim.go_live()
    (service,) = [one for one in sim.select(SERVICE) if "fairlead.dev/version" not in one["metadata"]["labels"]]
    assert service["spec"]["selector"]["fairlead.dev/version"] == ""
    arguments = sim.select(WORKLOAD)[0]["spec"]["template"]["spec"]["initContainers"][-1]["args"]
    assert service["metadata"]["name"] in str(arguments)
    sim.begin()
    after = sim.get(SERVICE, service["metadata"]["name"])
    assert after
    assert after["spec"]["selector"]["fairlead.dev/version"] == "m-2"
    del sim.spec["record"]
    sim.look()
    assert sim.get(SERVICE, service["metadata"]["name"]) is None
