"""Builds, progress, the stack's decisions, GPUs."""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hack.cluster import builds, fingerprints, gpus, info, parts, stack
from hack.cluster.components import BY_NAME as COMPONENTS
from hack.cluster.images import IMAGES
from hack.cluster.kube import MANIFESTS, Kube, fill
from hack.cluster.lock import exclusive
from hack.cluster.progress import Progress, clock, outlook
from hack.cluster.recipes import BY_NAME, DEFAULT, MODULE, RECIPES
from hack.cluster.settings import Paths, paths
from hack.cluster.shell import ClusterError, CommandError, Logged, run
from hack.cluster.waiting import until


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    made = paths({"FAIRLEAD_STATE": str(tmp_path)})
    made.cache.mkdir(parents=True)
    monkeypatch.setattr(builds, "packages_of", lambda *_: 10)
    return made


class FakeGo(Logged):
    """Writes the programs that a build would, or only some of them."""

    def __init__(self, programs: Sequence[str]) -> None:
        super().__init__()
        self.programs = programs

    def run(
        self,
        argv: Sequence[str | Path],
        log: Path,  # noqa: ARG002
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,  # noqa: ARG002
    ) -> None:
        folder = Path((env or {})["GOBIN"]) if "install" in argv else Path(str(argv[argv.index("-o") + 1]))
        for program in self.programs:
            (folder / program).write_text("built")


def test_key_follows_what_decides_the_result() -> None:
    recipe = BY_NAME["coredns"]
    assert builds.key(recipe) == builds.key(replace(recipe, expected=999))
    assert builds.key(recipe) != builds.key(replace(recipe, version="9"))
    assert builds.key(recipe) != builds.key(replace(recipe, source=""))
    assert builds.key(recipe) != builds.key(replace(recipe, tags="other"))


def test_a_module_pins_the_versions_of_its_recipes() -> None:
    for recipe in RECIPES:
        if recipe.source and recipe.name != "pause":
            assert f"v{recipe.version}" in (recipe.folder / "go.mod").read_text()
            assert (recipe.folder / "go.sum").exists()


def test_what_the_cluster_is_made_of_is_one_module() -> None:
    assert {recipe.source for recipe in DEFAULT} == {MODULE}


def test_one_go_builds_all_programs_of_the_module(where: Paths) -> None:
    kwok, *_ = [recipe for recipe in RECIPES if not recipe.source]
    groups = builds.together([BY_NAME["localkube"], kwok, BY_NAME["helm"]])
    assert [[recipe.name for recipe in group] for group in groups] == [["localkube", "helm"], ["kwok"]]
    argv, env = builds.command(groups[0], where.cache)
    assert argv[:2] == ["go", "build"]
    assert argv[-2:] == ["fairlead.dev/hack/programs/localkube", "helm.sh/helm/v3/cmd/helm"]
    plain = argv.index("-ldflags")
    own = next(n for n, word in enumerate(argv) if word.startswith("-ldflags=fairlead.dev/hack/programs/localkube=-s"))
    assert plain < own, "the last one that fits a package is taken"
    assert env["CGO_ENABLED"] == "0"
    argv, env = builds.command(groups[1], where.cache)
    assert argv[:2] == ["go", "install"]
    assert env["GOBIN"] == str(where.cache)


def test_how_far_a_build_has_come_is_seen_in_its_own_part_of_the_log(where: Paths) -> None:
    log = where.cache / "build.log"
    seen = builds.Seen.of(log, 4)
    assert seen() == 0
    log.write_text("$ go build -v .\ninternal/abi\n")
    seen = builds.Seen.of(log, 4)
    assert seen() == 0
    with log.open("a") as out:
        out.write(
            "go: downloading k8s.io/api v0.35.4\nk8s.io/api/core/v1\n# helm.sh/x\nx/y.go:1:2: undefined: z\nfmt\n"
        )
    assert seen() == 0.5
    assert builds.Seen(log, 0, 2)() == 1


@pytest.mark.parametrize(
    ("usual", "elapsed", "done", "expected"),
    [
        (100, 30, 0.0, 100),  # nothing seen: as usual
        (100, 130, 0.0, None),  # the usual time is over, and nobody knows
        (None, 30, 0.0, None),
        (None, 30, 0.5, 60),
        (100, 30, 0.1, 120),  # 300 by what is seen, of which little is known yet
        (100, 150, 0.5, 225),  # 300 seen, and the usual 100 is long over
        (100, 300, 1.0, 300),
        (1000, 50, 0.5, 550),  # much is in Go's cache: it will take less
    ],
)
def test_b09_what_is_expected_grows_with_what_is_seen(
    usual: float | None, elapsed: float, done: float, expected: float | None
) -> None:
    assert outlook(usual, elapsed, done) == (None if expected is None else pytest.approx(expected))


def test_a_build_arrives_whole_or_not_at_all(where: Paths) -> None:
    recipe = BY_NAME["prometheus-operator"]
    progress = Progress(where.cache / "d.json", io.StringIO())
    with pytest.raises(ClusterError, match="made no prometheus-config-reloader"):
        builds.build(where, [recipe], progress, FakeGo(["operator"]))
    assert not builds.built(where, recipe)
    assert not list((where.cache / "bin").iterdir())
    builds.build(where, [recipe], progress, FakeGo(recipe.programs))
    assert builds.built(where, recipe)
    assert builds.missing(where, [recipe]) == []


