"""Digests, manifests and paths."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.store.sources.s3 import SourceBucket
from fairlead.worker import digests
from fairlead.worker.errors import TaskFailed
from fairlead.worker.manifest import File, Manifest, parse
from fairlead.worker.paths import files_under, inside

NAMES = st.text("ab.-/ü", min_size=1, max_size=8)
FILES = st.lists(
    st.builds(File, path=NAMES, size=st.integers(0, 9), sha256=st.sampled_from(["1" * 64, "2" * 64]),
              rows=st.integers(0, 9), etag=st.text("01", max_size=3)),
    max_size=6, unique_by=lambda f: f.path,
)  # fmt: skip
WHERE = SourceBucket(bucket="b", prefix="in/")


def manifest(files: list[File]) -> Manifest:
    return Manifest(dataset="d", format="csv", pin="copy", source=WHERE, schema_digest="x", files=files)


@settings(max_examples=80)
@given(FILES, st.randoms())
def test_a_version_is_its_files_and_nothing_else(files: list[File], order: object) -> None:
    shuffled = list(files)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    elsewhere = [f.model_copy(update={"etag": "other", "rows": 0, "version_id": "v"}) for f in shuffled]
    assert manifest(elsewhere).digest == manifest(files).digest
    listed = sorted([f.path, f.size, f.sha256] for f in files)
    text = json.dumps(listed, separators=(",", ":"), ensure_ascii=False)
    assert manifest(files).digest == hashlib.sha256(text.encode()).hexdigest()
    assert parse(manifest(files).encoded(), "s3://x").digest == manifest(files).digest


@settings(max_examples=60)
@given(FILES.filter(bool), st.sampled_from(["path", "size", "sha256"]))
def test_another_byte_is_another_version(files: list[File], field: str) -> None:
    changed = {"path": files[0].path + "~", "size": files[0].size + 1, "sha256": "3" * 64}[field]
    assert manifest([files[0].model_copy(update={field: changed}), *files[1:]]).digest != manifest(files).digest
    assert manifest(files[1:]).digest != manifest(files).digest


def test_what_is_no_manifest_is_said() -> None:
    for body in (b"", b"[]", b'{"dataset": "d"}', b"\xff"):
        with pytest.raises(TaskFailed, match="s3://x is not a manifest"):
            parse(body, "s3://x")


def test_a_folder_is_digested_like_sha256sum() -> None:
    one, two = digests.of_bytes(b"1"), digests.of_bytes(b"2")
    lines = "".join(sorted([f"{one}  b/x\n", f"{two}  a\n"]))
    assert digests.of_folder([("a", two), ("b/x", one)]) == digests.of_bytes(lines.encode())


def test_canonical_json_has_one_form_and_no_nan() -> None:
    assert digests.canonical({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()
    with pytest.raises(ValueError, match="Out of range float"):
        digests.canonical(float("nan"))


@settings(max_examples=150)
@given(st.text("ab./\\ \x00", max_size=10))
def test_no_path_leads_out_of_its_folder(relative: str) -> None:
    folder = Path("/data/in")
    try:
        found = inside(folder, relative)
    except TaskFailed:
        return
    assert ".." not in found.parts
    assert found.is_relative_to(folder)
    assert found != folder
    assert found.relative_to(folder).as_posix() == relative, "what is fetched keeps its name"


@pytest.mark.parametrize("bad", ["../x", "a/../../x", "/etc/passwd", "", ".", "a//b", "a/", "./a", "a\x00b"])
def test_paths_that_are_refused(bad: str) -> None:
    with pytest.raises(TaskFailed, match="rename the object"):
        inside(Path("/data"), bad)


def test_files_of_a_folder_without_ways_out(tmp_path: Path) -> None:
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub" / "b").write_text("1")
    (tmp_path / "out" / "a").symlink_to(tmp_path / "out" / "sub" / "b")
    assert [name for name, _ in files_under(tmp_path / "out")] == ["a", "sub/b"]
    (tmp_path / "out" / "c").symlink_to(tmp_path)
    with pytest.raises(TaskFailed, match="links to a folder or out of"):
        list(files_under(tmp_path / "out"))
