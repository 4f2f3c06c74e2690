"""A repository on a git server, by dulwich: what a name stands for there, and a commit's files without its history."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from dulwich.client import HTTPUnauthorized, Urllib3HttpGitClient
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.objects import ObjectID
from urllib3.exceptions import HTTPError

from fairlead.plan.requests import GitSeen
from fairlead.store.errors import SpentError, StoreError
from fairlead.store.git import pack
from fairlead.store.git.tree import entries, tree_of
from fairlead.store.git.wire import Web
from fairlead.store.terms import current

SMALL = pack.Bounds(objects=1000, one=2 << 20, total=4 << 20)
"""Of what the operator reads: a commit, or the tree of one folder."""
COMMIT = re.compile(r"[0-9a-f]{40}")
_FOREIGN = (
    GitProtocolError, NotGitRepository, HTTPError, pack.BadPackError, OSError, ValueError, IndexError, KeyError,
    AssertionError, TypeError,
)  # fmt: skip
"""What dulwich raises where a server says what no git server does."""


@dataclass(frozen=True)
class Login:
    """What a private repository asks for: a user's name, and a password or a token."""

    username: str
    password: str


@dataclass(frozen=True)
class Repository:
    """`url`: http or https, without a user's name in it."""

    url: str
    login: Login | None = None

    def commit_of(self, ref: str) -> str:
        """The commit that a branch, a tag or a whole name of a ref stands for; of a commit's name, that. Empty: of
        HEAD. Raises StoreError."""
        if COMMIT.fullmatch(ref):
            return ref
        wanted = _candidates(ref)
        with self._client() as client:
            found = client.get_refs("", ref_prefix=[one.encode() for one in wanted]).refs
        refs = {_text(name): _text(sha) for name, sha in found.items() if sha}
        names = {one: sha for one in wanted if (sha := refs.get(f"{one}^{{}}") or refs.get(one))}
        if len(names) > 1:
            shown = " and ".join(names)
            raise StoreError("RefMissing", f"{ref!r} is ambiguous in {self.url}: there are {shown}; write one of these")
        if not names:
            what = f"no branch and no tag {ref!r}" if ref else "no default branch"
            raise StoreError("RefMissing", f"there is {what} in {self.url}; correct ref")
        (commit,) = names.values()
        if not COMMIT.fullmatch(commit):
            raise StoreError(
                "BadTask",
                f"{self.url} names objects by SHA-256, and only those named by SHA-1 are read; use one of these",
            )
        return commit

    def folder_of(self, commit: str, path: str) -> str | None:
        """The name of the tree that a commit has at a path (empty: of all); None: the server can't hand out single
        trees (it has no filters). Raises StoreError: CommitMissing, PathMissing."""
        shelf = pack.InMemory()
        try:
            self._one(commit, shelf)
            there = shelf.get(commit)
            if there is None or there[0] != pack.COMMIT:
                raise missing(self.url, commit)
            tree = tree_of(there[1])
            for part in filter(None, path.split("/")):
                tree = self._below(tree, part, shelf, commit, path)
        except _NoFilterError:
            return None
        return tree

    def seen(self, ref: str, path: str) -> GitSeen:
        """What a ref stands for; with a path, what stands there. Raises StoreError."""
        commit = self.commit_of(ref)
        asked = path or COMMIT.fullmatch(ref)  # of a commit: whether there is such a one
        tree = self.folder_of(commit, path) if asked else None
        return GitSeen(commit, (tree or "") if path else "")

    def _below(self, tree: str, part: str, shelf: pack.InMemory, commit: str, path: str) -> str:
        self._one(tree, shelf)
        there = shelf.get(tree)
        if there is None:
            raise StoreError(
                "Unreachable", f"{self.url} does not hand out tree {tree}; it is tried again", transient=True
            )
        with self._understood():
            for one in entries(there[1]):
                if one.name == part.encode() and one.sort == "folder":
                    return one.object
        raise StoreError("PathMissing", f"commit {commit} of {self.url} has no folder {path!r}; correct path")

    def _one(self, name: str, shelf: pack.InMemory) -> None:
        """Put one commit or tree on a shelf."""
        whole = io.BytesIO()
        self._fetch(name, whole.write, filtered=True)
        if whole.tell():
            whole.seek(0)
            with self._understood():
                pack.unpack(whole, shelf, SMALL)

    def download(self, commit: str, write: Callable[[bytes], int]) -> None:
        """A pack with all that a commit's tree has. Nothing is written if there is no such commit. Raises
        StoreError."""
        self._fetch(commit, write, filtered=False)

    def _fetch(self, name: str, write: Callable[[bytes], int], *, filtered: bool) -> None:
        def wanted(refs: object, depth: int | None = None) -> list[ObjectID]:  # noqa: ARG001 - whatever names it has
            return [ObjectID(name.encode())]

        with self._client() as client:
            client.fetch_pack(
                "", wanted, _Nothing(), write, depth=None if filtered else 1,
                ref_prefix=[b"refs/fairlead"], filter_spec=b"tree:0" if filtered else None,
            )  # fmt: skip

    @contextmanager
    def _client(self) -> Iterator[_Client]:
        with self._understood():
            web = Web(f"{self.url.rstrip('/')}/")
            login = self.login
            client = _Client(
                self.url, pool_manager=web, username=login.username if login else None,
                password=login.password if login else None,
            )  # fmt: skip
            try:
                yield client
            finally:
                web.clear()

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Errors in the house's words."""
        try:
            yield
        except SpentError as error:
            raise _spent(error, self.url) from error
        except HTTPUnauthorized as error:
            raise self._silent(
                "AccessDenied", f"{self.url} is private, or not there: name a Secret with username and password in "
                "credentials, or correct its name"
            ) from error  # fmt: skip
        except NotGitRepository as error:
            raise self._silent("RepositoryMissing", f"there is no repository {self.url}; correct url") from error
        except _FOREIGN as error:
            told = " ".join(str(error).split())[:160] or type(error).__name__
            raise self._silent(
                "Unreachable", f"{self.url} can't be read ({told}); it is tried again", transient=True
            ) from error  # fmt: skip

    def _silent(self, reason: str, message: str, *, transient: bool = False) -> StoreError:
        """Whoever has named the address may not learn more of what answers there than a git server would say: it may
        be none, and in a network that only the operator reaches."""
        terms = current()
        if terms is None or terms.trusted:
            return StoreError(reason, message, transient=transient)  # type: ignore[arg-type]
        return StoreError(
            "Unreachable", f"no git server answered for {self.url}: is it there and public (a private one needs "
            "credentials), is it spelt so, and may the operator reach it?", transient=True
        )  # fmt: skip


