"""Messages about foreign data: the whole reason, on one line, with nothing in it that a terminal obeys."""

from __future__ import annotations

import unicodedata

LIMIT = 1000
"""Characters of a message."""
_MARK = "…"


def line(text: object, limit: int = LIMIT) -> str:
    """A text (or an error's) on one line of at most `limit` characters: white space is one space, control, format and
    bidirectional characters are escaped, what is too long is cut in its middle, for the reason stands at either end."""
    shown = "".join(_shown(c) for c in " ".join(str(text).split()))
    if len(shown) <= limit:
        return shown
    head = (limit - len(_MARK)) * 2 // 3
    return shown[:head] + _MARK + shown[len(shown) - (limit - len(_MARK) - head) :]


def cell(value: object, limit: int = 60) -> str:
    """A cell's value in quotes, short."""
    shown = "".join(_shown(c) for c in str(value)[: limit + 1])
    return f'"{shown[:limit]}{_MARK}"' if len(shown) > limit else f'"{shown}"'


def _shown(character: str) -> str:
    """Categories C*: controls, formats (bidirectional marks), surrogates, private and unassigned ones; Z*: separators
    other than the space."""
    kind = unicodedata.category(character)
    if character == " " or kind[0] not in "CZ":
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
