"""Images for a cluster of the user's own: what its nodes have, and where others go."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hack.cluster import foreign, imagebuild, loading, onnodes, registry
from hack.cluster.progress import Progress
from hack.cluster.settings import Paths, paths
from hack.cluster.shell import ClusterError
from hack.demo import setup
from hack.install import images as install_images

NAME = "fairlead.local/op"
REF = f"{NAME}:latest"
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
TAINTED = {"taints": [{"key": "k", "effect": "NoSchedule"}]}


def node(*entries: list[str], spec: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"spec": spec or {}, "status": {"images": [{"names": names} for names in entries]}}


@pytest.mark.parametrize(
    ("nodes", "built", "expected"),
    [
        ([], NEW, None),
        ([node()], NEW, None),
        ([node([f"{NAME}@{NEW}", REF])], NEW, f"{REF}@{NEW}"),
        ([node([f"{NAME}@{OLD}", REF], [f"{NAME}@{NEW}"])], NEW, f"{REF}@{NEW}"),  # built here before, name moved on
        ([node([f"{NAME}@{OLD}", REF])], NEW, f"{REF}@{OLD}"),
        ([node([f"{NAME}@{OLD}", REF])], None, f"{REF}@{OLD}"),
        ([node([REF])], None, REF),
        ([node([f"{NAME}-other@{OLD}", REF])], None, REF),  # another repository's digest
        ([node([f"{NAME}@{OLD}", REF]), node([f"{NAME}@{NEW}", REF])], None, REF),
        ([node([f"{NAME}@{OLD}", REF]), node([f"{NAME}@{OLD}", REF, "x:1"])], None, f"{REF}@{OLD}"),
        ([node([f"{NAME}@{OLD}", REF]), node()], OLD, None),  # a pod may be put on the other one
        ([node([f"{NAME}@{OLD}", REF]), node(spec=TAINTED)], OLD, f"{REF}@{OLD}"),
        ([node([f"{NAME}@{OLD}", REF]), node(spec={"unschedulable": True})], OLD, f"{REF}@{OLD}"),
        ([node([f"{NAME}@{OLD}", REF], spec=TAINTED)], OLD, f"{REF}@{OLD}"),  # none is open: all are asked
        (
            [node([f"r.io/t/op@{NEW}", f"{NAME}@{NEW}", REF])],
            NEW,
            f"r.io/t/op@{NEW}",
        ),  # the kubelet has pulled it there
        ([node([f"r.io/t/op@{NEW}", REF]), node([REF])], None, f"r.io/t/op@{NEW}"),
        ([node([f"{NAME}@{NEW}", f"{NAME}-same@{NEW}", REF])], NEW, f"{REF}@{NEW}"),
        ([node([f"r.io/t/op@{OLD}"], [f"{NAME}@{NEW}", REF])], NEW, f"{REF}@{NEW}"),
        ([{"spec": {}, "status": {}}], None, None),
        ([{"spec": {}, "status": {"images": [{"sizeBytes": 1}]}}], None, None),
    ],
)
def test_the_reference_by_which_pods_find_an_image(
    nodes: list[dict[str, Any]], built: str | None, expected: str | None
) -> None:
    assert onnodes.usable({"items": nodes}, REF, built) == expected


@pytest.mark.parametrize(
    ("prefix", "reference", "repository"),
    [
        ("registry.example.com/team", "fairlead.local/op:latest", "registry.example.com/team/op"),
        ("registry.example.com", "fairlead.local/a/op:1", "registry.example.com/a/op"),
        ("localhost:5000/x", "team/op:1", "localhost:5000/x/team/op"),
        ("localhost:5000", "op:1", "localhost:5000/op"),
    ],
)
def test_repositories(prefix: str, reference: str, repository: str) -> None:
    assert registry.Registry(prefix).repository(reference) == repository


def test_a_tag_says_which_content_it_is() -> None:
    target = registry.Registry("r.example.com")
    assert target.tag(REF, OLD) == "latest-" + "a" * 12
    assert target.host == registry.Registry("r.example.com/team").host == "r.example.com"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"FAIRLEAD_REGISTRY": ""}, None),
        ({"FAIRLEAD_REGISTRY": "r.example.com/team/"}, registry.Registry("r.example.com/team")),
        (
            {"FAIRLEAD_REGISTRY": "127.0.0.1:5000", "FAIRLEAD_REGISTRY_INSECURE": "1"},
            registry.Registry("127.0.0.1:5000", insecure=True),
        ),
        ({"FAIRLEAD_REGISTRY": "r.io", "FAIRLEAD_REGISTRY_INSECURE": "0"}, registry.Registry("r.io")),
    ],
)
def test_the_registry_of_the_environment(environ: dict[str, str], expected: registry.Registry | None) -> None:
    assert registry.named(environ) == expected


@pytest.mark.parametrize("value", ["https://r.example.com", "r.example.com/team:tag", "r.example.com/a b", "-x/y"])
def test_what_is_no_registry_is_refused(value: str) -> None:
    with pytest.raises(ClusterError, match="HOST"):
        registry.named({"FAIRLEAD_REGISTRY": value})


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Paths]:
    """A user's cluster with these nodes; pushes are recorded in `pushed.json`."""
    where = paths({"FAIRLEAD_STATE": str(tmp_path)})
    monkeypatch.setenv("FAIRLEAD_KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("FAIRLEAD_REGISTRY", raising=False)

    def push(_w: Paths, target: registry.Registry, archive: Path, reference: str, digest: str, _p: Progress) -> str:
        (tmp_path / "pushed.json").write_text(json.dumps([archive.name, digest]))
        return f"{target.repository(reference)}@{OLD}"

    def make(nodes: list[dict[str, Any]], built: str | None, target: str = "") -> Paths:
        monkeypatch.setenv("FAIRLEAD_REGISTRY", target)
        monkeypatch.setattr(foreign, "clients", lambda *_: None)
        monkeypatch.setattr(foreign.Kube, "ok", lambda *_: True)
        monkeypatch.setattr(foreign, "provide_builder", lambda *_: None)
        monkeypatch.setattr(foreign.Kube, "get", lambda *_: {"items": nodes})
        monkeypatch.setattr(imagebuild, "known", lambda *_: built)
        monkeypatch.setattr(imagebuild, "archive", lambda *_: (Path("a.tar"), built))
        monkeypatch.setattr(registry, "push", push)
        return where

    return make


@pytest.mark.parametrize(
    ("nodes", "built", "target", "expected", "pushed"),
    [
        ([node([f"{NAME}@{OLD}", REF])], None, "", f"{REF}@{OLD}", False),
        ([node([f"{NAME}@{OLD}", REF])], NEW, "", f"{REF}@{OLD}", False),
        ([node([f"{NAME}@{NEW}", REF])], NEW, "r.io/t", f"{REF}@{NEW}", False),  # no need to push
        ([node([f"{NAME}@{OLD}", REF])], NEW, "r.io/t", f"r.io/t/op@{OLD}", True),  # the nodes' is another build
        ([node()], NEW, "r.io/t", f"r.io/t/op@{OLD}", True),
        ([node([f"r.io/t/op@{NEW}", f"{NAME}@{NEW}", REF])], NEW, "r.io/t", f"r.io/t/op@{NEW}", False),
        ([node([f"old.io/op@{NEW}", f"{NAME}@{NEW}", REF])], NEW, "r.io/t", f"r.io/t/op@{OLD}", True),
    ],
)
def test_where_an_image_comes_from(
    world: Callable[..., Paths], nodes: list[Any], built: str | None, target: str, expected: str, pushed: bool
) -> None:
    where = world(nodes, built, target)
    got = loading.load(where, imagebuild.Request("src", REF), Progress(where.cache / "d.json"))
    assert got == expected
    assert (where.state / "pushed.json").exists() == pushed


def test_an_image_that_is_nowhere_is_an_error_with_both_ways(world: Callable[..., Paths]) -> None:
    where = world([node()], None)
    with pytest.raises(ClusterError, match=r"FAIRLEAD_REGISTRY=(?s:.*)load it into every node(?s:.*)50 images"):
        loading.load(where, imagebuild.Request("src", REF), Progress(where.cache / "d.json"))


def test_images_that_are_named_must_be_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAIRLEAD_IMAGES", raising=False)
    assert install_images.given() is None
    monkeypatch.setenv("FAIRLEAD_IMAGES", "operator=r.io/o:1, worker=r.io/w@sha256:1,sklearn=r.io/s,trainer=r.io/t")
    assert install_images.build() == {
        "operator": "r.io/o:1", "worker": "r.io/w@sha256:1", "sklearn": "r.io/s", "trainer": "r.io/t",
    }  # fmt: skip
    with pytest.raises(RuntimeError, match="no image for airline"):
        setup.images()


def test_a_cluster_that_does_not_answer_is_said_to_be_so(
    world: Callable[..., Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = world([node()], None)
    monkeypatch.setattr(foreign.Kube, "ok", lambda *_: False)
    progress = Progress(where.cache / "d.json")
    for ask in (
        lambda: loading.load(where, imagebuild.Request("src", REF), progress),
        lambda: foreign.check(where, progress),
    ):
        with pytest.raises(ClusterError, match="does not answer"):
            ask()
