"""Which of a source's objects are data: all but what engines leave beside their files, and what the spec excludes.

The operator that lists a source, and the worker that reads it, ask here alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import translate
from functools import lru_cache
from glob import escape

from fairlead.store.objects import Object

HIDDEN = ("_", ".")
"""How names begin that Spark, Hive and others leave out: `_SUCCESS`, `_delta_log/`, `._SUCCESS.crc`, `.DS_Store`."""


class Chosen:
    """The data among a source's objects, while they are gone through."""

    def __init__(self, root: str, exclude: Iterable[str]) -> None:
        self._root, self._exclude = root, tuple(exclude)
        self.ignored = 0
        """How many were left out."""

    def among(self, objects: Iterable[Object]) -> Iterator[Object]:
        """Those that are data, in the same order."""
        self.ignored = 0
        for one in objects:
            path = one.key.removeprefix(self._root)
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
