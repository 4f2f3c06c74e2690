"""A server of one's own as it is: where it listens, what it is given, and as what its pods run."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from tests.unit.manifests.test_golden_serving import CONFIG, CUSTOM, GOLDEN, SKLEARN, recorded, serving

from fairlead.api.config import OperatorConfig
from fairlead.api.modelversion import ModelVersionSpec
from fairlead.api.server import Server
from fairlead.manifests import alerts, evaluation, marks, presets, server
from fairlead.manifests.meta import Json
from fairlead.plan.jobs import likeness
from fairlead.plan.model import identity

FIXED: Json = {
    "runtime": "custom", "image": "scorer@sha256:5", "protocol": "http", "port": 9000, "ready": "/healthz",
    "metrics": {"requests": "all_total", "failures": "bad_total"},
}  # fmt: skip


def own(**more: Any) -> Server:
    """A plain HTTP server with a port of its own."""
    return Server.model_validate(FIXED | more)


def pod(runtime: Server, **more: Any) -> Json:
    """The spec of its pods."""
    made = server.workload(replace(serving(runtime), **more), CONFIG)
    spec: Json = made["spec"]["template"]["spec"]
    return spec


def container(spec: Json, name: str = "server") -> Json:
    return likeness.named(spec)[name]


def env(one: Json) -> list[tuple[str, str]]:
    return [(variable["name"], variable["value"]) for variable in one["env"]]


def expanded(one: Json) -> dict[str, str]:
    """The variables as Kubernetes makes them: each may use those before it."""
    found: dict[str, str] = {}
    for name, value in env(one):
        for known, text in found.items():
            value = value.replace(f"$({known})", text)
        found[name] = value
    return found


# --- where it listens ------------------------------------------------------------------------------------------------


def test_b18_a_server_on_another_port_and_path_is_asked_there() -> None:
    spec = pod(own())
    made = container(spec)
    assert made["startupProbe"]["httpGet"] == {"path": "/healthz", "port": 9000}
    assert made["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": 9000}
    assert made["ports"] == [{"name": "http-metrics", "containerPort": 9000}]
    assert ("PORT", "9000") in env(made)
    assert "command" not in made


def test_b18_requests_and_counters_find_it_behind_the_services_own_port() -> None:
    made = server.service(serving(own()))
    assert made["spec"]["ports"] == [{"name": "http", "port": 8080, "targetPort": "http-metrics"}]
    assert presets.metrics(own()).port == 9000
    apart = own(metrics=FIXED["metrics"] | {"port": 9100})
    assert server.service(serving(apart))["spec"]["ports"][0]["targetPort"] == "http"
    assert container(pod(apart))["ports"] == [
        {"name": "http", "containerPort": 9000}, {"name": "metrics", "containerPort": 9100},
    ]  # fmt: skip
    about = alerts.About("web", "team", {}, {})
    assert [one["port"] for one in alerts.pod_monitor(about, [own(), apart])["spec"]["podMetricsEndpoints"]] != []


def test_b18_port_8080_of_a_server_that_is_told_is_not_counted_apart() -> None:
    """A port that is written out is as good as the default."""
    assert pod(own(port=8080)) == pod(own(port=None))


def test_the_proxy_goes_to_the_servers_port_and_its_probe_is_nobodys_request() -> None:
    spec = pod(own(), recording=recorded().recording)
    assert container(spec)["readinessProbe"]["httpGet"]["port"] == presets.PROXY_PORT
    assert container(spec)["ports"] == [{"name": "server", "containerPort": 9000}]
    config = json.loads(container(spec, "proxy")["args"][1].replace("$$", "$"))
    clusters = {one["name"]: one for one in config["static_resources"]["clusters"]}
    for name in ("server", "probes"):
        address = clusters[name]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
        assert address["socket_address"]["port_value"] == 9000
    quiet = [path for path in json.dumps(config).split('"path": "')[1:] if path.startswith("/healthz")]
    assert quiet
    assert "/v2/health/ready" not in json.dumps(config)


def test_a_server_on_the_port_of_grpc_is_told_another_one_for_it() -> None:
    made = container(pod(own(port=8081, protocol="oip"), grpc=True))
    assert ("GRPC_PORT", "8080") in env(made)
    assert {"name": "grpc", "containerPort": 8080} in made["ports"]
    assert ("GRPC_PORT", "8081") in env(container(pod(own(), grpc=True)))


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"protocol": "oip", "ready": None}, "/v2/health/ready"), ({"protocol": "openai", "ready": None}, "/health"),
        ({}, "/healthz"), ({"protocol": "oip"}, "/healthz"),
    ],
)  # fmt: skip
def test_the_path_of_readiness_follows_the_protocol_unless_it_is_said(more: Json, path: str) -> None:
    assert presets.ready_path(own(**more), "m") == path


def test_a_preset_says_itself_when_it_is_ready() -> None:
    assert presets.ready_path(Server(), "delay") == "/v2/models/delay/ready"


# --- what it is given ------------------------------------------------------------------------------------------------


def test_b18_a_variable_may_use_the_port_in_whatever_order_people_write_it() -> None:
    asked = own(env=[{"name": "BIND", "value": "0.0.0.0:$(PORT)"}, {"name": "PORT", "value": "1"}],
                args=["--port=$(PORT)"], command=["/bin/serve"])  # fmt: skip
    made = container(pod(asked))
    assert expanded(made)["BIND"] == "0.0.0.0:9000"
    assert [value for name, value in env(made) if name == "PORT"] == ["9000"]
    assert (made["command"], made["args"]) == (["/bin/serve"], ["--port=$(PORT)"])
    assert env(made)[0][0] == "HOME"


def test_a_variable_may_use_the_port_of_grpc() -> None:
    made = container(pod(own(env=[{"name": "GRPC", "value": ":$(GRPC_PORT)"}]), grpc=True))
    assert expanded(made)["GRPC"] == ":8081"


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "HOME"])
def test_a_variable_that_fairlead_sets_as_well_may_use_those_written_before_it(name: str) -> None:
    asked = [{"name": "BASE", "value": "4"}, {"name": name, "value": "$(BASE)-$(MLSERVER_HTTP_PORT)"}]
    assert expanded(container(pod(Server.model_validate({"env": asked}))))[name] == "4-8080"


def test_variables_that_ask_for_no_other_stay_where_they_were() -> None:
    """Their order is part of the pods, which an upgrade must not make anew."""
    made = container(pod(own(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "$HOME"}])))
    assert [name for name, _ in env(made)] == ["HOME", "A", "B", "PORT"]


def before(runtime: Server) -> Json:
    """The pods of a release before: MLServer started directly, Fairlead's variables last, no word on the log."""
    live = pod(runtime)
    (made,) = live["containers"]
    del made["terminationMessagePolicy"]
    if runtime.runtime == "sklearn":
        made["command"] = ["mlserver", "start", "/tmp"]
    told = [one for one in made["env"] if one["name"] in ("PORT", "GRPC_PORT") or one["name"].startswith("MLSERVER")]
    made["env"] = [*(one for one in made["env"] if one not in told), *told]
    return live


