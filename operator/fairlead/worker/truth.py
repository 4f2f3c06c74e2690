"""Was an answer right? An answer is JSON, as the prediction log keeps it; a label is a column's value as text.

- An answer to one row may be wrapped in lists of one element each (the Open Inference Protocol does so): they are
  taken off. An answer to several rows can't be judged by the label of one.
- Numbers are compared as numbers, however they are written: `1`, `1.0` and `"1"` are one class. true and false, in
  any case, are 1 and 0, because files and servers differ in how they write them. A number is wrong if it is farther
  than the tolerance from the label; NaN and infinity are far from everything.
- Anything else is wrong if its text is not the label's. Of an object or null the text is its canonical JSON.
- Where the labels' column is text, an answer that is text is compared as text, unless there is a tolerance: `"007"` is
  not `"7"`. Only true and false may differ in their case. An answer that is a number is still compared as one.

A loss (how far a number is from the label, or its square, at most the cap) is made a yes or no: an answer is drawn as
wrong with the chance loss/cap. So the expected share of wrong answers is the mean loss in parts of the cap, and every
test of shares is one of mean losses: exact, whatever the losses' distribution, at the price of the draws' noise. The
draw follows from the request's id alone. So it is the same for all versions: of a request that two versions answered,
only one answer is drawn as wrong with the chance (difference of the losses)/cap. An answer that is no number has the
largest loss; where the label is none, there is nothing to be judged.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any

from fairlead.api.guard import Loss

_TRUTHS = {"true": Decimal(1), "false": Decimal(0)}
_FAR = Context(prec=28, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""A label may be any number that a Decimal holds. What is farther than that is infinitely far, and not an error: one
such label would end each join. Of finite numbers no difference is NaN."""


@dataclass(frozen=True)
class Rule:
    """What is wrong, and how wrong."""

    tolerance: Decimal = Decimal(0)
    loss: Loss = "wrong"
    cap: Decimal = Decimal(1)
    """Greater than 0."""
    text: bool = False
    """Whether labels are text by their column's type."""


def wrong(output: str, label: str, rule: Rule, request_id: str) -> bool | None:
    """Whether an answer is not what the label says, or is drawn as wrong by its loss; None if it is not an answer to
    one row, or has no loss."""
    answer = _answer(output)
    if isinstance(answer, list):
        return None
    if rule.text and isinstance(answer, str) and rule.loss == "wrong" and not rule.tolerance:
        return answer != label and not _same_truth(answer, label)
    found, truth = number(answer), number(label)
    if rule.loss != "wrong":
        if truth is None:
            return None
        return found is None or _loss(found, truth, rule) > _FAR.multiply(rule.cap, draw(request_id))
    if found is None or truth is None:
        return _text(answer) != label
    return _distance(found, truth) > rule.tolerance


def _same_truth(one: str, other: str) -> bool:
    return one.lower() in _TRUTHS and one.lower() == other.lower()


def _loss(found: Decimal, truth: Decimal, rule: Rule) -> Decimal:
    """At most the cap; a difference beyond Decimal's range is one too."""
    far = min(_distance(found, truth), max(rule.cap, Decimal(1)))
    return min(_FAR.multiply(far, far) if rule.loss == "squared" else far, rule.cap)


def _distance(found: Decimal, truth: Decimal) -> Decimal:
    """Infinity if it is beyond Decimal's range."""
    return _FAR.abs(_FAR.subtract(found, truth))


def draw(request_id: str) -> Decimal:
    """A number in [0, 1) that looks random and follows from the id: 56 bits of its SHA-256."""
    return Decimal(int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:7])) / (1 << 56)


def _answer(output: str) -> Any:
    """What is too deep or too long to be parsed is the text that it is."""
    try:
        answer = _single(json.loads(output))
        return answer if isinstance(answer, list) else _plain(answer)
    except (ValueError, RecursionError):
        return output


def _single(answer: Any) -> Any:
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    return answer


def _plain(answer: Any) -> Any:
    """Objects and null as their canonical JSON."""
    if isinstance(answer, (str, bool, int, float)):
        return answer
    return json.dumps(answer, sort_keys=True, separators=(",", ":"))


def _text(answer: Any) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer)


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
