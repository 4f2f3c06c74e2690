"""What the views of all kinds share."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.api.common import Condition
from fairlead.cli.blocks import Block, Lines, Table
from fairlead.cli.text import ago
from fairlead.plan.conditions import RECONCILING, STALLED

_AS_READY = (RECONCILING, STALLED)


def conditions(found: Iterable[Condition], now: float) -> list[Block]:
    """A table of conditions with what to do about them. Reconciling and Stalled are in Ready's words."""
    rows = [
        [c.type, c.status, c.reason, ago(c.last_transition_time, now), "" if c.type in _AS_READY else c.message]
        for c in found
    ]
    return [Table(["CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"], rows)] if rows else []


def message(text: str) -> list[Block]:
    """The object's own words, if it has any."""
    return [Lines([text])] if text else []