@pytest.mark.parametrize("runtime", [
    {},
    {"env": [{"name": "OMP_NUM_THREADS", "value": "$(HOME)"}]},
    {"runtime": "custom", "image": "i", "metrics": {"requests": "a", "failures": "b"}, "args": ["--to=$(TO)"],
     "env": [{"name": "AT", "value": "x"}, {"name": "TO", "value": "$(AT):$(PORT)"}]},
])  # fmt: skip
def test_pods_of_an_earlier_release_that_serve_stay_as_they_are(runtime: Json) -> None:
    asked = Server.model_validate(runtime)
    live, spec = before(asked), pod(asked)
    assert spec != live
    server.keep(asked, spec, copy.deepcopy(live))
    assert spec == live


@pytest.mark.parametrize("runtime", [Server(), own(), own(command=["/bin/serve"])])
def test_what_somebody_has_changed_in_a_workload_is_not_kept(runtime: Server) -> None:
    wanted = pod(runtime)
    for change in ({"command": ["sh", "-c", "steal"]}, {"env": [{"name": "LD_PRELOAD", "value": "/x.so"}]}):
        live, spec = copy.deepcopy(wanted), copy.deepcopy(wanted)
        live["containers"][0] |= change
        server.keep(runtime, spec, live)
        assert spec == wanted
    lost, spec = copy.deepcopy(wanted), copy.deepcopy(wanted)
    lost["containers"][0].pop("command", None)
    server.keep(runtime, spec, lost)
    assert spec == wanted


