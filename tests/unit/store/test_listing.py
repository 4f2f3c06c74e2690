"""The digest of a listing, and the keys of the store."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.store import layout, listing
from fairlead.store.errors import StoreError
from fairlead.store.s3 import Object, keys_from

KEYS = st.text("abc/.-_ü\U0001f600", min_size=1, max_size=8)
OBJECTS = st.lists(
    st.builds(Object, KEYS, st.integers(0, 2**40), st.text("0af-", max_size=6)), max_size=12, unique_by=lambda o: o.key
)


@settings(max_examples=80)
@given(OBJECTS, st.randoms())
def test_the_digest_is_of_the_sorted_lines_in_whatever_order_they_come(
    objects: list[Object], order: random.Random
) -> None:
    shuffled = list(objects)
    order.shuffle(shuffled)
    lines = sorted(f"{o.key}\t{o.size}\t{o.etag}\n".encode() for o in objects)
    found = listing.digest(lambda: iter(shuffled))
    assert found.digest == hashlib.sha256(b"".join(lines)).hexdigest()
    assert (found.objects, found.bytes) == (len(objects), sum(o.size for o in objects))


@settings(max_examples=60)
@given(OBJECTS.filter(bool), st.data())
def test_any_change_of_any_object_is_another_digest(objects: list[Object], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(objects) - 1))
    old = objects[index]
    changed = data.draw(
        st.sampled_from([Object(old.key + "x", old.size, old.etag), Object(old.key, old.size + 1, old.etag),
                         Object(old.key, old.size, old.etag + "1")])
    )  # fmt: skip
    others = [o for i, o in enumerate(objects) if i != index]
    if changed.key in {o.key for o in others}:
        return
    assert listing.digest(lambda: [*others, changed]) != listing.digest(lambda: objects)
    assert listing.digest(lambda: others) != listing.digest(lambda: objects)


def test_a_store_in_order_is_listed_once() -> None:
    looks = 0

    def look() -> list[Object]:
        nonlocal looks
        looks += 1
        return [Object(f"{n:04}", n, "e") for n in range(1000)]

    listing.digest(look)
    assert looks == 1


def test_keys_of_the_store() -> None:
    folder = "ns/datasets/flights/"
    assert layout.blob(folder, "abcd") == "ns/datasets/flights/blobs/ab/abcd"
    assert layout.manifest(folder, "1f") == "ns/datasets/flights/versions/1f.json"
    assert layout.dataset_of(layout.manifest(folder, "1f")) == "ns/datasets/flights"
    assert layout.listing("", "1f") == "listings/1f.json"
    assert layout.split("s3://bucket/a/b/") == ("bucket", "a/b/")
    for bad in ("s3://bucket", "s3:///a", "http://bucket/a", "bucket/a"):
        with pytest.raises(ValueError, match="s3://bucket/key"):
            layout.split(bad)
    with pytest.raises(ValueError, match="not the key of a manifest"):
        layout.dataset_of("ns/datasets/flights/blobs/x")


def test_keys_of_a_secret_are_trimmed_and_never_shown() -> None:
    keys = keys_from({"AWS_ACCESS_KEY_ID": "id\n", "AWS_SECRET_ACCESS_KEY": " hush\n", "AWS_SESSION_TOKEN": ""})
    assert keys is not None
    assert (keys.access, keys.secret, keys.token) == ("id", "hush", None)
    assert "hush" not in repr(keys)
    assert keys_from(None) is None
    with pytest.raises(StoreError, match="lacks AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; add it"):
        keys_from({})
