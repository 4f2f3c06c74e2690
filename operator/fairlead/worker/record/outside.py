"""Which answers of the log are to rows unlike all that the model learnt from (`monitor.outliers`): for people, who look
at them one by one.

That follows from the requests' bodies, where these are kept, and from the profile; so it is found by the process that
writes the log, not by the one that takes the answers. Its time is bounded by the rows that it looks at.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.monitor.profile import BadProfile, Profile, parse
from fairlead.worker.binning import outside, reader
from fairlead.worker.record import rows
from fairlead.worker.record.names import REFUSED
from fairlead.worker.record.rows import Unread, Wanted

MOST, TOGETHER = 5000, 1000
"""Rows of a file that are looked at, and requests that are looked at at once."""
NAMED = 8
"""Features that are named of one request."""
Asked = tuple[int, str | None]
"""Status of an answer, and the request's body."""
log = logging.getLogger(__name__)


class Judge:
    """By one profile."""

    def __init__(self, profile: Profile, most: int = MOST) -> None:
        self._most = most
        self._wanted = Wanted.of(profile)
        self._features = [(one.name, reader(one), outside(one)) for one in profile.features]

    def judged(self, asked: Sequence[Asked]) -> list[list[str] | None]:
        """By request of a file: features of which some row lies outside; None: nobody knows, for the body was not kept
        or not understood, or too many came before."""
        found, left = list[list[str] | None](), self._most
        for start in range(0, len(asked), TOGETHER):
            part = asked[start : start + TOGETHER]
            try:
                looked, left = self._part(part, left)
                found += looked
            except Exception:  # whatever is strange about them, they are written
                log.exception("requests could not be compared with the profile")
                found += [None] * len(part)
        return found

    def _part(self, asked: Sequence[Asked], left: int) -> tuple[list[list[str] | None], int]:
        """left: rows that may still be looked at, which comes back too."""
        found: list[list[str] | None] = [None] * len(asked)
        values, owners = defaultdict[str, list[Any]](list), defaultdict[str, list[int]](list)
        for at, (status, body) in enumerate(asked):
            if left <= 0:
                break
            columns, count = self._read(status, body)
            if not columns:
                continue
            left -= count
            found[at] = []
            for name, column in columns.items():
                values[name] += column
                owners[name] += [at] * count
        for name, look, strange in self._features:
            if not values[name]:
                continue
            places = look.read(values[name])
            beyond = strange[places[0] if isinstance(places, tuple) else places]
            for at in dict.fromkeys(np.array(owners[name])[beyond].tolist()):
                named = found[at]
                if named is not None and len(named) < NAMED:
                    named.append(name)
        return found, left

    def _read(self, status: int, body: str | None) -> tuple[dict[str, list[Any]], int]:
        try:
            return rows.features(body or "", self._wanted) if status < REFUSED else ({}, 0)
        except Unread:
            return {}, 0


def judge(kept: Path, digest: str) -> Judge | None:
    """By the profile that the recorder has brought to a file; None: it is not there, or another one."""
    try:
        body = kept.read_bytes()
        return Judge(parse(body, digest)) if hashlib.sha256(body).hexdigest() == digest else None
    except (OSError, BadProfile):
        return None