def test_secrets_and_files_are_mounted_read_only() -> None:
    asked = own(secrets=["key", "cert"], files=[{"configMap": "words", "path": "/etc/scorer"}])
    spec = pod(asked)
    mounts = {one["mountPath"]: one for one in container(spec)["volumeMounts"]}
    for path in ("/fairlead/secrets/key", "/fairlead/secrets/cert", "/etc/scorer"):
        assert mounts[path]["readOnly"]
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert volumes[mounts["/etc/scorer"]["name"]]["configMap"] == {"name": "words", "defaultMode": 0o440}
    assert volumes[mounts["/fairlead/secrets/key"]["name"]]["secret"]["secretName"] == "key"
    assert "/fairlead/secrets/key" not in {one["mountPath"] for one in container(spec, "fetch")["volumeMounts"]}


def test_one_configmap_may_be_mounted_twice() -> None:
    paths = [{"configMap": "words", "path": "/etc/a"}, {"configMap": "words", "path": "/etc/b"}]
    spec = pod(own(files=paths))
    assert sum("configMap" in one for one in spec["volumes"]) == 1
    assert {"/etc/a", "/etc/b"} <= {one["mountPath"] for one in container(spec)["volumeMounts"]}


def test_cpu_has_a_limit_only_where_one_is_asked_for() -> None:
    limited = container(pod(own(resources={"cpu": "500m", "cpuLimit": "2", "memory": "1Gi"})))["resources"]
    assert limited == {"requests": {"memory": "1Gi", "cpu": "500m"}, "limits": {"memory": "1Gi", "cpu": "2"}}
    assert "cpu" not in container(pod(own(resources={"cpu": "500m", "memory": "1Gi"})))["resources"]["limits"]


# --- as what its pods run --------------------------------------------------------------------------------------------


def test_pods_have_their_own_labels_and_never_lose_fairleads() -> None:
    asked = own(labels={"team": "risk"}, annotations={"prometheus.io/scrape": "no"})
    plain, made = (server.workload(serving(one), CONFIG) for one in (own(), asked))
    meta = made["spec"]["template"]["metadata"]
    assert meta["labels"] == {"team": "risk", **plain["spec"]["template"]["metadata"]["labels"]}
    assert meta["annotations"] == {"prometheus.io/scrape": "no"}
    assert made["metadata"] == plain["metadata"]
    assert made["spec"]["selector"] == plain["spec"]["selector"]


def test_annotations_of_a_recording_stay_beside_them() -> None:
    asked = replace(recorded(), server=own(annotations={"note": "a"}))
    found = server.workload(asked, CONFIG)["spec"]["template"]["metadata"]["annotations"]
    assert found == {"note": "a", **(recorded().recording.annotations() if recorded().recording else {})}


def test_an_account_brings_its_token_and_without_one_there_is_none() -> None:
    spec = pod(own(serviceAccount="scorer", imagePullSecrets=["a", "b"], priorityClass="high", runtimeClass="kata"))
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("scorer", True)
    assert spec["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    assert (spec["priorityClassName"], spec["runtimeClassName"]) == ("high", "kata")
    plain = pod(own())
    assert plain["automountServiceAccountToken"] is False
    assert not plain.keys() & {"serviceAccountName", "imagePullSecrets", "priorityClassName", "runtimeClassName"}


def test_it_has_the_time_that_it_asks_for_to_end_what_it_has_begun() -> None:
    assert pod(own())["terminationGracePeriodSeconds"] == 35
    assert pod(own(stop={"after": "2m"}))["terminationGracePeriodSeconds"] == 125
    assert pod(own(stop={"after": "2m"}), recording=recorded().recording)["terminationGracePeriodSeconds"] == 135


def test_pods_are_spread_as_it_asks() -> None:
    zone = {"topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 2}
    mine = {"labelSelector": {"matchLabels": dict(serving(own()).selector)}}
    assert pod(own(spread=[zone]))["topologySpreadConstraints"] == [zone | mine]
    (default,) = pod(own())["topologySpreadConstraints"]
    host = {"topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1}
    assert default == host | mine


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("labels", "app.kubernetes.io/managed-by"), ("labels", "fairlead.dev/version"),
        ("labels", "azure.workload.identity/use"), ("labels", "networking.example.com/role"),
        ("annotations", "iam.amazonaws.com/role"), ("annotations", "k8s.v1.cni.cncf.io/networks"),
        ("annotations", "sidecar.istio.io/userVolume"), ("annotations", "prometheus.io.evil.example/scrape"),
    ],
)  # fmt: skip
def test_marks_that_could_make_more_of_a_pod_need_the_installations_word(what: str, key: str) -> None:
    asked = own(**{what: {key: "a"}})
    with pytest.raises(marks.NotAllowed, match=rf"spec\.server\.{what} has {key}.*pods\.{what}\.allowed"):
        server.workload(serving(asked), CONFIG)
    for entry in (key, key.split("/")[0] + "/"):
        config = OperatorConfig.model_validate(CONFIG.model_dump() | {"pods": {what: {"allowed": [entry]}}})
        found = server.workload(serving(asked), config)["spec"]["template"]["metadata"][what]
        assert found[key] == "a" or found[key] == serving(asked).labels[key], "what is Fairlead's own stays"


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("labels", "team"), ("labels", "app.kubernetes.io/part-of"), ("annotations", "note"),
        ("annotations", "prometheus.io/path"), ("annotations", "linkerd.io/inject"),
    ],
)  # fmt: skip
def test_marks_that_are_harmless_everywhere_need_nobodys_word(what: str, key: str) -> None:
    marks.check(own(**{what: {key: "a"}}), CONFIG)


