"""A commit's files in a pod, from a real git server; and from repositories that mean harm."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.store.gitserver import Origin, Server, git, serving, serving_as_of_old

from fairlead.api.fetching import CodeItem, FetchTask
from fairlead.plan.requests import GitSeen
from fairlead.store.errors import StoreError
from fairlead.store.git import pack
from fairlead.store.git.remote import Repository
from fairlead.worker.code import Limits, OnDisk, Writer, checkout
from fairlead.worker.errors import TaskFailed
from fairlead.worker.main import attempt

SMALL = Limits(packed=1 << 20, pack=pack.Bounds(500, 1 << 16, 1 << 20), files=60, written=1 << 17, depth=5, path=200)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("git")) as server:
        Origin.made(server.root / "r").commit({"README": "hello"})
        yield server


@pytest.fixture
def origin(served: Server) -> Origin:
    return Origin(served.root / "r")


def item(served: Server, commit: str, dest: Path, path: str = "", credentials: str | None = None) -> CodeItem:
    url = served.repository("r")
    return CodeItem(url=url, commit=commit, path=path, credentials=credentials, dest=str(dest))


def tree(folder: Path) -> dict[str, bytes]:
    """Files and links below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = b"-> " + os.readlink(path).encode()
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def line(mode: str, name: bytes, of: str) -> bytes:
    return mode.encode() + b" " + name + b"\0" + bytes.fromhex(of)


def test_the_commit_is_there_as_git_has_it(served: Server, origin: Origin, tmp_path: Path) -> None:
    (origin.folder / "run.sh").write_text("#!/bin/sh\n")
    (origin.folder / "run.sh").chmod(0o755)
    (origin.folder / "link").symlink_to("training/train.py")
    (origin.folder / "up").mkdir(exist_ok=True)
    (origin.folder / "up" / "back").symlink_to("../training")
    pinned = origin.commit({"training/train.py": "print(1)\n", "ä ö/é.txt": "x"})
    origin.commit({"training/train.py": "print(2)\n"})
    got = checkout(item(served, pinned, tmp_path / "code", "training"))
    git(origin.folder, "worktree", "add", "-q", "--detach", str(tmp_path / "git"), pinned)
    wanted = {name: body for name, body in tree(tmp_path / "git").items() if name != ".git"}
    assert tree(tmp_path / "code") == wanted
    assert got == sum(len(body.removeprefix(b"-> ")) for body in wanted.values())
    modes = {name: stat.S_IMODE((tmp_path / "code" / name).stat().st_mode) for name in ("run.sh", "README")}
    assert modes == {"run.sh": 0o755, "README": 0o644}
    assert not [name for name in os.listdir(tmp_path / "code") if name.startswith(".fairlead")]


