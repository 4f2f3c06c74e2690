"""The store against a real S3 server: conditions hold, and errors say what to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fairlead.plan.sources.s3 import ListObjects
from fairlead.store.errors import StoreError
from fairlead.store.s3 import Bucket, keys_in
from fairlead.store.sources.registry import list_source

SECRET = {"AWS_ACCESS_KEY_ID": "root", "AWS_SECRET_ACCESS_KEY": "a-root-secret"}


def opened(s3: Any, bucket: str) -> Bucket:
    return Bucket(bucket, s3.endpoint, None, keys_in(s3.credentials))


def request(s3: Any, name: str, **changed: Any) -> ListObjects:
    fields = {"namespace": "n", "bucket": name, "prefix": "in/", "endpoint": s3.endpoint, "region": None}
    return ListObjects(**{**fields, "credentials": "s3", **changed})


def test_only_one_of_many_conditional_writers_wins(s3: Any, bucket: str) -> None:
    store = opened(s3, bucket)
    for round_ in range(5):
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda n, r=round_: store.put_if_absent(f"outcome-{r}", b"%d" % n), range(8)))
        assert won.count(True) == 1
        assert store.read(f"outcome-{round_}") == b"%d" % won.index(True)


def test_folder_markers_are_no_objects(s3: Any, bucket: str) -> None:
    s3.client.put_object(Bucket=bucket, Key="in/", Body=b"")
    s3.client.put_object(Bucket=bucket, Key="in/1", Body=b"xy")
    listed = list_source(request(s3, bucket), SECRET)
    assert (listed.objects, listed.bytes) == (1, 2)


@pytest.mark.parametrize(
    ("changed", "secret", "reason", "words", "transient"),
    [
        ({"bucket": "not-there"}, SECRET, "BucketMissing", "create it", False),
        ({}, {**SECRET, "AWS_ACCESS_KEY_ID": "nobody"}, "AccessDenied", "AWS_ACCESS_KEY_ID", False),
        ({}, {**SECRET, "AWS_SECRET_ACCESS_KEY": "wrong"}, "AccessDenied", "AWS_SECRET_ACCESS_KEY", False),
        ({}, {"AWS_ACCESS_KEY_ID": "root"}, "AccessDenied", "lacks AWS_SECRET_ACCESS_KEY", False),
        ({"endpoint": "http://127.0.0.1:1"}, SECRET, "Unreachable", "nothing listens there", True),
        ({"endpoint": "http://no-such-host.invalid"}, SECRET, "Unreachable", "host name", True),
    ],
)
def test_what_is_wrong_has_a_reason_and_a_remedy(
    s3: Any, bucket: str, changed: dict[str, Any], secret: dict[str, str], reason: str, words: str, transient: bool
) -> None:
    with pytest.raises(StoreError) as caught:
        list_source(request(s3, bucket, **changed), secret)
    assert (caught.value.reason, caught.value.transient) == (reason, transient)
    assert words in caught.value.message
    assert "a-root-secret" not in caught.value.message


def test_a_read_of_a_changed_object_fails_and_leaves_nothing(s3: Any, bucket: str, tmp_path: Path) -> None:
    store = opened(s3, bucket)
    s3.client.put_object(Bucket=bucket, Key="in/a", Body=b"one")
    (before,) = store.list("in/")
    s3.client.put_object(Bucket=bucket, Key="in/a", Body=b"two")
    with pytest.raises(StoreError, match="changed since it was listed") as caught:
        store.download("in/a", tmp_path / "a", etag=before.etag)
    assert caught.value.reason == "ObjectChanged"
    assert not (tmp_path / "a").exists()


def test_a_pinned_version_outlives_its_object(s3: Any, versioned_bucket: str, tmp_path: Path) -> None:
    store = opened(s3, versioned_bucket)
    assert store.versioned()
    s3.client.put_object(Bucket=versioned_bucket, Key="a", Body=b"one")
    pinned = store.download("a", tmp_path / "1").version_id
    s3.client.put_object(Bucket=versioned_bucket, Key="a", Body=b"two")
    store.download("a", tmp_path / "2", version_id=pinned)
    assert (tmp_path / "2").read_bytes() == b"one"


def test_a_large_file_goes_in_parts_and_comes_back_whole(s3: Any, bucket: str, tmp_path: Path) -> None:
    store = opened(s3, bucket)
    (tmp_path / "big").write_bytes(bytes(range(256)) * (40 << 12))
    store.upload("big", tmp_path / "big")
    got = store.download("big", tmp_path / "back")
    assert got.size == 40 << 20
    assert (tmp_path / "back").read_bytes() == (tmp_path / "big").read_bytes()