# --- an upgrade ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "runtime"), [("serving-sklearn", SKLEARN), ("serving-custom", CUSTOM)])
def test_servers_that_ask_for_none_of_it_have_the_pods_that_they_had(name: str, runtime: Server) -> None:
    before = yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())
    assert server.workload(serving(runtime), CONFIG) == before


SPEC: Json = {"model": "m", "artifact": {"uri": "s3://bucket/m", "sha256": "a" * 64}}
MORE: Json = {
    "protocol": "openai", "command": ["a"], "port": 9001, "ready": "/ok", "warmUp": {"path": "/x", "body": "{}"},
    "stop": {"after": "1m"}, "secrets": ["a"], "files": [{"configMap": "a", "path": "/a"}], "labels": {"a": "b"},
    "annotations": {"a": "b"}, "imagePullSecrets": ["a"], "serviceAccount": "a", "spread": [{"topologyKey": "a"}],
    "priorityClass": "a", "runtimeClass": "a", "resources": {"cpuLimit": "1"},
}  # fmt: skip


def digest(runtime: Json) -> str:
    return identity.digest_of(ModelVersionSpec.model_validate(SPEC | {"server": runtime}))


@pytest.mark.parametrize("field", MORE)
def test_a_version_that_differs_in_any_of_it_is_another_one(field: str) -> None:
    assert digest(FIXED | {field: MORE[field]}) != digest(FIXED)


def test_the_fields_that_are_told_apart_are_all_that_there_are() -> None:
    before = {"runtime", "image", "args", "env", "metrics", "timeout", "nodeSelector", "tolerations"}
    names = {field.alias or name for name, field in Server.model_fields.items()}
    assert names == before | MORE.keys()


def test_the_digest_of_an_earlier_version_is_what_it_was() -> None:
    """Recorded in the status of Deployments that run."""
    before = {"runtime": "custom", "image": "i", "env": [{"name": "A", "value": "1"}], "resources": {"cpu": "1"},
              "metrics": {"requests": "a", "failures": "b"}}  # fmt: skip
    assert digest(before) == "f96fff6d52c5483e1f60bb1ef3000d155f64cc39f25aafb334384db00e9e5f5b"
    assert digest(before | {"protocol": "oip"}) == digest(before), "what the API server fills in counts for nothing"


# --- in an evaluation ------------------------------------------------------------------------------------------------

TOLD = own(port=None, protocol="oip")


@pytest.mark.parametrize(
    ("challenger", "champion", "found"),
    [
        (TOLD, TOLD, (8080, 8180)), (own(), TOLD, (9000, 8180)), (TOLD, own(), (8080, 9000)),
        (own(), own(port=9001), (9000, 9001)), (TOLD, own(port=8080), (8280, 8080)),
        (own(port=8181), Server(), (8181, 8280)),
    ],
)  # fmt: skip
def test_two_servers_in_a_pod_never_share_a_port(challenger: Server, champion: Server, found: tuple[int, int]) -> None:
    made = evaluation.ports({evaluation.CHALLENGER: challenger, evaluation.CHAMPION: champion})
    assert (made[evaluation.CHALLENGER], made[evaluation.CHAMPION]) == found


def test_two_servers_that_always_listen_on_the_same_port_are_told() -> None:
    with pytest.raises(evaluation.PortTaken, match="9000"):
        evaluation.ports({evaluation.CHALLENGER: own(), evaluation.CHAMPION: own()})


def test_a_recorded_status_of_an_earlier_release_is_still_read() -> None:
    kept = copy.deepcopy(SPEC) | {"server": {"runtime": "sklearn"}}
    assert ModelVersionSpec.model_validate(kept).server == Server()