def test_several_steps_get_the_same_bytes_whatever_becomes_of_the_branch(
    served: Server, origin: Origin, tmp_path: Path
) -> None:
    pinned = origin.commit({"a": "1"})
    checkout(item(served, pinned, tmp_path / "one"))
    git(origin.folder, "checkout", "-q", "--orphan", "new")
    origin.commit({"a": "rewritten"})
    git(origin.folder, "branch", "-M", "new", "main")
    checkout(item(served, pinned, tmp_path / "two"))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_commit_that_is_gone_leaves_nothing(served: Server, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as raised:
        checkout(item(served, "0" * 40, tmp_path / "code"))
    assert (raised.value.reason, raised.value.transient) == ("CommitMissing", False)
    assert tree(tmp_path) == {}


def test_a_folder_that_is_not_there(served: Server, origin: Origin, tmp_path: Path) -> None:
    (origin.folder / "elsewhere").symlink_to("training")
    pinned = origin.commit({"training/train.py": "x"})
    for path in ("nope", "README", "elsewhere"):
        with pytest.raises(StoreError) as raised:
            checkout(item(served, pinned, tmp_path / path, path))
        assert (raised.value.reason, tree(tmp_path)) == ("PathMissing", {})


def test_a_private_repository_opens_with_the_mounted_secret(served: Server, origin: Origin, tmp_path: Path) -> None:
    pinned, secret = origin.commit({"a": "private"}), tmp_path / "secret"
    secret.mkdir()
    served.login = "bot:token"
    try:
        with pytest.raises(TaskFailed, match="no username"):
            checkout(item(served, pinned, tmp_path / "code", credentials=str(secret)))
        (secret / "username").write_text("bot\n")
        (secret / "password").write_text("token\n")
        checkout(item(served, pinned, tmp_path / "code", credentials=str(secret)))
        with pytest.raises(StoreError) as raised:
            checkout(item(served, pinned, tmp_path / "other"))
    finally:
        served.login = ""
    assert raised.value.reason == "AccessDenied"
    assert tree(tmp_path / "code")["a"] == b"private"


def test_submodules_and_lfs_are_said_and_not_followed(
    served: Server, origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blob = origin.blob(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    pinned = origin.crafted(line("100644", b"model.bin", blob) + line("160000", b"vendored", "1" * 40))
    checkout(item(served, pinned, tmp_path / "code"))
    assert (tmp_path / "code" / "vendored").is_dir()
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 2
    assert "1 submodules are not fetched" in said[0]
    assert "vendored" in said[0]
    assert "Git LFS" in said[1]
    assert "model.bin" in said[1]


@pytest.mark.parametrize("name", [b".git", b".GIT", b".git.", b"git~1", b"..", b".", b"a/b", b"a\nb", b"\xff"])
def test_names_that_would_lead_elsewhere(served: Server, origin: Origin, tmp_path: Path, name: bytes) -> None:
    blob = origin.blob(b"x")
    folder = git(origin.folder, "rev-parse", "HEAD^{tree}")
    for one in (line("100644", name, blob), line("120000", name, blob), line("40000", name, folder),
                line("160000", name, folder)):  # fmt: skip
        with pytest.raises(TaskFailed) as raised:
            checkout(item(served, origin.crafted(one), tmp_path / "code"))
        assert raised.value.error.reason == "BadData"
        assert tree(tmp_path) == {}


@pytest.mark.parametrize("target", ["/etc", "..", "../../etc/passwd", "a/../../..", "l2/../..", "", "x\0y"])
def test_links_that_lead_out(served: Server, origin: Origin, tmp_path: Path, target: str) -> None:
    link, other = origin.blob(target.encode()), origin.blob(b".")
    pinned = origin.crafted(line("120000", b"l", link) + line("120000", b"l2", other))
    with pytest.raises((TaskFailed, OSError)) as raised:
        checkout(item(served, pinned, tmp_path / "code"))
    if isinstance(raised.value, TaskFailed):
        assert "leads out of the repository" in str(raised.value)
    else:
        assert target == ""
    assert tree(tmp_path) == {}


def test_nothing_is_written_through_a_link(served: Server, origin: Origin, tmp_path: Path) -> None:
    """A link and a folder of the same name, in either order."""
    outside = tmp_path / "outside"
    outside.mkdir()
    inner = git(origin.folder, "mktree", stdin=f"100644 blob {origin.blob(b'harm')}\tfile\n".encode())
    link = line("120000", b"d", origin.blob(str(outside).encode()))
    folder = line("40000", b"d", inner)
    for both in (link + folder, folder + link):
        with pytest.raises(TaskFailed, match="twice"):
            checkout(item(served, origin.crafted(both), tmp_path / "code"))
    assert list(outside.iterdir()) == []


def _nested(origin: Origin, width: int, depth: int) -> str:
    """A commit of a few objects that stands for width ** depth files."""
    one = f"100644 blob {origin.blob(b'x' * 60)}"
    kind = one
    for _ in range(depth):
        text = "".join(f"{kind}\tn{number}\n" for number in range(width))
        kind = f"040000 tree {git(origin.folder, 'mktree', stdin=text.encode())}"
    return git(origin.folder, "commit-tree", kind.split()[-1], "-m", "bomb")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"f": os.urandom(1 << 15) * 3}, "65536 is the limit for one"),
        ({f"f{number}": os.urandom(60_000) for number in range(20)}, "MiB, which is the limit|1048576 bytes"),
        ({f"f{number}": "x" for number in range(61)}, "more than 60 files"),
        ({"/".join("abcdef"): "x"}, "more than 5 folders"),
        ({"/".join(c * 90 for c in "abc"): "x"}, "more than 200 bytes"),
    ],
)
def test_each_limit_is_named(served: Server, tmp_path: Path, files: Mapping[str, bytes | str], words: str) -> None:
    name = f"big{len(list(served.root.iterdir()))}"
    pinned = Origin.made(served.root / name).commit(files)
    code = CodeItem(url=served.repository(name), commit=pinned, dest=str(tmp_path / "code"))
    with pytest.raises(StoreError, match=words) as raised:
        checkout(code, SMALL)
    assert (raised.value.reason, raised.value.transient, tree(tmp_path)) == ("TooLarge", False, {})


