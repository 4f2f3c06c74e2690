"""How long the cluster and the images will take, by what is there of them; images that are built beside the cluster."""

import io
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hack.cluster import builds, debian, forecast, imagebuild
from hack.cluster.progress import Progress
from hack.cluster.recipes import DEFAULT
from hack.cluster.settings import RUNTIME_DIR, Paths, paths
from hack.cluster.shell import ClusterError
from hack.demo import setup
from hack.install import images


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    for variable in ("CLUSTER", "FAIRLEAD_KUBECONFIG", "FAIRLEAD_CACHE", images.VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FAIRLEAD_STATE", str(tmp_path))
    return paths()


def built(where: Paths) -> None:
    """All programs and the base image, as an earlier `up` leaves them."""
    for recipe in DEFAULT:
        for program in recipe.programs:
            path = builds.folder(where, recipe) / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("built")
    debian.rootfs(where).parent.mkdir(parents=True)
    debian.rootfs(where).write_text("files")


def test_b09_cold_and_warm_are_told_apart(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress(where.cache / "d.json", io.StringIO())
    monkeypatch.setattr(builds, "processes", lambda: 2)
    assert forecast.cold(where)
    two = forecast.seconds(where, progress)
    assert two > 300
    assert "the first time here" in forecast.text(where, progress)
    assert "on 2 idle cores" in forecast.text(where, progress)
    monkeypatch.setattr(builds, "processes", lambda: 1)
    assert forecast.seconds(where, progress) > 1.5 * two
    built(where)
    assert not forecast.cold(where)
    assert forecast.seconds(where, progress) == forecast.START_S
    assert forecast.text(where, progress) == ""


def test_b09_what_it_took_here_the_last_time_counts_more(where: Paths) -> None:
    progress = Progress(where.cache / "d.json", io.StringIO())
    (where.cache).mkdir()
    (where.cache / "d.json").write_text(f'{{"{builds.title(DEFAULT)}": 3000}}')
    known = Progress(where.cache / "d.json", io.StringIO())
    assert forecast.seconds(where, known) > 3000 > forecast.seconds(where, progress)


def test_b09_the_demo_expects_the_images_where_they_are_built(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert setup.expected()["images"] == setup.IMAGES_S, "they are built beside the cluster"
    built(where)
    assert setup.expected() == {"cluster": forecast.START_S, "images": setup.IMAGES_S + 5 * setup.IMAGE_S}
    monkeypatch.setattr(setup, "known", lambda *_: True)
    assert setup.expected()["images"] == setup.IMAGES_S
    monkeypatch.setenv("FAIRLEAD_KUBECONFIG", "/home/me/config")
    assert setup.expected() == {}


class Builder:
    """Writes down what is asked for; the second one fails."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun, self.stopped = threading.Event(), threading.Event()

    def run(self, argv: Sequence[str], log: Path, *, cwd: Path) -> None:
        assert argv[1:4] == ["hack/cluster", "load-image", "--build-only"]
        assert (cwd / "hack" / "cluster").is_dir()
        self.asked.append(argv[4])
        self.begun.set()
        if argv[4] == "bad":
            raise ClusterError(f"see {log}")
        if argv[4] == "long":
            assert self.stopped.wait(10)

    def stop(self) -> None:
        self.stopped.set()


def test_images_are_built_beside_and_a_bad_one_stops_no_other(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder()
    monkeypatch.setattr(images, "Logged", lambda: builder)
    with images.built_beside([["one"], ["bad"], ["three"]], where.logs / "x.log"):
        pass
    assert builder.asked == ["one", "bad", "three"]


def test_a_cluster_that_fails_ends_the_builds_beside(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder()
    monkeypatch.setattr(images, "Logged", lambda: builder)

    def fail() -> None:
        with images.built_beside([["long"], ["next"]], where.logs / "x.log"):
            assert builder.begun.wait(10)
            raise ClusterError("no disk")

    with pytest.raises(ClusterError, match="no disk"):
        fail()
    assert builder.asked == ["long"]


def test_a_cluster_that_is_started_clears_away_nothing_of_the_builds_beside(where: Paths) -> None:
    assert [word for word in map(str, imagebuild.buildah(where)) if word.startswith(f"{RUNTIME_DIR}/")] == []


@pytest.mark.parametrize(
    ("environ", "warm"), [({"CLUSTER": "kind"}, False), ({images.VARIABLE: "operator=x"}, False), ({}, True)]
)
def test_nothing_is_built_beside_where_nothing_is_waited_for(
    where: Paths, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], warm: bool
) -> None:
    monkeypatch.setattr(images, "Logged", lambda: pytest.fail("something is built"))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    if warm:
        built(where)
    with setup.images_beside():
        pass
