"""The newest document of a folder: the last key, whole, and text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairlead.plan.requests import Newest, ReadNewest
from fairlead.store import documents, s3
from fairlead.store.errors import StoreError
from fairlead.store.s3 import Object

ASKED = ReadNewest("team", "bucket", "team/state/web/", None, None, None)


class Folder:
    """A bucket in memory, listed in any order."""

    held: dict[str, bytes]

    def __init__(self, *_: object) -> None:
        pass

    def list(self, prefix: str) -> Iterator[Object]:
        found = [key for key in sorted(self.held, reverse=True) if key.startswith(prefix)]
        return (Object(key, len(self.held[key]), "") for key in found[1:] + found[:1])

    def read(self, key: str, limit: int) -> bytes:
        assert limit == documents.NEWEST_LIMIT
        return self.held[key]

    def uri(self, key: str) -> str:
        return f"s3://bucket/{key}"


def held(monkeypatch: pytest.MonkeyPatch, **names: bytes) -> None:
    monkeypatch.setattr(documents, "Bucket", Folder)
    Folder.held = {f"team/state/{name.replace('_', '/')}.json": body for name, body in names.items()}


def test_the_last_key_counts_and_other_folders_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    held(monkeypatch, web_000000009=b"9", web_000000010=b"10", web2_000000011=b"11")
    assert documents.newest(ASKED, None) == Newest("team/state/web/000000010.json", "10")


def test_an_empty_folder_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    held(monkeypatch, web2_000000011=b"11")
    assert documents.newest(ASKED, None) == Newest("", "")


@pytest.mark.parametrize("body", [b"\xff\xfe", b" " * (documents.NEWEST_LIMIT + 1)])
def test_what_is_no_document_is_named(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    held(monkeypatch, web_000000009=body)
    with pytest.raises(StoreError, match=r"team/state/web/000000009\.json .*move it away"):
        documents.newest(ASKED, None)


@pytest.mark.parametrize(
    "name", ["000000010.json.bak", "README", "zzz.json", "000000010 (1).json", "older/000000099.json"]
)
def test_what_somebody_has_put_beside_the_documents_is_none_of_them(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:  # fmt: skip
    """A copy that sorts last was taken for the newest, and no document could be written any more."""
    held(monkeypatch, web_000000009=b"9", web_000000010=b"10")
    Folder.held[f"team/state/web/{name}"] = b"x"
    assert documents.newest(ASKED, None) == Newest("team/state/web/000000010.json", "10")


def test_what_could_not_be_read_again_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest of very many files, for example: whoever reads it has so much memory, and no more."""
    monkeypatch.setattr(s3, "DOCUMENT_LIMIT", 1 << 20)
    bucket = s3.Bucket("b", "http://127.0.0.1:1", None, s3.Keys("id", "hush"))
    for write in (bucket.put, bucket.put_if_absent):
        with pytest.raises(StoreError, match=r"s3://b/m\.json would have 1 MiB.*fewer, larger files") as caught:
            write("m.json", b" " * ((1 << 20) + 1))
        assert caught.value.reason == "BadTask"
