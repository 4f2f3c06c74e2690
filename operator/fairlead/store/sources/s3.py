"""S3: the objects of a folder of a bucket, or one object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.api.fetching import Access, Place
from fairlead.api.schema import Model
from fairlead.plan.requests import Listed
from fairlead.store import listing
from fairlead.store.errors import StoreError
from fairlead.store.keys import Chosen
from fairlead.store.objects import Object, Received
from fairlead.store.s3 import Bucket, keys_from, mounted
from fairlead.store.translate import translated

if TYPE_CHECKING:  # a plan's modules load all kinds, which a worker has no use for
    from fairlead.plan.sources.s3 import ListObjects

PAGE = 1000
"""Keys among which one is looked for that is a prefix of all others."""


class SourceBucket(Model):
    """Where a version's files came from."""

    bucket: str
    prefix: str
    """How the keys of all files begin; the rest is a file's path."""
    endpoint: str | None = None
    region: str | None = None


class S3Source:
    """What a prefix means: a folder (`flights` is `flights/`, and never `flights-old/`), or one object. See Source.

    Args:
        bucket: It is asked what is there, if the prefix does not end with a slash.
        prefix: As it is written.
        exclude: See `keys.excluded`.
        reach: How the bucket was reached.
    """

    def __init__(self, bucket: Bucket, prefix: str, exclude: Sequence[str] = (), reach: Access | None = None) -> None:
        self._bucket, self._prefix, self._exclude, self._reach = bucket, prefix, exclude, reach or Access()

    @cached_property
    def _alone(self) -> Object | None:
        """The object that the prefix is. Raises StoreError if it is a folder too."""
        prefix, folder = self._prefix, f"{self._prefix}/"
        if not prefix or prefix.endswith("/"):
            return None
        alone = next((one for one in islice(self._bucket.list(prefix), PAGE) if one.key == prefix), None)
        if alone is not None and next(self._bucket.list(folder), None) is not None:
            raise StoreError(
                "BadTask",
                f"{self._bucket.uri(prefix)} is an object, and {self._bucket.uri(folder)} a folder with others: "
                f"write prefix: {folder} for the folder, or move one of them away",
            )
        return alone

    @cached_property
    def root(self) -> str:
        """How all keys begin; the rest is a file's path."""
        if self._alone is not None:
            return self._prefix[: self._prefix.rfind("/") + 1]
        return f"{self._prefix}/" if self._prefix and not self._prefix.endswith("/") else self._prefix

    @cached_property
    def _chosen(self) -> Chosen:
        return Chosen(self.root, self._exclude)

    @property
    def ignored(self) -> int:
        """See Source."""
        return self._chosen.ignored

    @property
    def part(self) -> str:
        """See Source."""
        return self._prefix

    def uri(self, path: str | None = None) -> str:
        """See Source."""
        return self._bucket.uri(self._prefix if path is None else self.root + path)

    def list(self) -> Iterator[Object]:
        """See Source."""
        return self._chosen.among([self._alone] if self._alone is not None else self._bucket.list(self.root))

    def path(self, entry: Object) -> str:
        """See Source."""
        return entry.key.removeprefix(self.root)

    def fleeting(self) -> str:
        """See Source."""
        if self._bucket.versioned():
            return ""
        return f"bucket {self._bucket.name} keeps no versions; turn versioning on, or set pin: copy"

    def open(self, entry: Object, to: Path, *, hold: bool) -> Received:
        """See Source."""
        got = self._bucket.download(entry.key, to, etag=entry.etag)
        if hold and not got.version_id:
            uri = self._bucket.uri(entry.key)
            raise StoreError("BadTask", f"{uri} has no version id; upload it again, or pin: copy")
        return got

    def origin(self) -> SourceBucket:
        """See Source."""
        reach = self._reach
        return SourceBucket(bucket=self._bucket.name, prefix=self.root, endpoint=reach.endpoint, region=reach.region)


class S3Held:
    """Object versions of a bucket. See Held."""

    def __init__(self, bucket: Bucket, root: str) -> None:
        self._bucket, self._root = bucket, root

    def uri(self, path: str) -> str:
        """See Held."""
        return self._bucket.uri(self._root + path)

    def read(self, path: str, version_id: str | None, to: Path) -> Received:
        """See Held."""
        return self._bucket.download(self._root + path, to, version_id=version_id)


class S3:
    """See Kind."""

    types = (Place, SourceBucket)

    def listed(self, request: ListObjects, credentials: Mapping[str, str] | None) -> Listed:
        """See Kind. Without credentials: the pod's own identity."""
        bucket = Bucket(request.bucket, request.endpoint, request.region, keys_from(credentials))
        with translated(bucket.where):
            source = S3Source(bucket, request.prefix, request.exclude)
            return replace(listing.digest(source.list), ignored=source.ignored)

    def opened(self, told: Place, exclude: Sequence[str]) -> S3Source:
        """See Kind."""
        return S3Source(mounted(told.bucket, told), told.prefix, exclude, told)

    def held(self, origin: SourceBucket, access: Access) -> S3Held:
        """See Kind."""
        return S3Held(mounted(origin.bucket, access), origin.prefix)