def test_links_follow_the_recipes(where: Paths) -> None:
    for recipe in (BY_NAME["localkube"], BY_NAME["helm"]):
        builds.build(where, [recipe], Progress(where.cache / "d.json", io.StringIO()), FakeGo(recipe.programs))
    builds.link(where, [BY_NAME["localkube"], BY_NAME["helm"]])
    builds.link(where, [BY_NAME["localkube"], BY_NAME["helm"]])
    assert (where.bin / "kubectl").resolve().name == "localkube"
    assert (where.bin / "helm").read_text() == "built"


def test_progress_remembers_how_long_it_took(tmp_path: Path) -> None:
    out = io.StringIO()
    progress = Progress(tmp_path / "d.json", out)
    with progress.step("one", 5):
        pass
    with pytest.raises(ValueError, match="broken"), progress.step("two"):
        raise ValueError("broken")
    assert "usually 5.0 s" in out.getvalue()
    assert "✗  two" in out.getvalue()
    again = Progress(tmp_path / "d.json", out)
    assert again.expected("one", 5) == 0.0
    assert again.expected("two") is None


@pytest.mark.parametrize(("seconds", "text"), [(0.26, "0.3 s"), (59, "59 s"), (185, "3 min 05 s")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("recorded", "exists", "todo"),
    [
        (None, False, "install"),
        (None, True, "foreign"),
        ("v1", True, "keep"),
        ("v1", False, "install"),
        ("v0", True, "install"),
        (stack.INSTALLING, True, "install"),
    ],
)
def test_what_to_do_with_a_part(recorded: str | None, exists: bool, todo: str) -> None:
    assert stack.plan("v1", recorded, exists) == todo


def test_every_manifest_can_be_filled_in(where: Paths) -> None:
    values = parts.Context(where, Kube(where.bin / "kubectl", where.kubeconfig), host_volume=True).values()
    for path in MANIFESTS.glob("*.yaml"):
        assert "${" not in fill(path.read_text(), values)
    assert {name for part in parts.PARTS for name in part.images} <= {image.name for image in IMAGES}


def node(beat: str, status: str = "True") -> dict[str, object]:
    condition = {"type": "Ready", "status": status, "lastHeartbeatTime": beat}
    return {"status": {"conditions": [condition]}}


def test_a_node_is_believed_only_when_its_report_is_new() -> None:
    since = datetime(2030, 1, 1, 12, 0, 5, 700_000, tzinfo=UTC)
    assert gpus.reported_since(node("2030-01-01T12:00:05Z"), since)
    assert not gpus.reported_since(node("2030-01-01T12:00:04Z"), since)
    assert gpus.reported_since(node("2030-01-01T12:00:04Z"), None)
    assert not gpus.reported_since(node("2030-01-01T12:00:06Z", "False"), since)
    assert not gpus.reported_since({}, None)


def test_a_changed_configuration_makes_a_component_stale(where: Paths) -> None:
    kubelet = COMPONENTS["kubelet"]
    (where.run / "pids").mkdir(parents=True)
    (where.run / "kubelet.json").write_text("{}")
    assert fingerprints.stale(where, kubelet)
    fingerprints.record(where, kubelet)
    assert not fingerprints.stale(where, kubelet)
    (where.run / "kubelet.json").write_text('{"a": 1}')
    assert fingerprints.stale(where, kubelet)


def test_one_command_at_a_time(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock"), pytest.raises(ClusterError, match="another"), exclusive(tmp_path / "lock"):
        pass
    with exclusive(tmp_path / "lock"):
        pass


def test_a_failed_program_shows_the_end_of_what_it_said() -> None:
    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", "seq 100 >&2; exit 3"])
    assert "status 3" in str(caught.value)
    assert "100" in str(caught.value)
    assert " 50\n" not in str(caught.value)


def test_the_users_own_cluster_is_never_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/home/me/.kube/config")
    assert run(["sh", "-c", "echo ${KUBECONFIG:-none}"]).stdout == "none\n"


def test_waiting_ends_early_when_it_is_in_vain() -> None:
    with pytest.raises(ClusterError, match="it died"):
        until(lambda: False, "x", timeout=60, stop=lambda: "it died")
    with pytest.raises(ClusterError, match="x: not so after 0 s"):
        until(lambda: False, "x", timeout=0)


def test_table() -> None:
    assert info.table([["A", "B"], ["long", "x"]]) == "A     B\nlong  x"


def test_half_done_builds_are_cleared_away(where: Paths) -> None:
    folder = where.cache / "bin"
    whole, dead, alive = (folder / f"x-1.2.3-0123456789abcdef{end}" for end in ("", ".4194999", f".{os.getpid()}"))
    for path in (whole, dead, alive):
        path.mkdir(parents=True)
    builds.clear_scratch(where)
    assert sorted(folder.iterdir()) == sorted([whole, alive])
