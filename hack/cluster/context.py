"""A content hash of a build context: what the build would see, after .dockerignore."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

ALWAYS_IGNORED = {".git", ".local", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
NAMES = (".containerignore", ".dockerignore")


def patterns(text: str) -> list[tuple[bool, re.Pattern[str]]]:
    """The lines of a .dockerignore, in order: whether each ignores, and what it matches (with all below it)."""
    rules = []
    for line in text.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        ignores = not pattern.startswith("!")
        cleaned = pattern.lstrip("!").strip().strip("/")
        rules.append((ignores, re.compile(_expression(cleaned) + r"(?:/.*)?\Z")))
    return rules


def _expression(pattern: str) -> str:
    out, index = "", 0
    while index < len(pattern):
        if pattern.startswith("**/", index):
            out, index = out + r"(?:.*/)?", index + 3
        elif pattern.startswith("**", index):
            out, index = out + ".*", index + 2
        else:
            char = pattern[index]
            out += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
            index += 1
    return out


def ignored(name: str, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    """Whether a file is left out: the last rule that matches decides."""
    verdict = False
    for ignores, expression in rules:
        if expression.match(name):
            verdict = ignores
    return verdict


def files(root: Path) -> Iterator[tuple[str, Path]]:
    """The files of the context, by their names in it."""
    texts = [(root / name).read_text() for name in NAMES if (root / name).exists()]
    rules = patterns(texts[0] if texts else "")
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in ALWAYS_IGNORED)
        for name in sorted(names):
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if not ignored(relative, rules):
                yield relative, path


def digest(root: Path) -> str:
    """A hash over names, modes and contents."""
    total = hashlib.sha256()
    for name, path in files(root):
        mode = path.lstat().st_mode
        total.update(f"{name}\0{mode:o}\0".encode())
        if path.is_symlink():
            total.update(os.readlink(path).encode())
        elif path.is_file():
            with path.open("rb") as source:
                total.update(hashlib.file_digest(source, "sha256").digest())
    return total.hexdigest()
