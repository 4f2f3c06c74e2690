"""S3: one client an access, with bounded time and retries; conditional reads and writes; streaming."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead.api.fetching import Access
from fairlead.store.errors import ForeignAnswerError, SpentError, StoreError
from fairlead.store.objects import Object, Received
from fairlead.store.terms import answers_of, current
from fairlead.store.translate import Where, translated

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

CHUNK = 1 << 20
CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 30.0
"""Seconds. The second is for what comes at once; how long all of it may take, the terms of the work say."""
DOCUMENT_LIMIT = 64 << 20
"""Largest document (manifest, report) that is written, or read into memory, in bytes."""
PAGES = 10_000
"""Of one listing."""
SIZE_LIMIT = 1 << 53
"""Bytes of an object that are believed."""
_creating = threading.Lock()


@dataclass(frozen=True)
class Keys:
    """An access key; never shown."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def keys_from(secret: Mapping[str, str] | None) -> Keys | None:
    """Keys from a Secret's decoded data. None for no Secret: the pod's own identity. Raises StoreError if one lacks."""
    if secret is None:
        return None
    missing = [k for k in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not secret.get(k, "").strip()]
    if missing:
        raise StoreError("AccessDenied", f"the credentials' Secret lacks {' and '.join(missing)}; add it")
    token = secret.get("AWS_SESSION_TOKEN", "").strip() or None
    return Keys(secret["AWS_ACCESS_KEY_ID"].strip(), secret["AWS_SECRET_ACCESS_KEY"].strip(), token)


def keys_in(folder: str | None) -> Keys | None:
    """Keys from a mounted Secret. None for no folder."""
    if folder is None:
        return None
    if not Path(folder).is_dir():
        raise StoreError("AccessDenied", f"{folder} is not mounted; check that the credentials' Secret exists")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return keys_from({n: (Path(folder) / n).read_text() for n in names if (Path(folder) / n).is_file()})


@lru_cache(maxsize=1)
def _core() -> Any:
    import botocore.session

    return botocore.session.get_session()


def _client(endpoint: str | None, region: str, keys: Keys | None) -> S3Client:
    """One client an access, for all threads; clients are slow to make, and not to be made at the same time."""
    with _creating:
        return _made(endpoint, region, keys)


@lru_cache(maxsize=64)
def _made(endpoint: str | None, region: str, keys: Keys | None) -> S3Client:
    from botocore.config import Config
    from botocore.utils import get_environ_proxies

    from fairlead.store.wire import Session

    config = Config(
        connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, max_pool_connections=16,
        retries={"mode": "standard", "total_max_attempts": 3}, s3={"addressing_style": "path" if endpoint else "auto"},
        # Bytes are verified by SHA-256 here; stores differ in which of S3's newer checksums they know.
        request_checksum_calculation="when_required", response_checksum_validation="when_required",
    )  # fmt: skip
    client: S3Client = _core().create_client(
        "s3", endpoint_url=endpoint, region_name=region, config=config,
        aws_access_key_id=keys.access if keys else None, aws_secret_access_key=keys.secret if keys else None,
        aws_session_token=keys.token if keys else None,
    )  # fmt: skip
    authorities = _core().get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True
    session = Session(
        verify=authorities, proxies=get_environ_proxies(client.meta.endpoint_url), max_pool_connections=16,
        timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
    )  # fmt: skip
    hooks: Any = client.meta.events
    hooks.register("before-send.s3", lambda request, **_: session.send(request))
    return client


