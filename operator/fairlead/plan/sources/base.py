"""What a plan has to know of a source. One module a source implements it; siblings do not import each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fairlead.api.fetching import Access, Told
from fairlead.plan.requests import ListSource


class Source(Protocol):
    """A Dataset's source, as its spec names it. Pure: nothing is asked."""

    @property
    def field(self) -> str:
        """Where it stands: `spec.source.…`."""

    @property
    def secret(self) -> str | None:
        """The Secret of the namespace that opens it: a message about a failure names it, and a Job mounts it."""

    def uri(self) -> str:
        """What people know it by."""

    def meaning(self) -> str:
        """What is looked for, in words that follow the uri, where people may think of something else."""

    def request(self, namespace: str, exclude: Sequence[str]) -> ListSource:
        """The request to list it."""

    def told(self) -> Told:
        """What the Job that reads it is told."""

    def access(self) -> Access:
        """How a pod reaches it again, for versions that are pinned by reference."""

    def rules(self) -> tuple[str, ...]:
        """What decides about a listing, besides the spec."""
