"""What waits for the store is bounded in lines and in bytes, whatever the store does: takes it, refuses it, or never
answers. A status that grew without a bound would be refused at last, and then nothing is written, a rollback least of
all. The oldest lines give way, and are counted."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fairlead.api.ledger import LINE, Ledger
from fairlead.plan.core import Event
from fairlead.plan.deployment.context import State
from fairlead.plan.requests import UNDERWAY

LATE = 100
"""So many lines wait while the store has neither taken nor refused them: then it counts as one that is away."""
BYTES = 128 << 10
"""Of the lines of one ledger, at most."""
SEALED = 32 << 10
"""From so many bytes on, lines make a segment however few they are."""
TAILS, ENDED = 6, 128 << 10
"""Ended rollouts whose last lines wait for the store, and the bytes of all of them together."""
_LOST = '{"dropped":'
"""How a line begins that stands for others, which nothing could keep."""


def size(lines: Sequence[str]) -> int:
    """Bytes of the lines in a status, nearly."""
    return sum(len(line) if line.isascii() else len(line.encode()) for line in lines)


def appended(book: Ledger, fresh: Sequence[str], most: int) -> Ledger:
    """The ledger with more lines, and the last of all of them: at most so many, and of so many bytes. What is sealed
    may have been written: then what is left begins another segment. A ledger that the store will have says where lines
    are missing."""
    short = [line for line in fresh if len(line) <= LINE]
    dropped = len(fresh) - len(short)
    return cut(book.model_copy(update={"lines": [*book.lines, *short]}), most, BYTES, dropped)


def cut(book: Ledger, most: int, room: int, lost: int = 0) -> Ledger:
    """The ledger with its last lines. lost: lines besides that could not be taken in at all."""
    if not lost and len(book.lines) <= most and size(book.lines) <= room:
        return book
    lines = [line for line in book.lines if not line.startswith(_LOST)]
    kept = lines[len(lines) - min(len(lines), most - (1 if book.uri else 0)) :]
    over = size(kept) - room
    while over > 0 and kept:
        over -= size(kept[:1])
        kept = kept[1:]
    dropped = book.dropped + len(lines) - len(kept) + lost
    gap = [json.dumps({"dropped": dropped}, separators=(",", ":"))] if book.uri and dropped else []
    return book.model_copy(update={
        "lines": [*gap, *kept], "dropped": dropped, "sealed": 0, "segment": book.segment + (1 if book.sealed else 0),
    })  # fmt: skip


def unanswered(book: Ledger) -> Ledger:
    """The ledger of a store that has not answered yet. After so many lines that is no better than if it were away."""
    if book.failing or (len(book.lines) < LATE and size(book.lines) < BYTES // 2):
        return book
    words = f"the store has not answered while {len(book.lines)} lines of evidence have come; see whether it is " \
            "slow, or keeps connections without an answer"  # fmt: skip
    return book.model_copy(update={"failing": UNDERWAY, "message": words})


def waiting(state: State, book: Ledger) -> State:
    """The state in which an ended rollout's ledger waits for the store; that of the oldest one gives way, and it is
    said."""
    if not book.uri:
        return state
    books = [*state.status.unsaved, book]
    gone, books = books[:-TAILS], books[-TAILS:]
    told = tuple(
        Event("EvidenceLost", f"the last {len(one.lines)} lines of {one.uri} are nowhere any more: the store has taken "
              f"nothing since, and later rollouts have ended", warning=True)
        for one in gone if one.lines
    )  # fmt: skip
    return state.having(*told, unsaved=_together(books))


def _together(books: list[Ledger]) -> list[Ledger]:
    """All of them in the room that there is: the last one has what it needs, those before it what is left."""
    room, found = ENDED, list[Ledger]()
    for book in reversed(books):
        kept = cut(book, max(1, len(book.lines)), room)
        room = max(0, room - size(kept.lines))
        found.append(kept)
    return found[::-1]
