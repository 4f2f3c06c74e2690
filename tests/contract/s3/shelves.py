"""Who fills each kind of source, for tests of what all of them hold to. One more source is one more line of SHELVES."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from hack.testbed.s3 import ACCESS_KEY, S3, SECRET_KEY

from fairlead.api import dataset
from fairlead.api.config import OperatorConfig
from fairlead.api.tasks import Access, Place
from fairlead.plan.requests import ListSource
from fairlead.plan.sources import registry


class Shelf(Protocol):
    """A source, and who writes to it."""

    secret: Mapping[str, str]
    """What opens it."""
    refused: Sequence[Mapping[str, str]]
    """What does not."""

    def put(self, path: str, body: bytes) -> None: ...

    def delete(self, path: str) -> None: ...

    def beside(self) -> None:
        """Write something that is not of the source."""

    def keep_versions(self) -> bool:
        """From now on it keeps what was there before; False if it is not such a source."""

    def request(self, exclude: Sequence[str] = ()) -> ListSource: ...

    def told(self) -> Place: ...

    def access(self) -> Access: ...


class S3Shelf:
    """A folder of a fresh bucket."""

    secret: Mapping[str, str] = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    refused: Sequence[Mapping[str, str]] = (
        {}, {"AWS_ACCESS_KEY_ID": ACCESS_KEY}, {**secret, "AWS_ACCESS_KEY_ID": "nobody"},
        {**secret, "AWS_SECRET_ACCESS_KEY": "wrong"},
    )  # fmt: skip

    def __init__(self, s3: S3) -> None:
        self._s3, self._bucket = s3, f"b-{uuid.uuid4().hex[:12]}"
        s3.client.create_bucket(Bucket=self._bucket)
        where = {"bucket": self._bucket, "prefix": "in", "endpoint": s3.endpoint, "credentials": {"name": "keys"}}
        written = dataset.Source.model_validate({"s3": where})
        self._source = registry.of(written, OperatorConfig.model_validate({"images": {"worker": "w"}}))

    def put(self, path: str, body: bytes) -> None:
        self._s3.client.put_object(Bucket=self._bucket, Key=f"in/{path}", Body=body)

    def delete(self, path: str) -> None:
        self._s3.client.delete_object(Bucket=self._bucket, Key=f"in/{path}")

    def beside(self) -> None:
        self._s3.client.put_object(Bucket=self._bucket, Key="input/a", Body=b"x")

    def keep_versions(self) -> bool:
        versions: Any = {"Status": "Enabled"}
        self._s3.client.put_bucket_versioning(Bucket=self._bucket, VersioningConfiguration=versions)
        return True

    def request(self, exclude: Sequence[str] = ()) -> ListSource:
        return self._source.request("n", exclude)

    def told(self) -> Place:
        """Its Secret is mounted where this machine has it."""
        return self._source.told().model_copy(update={"credentials": self._s3.credentials})

    def access(self) -> Access:
        return self._source.access().model_copy(update={"credentials": self._s3.credentials})


SHELVES: dict[str, Callable[[S3], Shelf]] = {"s3": S3Shelf}
