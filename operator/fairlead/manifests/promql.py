"""Counters' selectors in the words of PromQL, and only those that Prometheus' parser takes for certain: one expression
that it refuses costs all rules of its PrometheusRule."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fairlead.api.selectors import Term, terms

_WORDS = frozenset((
    "and", "or", "unless", "atan2", "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk",
    "count_values", "quantile", "limitk", "limit_ratio", "offset", "smoothed", "anchored", "by", "without", "on",
    "ignoring", "group_left", "group_right", "fill", "fill_left", "fill_right", "bool", "start", "end", "step", "range",
    "max_of", "min_of", "inf", "nan",
))  # fmt: skip
"""What can't stand for a metric's name everywhere, in any case."""
_OTHERWISE = re.compile(
    r"\(\?(?!:)|\)[*+?{]|[*+?}][*+{]"  # what Prometheus has not, or limits otherwise
    r"|\\[^\x00-\x7f]|\\[a-zA-Z0-9](?<![dDwWsSnrtfvax])"
    r"|\[\[|\[:|\d{4}"  # named classes; more than 1,000 times
)
"""Parts of patterns that Python and Prometheus (RE2) take differently, or may."""


def total(selector: str, function: str, window: str, own: Mapping[str, str]) -> str:
    """`rate` or `increase` of a selector's terms, added up. own: labels that all series must have besides. A missing
    counter is 0. Raises ValueError with the reason if Prometheus might not understand it."""
    return " + ".join(
        f"(sum({function}({_series(term, own)}[{window}])) or vector(0))" for term in terms(selector)
    )  # fmt: skip


def _series(term: Term, own: Mapping[str, str]) -> str:
    named = term.name.lower() not in _WORDS
    asked = [] if named else [("__name__", "=", term.name)]
    for label, how, value in (*term.matchers, *((label, "=", value) for label, value in own.items())):
        if label == "__name__":
            raise ValueError("the metric's name stands before the braces")
        if how in ("=~", "!~"):
            _check(value)
        asked.append((label, how, value))
    inside = ",".join(f'{label}{how}"{_escaped(value)}"' for label, how, value in asked)
    return f"{term.name if named else ''}{{{inside}}}"


def _check(pattern: str) -> None:
    found = _OTHERWISE.search(pattern)
    if found:
        raise ValueError(f"in the pattern {pattern[:80]!r} Prometheus may not take {found[0]!r}")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"the pattern {pattern[:80]!r} is none ({error})") from error


def _escaped(value: str) -> str:
    return "".join(_ESCAPES.get(c) or (c if " " <= c <= "~" else f"\\U{ord(c):08x}") for c in value)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
