"""S3: a folder of a bucket, or one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairlead.api.common import S3Location
from fairlead.api.config import OperatorConfig
from fairlead.api.fetching import Access, Place
from fairlead.plan.requests import ListSource
from fairlead.plan.store import Location, reach

_FOLDER = " (a folder, or one object: a prefix does not stand for all keys that begin like it)"


@dataclass(frozen=True)
class ListObjects(ListSource):
    """List the objects under a prefix."""

    source = "s3"
    identity = True
    prefix: str
    """A folder, or an object (see store.sources.s3)."""
    region: str | None = None
    exclude: tuple[str, ...] = ()
    """Patterns of paths that are no data (see store.keys)."""


class S3:
    """See Source."""

    field = f"spec.source.{ListObjects.source}"

    def __init__(self, own: S3Location, config: OperatorConfig) -> None:
        # the prefix stays as written: whether it names a folder or an object, the store knows
        self._at = Location(own.bucket, own.prefix, reach(own, config))

    @property
    def secret(self) -> str | None:
        """See Source."""
        return self._at.reach.credentials

    def uri(self) -> str:
        """See Source."""
        return self._at.uri()

    def meaning(self) -> str:
        """See Source."""
        return _FOLDER if self._bare else ""

    def request(self, namespace: str, exclude: Sequence[str]) -> ListObjects:
        """See Source."""
        at = self._at
        return ListObjects(
            namespace, at.reach.endpoint, at.bucket, at.reach.credentials, at.prefix, at.reach.region, tuple(exclude)
        )

    def told(self) -> Place:
        """See Source."""
        return self._at.place()

    def access(self) -> Access:
        """See Source."""
        return self._at.reach.access()

    def rules(self) -> tuple[str, ...]:
        """See Source. Once all keys that begin like the prefix were data; versions of that time have paths that no file
        can have."""
        return ("a folder or an object",) if self._bare else ()

    @property
    def _bare(self) -> bool:
        return bool(self._at.prefix) and not self._at.prefix.endswith("/")
