"""Names from outside: which can be names of files, and how they are shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator

LONGEST = 255
"""Bytes that file systems allow in one name of a path."""
LONGEST_KEY = 1024
"""Bytes that S3 allows in a key."""
_REPLACED = "\ufffd"
"""What stands in a listing for bytes that are no UTF-8: such a key can't be asked for any more."""


def shown(name: str) -> str:
    """With escapes for what is no readable character; bytes that are not UTF-8 as `\\xe9`."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short(name: str) -> str:
    """The same, of a long one the beginning and the end."""
    text = shown(name)
    return text if len(text) <= 100 else f"{text[:60]}…{text[-39:]}"


def problem(path: str) -> str:
    """Why no file of a version, or of an output, may have this path (with slashes); empty if one may."""
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in path):
        return "it has a control character, such as a line break"
    return impossible(path)


def impossible(path: str) -> str:
    """Why no file in a folder can have this path; empty if one can."""
    parts = path.split("/")
    if any("\ud800" <= c <= "\udfff" or c == _REPLACED for c in path):
        return "its name is not UTF-8"
    if "\x00" in path:
        return "it has a NUL"
    if path.endswith("/"):
        return "it ends with a slash, as only a folder does"
    if "" in parts:
        return "there is no name between two of its slashes, or before the first one"
    if "." in parts or ".." in parts:
        return "one of its names is . or .."
    if any(len(part.encode()) > LONGEST for part in parts):
        return f"one of its names has more than {LONGEST} bytes"
    return ""


def clashes(paths: Collection[str]) -> Iterator[tuple[str, str]]:
    """(path, another one) where the first would have to be a file, and a folder for the second."""
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            if above in paths:
                yield above, path
