"""Servers, routes and rules: what the golden files don't show."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.api.config import Images, OperatorConfig
from fairlead.api.deployment import Alerts, Route
from fairlead.api.server import Server
from fairlead.manifests import alerts, presets, recorder, route, server
from fairlead.manifests.meta import owner_reference

OWNER = owner_reference("fairlead.dev/v1alpha1", "Deployment", "web", "u")
ABOUT = alerts.About("web", "team", OWNER, {})


def custom(**metrics: Any) -> Server:
    names = {"requests": "all_total", "failures": "bad_total", **metrics}
    return Server.model_validate({"runtime": "custom", "image": "i", "metrics": names})


def container(runtime: Server, **images: str) -> dict[str, Any]:
    config = OperatorConfig(images=Images(worker="w", runtimes=images))
    return server.server_container(runtime, "m", 8180, 8182, config)


def test_a_custom_server_is_told_its_port_and_keeps_its_working_directory() -> None:
    made = container(custom())
    assert {"name": "PORT", "value": "8180"} in made["env"]
    assert "workingDir" not in made
    assert "command" not in made
    assert made["startupProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8180}


def test_two_servers_of_one_pod_listen_apart() -> None:
    env = {one["name"]: one["value"] for one in container(Server(), sklearn="s")["env"]}
    assert (env["MLSERVER_HTTP_PORT"], env["MLSERVER_GRPC_PORT"], env["MLSERVER_METRICS_PORT"]) == (
        "8180", "8181", "8182",
    )  # fmt: skip


def test_what_fairlead_relies_on_can_not_be_overridden() -> None:
    env = [{"name": "MLSERVER_HTTP_PORT", "value": "1"}, {"name": "OMP_NUM_THREADS", "value": "8"}]
    made = {one["name"]: one["value"] for one in container(Server.model_validate({"env": env}), sklearn="s")["env"]}
    assert made["MLSERVER_HTTP_PORT"] == "8180"
    assert made["OMP_NUM_THREADS"] == "8"


def test_a_runtime_without_an_image_says_what_to_do() -> None:
    with pytest.raises(presets.NoImage, match=r"images\.runtimes\.sklearn"):
        container(Server())


@pytest.mark.parametrize(
    ("runtime", "port", "name"),
    [(Server(), 8082, "metrics"), (custom(), 8080, "http-metrics"), (custom(port=9000), 9000, "metrics")],
)
def test_where_counters_are_read(runtime: Server, port: int, name: str) -> None:
    assert presets.metrics(runtime).port == port
    assert server.metrics_port_name(runtime) == name


ROUTE = Route.model_validate({"gateway": {"name": "g"}})
OLD, NEW = route.Backend("a", "svc-a", 8080), route.Backend("b", "svc-b", 8080)


@pytest.mark.parametrize(("path", "found"), [(None, "/team/web"), ("/x/", "/x"), ("/", "/"), ("/a/b", "/a/b")])
def test_path(path: str | None, found: str) -> None:
    assert route.path_of(ROUTE.model_copy(update={"path": path}), "team", "web") == found


def test_weights_are_read_back_from_the_shared_rule_only() -> None:
    made = route.http_route("web", "team", OWNER, {}, ROUTE, route.Traffic([OLD, NEW], [(OLD, 75), (NEW, 25)]))
    assert route.weights(made) == {"svc-a": 75, "svc-b": 25}
    assert route.services(made) == {"svc-a", "svc-b"}


def test_a_version_without_a_share_is_reached_by_name_only() -> None:
    made = route.http_route("web", "team", OWNER, {}, ROUTE, route.Traffic([OLD, NEW], [(OLD, 100)]))
    assert route.weights(made) == {"svc-a": 100}
    assert route.services(made) == {"svc-a", "svc-b"}
    assert "hostnames" not in made["spec"]


def places(made: dict) -> list[tuple[str, int]]:
    """The shared rule's backends in their order; the rules that are asked for must be in the same order."""
    shared, *asked = made["spec"]["rules"]
    assert len(asked) == 2
    assert all("headers" in rule["matches"][0] for rule in asked)
    return [(ref["name"], ref["weight"]) for ref in shared["backendRefs"]]


def test_nobody_changes_places_through_two_rollouts() -> None:
    """A place that comes or goes costs requests at the gateway."""
    third = route.Backend("c", "svc-c", 8080)
    traffics = [
        (route.Traffic([OLD], [(OLD, 100)]), [("svc-a", 99), ("svc-a", 1)]),
        (route.Traffic([OLD, NEW], [(OLD, 100)]), [("svc-a", 99), ("svc-a", 1)]),
        (route.Traffic([OLD, NEW], [(OLD, 90), (NEW, 10)]), [("svc-a", 90), ("svc-b", 10)]),
        (route.Traffic([OLD, NEW], [(OLD, 50), (NEW, 50)]), [("svc-a", 50), ("svc-b", 50)]),
        (route.Traffic([NEW], [(NEW, 100)]), [("svc-b", 1), ("svc-b", 99)]),
        (route.Traffic([NEW, third], [(NEW, 100)]), [("svc-b", 1), ("svc-b", 99)]),
        (route.Traffic([NEW, third], [(NEW, 90), (third, 10)]), [("svc-c", 10), ("svc-b", 90)]),
        (route.Traffic([NEW], [(NEW, 100)]), [("svc-b", 1), ("svc-b", 99)]),
        (route.Traffic([NEW, third], [(third, 100)]), [("svc-c", 99), ("svc-c", 1)]),
    ]
    before = None
    for traffic, expected in traffics:
        before = route.http_route("web", "team", OWNER, {}, ROUTE, traffic, before)
        assert places(before) == expected
        again = route.http_route("web", "team", OWNER, {}, ROUTE, traffic, before)
        assert again == before


