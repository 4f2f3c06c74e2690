"""What an image's name means: which registry, which repository there, which tag or digest.

By the grammar of github.com/distribution/reference, by which Docker and containerd read names, with Docker's defaults.
"""

from __future__ import annotations

import re
from typing import NamedTuple

DOCKER, _LEGACY, _LIBRARY = "docker.io", "index.docker.io", "library/"
_COMPONENT = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
REPOSITORY_LENGTH = 255


class ImageName(NamedTuple):
    """An image's name, in full."""

    host: str
    """Of the registry, with the port if it has one; `docker.io` if the name has none."""
    repository: str
    """`library/python`"""
    tag: str
    """`latest` where there is neither tag nor digest; empty where there is only a digest."""
    digest: str
    """`sha256:…`; empty: it is named by its tag."""

    @property
    def full(self) -> str:
        """With all that was left out."""
        tag, digest = f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.repository}{tag}{digest}"


def parse(text: str) -> ImageName:
    """The parts of a name. Raises ValueError, with what is wrong in words."""
    if _IDENTIFIER.fullmatch(text):
        raise ValueError("64 hexadecimal digits are an image's id and no name")
    name, _, digest = text.partition("@")
    if "@" in text:
        _check_digest(digest)
    name, tag = _without_tag(name)
    host, repository = _split(name)
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no host")
    if not _REPOSITORY.fullmatch(repository):
        lower = "; a repository's name is in lower case" if repository.lower() != repository else ""
        raise ValueError(f"{repository!r} is no repository{lower}")
    if len(repository) > REPOSITORY_LENGTH:
        raise ValueError(f"the repository's name is longer than {REPOSITORY_LENGTH} characters")
    return ImageName(host, repository, tag or ("" if digest else "latest"), digest)


def _check_digest(digest: str) -> None:
    algorithm, _, digits = digest.partition(":")
    wanted = _LENGTHS.get(algorithm)
    if not _DIGEST.fullmatch(digest) or wanted is None or len(digits) != wanted or digits.lower() != digits:
        raise ValueError(f"{digest[:80]!r} is no digest: write sha256: and 64 hexadecimal digits")


def _without_tag(name: str) -> tuple[str, str]:
    """A colon before the last slash is a port's."""
    before, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, ""
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{tag[:140]!r} is no tag")
    return before, tag


def _split(name: str) -> tuple[str, str]:
    """Host and repository. What stands before the first slash is a host if it looks like one, else a folder of Docker's
    registry."""
    first, slash, rest = name.partition("/")
    is_host = first == "localhost" or any(sign in first for sign in ".:") or first.lower() != first
    if not slash or not is_host:
        first, rest = DOCKER, name
    host = DOCKER if first == _LEGACY else first
    return host, f"{_LIBRARY}{rest}" if host == DOCKER and "/" not in rest else rest
