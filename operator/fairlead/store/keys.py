"""Which objects are a Dataset's data: those of a folder, or one object; without what engines leave beside their files.

The operator that lists a source, and the worker that reads it, ask here alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from functools import lru_cache
from glob import escape
from itertools import islice
from typing import Protocol

from fairlead.store.errors import StoreError
from fairlead.store.s3 import Object

HIDDEN = ("_", ".")
"""How names begin that Spark, Hive and others leave out: `_SUCCESS`, `_delta_log/`, `._SUCCESS.crc`, `.DS_Store`."""
PAGE = 1000
"""Keys among which one is looked for that is a prefix of all others."""


class Lists(Protocol):
    """What is needed of a bucket."""

    def list(self, prefix: str) -> Iterator[Object]:
        """All objects under a prefix."""

    def uri(self, key: str) -> str:
        """For messages."""


class Source:
    """What a prefix means: a folder (`flights` is `flights/`, and never `flights-old/`), or one object.

    Args:
        bucket: It is asked what is there, if the prefix does not end with a slash.
        prefix: As it is written.
        exclude: See `excluded`.

    Raises StoreError if both are there.
    """

    def __init__(self, bucket: Lists, prefix: str, exclude: Sequence[str] = ()) -> None:
        self._bucket, self._exclude = bucket, tuple(exclude)
        self._object: Object | None = None
        self.root = prefix
        """How all keys begin; the rest is a file's path."""
        self.ignored = 0
        """Objects that the last listing has left out."""
        if prefix and not prefix.endswith("/"):
            self._find(prefix)

    def _find(self, prefix: str) -> None:
        folder = f"{prefix}/"
        alone = next((one for one in islice(self._bucket.list(prefix), PAGE) if one.key == prefix), None)
        if alone is not None and next(self._bucket.list(folder), None) is not None:
            raise StoreError(
                "BadTask",
                f"{self._bucket.uri(prefix)} is an object, and {self._bucket.uri(folder)} a folder with others: "
                f"write prefix: {folder} for the folder, or move one of them away",
            )
        self._object = alone
        self.root = folder if alone is None else prefix[: prefix.rfind("/") + 1]

    def data(self) -> Iterator[Object]:
        """The objects that are data, as the store lists them. Raises StoreError."""
        self.ignored = 0
        for one in [self._object] if self._object is not None else self._bucket.list(self.root):
            path = one.key.removeprefix(self.root)
            if hidden(path) or excluded(path, self._exclude):
                self.ignored += 1
            else:
                yield one


def hidden(path: str) -> bool:
    """Whether a file, or a folder that it is in, has a name that begins with `_` or `.`."""
    return any(part.startswith(HIDDEN) and part not in (".", "..") for part in path.split("/"))


def excluded(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a pattern leaves a path out. `*`, `?` and `[abc]` stand for characters of one name. A pattern without a
    slash is compared with each name of the path; one with a slash with the path's first names. What lies in a folder
    that matches is left out too."""
    if not patterns:
        return False
    parts = path.split("/")
    anywhere, paths = _compiled(patterns)
    if anywhere is not None and any(map(anywhere.match, parts)):
        return True
    return any(
        len(names) <= len(parts) and all(name.match(part) for name, part in zip(names, parts, strict=False))
        for names in paths
    )


def leaving_out(path: str, paths: Iterable[str]) -> str:
    """A pattern that leaves this path out, and none of the others."""
    name = escape(path.rpartition("/")[2])
    if sum(excluded(one, (name,)) for one in paths) <= 1:
        return name
    return escape(path) if "/" in path else f"/{escape(path)}"


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str] | None, list[list[re.Pattern[str]]]]:
    # fnmatch's expressions take no time that grows with the power of the number of stars
    names = [translate(one) for one in patterns if "/" not in one]
    paths = [one.strip("/").split("/") for one in patterns if "/" in one]
    anywhere = re.compile("|".join(f"(?:{one})" for one in names)) if names else None
    return anywhere, [[re.compile(translate(name)) for name in one] for one in paths]