def test_a_route_of_an_earlier_form_keeps_its_order() -> None:
    refs = [{"name": "svc-a", "weight": 90}, {"name": "svc-b", "weight": 10}]
    before = {"spec": {"rules": [{"matches": [{}], "backendRefs": refs}]}}
    for shared, expected in (
        ([(OLD, 50), (NEW, 50)], [("svc-a", 50), ("svc-b", 50)]), ([(NEW, 100)], [("svc-b", 1), ("svc-b", 99)]),
        ([(route.Backend("c", "svc-c", 1), 90), (OLD, 10)], [("svc-a", 10), ("svc-c", 90)]),
    ):  # fmt: skip
        made = route.http_route("web", "team", OWNER, {}, ROUTE, route.Traffic([OLD, NEW], shared), before)
        assert places(made) == expected


def test_who_has_no_share_yet_is_asked_for_at_the_place_that_it_will_get() -> None:
    before = route.http_route("web", "team", OWNER, {}, ROUTE, route.Traffic([OLD], [(OLD, 100)]))
    made = route.http_route("web", "team", OWNER, {}, ROUTE, route.Traffic([OLD, NEW], [(OLD, 100)]), before)
    asked = [rule["backendRefs"][0]["name"] for rule in made["spec"]["rules"][1:]]
    assert asked == ["svc-a", "svc-b"]


def expressions(**metrics: str) -> list[str]:
    made = alerts.rules(ABOUT, Alerts(), custom(**metrics), 10)
    return [rule["expr"] for group in made["spec"]["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(
    ("selector", "part"),
    [
        ("a_total", 'sum(rate(a_total{namespace="team",deployment="web"}[1h]))'),
        ('a_total{code=~"5..",}', 'rate(a_total{code=~"5..",namespace="team",deployment="web"}[1h])'),
        ('a_total{x="}+"} + b', 'rate(b{namespace="team",deployment="web"}[1h])'),
        ('a_total{x="}+"} + b', 'rate(a_total{x="}+",namespace="team",deployment="web"}[1h])'),
    ],
)
def test_a_selector_is_narrowed_to_the_deployment(selector: str, part: str) -> None:
    assert any(part in expression for expression in expressions(requests=selector))


def test_without_a_known_server_there_is_no_objective() -> None:
    made = alerts.rules(ABOUT, Alerts(), None, 10)
    assert [group["name"].rpartition(".")[0] for group in made["spec"]["groups"]] == ["team.web.rollout"]


def test_monitors_that_are_asked_for_have_their_alerts() -> None:
    groups = alerts.rules(ABOUT, Alerts(), None, 10, ["data", "stale"])["spec"]["groups"]
    (mine,) = (group["rules"] for group in groups if ".monitors." in group["name"])
    assert [rule["alert"] for rule in mine] == ["FairleadDataBad", "FairleadStale", "FairleadNotMonitored"]
    assert 'monitor="data"' in mine[0]["expr"]
    assert mine[0]["expr"].endswith("== 2")
    assert "_monitored{" in mine[2]["expr"]


def test_own_labels_never_hide_whose_alert_it_is() -> None:
    made = alerts.rules(ABOUT, Alerts(labels={"namespace": "other", "team": "t"}), None, 10)
    assert all(
        rule["labels"]["namespace"] == "team" and rule["labels"]["team"] == "t"
        for group in made["spec"]["groups"]
        for rule in group["rules"]
    )


COUNTED = Server.model_validate({"runtime": "custom", "image": "any", "port": 9000, "ready": "/healthz"})


@pytest.mark.parametrize("grpc", [False, True])
def test_a_server_that_names_no_counters_is_counted_by_the_proxy_before_it(grpc: bool) -> None:
    assert presets.counted_by_proxy(COUNTED)
    assert not presets.counted_by_proxy(Server())
    counters = presets.counters(COUNTED, grpc)
    assert (counters.port, counters.path, counters.latency_unit) == (8092, "/stats/prometheus", "ms")
    assert f'envoy_cluster_name="{"grpc" if grpc else "server"}"' in counters.requests
    (proxy,) = recorder.counting(COUNTED, "m", grpc, Images(worker="w", proxy="envoy"))
    assert "envoy.filters.http.ext_proc" not in proxy["args"][1]
    assert '"port_value":9000' in proxy["args"][1]
    ports = {one["name"]: one["containerPort"] for one in proxy["ports"]}
    assert ports == {"http": 8090, "proxy-stats": 8092} | ({"grpc": 8093} if grpc else {})


def test_without_an_image_for_the_proxy_people_are_told_of_both_ways() -> None:
    with pytest.raises(presets.NoImage, match=r"set images\.proxy in the .*spec\.server\.metrics"):
        presets.check_images(COUNTED, False, Images(worker="w"))
    presets.check_images(custom(requests="a", failures="b"), False, Images(worker="w"))


def test_each_page_of_counters_is_scraped_once() -> None:
    """Of a pod whose proxy's page is the server's page of counters, it is not read a second time as a sidecar's."""
    whose = alerts.About("delay", "airline", owner_reference("v1", "Deployment", "delay", "1"), {})
    found = alerts.pod_monitor(whose, [COUNTED, Server()], recorded=True)["spec"]["podMetricsEndpoints"]
    stats = [one for one in found if one["port"] == "proxy-stats"]
    actions = [next(step for step in one["relabelings"] if step["action"] in ("keep", "drop")) for one in stats]
    assert {step["action"] for step in actions} == {"keep", "drop"}
    assert actions[0]["regex"] == actions[1]["regex"] == server.metrics_key(COUNTED)
