"""What stands in a commit and in a tree, as git writes them; see https://git-scm.com/book/en/v2/Git-Internals-Git-Objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from fairlead.store.git.pack import BadPackError

Sort = Literal["file", "program", "link", "folder", "repository"]
_TREE = re.compile(rb"tree ([0-9a-f]{40})\n")
_SORTS: dict[bytes, Sort] = {
    b"100755": "program", b"100644": "file", b"100664": "file", b"120000": "link", b"40000": "folder",
    b"160000": "repository",
}  # fmt: skip


class Entry(NamedTuple):
    """A line of a tree."""

    sort: Sort
    """`link`: symbolic; `repository`: a commit of another one, a submodule."""
    name: bytes
    object: str


def tree_of(commit: bytes) -> str:
    """The name of a commit's tree. Raises BadPackError."""
    found = _TREE.match(commit)
    if found is None:
        raise BadPackError("a commit names no tree")
    return found[1].decode()


def entries(tree: bytes) -> Iterator[Entry]:
    """Its lines. Raises BadPackError."""
    at = 0
    while at < len(tree):
        space = tree.find(b" ", at, at + 8)
        end = tree.find(b"\0", at)
        sort = _SORTS.get(tree[at:space]) if 0 < space < end else None
        if sort is None or len(tree) < end + 21:
            raise BadPackError("a tree can't be read")
        yield Entry(sort, tree[space + 1 : end], tree[end + 1 : end + 21].hex())
        at = end + 21
