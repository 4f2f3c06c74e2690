"""Parts of long texts and JSON, for people: what is left out is said."""

from __future__ import annotations

import json
from typing import Any

from fairlead.api import foreign
from fairlead.api.review import LONGEST, LONGEST_INPUT, ReviewInput

_FEWER = (128, 64, 32, 16, 8, 4, 2)
"""Elements of a list that are left, by how often it was still too long."""
FAILURE = 200
"""Characters of what a server says instead of an answer."""
_WIDER = 8
"""Characters of a string for each of them."""


def of_output(output: Any) -> str:
    """An answer as people read it, cut off."""
    text = output if isinstance(output, str) else dumped(output)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def of_failure(output: Any) -> str:
    """What a server said instead of an answer, in one line, cut off. Nothing if it said nothing that can be read."""
    text = "" if output is None else output if isinstance(output, str) else dumped(output)
    line = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:FAILURE])
    return line[:FAILURE] + ("…" if len(text) > FAILURE or len(line) > FAILURE else "")


def of_input(body: str) -> ReviewInput:
    """A request's body: JSON stays JSON, of which long lists keep their ends and long strings their beginnings."""
    try:
        text, cut = _shortened(foreign.parse(body, finite=False), len(body))
    except ValueError:
        text, cut = body, False
    if len(text) > LONGEST_INPUT:
        text, cut = f"{text[:LONGEST_INPUT]}…", True
    # half a surrogate pair is no text that the API server could keep
    return ReviewInput(text=text.encode(errors="replace").decode(), length=len(body), cut=cut)


def _shortened(value: Any, length: int) -> tuple[str, bool]:
    """As much as has room, as JSON, and whether parts are left out. length: of the body, which may be very long."""
    text = dumped(value) if length <= 8 * LONGEST_INPUT else ""
    if text and len(text) <= LONGEST_INPUT:
        return text, False
    for most in _FEWER:
        text = dumped(_fewer(value, most))
        if len(text) <= LONGEST_INPUT:
            break
    return text, True


def dumped(value: Any) -> str:
    """JSON as people read it, in one line."""
    return json.dumps(value, ensure_ascii=False)


def _fewer(value: Any, most: int) -> Any:
    match value:
        case str() if len(value) > most * _WIDER:
            return f"{value[: most * _WIDER]}…"
        case list() if len(value) > most:
            begin, end = value[: most - most // 2], value[len(value) - most // 2 :]
            more = f"… {len(value) - most} more …"
            return [_fewer(one, most) for one in begin] + [more] + [_fewer(one, most) for one in end]
        case list():
            return [_fewer(one, most) for one in value]
        case dict():
            kept = {key: _fewer(one, most) for key, one in list(value.items())[: 2 * most]}
            return kept if len(value) <= 2 * most else kept | {"…": f"{len(value) - 2 * most} more"}
    return value
