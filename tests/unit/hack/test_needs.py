"""What a cluster of the user's own must have, and this machine for it: all is named before anything is changed."""

import base64
from pathlib import Path
from typing import Any

import pytest
from hack import preflight
from hack.cluster import checks, debian, needs, stack
from hack.cluster.checks import Problem
from hack.cluster.parts import PARTS
from hack.cluster.settings import paths
from hack.cluster.shell import ClusterError
from hack.demo import setup


def fitting() -> dict[str, Any]:
    """A cluster that has all."""
    port = {"spec": {"ports": [{"name": "web", "port": 9090}, {"name": "http", "port": 9000}]}}
    everything = {f"{a}{b}": {} for a in ("podMonitor", "rule") for b in ("Selector", "NamespaceSelector")}
    crd = {"kind": "CustomResourceDefinition"}
    listener = {"protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
    return {
        "crd httproutes.gateway.networking.k8s.io": crd,
        "gateway public": {"spec": {"listeners": [listener]}, "status": {"addresses": [{"value": "192.0.2.1"}]}},
        "crd podmonitors.monitoring.coreos.com": crd,
        "crd prometheusrules.monitoring.coreos.com": crd,
        "crd prometheuses.monitoring.coreos.com": crd,
        "prometheuses.monitoring.coreos.com -A": {"items": [{"spec": {}}, {"spec": everything}]},
        "service prometheus": port,
        "service alertmanager": port,
        "service s3": port,
        "secret root-credentials": {"data": dict.fromkeys(needs.KEYS, base64.b64encode(b"x").decode())},
    }


def problems_of(objects: dict[str, Any]) -> list[Problem]:
    def get(*words: str) -> Any:
        return objects.get(" ".join(words[:2]))

    return [problem for check in needs.CHECKS.values() for problem in check(get)]


def test_a_cluster_that_has_all_is_fit() -> None:
    assert problems_of(fitting()) == []


@pytest.mark.parametrize(
    ("key", "instead", "words"),
    [
        ("crd httproutes.gateway.networking.k8s.io", None, "Gateway API"),
        ("gateway public", None, "infra/public"),
        ("gateway public", {"spec": {"listeners": [{"protocol": "HTTP"}]}, "status": {"addresses": [1]}}, "other name"),
        ("gateway public", {"spec": fitting()["gateway public"]["spec"]}, "no address"),
        ("crd podmonitors.monitoring.coreos.com", None, "podmonitors"),
        ("prometheuses.monitoring.coreos.com -A", {"items": [{"spec": {}}]}, "takes PodMonitors"),
        ("prometheuses.monitoring.coreos.com -A", None, "takes PodMonitors"),
        ("service prometheus", {"spec": {"ports": [{"name": "http", "port": 9090}]}}, "monitoring/prometheus"),
        ("service alertmanager", None, "monitoring/alertmanager"),
        ("service s3", {"spec": {"ports": [{"port": 80}]}}, "port 9000"),
        ("secret root-credentials", None, "AWS_ACCESS_KEY_ID and no AWS_SECRET"),
        ("secret root-credentials", {"data": {needs.KEYS[0]: "eA==", needs.KEYS[1]: ""}}, "no AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_what_a_cluster_lacks_is_named_with_a_remedy(key: str, instead: Any, words: str) -> None:
    (problem,) = problems_of(fitting() | {key: instead})
    assert words in problem.what
    assert problem.remedy


def test_an_empty_cluster_names_all_at_once() -> None:
    assert len(problems_of({})) == 1 + 1 + 3 + 2
    assert needs.check_rights(may=False)[0].remedy
    assert not needs.check_rights(may=True)


def test_nothing_is_installed_while_something_stands_in_the_way() -> None:
    keep = {part.name: "keep" for part in PARTS}
    stack.refuse(keep, set(), [])
    stack.refuse(dict.fromkeys(keep, "install"), None, [])
    stack.refuse(keep | {"Gateway API": "install"}, set(), [])  # it has no images
    with pytest.raises(ClusterError, match=r"nothing was changed(?s:.*)has no S3(?s:.*)versitygw"):
        stack.refuse(keep | {"S3": "install"}, {"fairlead.local/base:1"}, [])
    with pytest.raises(ClusterError, match="that is wrong"):
        stack.refuse(keep | {"Prometheus": "foreign"}, set(), [Problem("that is wrong", "mend it")])


def test_a_cluster_of_ones_own_goes_without_what_only_tests_use() -> None:
    extra = [part.name for part in PARTS if part.extra]
    assert extra == ["Traefik"]
    assert set(needs.CHECKS) == {part.name for part in PARTS} - set(extra)


def test_a_cluster_of_ones_own_asks_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    monkeypatch.setenv("FAIRLEAD_KUBECONFIG", str(kubeconfig))
    monkeypatch.delenv("FAIRLEAD_REGISTRY", raising=False)
    monkeypatch.setattr(preflight.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(preflight.shutil, "which", lambda name: f"/bin/{name}" if name in ("kubectl", "helm") else None)
    monkeypatch.setattr(preflight.platform, "system", lambda: "Darwin")
    where = paths({"FAIRLEAD_STATE": str(tmp_path / "state")})
    assert preflight.problems(where) == []
    monkeypatch.setenv("FAIRLEAD_REGISTRY", "r.example.com/team")  # images are built here: that takes a builder
    found = "\n".join(map(str, preflight.problems(where)))
    for word in ("Linux", "not root", "buildah"):
        assert word in found


def test_clients_are_built_or_have_to_be_there() -> None:
    assert not checks.check_clients(["helm"], (1, 99))
    assert not checks.check_clients([], None)
    assert [problem.what for problem in checks.check_clients(["helm"], (1, 2))] == [
        "the program helm is not on the PATH"
    ]


def test_only_the_packages_that_are_asked_for_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Done:
        stdout = "buildah ii\n"

    monkeypatch.setattr(debian, "run", lambda *_a, **_k: Done())
    monkeypatch.setattr(debian, "pip", lambda: None)
    assert debian.absent_packages(["buildah", "debootstrap"]) == ["debootstrap"]
    assert debian.absent_packages()[-1] == "python3-pip"


@pytest.mark.parametrize(
    ("labels", "allocatable", "kept"),
    [
        ({}, {}, False),
        ({setup.GPU_PRODUCT: "A100"}, {"nvidia.com/gpu": "1"}, True),
        ({setup.GPU_PRODUCT: "A100"}, {"nvidia.com/gpu": "0"}, False),
        ({setup.GPU_PRODUCT: "L4"}, {"nvidia.com/gpu": "8"}, False),
        ({}, {"nvidia.com/gpu": "8"}, False),
    ],
)
def test_the_demo_asks_for_gpus_only_where_there_are_such(
    labels: dict[str, str], allocatable: dict[str, str], kept: bool
) -> None:
    nodes = [{"metadata": {"labels": labels}, "status": {"allocatable": allocatable}}]
    (pipeline,) = setup.manifests("pipeline.yaml", "r.io/airline:1")
    changed, without = setup.placed(pipeline, nodes)
    assert without == ([] if kept else ["train"])
    assert [("gpu" in step["resources"]) for step in changed["spec"]["steps"]] == [False, kept]
