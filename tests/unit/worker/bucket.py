"""A bucket in memory that takes any key, as S3 does and no server that keeps objects as files can."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fairlead.store import layout
from fairlead.store.errors import StoreError
from fairlead.store.objects import Object, Received
from fairlead.store.sources import s3 as sources
from fairlead.worker import fetch, snapshot

NAME = "abc"


def sha(body: bytes) -> str:
    """In hex."""
    return hashlib.sha256(body).hexdigest()


@dataclass
class Memory:
    """Objects by key."""

    name: str = NAME
    objects: dict[str, bytes] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def list(self, prefix: str) -> Iterator[Object]:
        """As S3: by bytes, without folder markers."""
        for key in sorted(self.objects, key=str.encode):
            if key.startswith(prefix) and (self.objects[key] or not key.endswith("/")):
                yield Object(key, len(self.objects[key]), sha(self.objects[key])[:32])

    def exists(self, key: str) -> bool:
        return key in self.objects

    def versioned(self) -> bool:
        return True

    def read(self, key: str, _limit: int = 1 << 30) -> bytes:
        if key not in self.objects:
            raise StoreError("ObjectMissing", f"{self.uri(key)} does not exist")
        return self.objects[key]

    def download(self, key: str, to: Path, **_conditions: str | None) -> Received:
        body = self.read(key)
        to.write_bytes(body)
        return Received(sha(body), len(body), "1")

    def upload(self, key: str, path: Path, media: str = "") -> None:
        self.objects[key] = path.read_bytes()
        self.media[key] = media

    def put(self, key: str, body: bytes) -> None:
        self.objects[key] = body

    def put_if_absent(self, key: str, body: bytes) -> bool:
        return self.objects.setdefault(key, body) is body


@dataclass
class Buckets:
    """The source and the store."""

    source: Memory = field(default_factory=Memory)
    store: Memory = field(default_factory=lambda: Memory("store"))

    def of(self, name: str) -> Memory:
        return self.source if name == NAME else self.store


def connected(monkeypatch: pytest.MonkeyPatch) -> Buckets:
    """Snapshots and fetches go to buckets in memory."""
    found = Buckets()
    monkeypatch.setattr(snapshot, "place", lambda where: found.of(where.bucket))
    located = lambda uri, _: (found.of(layout.split(uri)[0]), layout.split(uri)[1])  # noqa: E731
    monkeypatch.setattr(snapshot, "located", located)
    monkeypatch.setattr(fetch, "located", located)
    monkeypatch.setattr(sources, "mounted", lambda name, _: found.of(name))
    return found
