"""Which cluster the demo takes, and what is asked of Docker and kind. Both are programs that write down what they were
asked: the real ones are not exercised."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hack import preflight
from hack.cluster import assets, imagebuild, kind
from hack.cluster.choice import choose
from hack.cluster.images import IMAGES
from hack.cluster.progress import Progress
from hack.cluster.settings import Paths, flavour, paths
from hack.cluster.shell import ClusterError

Programs = Callable[..., Path]
ON_NODE = """#!/bin/sh
echo "docker $*" >> "{log}"
case "$*" in
info) exit {info} ;;
*"images ls") echo "REF TYPE DIGEST"; echo "fairlead.local/op:latest t sha256:abc" ;;
esac
"""
KIND = """#!/bin/sh
echo "kind $*" >> "{log}"
[ "$*" = "get clusters" ] && echo "{clusters}"
exit 0
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Puts programs into the PATH, and nothing else; the log of what they were asked."""
    for variable in ("CLUSTER", "FAIRLEAD_KUBECONFIG", "FAIRLEAD_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FAIRLEAD_STATE", str(tmp_path / "state"))

    def make(*names: str, info: int = 0, clusters: str = "") -> Path:
        folder, log = tmp_path / "bin", tmp_path / "log"
        folder.mkdir(exist_ok=True)
        for name in names:
            text = {"docker": ON_NODE, "kind": KIND}.get(name, KIND).format(log=log, info=info, clusters=clusters)
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return log

    return make


def test_b09_the_fast_way_is_taken_where_docker_and_kind_are(programs: Programs) -> None:
    programs("docker", "kind")
    chosen = preflight.choose(paths())
    assert chosen.kind == "kind"
    assert "Docker and kind are here" in chosen.text
    assert "CLUSTER=local make demo" in chosen.text
    assert flavour() == "kind", "what is started from here uses it too"


@pytest.mark.parametrize(("names", "info"), [((), 0), (("docker",), 0), (("kind",), 0), (("docker", "kind"), 1)])
def test_without_a_docker_that_answers_the_cluster_is_built_here(
    programs: Programs, names: tuple[str, ...], info: int
) -> None:
    programs(*names, info=info)
    chosen = preflight.choose(paths())
    assert chosen.kind == "local"
    assert "CLUSTER=kind" not in chosen.text
    assert "FAIRLEAD_KUBECONFIG=" in chosen.text


def test_what_is_named_or_was_made_before_is_taken() -> None:
    own, none = Path("/home/me/config"), None
    assert choose(own=own, named="kind", recorded="local", kind=True, local_s=60).kind == "own"
    assert choose(own=none, named="local", recorded="", kind=True, local_s=60).kind == "local"
    assert choose(own=none, named="kind", recorded="", kind=False, local_s=60).kind == "kind"
    assert choose(own=none, named="", recorded="local", kind=True, local_s=60).kind == "local"
    assert choose(own=none, named="", recorded="kind", kind=False, local_s=60).kind == "kind"
    assert "about 15 min 00 s" in choose(own=none, named="", recorded="", kind=False, local_s=900).text


def test_kind_needs_neither_root_nor_go(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "kind")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    programs("docker", "kind", "kubectl", "helm")
    assert preflight.problems(paths()) == []
    programs("docker", info=1)
    assert [problem.what for problem in preflight.problems(paths())] == [
        "kind is not on the PATH, or there is no Docker that answers"
    ]


def test_the_choice_is_made_on_machines_that_are_not_linux_too(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("docker", "kind")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert preflight.choose(paths()).kind == "kind"


def test_a_cluster_of_another_kind_is_not_mixed_with_kinds(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs("docker", "kind", "kubectl", "helm")
    where = paths()
    where.pki.mkdir(parents=True)
    assert flavour() == "local"
    monkeypatch.setenv("CLUSTER", "kind")
    assert "is of the kind local" in str(preflight.problems(where)[0])


def test_an_image_is_built_by_docker_and_named_as_the_kubelet_looks_for_it(programs: Programs, tmp_path: Path) -> None:
    log = programs("docker", "kind")
    (tmp_path / "Dockerfile").write_text("FROM x")
    request = imagebuild.Request(str(tmp_path), "op", target="operator", arguments=("A=b c",))
    where = paths()
    assert kind.provide(where, request, Progress(where.cache / "d.json")) == "fairlead.local/op:latest@sha256:abc"
    ctr = "docker exec fairlead-control-plane ctr --namespace k8s.io images"
    assert log.read_text().splitlines() == [
        f"docker build --file {tmp_path}/Dockerfile --target operator --build-arg A=b c "
        f"--tag fairlead.local/op:latest {tmp_path}",
        "kind load docker-image fairlead.local/op:latest --name fairlead",
        f"{ctr} ls",
        f"{ctr} tag --force fairlead.local/op:latest fairlead.local/op@sha256:abc",
    ]


def test_the_stacks_images_are_fetched_not_built(programs: Programs) -> None:
    log = programs("docker", "kind")
    where = paths()
    kind.up(where, Progress(where.cache / "d.json"))
    asked = log.read_text().splitlines()
    assert flavour() == "kind", "later commands know which cluster it is"
    assert f"kind create cluster --name fairlead --kubeconfig {where.kubeconfig}" in asked
    assert not any(line.startswith("docker build") for line in asked)
    for image in IMAGES:
        if image.name != "pause":
            assert f"docker pull --quiet {kind.PUBLIC[image.name]}" in asked
            assert f"kind load docker-image {image.reference} --name fairlead" in asked


def test_a_cluster_that_is_there_is_used(programs: Programs) -> None:
    log = programs("docker", "kind", clusters="other\nfairlead")
    where = paths()
    kind.up(where, Progress(where.cache / "d.json"))
    asked = log.read_text().splitlines()
    assert f"kind export kubeconfig --name fairlead --kubeconfig {where.kubeconfig}" in asked
    assert not any("create cluster" in line for line in asked)


def test_charts_and_definitions_come_without_go_and_are_those_that_were_seen(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs()
    where: Paths = paths()
    (where.cache / "assets").mkdir(parents=True)
    module, version, inside = assets.MODULES["gateway-api"]
    archive = tmp_path / module / "@v" / f"v{version}.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr(f"{module}@v{version}/{inside}/routes.yaml", "kind: X")
        out.writestr(f"{module}@v{version}/main.go", "package main")
    monkeypatch.setattr(assets, "PROXY", tmp_path.as_uri())
    with pytest.raises(ClusterError, match="not the archive that it was"):
        assets.gateway_api_crds(where)
    monkeypatch.setitem(assets.SHA256, "gateway-api", hashlib.sha256(archive.read_bytes()).hexdigest())
    (found,) = assets.gateway_api_crds(where)
    assert (found.name, found.read_text()) == ("routes.yaml", "kind: X")
    assert set(assets.SHA256) == set(assets.MODULES)
