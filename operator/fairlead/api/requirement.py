"""What a version must have before it may go live, whatever it asks for itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead.api.schema import Model


class Requirement(Model):
    """What a version must have before it may go live, whatever it asks for itself. A namespace and the installation may
    ask for more: in each field the strictest holds."""

    approvals: Annotated[int, Field(ge=0, le=10)] = 0
    """At least so many people have approved its present evidence."""
    gates: bool = False
    """It was evaluated, with at least one gate, and has passed all of them. One that was skipped, because there was no
    champion, is enough only beside one that was passed, and only while nothing is live."""
    not_author: bool = False
    """Approvals by its author don't count, and a version without an author is not chosen."""

    def stricter(self, other: Requirement) -> Requirement:
        """The stricter of both in each field."""
        return Requirement(
            approvals=max(self.approvals, other.approvals), gates=self.gates or other.gates,
            not_author=self.not_author or other.not_author,
        )  # fmt: skip


__all__ = ["Requirement"]