class _NoFilterError(Exception):
    """The server hands out whole commits only."""


class _Client(Urllib3HttpGitClient):
    """dulwich's, which asks for what it was told or nothing."""

    @staticmethod
    def _warn_filter_objects() -> None:
        raise _NoFilterError

    def _discover_references(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        """Not from a folder of files behind a web server: what comes from there is not bounded."""
        found = super()._discover_references(*args, **kwargs)  # type: ignore[arg-type]
        if self.dumb:
            raise GitProtocolError("it is no git server, or one without its smart protocol")
        return found


class _Nothing:
    """What is there already."""

    shallow: frozenset[bytes] = frozenset()

    def __next__(self) -> None:
        return None

    def ack(self, _sha: bytes) -> None:
        """Nothing was said to be there."""

    def nak(self) -> None:
        """Nothing was said to be there."""


def missing(url: str, commit: str) -> StoreError:
    """The error for a commit that a repository does not hand out."""
    return StoreError(
        "CommitMissing", f"{url} has no commit {commit}, or does not hand it out: it was spelt wrongly, or rewritten "
        "and cleared away; name another one"
    )  # fmt: skip


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _candidates(ref: str) -> Sequence[str]:
    if not ref or ref == "HEAD":
        return ["HEAD"]
    return [ref] if ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}"]


def _spent(error: SpentError, url: str) -> StoreError:
    host = urlsplit(url).hostname
    if error.of == "time":
        return StoreError("Unreachable", f"{host} took too long over {url}; it is tried again", transient=True)
    return StoreError(
        "TooLarge", f"{url} answers more than is read of it: it has too many names, or too large a folder"
    )
