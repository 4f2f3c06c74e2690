"""The files of a commit, brought into the pod. The commit's name is verified, and by it each tree's and each file's:
git names objects by their content. Submodules and Git LFS are not followed.

What is in a repository was written by somebody else. Regular files come first and links last, so nothing is ever
written through a link; names that would lead elsewhere are refused; what could be made large has a limit, and the error
says which one.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from fairlead.api.fetching import CodeItem
from fairlead.api.tasks import ResolveResult, ResolveTask
from fairlead.store import names
from fairlead.store.errors import StoreError
from fairlead.store.git import pack, remote
from fairlead.store.git.remote import Login, Repository
from fairlead.store.git.tree import Entry, entries, tree_of
from fairlead.store.terms import Terms, under
from fairlead.worker.errors import TaskFailed

_MI = 1 << 20
SECONDS, ASKING = 900.0, 120.0
"""For all of a checkout, and for what a ref stands for."""


@dataclass(frozen=True)
class Limits:
    """Of a checkout. Code is small: data belongs in Datasets, and models in the store."""

    packed: int = 256 * _MI
    """Bytes that the server sends."""
    pack: pack.Bounds = field(default_factory=lambda: pack.Bounds(objects=200_000, one=64 * _MI, total=1024 * _MI))
    files: int = 100_000
    """Files and folders."""
    written: int = 1024 * _MI
    """Bytes of all files: the same one may stand in many places."""
    depth: int = 64
    """Folders in each other."""
    path: int = 2048
    """Bytes of a path."""


LIMITS = Limits()
_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_LIMIT = 1024
_SHOWN = 3
log = logging.getLogger(__name__)


def checkout(item: CodeItem, limits: Limits = LIMITS) -> int:
    """Bring a commit's files; returns their bytes. Raises TaskFailed or StoreError: nothing is in place then."""
    dest = Path(item.dest)
    dest.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".fairlead-", dir=dest))
    repository = Repository(item.url, _login(item.credentials))
    try:
        with under(Terms(SECONDS, answer=2 * limits.packed)), (staging / "pack").open("w+b") as packed:
            shelf = OnDisk(staging / "objects")
            _received(repository, item.commit, packed, shelf, limits)
            out = Writer(shelf, staging / "tree", limits, item.url)
            out.write(item.commit)
        if item.path and not _is_folder(staging / "tree", item.path):
            text = f"commit {item.commit} of {item.url} has no folder {item.path!r}; correct spec.code.git.path"
            raise StoreError("PathMissing", text)
        for child in sorted((staging / "tree").iterdir()):
            child.rename(dest / child.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _tell(item, out)
    return out.bytes


def resolve(task: ResolveTask) -> ResolveResult:
    """What a ref of a private repository stands for. Raises TaskFailed or StoreError."""
    with under(Terms(ASKING)):
        seen = Repository(task.url, _login(task.credentials)).seen(task.ref, task.path)
    return ResolveResult(commit=seen.commit, tree=seen.tree)


def _login(folder: str | None) -> Login | None:
    if folder is None:
        return None
    found = {}
    for name in ("username", "password"):
        path = Path(folder, name)
        if not path.is_file():
            raise TaskFailed(
                "AccessDenied",
                f"the Secret in spec.code.git.credentials has no {name}; it needs username and password (a token)",
            )
        found[name] = path.read_text().strip()
    return Login(**found)


def _received(repository: Repository, commit: str, packed: BinaryIO, shelf: OnDisk, limits: Limits) -> None:
    """Puts the commit's objects on the shelf."""

    def write(part: bytes) -> int:
        if packed.tell() + len(part) > limits.packed:
            raise _large(f"the server sends more than {limits.packed // _MI} MiB")
        return packed.write(part)

    repository.download(commit, write)
    if not packed.tell():
        raise remote.missing(repository.url, commit)
    packed.seek(0)
    try:
        pack.unpack(packed, shelf, limits.pack)
    except pack.BadPackError as error:
        raise _damaged(repository.url, str(error)) from error


class OnDisk:
    """A shelf of files, one an object."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._kinds = folder, dict[str, str]()
        folder.mkdir()

    def put(self, name: str, kind: str, body: bytes) -> None:
        """Keep an object."""
        self._kinds[name] = kind
        (self._folder / name).write_bytes(body)

    def get(self, name: str) -> tuple[str, bytes] | None:
        """An object."""
        kind = self._kinds.get(name)
        return (kind, (self._folder / name).read_bytes()) if kind else None


@dataclass(frozen=True)
class _Folder:
    tree: str
    path: tuple[str, ...]


class Writer:
    """Writes a commit's files below a folder."""

    def __init__(self, shelf: OnDisk, root: Path, limits: Limits, url: str) -> None:
        self._shelf, self._root, self._limits, self._url = shelf, root, limits, url
        self._links: list[tuple[Path, bytes]] = []
        self._number = self.bytes = 0
        self.submodules: list[str] = []
        self.pointers: list[str] = []

    def write(self, commit: str) -> None:
        """All that the commit has."""
        try:
            left = [_Folder(tree_of(self._object(commit, pack.COMMIT)), ())]
            while left:
                left += self._folder(left.pop())
        except pack.BadPackError as error:
            raise _damaged(self._url, str(error)) from error
        for path, target in self._links:
            self._link(path, target)
        for path, _ in self._links:
            self._leads_inside(path)

    def _object(self, name: str, kind: str) -> bytes:
        found = self._shelf.get(name)
        if found is None or found[0] != kind:
            raise pack.BadPackError(f"{kind} {name} is not in what the server sent")
        return found[1]

    def _folder(self, folder: _Folder) -> list[_Folder]:
        """Write what stands in a folder; returns the folders in it."""
        within = self._root.joinpath(*folder.path)
        self._made(within, folder.path)
        found = []
        for one in entries(self._object(folder.tree, pack.TREE)):
            path = (*folder.path, self._name(one, folder))
            self._count(path)
            if one.sort == "folder":
                found.append(_Folder(one.object, path))
            elif one.sort == "repository":
                self.submodules.append("/".join(path))
                self._made(within / path[-1], path)
            else:
                self._file(one, within / path[-1], path)
        return found

    def _file(self, one: Entry, at: Path, path: tuple[str, ...]) -> None:
        body = self._object(one.object, pack.BLOB)
        self.bytes += len(body)
        if self.bytes > self._limits.written:
            raise _large(f"its files have more than {self._limits.written // _MI} MiB")
        if one.sort == "link":
            self._links.append((at, body))
            return
        if len(body) <= _POINTER_LIMIT and body.startswith(_POINTER):
            self.pointers.append("/".join(path))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            handle = os.open(at, flags, 0o755 if one.sort == "program" else 0o644)
        except FileExistsError:
            raise _twice(path) from None
        with os.fdopen(handle, "wb") as file:
            file.write(body)

    def _made(self, at: Path, path: tuple[str, ...]) -> None:
        try:
            at.mkdir(mode=0o755)
        except FileExistsError:
            raise _twice(path) from None

    def _name(self, one: Entry, folder: _Folder) -> str:
        name = one.name.decode("utf-8", "surrogateescape")
        why = _bad(name)
        if why:
            shown = names.short("/".join((*folder.path, name)))
            raise TaskFailed("BadData", f"the commit has a name that can't be a file's: {shown} ({why}); rename it")
        return name

    def _count(self, path: tuple[str, ...]) -> None:
        self._number += 1
        if self._number > self._limits.files:
            raise _large(f"it has more than {self._limits.files} files and folders")
        if len(path) > self._limits.depth:
            raise _large(f"it has more than {self._limits.depth} folders in each other")
        if len("/".join(path).encode("utf-8", "surrogateescape")) > self._limits.path:
            raise _large(f"a path has more than {self._limits.path} bytes")

    def _link(self, at: Path, target: bytes) -> None:
        text = target.decode("utf-8", "surrogateescape")
        try:
            at.symlink_to(text)
        except FileExistsError:
            raise _twice(at.relative_to(self._root).parts) from None
        except ValueError:  # a NUL
            raise self._astray(at, text) from None

    def _leads_inside(self, at: Path) -> None:
        target = os.readlink(at)
        found = os.path.realpath(at)
        root = os.path.realpath(self._root)
        if target.startswith("/") or not (found == root or found.startswith(f"{root}/")):
            raise self._astray(at, target)

    def _astray(self, at: Path, target: str) -> TaskFailed:
        where = names.short(at.relative_to(self._root).as_posix())
        return TaskFailed(
            "BadData", f"the link {where} leads out of the repository, to {names.short(target)}; replace it with a copy"
        )


def _bad(name: str) -> str:
    """Why no file or folder of a checkout may be called so. `.git`, in any way that some file system takes for it,
    would be a repository's own."""
    if not name or "/" in name:
        return "it is empty, or has a slash"
    if name.casefold().rstrip(". ") in (".git", "git~1"):
        return "it is git's own"
    return names.problem(name)


def _is_folder(root: Path, path: str) -> bool:
    found = root / path
    return found.is_dir() and found.resolve() == root.resolve() / path


def _tell(item: CodeItem, out: Writer) -> None:
    log.info("code fetched", extra={"url": item.url, "commit": item.commit, "bytes": out.bytes, "dest": item.dest})
    for what, left in (("submodules", out.submodules), ("files of Git LFS", out.pointers)):
        if left:
            shown = ", ".join(names.short(path) for path in left[:_SHOWN])
            log.warning("%d %s are not fetched, only what points to them: %s", len(left), what, shown)


def _twice(path: tuple[str, ...]) -> TaskFailed:
    return TaskFailed("BadData", f"the commit has {names.short('/'.join(path))} twice; remove one of them")


def _large(what: str) -> StoreError:
    return StoreError(
        "TooLarge",
        f"the code is too large: {what}, which is the limit; keep data in a Dataset, and models in the store",
    )


def _damaged(url: str, why: str) -> StoreError:
    return StoreError("Unreachable", f"what {url} sent can't be used ({why}); it is tried again", transient=True)
