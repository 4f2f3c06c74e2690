"""What the store keeps of a step's result under the key of all that it followed from.

Documents `<number>.json` in the key's folder, each written once; the highest number counts. So a later one takes an
earlier one's place, who comes first wins, and nobody overwrites anything.
"""

from __future__ import annotations

import re

from fairlead.api.schema import Model
from fairlead.api.tasks import PublishResult

FORMAT = 1
"""Of outputs and of how they are published: what `publish` leaves otherwise is another result."""
LIMIT = 256 << 10
"""Bytes of a document."""
NUMBERED = re.compile(r"[0-9]{9}\.json")


class Entry(Model):
    """The result of a step, and who has made it."""

    key: str
    run: str
    run_uid: str
    step: str
    at: str
    """When it began; RFC 3339."""
    image: str = ""
    result: PublishResult
    seals: dict[str, str] = {}
    """Of each output by name: the digest of its listing (store/listing.py). Another one has been written since."""
    dropped: str = ""
    """Why the result must not be taken; empty: it may."""


def document(number: int) -> str:
    """Name of a document in the key's folder."""
    return f"{number:09d}.json"
