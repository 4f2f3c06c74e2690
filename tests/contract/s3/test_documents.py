"""Documents that are written once, against a real S3 server."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fairlead.plan.requests import Document, FindObject, KeepLog, Presence, ReadDocument, Saved, SaveDocument
from fairlead.store.documents import find, keep_log, read, save
from fairlead.store.errors import StoreError

SECRET = {"AWS_ACCESS_KEY_ID": "root", "AWS_SECRET_ACCESS_KEY": "a-root-secret"}


def document(s3: Any, bucket: str, body: str, **changed: Any) -> SaveDocument:
    fields = {"namespace": "n", "bucket": bucket, "key": "evidence/00000.jsonl", "body": body, "endpoint": s3.endpoint}
    return SaveDocument(**{**fields, "region": None, "credentials": "s3", **changed})


def test_the_same_document_may_be_saved_by_many_and_again(s3: Any, bucket: str) -> None:
    asked = document(s3, bucket, '{"t":1}\n')
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: save(asked, SECRET), range(6))) == {Saved()}
    assert save(asked, SECRET) == Saved()
    assert s3.client.get_object(Bucket=bucket, Key=asked.key)["Body"].read() == b'{"t":1}\n'


def test_the_log_that_was_kept_first_stays(s3: Any, bucket: str) -> None:
    asked = KeepLog("n", bucket, "p/1/log.txt", s3.endpoint, None, "s3", "train-x", "step", 100)
    keep_log(asked, SECRET, b"first\n")
    keep_log(asked, SECRET, b"a twin's\n")
    found = s3.client.get_object(Bucket=bucket, Key=asked.key)
    assert (found["Body"].read(), found["ContentType"]) == (b"first\n", "text/plain; charset=utf-8")


def test_another_document_under_its_name_is_not_overwritten(s3: Any, bucket: str) -> None:
    save(document(s3, bucket, "first\n"), SECRET)
    with pytest.raises(StoreError) as caught:
        save(document(s3, bucket, "second\n"), SECRET)
    assert caught.value.reason == "ObjectChanged"
    assert "move it away" in caught.value.message
    assert s3.client.get_object(Bucket=bucket, Key="evidence/00000.jsonl")["Body"].read() == b"first\n"


def test_a_store_that_is_away_says_so(s3: Any, bucket: str) -> None:
    with pytest.raises(StoreError) as caught:
        save(document(s3, bucket, "x", endpoint="http://127.0.0.1:1"), SECRET)
    assert (caught.value.reason, caught.value.transient) == ("Unreachable", True)


def test_what_is_in_the_store_is_found_and_what_is_not_is_not(s3: Any, bucket: str) -> None:
    s3.client.put_object(Bucket=bucket, Key="models/m-1/model.bin", Body=b"x")
    asked = {"namespace": "n", "bucket": bucket, "endpoint": s3.endpoint, "region": None, "credentials": "s3"}
    for key, there in (
        ("models/m-1/model.bin", True), ("models/m-1/", True), ("models/m-1/model", False), ("models/m-2/", False),
    ):  # fmt: skip
        assert find(FindObject(key=key, **asked), SECRET) == Presence(there)


def asking(s3: Any, bucket: str, body: bytes, **changed: Any) -> ReadDocument:
    fields = {"namespace": "n", "bucket": bucket, "key": "answers/a.json", "endpoint": s3.endpoint, "region": None,
              "sha256": hashlib.sha256(body).hexdigest(), "credentials": "s3"}  # fmt: skip
    return ReadDocument(**{**fields, **changed})


def test_a_document_is_read_only_with_the_digest_that_was_asked_for(s3: Any, bucket: str) -> None:
    body = '{"é": 1}'.encode()
    s3.client.put_object(Bucket=bucket, Key="answers/a.json", Body=body)
    assert read(asking(s3, bucket, body), SECRET) == Document(body.decode())
    for changed, reason in (
        ({"sha256": "0" * 64}, "DigestMismatch"), ({"key": "answers/b.json"}, "ObjectMissing"),
        ({"limit": len(body) - 1}, "BadTask"), ({"endpoint": "http://127.0.0.1:1"}, "Unreachable"),
    ):  # fmt: skip
        with pytest.raises(StoreError) as caught:
            read(asking(s3, bucket, body, **changed), SECRET)
        assert caught.value.reason == reason


def test_bytes_that_are_no_text_are_no_document(s3: Any, bucket: str) -> None:
    s3.client.put_object(Bucket=bucket, Key="answers/a.json", Body=b"\xff\xfe")
    with pytest.raises(StoreError, match="no text"):
        read(asking(s3, bucket, b"\xff\xfe"), SECRET)