class Bucket:
    """A bucket, reached with one access. Every method raises StoreError."""

    def __init__(self, name: str, endpoint: str | None, region: str | None, keys: Keys | None) -> None:
        self.name = name
        terms = current()
        self.where = Where(name, endpoint or "AWS", terse=terms is not None and not terms.trusted)
        try:
            self._client = _client(endpoint, region or "us-east-1", keys)
        except ValueError as error:
            raise StoreError("BadTask", f"{endpoint} is not an address: {error}; correct endpoint") from error

    def uri(self, key: str) -> str:
        """`s3://bucket/key`."""
        return self.where.uri(key)

    def list(self, prefix: str) -> Iterator[Object]:
        """All objects under the prefix, page by page, without folder markers."""
        with translated(self.where):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
            for number, page in enumerate(pages):
                if "IsTruncated" not in page:
                    raise ForeignAnswerError("it is no page of a listing")
                if number >= PAGES:
                    raise SpentError("pages")
                yield from self._objects(page)
                if terms := current():
                    terms.pause()

    @staticmethod
    def _objects(page: Any) -> Iterator[Object]:
        for entry in page.get("Contents", ()):
            key, size, etag = str(entry["Key"]), int(entry["Size"]), str(entry["ETag"])
            if not 0 <= size <= SIZE_LIMIT:
                raise ForeignAnswerError("an object can't have such a size")
            if size or not key.endswith("/"):
                yield Object(key, size, etag.strip('"'))

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            with translated(self.where, key):
                self._client.head_object(Bucket=self.name, Key=key)
        except StoreError as error:
            if error.reason == "ObjectMissing":
                return False
            raise
        return True

    def versioned(self) -> bool:
        """Whether the bucket keeps old versions of objects."""
        with translated(self.where):
            return self._client.get_bucket_versioning(Bucket=self.name).get("Status") == "Enabled"

    def read(self, key: str, limit: int = DOCUMENT_LIMIT) -> bytes:
        """A document, whole. At most `limit` bytes, whatever the store says of its length."""
        with translated(self.where, key), answers_of(limit):
            body = self._client.get_object(Bucket=self.name, Key=key)["Body"]
            found = bytearray()
            while len(found) <= limit and (chunk := body.read(limit + 1 - len(found))):
                found += chunk
            if len(found) > limit:
                body.close()
                raise StoreError("BadTask", f"{self.uri(key)} is too large to be a document of Fairlead")
            return bytes(found)

    def download(
        self, key: str, to: Path, *, etag: str | None = None, version_id: str | None = None, tries: int = 3
    ) -> Received:
        """Stream an object to a file and hash it. With `etag`, only if it still has it (else ObjectChanged)."""
        for left in range(tries - 1, -1, -1):
            try:
                return self._stream(key, to, etag, version_id)
            except StoreError as error:
                to.unlink(missing_ok=True)
                if not (error.transient and left):
                    raise
        raise AssertionError("unreachable")

    def _stream(self, key: str, to: Path, etag: str | None, version_id: str | None) -> Received:
        wanted: dict[str, str] = {}
        if etag is not None:
            wanted["IfMatch"] = f'"{etag}"'
        if version_id is not None:
            wanted["VersionId"] = version_id
        digest, size = hashlib.sha256(), 0
        with translated(self.where, key):
            answer = self._client.get_object(Bucket=self.name, Key=key, **wanted)  # type: ignore[arg-type]
            with to.open("wb") as out:
                for chunk in answer["Body"].iter_chunks(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    out.write(chunk)
            if size != answer["ContentLength"]:
                raise StoreError("Unreachable", f"{self.uri(key)} broke off after {size} bytes", transient=True)
        return Received(digest.hexdigest(), size, answer.get("VersionId"))

    def upload(self, key: str, path: Path, media: str = "") -> None:
        """Store a file (in parts when it is large), replacing what is there. media: its type, if that is known."""
        from boto3.exceptions import S3UploadFailedError
        from boto3.s3.transfer import S3Transfer, TransferConfig
        from botocore.exceptions import ClientError

        # Several files go at a time: without a bound on the parts of each, memory would be hundreds of megabytes.
        config: Any = TransferConfig(max_concurrency=2)
        with translated(self.where, key):
            try:
                more = {"ContentType": media} if media else None
                S3Transfer(self._client, config=config).upload_file(str(path), self.name, key, extra_args=more)
            except S3UploadFailedError as error:
                if isinstance(error.__context__, ClientError):
                    raise error.__context__ from error
                raise StoreError(
                    "Unreachable", f"{self.uri(key)} could not be stored: {error}", transient=True
                ) from error

    def put(self, key: str, body: bytes) -> None:
        """Store a document, replacing what is there."""
        self._fits(key, body)
        with translated(self.where, key):
            self._client.put_object(Bucket=self.name, Key=key, Body=body, ContentType="application/json")

    def put_if_absent(self, key: str, body: bytes, media: str = "application/json") -> bool:
        """Store a document unless the key is taken. Returns whether it was free; exactly one of several wins."""
        self._fits(key, body)
        try:
            with translated(self.where, key):
                self._client.put_object(Bucket=self.name, Key=key, Body=body, IfNoneMatch="*", ContentType=media)
        except StoreError as error:
            # 409: another conditional write of the same key was under way; it may have failed, so the caller looks.
            if error.reason == "ObjectChanged" or "ConditionalRequestConflict" in error.message:
                return False
            raise
        return True

    def _fits(self, key: str, body: bytes) -> None:
        """What is too large to be read again is not written."""
        if len(body) > DOCUMENT_LIMIT:
            raise StoreError(
                "BadTask",
                f"{self.uri(key)} would have {len(body) >> 20} MiB, and a document of Fairlead has at most "
                f"{DOCUMENT_LIMIT >> 20}; put the data into fewer, larger files",
            )


def mounted(name: str, access: Access) -> Bucket:
    """A bucket, with the credentials that are mounted in this pod. Raises StoreError."""
    return Bucket(name, access.endpoint, access.region, keys_in(access.credentials))