def test_few_objects_that_stand_for_many_files(served: Server, origin: Origin, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="more than 60 files and folders"):
        checkout(item(served, _nested(origin, 10, 4), tmp_path / "code"), SMALL)
    wide = Limits(files=10**6, written=1 << 14)
    with pytest.raises(StoreError, match="more than 0 MiB"):
        checkout(item(served, _nested(origin, 10, 3), tmp_path / "code"), wide)
    assert tree(tmp_path) == {}


_NAMES = st.sampled_from([b"a", b"b", b"", b"..", b".", b".git", b"l", b"a b", b"a/b", b"\xc3\xa4", b"\xff"])
_LINES = st.lists(
    st.tuples(st.sampled_from(["100644", "100755", "120000", "40000", "160000"]), _NAMES, st.integers(0, 3)), max_size=4
)
_TARGETS = (b"a", b"../../canary", b"/etc/passwd", b"l/../a")


@settings(max_examples=150, deadline=None)
@given(levels=st.lists(_LINES, min_size=1, max_size=4))
def test_nothing_ever_leaves_the_folder(levels: list[list[tuple[str, bytes, int]]]) -> None:
    """Trees with any lines, in any order, in each other: all that is written is inside."""
    with tempfile.TemporaryDirectory() as name:
        above = Path(name).resolve()
        (above / "canary").write_text("untouched")
        shelf = OnDisk(above / "objects")
        blobs = [_put(shelf, pack.BLOB, body) for body in _TARGETS]
        tree_ = _put(shelf, pack.TREE, b"")
        for lines in levels:
            body = b"".join(line(mode, name_, tree_ if mode == "40000" else blobs[i]) for mode, name_, i in lines)
            tree_ = _put(shelf, pack.TREE, body)
        root = above / "tree"
        before = set(above.iterdir())
        try:
            Writer(shelf, root, SMALL, "http://git").write(_put(shelf, pack.COMMIT, f"tree {tree_}\n".encode()))
            for path in root.rglob("*"):
                assert Path(os.path.realpath(path)).is_relative_to(root)
        except (TaskFailed, StoreError):
            pass
        assert {path.name for path in set(above.iterdir()) - before} <= {"tree"}
        assert (above / "canary").read_text() == "untouched"


def _put(shelf: OnDisk, kind: str, body: bytes) -> str:
    shelf.put(pack.named(kind, body), kind, body)
    return pack.named(kind, body)


def test_as_a_task(served: Server, origin: Origin, tmp_path: Path) -> None:
    """What the container is told, and what it answers."""
    pinned = origin.commit({"a": "12345"})
    task = FetchTask(items=[], code=item(served, pinned, tmp_path / "code"))
    said = attempt("fetch", task.model_dump_json(by_alias=True, exclude_none=True))
    assert (said.error, said.fetched) == (
        None,
        sum(len(body.removeprefix(b"-> ")) for body in tree(tmp_path / "code").values()),
    )
    gone = FetchTask(items=[], code=item(served, "0" * 40, tmp_path / "other"))
    error = attempt("fetch", gone.model_dump_json(by_alias=True, exclude_none=True)).error
    assert error is not None
    assert (error.reason, error.transient) == ("CommitMissing", False)


def test_a_server_of_the_old_protocol(tmp_path: Path) -> None:
    """It knows no trees by themselves, and hands out a commit that has a name."""
    pinned = Origin.made(tmp_path / "r").commit({"training/train.py": "x", "README": "y"})
    with serving_as_of_old(Origin(tmp_path / "r")) as url:
        assert Repository(url).seen("main", "training") == GitSeen(pinned)
        checkout(CodeItem(url=url, commit=pinned, path="training", dest=str(tmp_path / "code")))
        with pytest.raises(StoreError) as raised:
            Repository(url).seen("nope", "")
    assert raised.value.reason == "RefMissing"
    assert tree(tmp_path / "code") == {"README": b"y", "training/train.py": b"x"}
