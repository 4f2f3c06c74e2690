"""Was an answer right? An answer is JSON, as the prediction log keeps it; a label is a column's value as text.

- An answer to one row may be wrapped in lists of one element each (the Open Inference Protocol does so): they are
  taken off. An answer to several rows can't be judged by the label of one.
- Numbers are compared as numbers, however they are written: `1`, `1.0` and `"1"` are one class. true and false, in
  any case, are 1 and 0, because files and servers differ in how they write them. A number is wrong if it is farther
  than the tolerance from the label; NaN and infinity are far from everything.
- Anything else is wrong if its text is not the label's. Of an object or null the text is its canonical JSON.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

_TRUTHS = {"true": Decimal(1), "false": Decimal(0)}


def wrong(output: str, label: str, tolerance: Decimal) -> bool | None:
    """Whether an answer is not what the label says; None if it is not an answer to one row."""
    answer = _single(json.loads(output))
    if isinstance(answer, list):
        return None
    found, truth = number(answer), number(label)
    if found is None or truth is None:
        return _text(answer) != label
    return abs(found - truth) > tolerance


def _single(answer: Any) -> Any:
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    return answer


def _text(answer: Any) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer, sort_keys=True, separators=(",", ":"))


def number(value: Any) -> Decimal | None:
    """The finite number that a value is, or that a text says; None if it is none."""
    if isinstance(value, bool):
        return Decimal(int(value))
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        value = repr(value)
    if not isinstance(value, str) or "_" in value:
        return None
    text = value.strip().lower()
    try:
        found = _TRUTHS[text] if text in _TRUTHS else Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
