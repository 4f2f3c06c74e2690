"""A run when a tag means another image.

What is compared is the digest of the manifest that the registry has for the tag: a push of the same image starts
nothing, and however often a tag has moved, that is one run."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.api import imagename
from fairlead.api.pipeline import ImageTrigger, Pipeline
from fairlead.api.units import seconds
from fairlead.plan.core import Context, Invalid
from fairlead.plan.pipeline.triggers.base import Seeing, Sight, look, unknown
from fairlead.plan.requests import NOT_YET, UNDERWAY, Failed, ImageSeen, ReadImage, Request

FASTEST = 30.0
"""Seconds between two questions, at least: registries count them."""
AGAIN = 30.0
"""Seconds until a registry that has not told is asked again, at most."""
SOON = 1.0
"""Seconds until the next look, while a registry is being asked."""
DIGITS = 19
"""Characters of a digest that people are shown."""


class OfImage(Seeing[ImageTrigger]):
    """The key is the digest."""

    field = "image"

    def label(self) -> str:
        """The image, as it is written."""
        return self.spec.name

    def check(self, path: str) -> None:
        """The name and the pace."""
        try:
            found = imagename.parse(self.spec.name)
        except ValueError as error:
            raise Invalid(f"{path}.name", f"{self.spec.name} is no name of an image: {error}") from None
        if found.digest:
            raise Invalid(f"{path}.name", "it has a digest, which never means another image; write a tag alone")
        if seconds(self.spec.every) < FASTEST:
            raise Invalid(f"{path}.every", f"a registry is asked every {FASTEST:.0f}s at most; write 30s or more")

    def outlook(self, _now: float) -> str:
        """What has to move."""
        return f"{self.spec.name} means another image; its registry is asked every {self.spec.every}"

    def requests(self, context: Context[Pipeline]) -> Iterable[Request]:
        """The digest."""
        return (self._asked(context),)

    def sight(self, context: Context[Pipeline]) -> Sight | None:
        """What the registry says."""
        answer, every = context.world.answer(self._asked(context)), seconds(self.spec.every)
        if isinstance(answer, Failed) and answer.reason in NOT_YET:
            return None
        if isinstance(answer, Failed):
            return unknown(answer.reason, answer.message, min(every, AGAIN))
        if not isinstance(answer, ImageSeen):
            return unknown("NotSeen", f"nobody has said what {self.spec.name} is", every)
        again, digest = max(SOON, answer.left), answer.digest
        told = f"{self.spec.name} is {digest[:DIGITS]}"
        handled = context.subject.body.status.handled.get(self.name, "")
        if digest == handled:
            return Sight("Quiet", told, key=digest, again=again, exact=True)
        told += f", and was {handled[:DIGITS]}" if handled else ""
        return Sight("Asks", told, key=digest, again=again, exact=True)

    def next_time(self, context: Context[Pipeline]) -> float | None:
        """When it may be asked again, or has answered."""
        answer = context.world.answer(self._asked(context))
        being_asked = isinstance(answer, Failed) and answer.reason == UNDERWAY
        return SOON if being_asked else super().next_time(context)

    def _asked(self, context: Context[Pipeline]) -> ReadImage:
        secret = self.spec.credentials.name if self.spec.credentials else None
        return ReadImage(context.namespace, self.spec.name, secret, look(context), seconds(self.spec.every))
