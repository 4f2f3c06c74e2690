"""What every source holds to: what the operator has listed is what the Job reads, or it has changed, and says so."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.contract.s3.shelves import SHELVES, Shelf

from fairlead.plan.requests import Listed
from fairlead.store import listing
from fairlead.store.errors import StoreError
from fairlead.store.sources.base import Source
from fairlead.store.sources.registry import KINDS, Origin, held, list_source, opened

STRANGE = ["a b+c&d=e.x", "per%2Fcent", "ü/\U0001f600", "quote'\"", "x=1/y=2/z", "#hash?", "tilde~(1)", "-"]


@pytest.fixture(params=sorted(KINDS))
def shelf(request: pytest.FixtureRequest, s3: Any) -> Shelf:
    """An empty source of each kind."""
    return SHELVES[request.param](s3)


def look(shelf: Shelf, *exclude: str) -> Listed:
    """As the operator does."""
    return list_source(shelf.request(exclude), shelf.secret)


def paths(source: Source) -> list[str]:
    return [source.path(entry) for entry in source.list()]


def test_the_operator_and_the_job_see_the_same(shelf: Shelf) -> None:
    for path in ("b", "a/x", "a.x", "a", "_SUCCESS", ".tmp/a", "old/c", "README.md"):
        shelf.put(path if path != "a" else "a/y", path.encode())
    seen, source = look(shelf, "old/", "*.md"), opened(shelf.told(), ["old/", "*.md"])
    assert seen == Listed(listing.digest(source.list).digest, 4, sum(e.size for e in source.list()), 4)
    assert (sorted(paths(source)), source.ignored) == (["a.x", "a/x", "a/y", "b"], 4)


def test_a_digest_is_of_what_is_there_in_whatever_order_it_comes(shelf: Shelf) -> None:
    for number in range(20):
        shelf.put(f"{number}", b"x" * number)
    entries = list(opened(shelf.told(), ()).list())
    random.Random(7).shuffle(entries)
    assert listing.digest(lambda: entries).digest == look(shelf).digest


def test_a_listing_changes_when_an_object_comes_changes_or_goes(shelf: Shelf) -> None:
    seen = [look(shelf)]
    assert (seen[0].objects, seen[0].bytes) == (0, 0)
    for path, body in (("a", b"1"), ("b/c", b"2"), ("a", b"3")):
        shelf.put(path, body)
        seen.append(look(shelf))
    shelf.beside()
    assert look(shelf) == seen[-1], "outside of the source"
    shelf.delete("b/c")
    seen.append(look(shelf))
    assert len({one.digest for one in seen}) == 5


def test_a_listing_goes_over_pages(shelf: Shelf) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: shelf.put(f"{n}", b"xy"), range(1005)))
    listed = look(shelf)
    assert (listed.objects, listed.bytes) == (1005, 2010)


def test_a_listing_is_bounded(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "OBJECTS", 5)
    for number in range(6):
        shelf.put(f"{number}", b"x")
    with pytest.raises(StoreError) as caught:
        look(shelf)
    assert caught.value.reason == "ListingTooLarge"


def test_any_name_is_listed_and_opened_as_it_is(shelf: Shelf, tmp_path: Path) -> None:
    for path in STRANGE:
        shelf.put(path, path.encode())
    source = opened(shelf.told(), ())
    assert sorted(paths(source)) == sorted(STRANGE)
    for entry in source.list():
        source.open(entry, tmp_path / "found", hold=False)
        assert (tmp_path / "found").read_text() == source.path(entry)


def test_what_is_opened_is_whole_and_what_was_listed(shelf: Shelf, tmp_path: Path) -> None:
    body = bytes(range(256)) * 20_000
    shelf.put("a", body)
    source = opened(shelf.told(), ())
    (entry,) = source.list()
    got = source.open(entry, tmp_path / "a", hold=False)
    assert (got.sha256, got.size, entry.size) == (hashlib.sha256(body).hexdigest(), len(body), len(body))
    assert (tmp_path / "a").read_bytes() == body
    assert source.uri("a") == f"{source.uri('')}a"


@pytest.mark.parametrize("gone", [False, True])
def test_what_has_changed_since_it_was_listed_is_not_opened(shelf: Shelf, tmp_path: Path, gone: bool) -> None:
    shelf.put("a", b"one")
    source = opened(shelf.told(), ())
    (entry,) = source.list()
    shelf.delete("a")
    if not gone:
        shelf.put("a", b"two")
    with pytest.raises(StoreError) as caught:
        source.open(entry, tmp_path / "a", hold=False)
    assert caught.value.reason == ("ObjectMissing" if gone else "ObjectChanged")
    assert source.uri("a") in caught.value.message
    assert not (tmp_path / "a").exists()


def test_what_is_held_outlives_its_object(shelf: Shelf, tmp_path: Path) -> None:
    keeps = shelf.keep_versions()
    shelf.put("a/b", b"one")
    source = opened(shelf.told(), ())
    assert (source.fleeting() == "") == keeps
    if not keeps:
        return
    (entry,) = source.list()
    got = source.open(entry, tmp_path / "1", hold=True)
    shelf.put("a/b", b"two")
    shelf.delete("a/b")
    said: Any = TypeAdapter(Origin).validate_json(source.origin().model_dump_json())  # as a manifest keeps it
    again = held(said, shelf.access())
    assert again.read("a/b", got.version_id, tmp_path / "2").sha256 == got.sha256
    assert (tmp_path / "2").read_bytes() == b"one"
    assert again.uri("a/b") == source.uri("a/b")


def test_what_is_not_held_says_what_to_do(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put("a", b"one")
    source = opened(shelf.told(), ())
    assert "pin: copy" in source.fleeting()
    (entry,) = source.list()
    with pytest.raises(StoreError, match="pin: copy"):
        source.open(entry, tmp_path / "a", hold=True)


def test_without_what_opens_it_there_is_a_reason_and_no_secret_is_told(shelf: Shelf) -> None:
    for wrong in shelf.refused:
        with pytest.raises(StoreError) as caught:
            list_source(shelf.request(), wrong)
        assert caught.value.reason in ("AccessDenied", "CredentialsMissing")
        assert not caught.value.transient
        assert not [value for value in shelf.secret.values() if len(value) > 8 and value in caught.value.message]


def test_what_a_pod_can_not_open_is_no_file(shelf: Shelf) -> None:
    nowhere = shelf.told().model_copy(update={"credentials": "/not/mounted"})
    with pytest.raises(StoreError, match="not mounted"):
        opened(nowhere, ())
