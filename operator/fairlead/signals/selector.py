"""Selectors of counters: `name{label="value",code=~"5.."}`, several joined by ` + `."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fairlead.api.selectors import terms
from fairlead.signals.errors import SignalError

_LONGEST_VALUE = 512
_MOST_CHOICES, _MOST_STEPS = 256, 2**21
"""Of a selector's patterns: ways to read their alternatives, and steps of a value that matches nearly."""
_REPEATS = re.compile(r"(?<!\\)[*+{]")
_OPTIONAL = re.compile(r"(?<![\\(*+}])\?")
_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
# What could take exponential time (a repeated group) or needs state (references, look-around).
_DANGEROUS = re.compile(r"\)[*+?{]|\(\?(?!:)|\\[1-9]|[*+?}][*+{]")


@dataclass(frozen=True)
class Matcher:
    """A demand on one label. A label that a series lacks has the empty value."""

    label: str
    equal: bool
    value: str | re.Pattern[str]

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is meant."""
        found = labels.get(self.label, "")
        if isinstance(self.value, str):
            return (found == self.value) == self.equal
        return (self.value.fullmatch(found[:_LONGEST_VALUE]) is not None) == self.equal


@dataclass(frozen=True)
class Selector:
    """A metric and the series of it that are meant."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is meant."""
        return all(matcher.accepts(labels) for matcher in self.matchers)


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Selector, ...]:
    """The selectors whose series are added up. Raises SignalError(BadSelector)."""
    try:
        found = terms(text)
    except ValueError as error:
        raise _bad(text, str(error)) from error
    return tuple(Selector(one.name, tuple(_matcher(text, *asked) for asked in one.matchers)) for one in found)


def _matcher(text: str, label: str, operation: str, value: str) -> Matcher:
    if operation in ("=", "!="):
        return Matcher(label, operation == "=", value)
    if _DANGEROUS.search(value) or len(_REPEATS.findall(value)) > 2 or _long(value):
        raise _bad(text, f"the pattern {value!r} could take very long: don't repeat groups, repeat at most twice")
    try:
        return Matcher(label, operation == "=~", re.compile(value, re.DOTALL))
    except (re.error, RecursionError, OverflowError) as error:
        raise _bad(text, f"the pattern {value!r} is none ({error})") from error


def _long(pattern: str) -> bool:
    """Whether a value can be tried in too many ways: alternatives next to each other multiply, and each repetition
    does with the value's length."""
    plain = _CLASS.sub("", pattern)
    choices, within = 1 << len(_OPTIONAL.findall(pattern)), [0]
    for one in plain:
        if one == "(":
            within.append(0)
        elif one == ")" and len(within) > 1:
            choices *= within.pop() + 1
        elif one == "|":
            within[-1] += 1
    steps = (choices + within[0]) * (1, _LONGEST_VALUE, _LONGEST_VALUE**2 // 2)[len(_REPEATS.findall(pattern))]
    return choices > _MOST_CHOICES or steps > _MOST_STEPS


def _bad(text: str, why: str) -> SignalError:
    return SignalError(
        "BadSelector", f'{text[:120]!r} is no selector: {why}. Write for example requests_total{{code=~"5.."}}.'
    )
