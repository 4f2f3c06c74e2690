"""Reading a page in Prometheus' text format, fast: only the lines of the wanted metrics are looked at.

The format is line by line, so the lines of a metric are found by searching for its name at the start of a line; a
100 kB page takes well under a millisecond, against tens of milliseconds for parsing all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import inf, isnan

from fairlead.plan.core import Counters, MetricNames, Unproven
from fairlead.signals import absence
from fairlead.signals.absence import Of
from fairlead.signals.counts import is_count
from fairlead.signals.errors import SignalError
from fairlead.signals.selector import Selector, parse, unescape

_LABELS = r"\{(?P<labels>(?:[^\"}\n]|\"(?:[^\"\\\n]|\\.)*\")*)\}"
_REST = re.compile(rf"(?:{_LABELS})?[ \t]*(?P<value>[^\s{{}}#]+)(?P<tail>[ \t].*)?\r?$", re.MULTILINE)
_SAMPLE = re.compile(rf"[a-zA-Z_:][a-zA-Z0-9_:]*(?:(?:{_LABELS})[ \t]*|[ \t]+)[+-]?(?:[0-9.]|Inf|NaN)")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_FIRST = re.compile(r"^[ \t]*(\S.*)$", re.MULTILINE)

Series = tuple[Mapping[str, str], float]


def parse_page(text: str, names: MetricNames) -> Counters:
    """The wanted counters of a page.

    A counter without any matching series is 0: libraries add a labelled series when it is first needed. What the page
    has no sign of, neither a series nor a `# TYPE` or `# HELP` line, nor the label on any series, is 0 as well, and
    `unproven`. Raises SignalError: NotMetrics (the page is something else), UnusableValue (NaN, infinite, negative,
    above 2^53), BadSelector.
    """
    _check(text)
    requests, no_requests = _total(text, names.requests, "requests")
    failures, no_failures = _total(text, names.failures, "failures")
    buckets, no_buckets = _buckets(text, names.latency, names.latency_unit) if names.latency else ((), ())
    return Counters(requests, failures, buckets, (*no_requests, *no_failures, *no_buckets))


def _check(text: str) -> None:
    """The first line that isn't empty must be a comment or a sample."""
    first = _FIRST.search(text)
    if first is not None and not first[1].startswith("#") and not _SAMPLE.match(first[1]):
        raise _not_metrics(first[1])


def _total(text: str, selector: str, of: Of) -> tuple[float, tuple[Unproven, ...]]:
    total, unproven = 0.0, []
    for one in parse(selector):
        found, missing = _series(text, one, of)
        total += sum(value for _, value in found)
        unproven += missing
    if not is_count(total):
        raise _unusable(selector, str(total))
    return total, tuple(unproven)


def _buckets(
    text: str, selector: str, unit: float
) -> tuple[tuple[tuple[float, float], ...], tuple[Unproven, ...]]:  # fmt: skip
    """Cumulative counts by upper bound in seconds, of all matching histograms together."""
    counts: dict[float, float] = {}
    members: dict[float, int] = {}
    unproven: list[Unproven] = []
    for one in parse(selector):
        series, missing = _series(text, Selector(f"{one.name}_bucket", one.matchers), "latency")
        unproven += missing
        for labels, value in series:
            bound = _bound(labels.get("le", ""), one.name)
            counts[bound] = counts.get(bound, 0.0) + value
            members[bound] = members.get(bound, 0) + 1
    if not counts:
        return (), tuple(unproven)
    if inf not in counts or len(set(members.values())) > 1:
        raise SignalError(
            "UnusableValue",
            f"The histogram {selector!r} lacks its +Inf bucket, or its series have different bounds. "
            "Let all its series have the same buckets.",
        )
    rising, largest = [], 0.0
    for bound in sorted(counts):
        largest = max(largest, counts[bound])  # a page isn't read atomically: keep it cumulative
        rising.append((bound * unit, largest))
    return tuple(rising), tuple(unproven)


def _bound(text: str, name: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        bound = float("nan")
    if isnan(bound):
        raise SignalError("UnusableValue", f"{name}_bucket has a bucket with the bound le={text[:40]!r}.")
    return bound


def _series(text: str, selector: Selector, of: Of) -> tuple[list[Series], list[Unproven]]:
    """(labels, value) of each matching sample; and what the page does not have though it is asked for."""
    found: list[Series] = []
    there, known, seen = False, set[str](), set[frozenset[tuple[str, str]]]()
    for start in _starts(text, selector.name):
        line = _REST.match(text, start)
        if line is None:
            raise _not_metrics(text[start - len(selector.name) : start + 60].split("\n", 1)[0])
        labels = _labels(line["labels"]) if line["labels"] else {}
        there = True
        known.update(labels)
        if selector.accepts(labels):
            one = frozenset(labels.items())
            if one in seen:
                raise _twice(selector.name, line["labels"] or "")
            seen.add(one)
            found.append((labels, _value(line["value"], selector.name)))
    if not there:
        return [], absence.of_metric(text, selector.name, of)
    return found, absence.of_labels(selector, known, of)


def _starts(text: str, name: str) -> Iterator[int]:
    """Positions after `name` at the beginning of a line, where the name ends there."""
    size = len(name)
    position = 0 if text.startswith(name) else text.find("\n" + name) + 1
    while position or text.startswith(name):
        after = position + size
        if text[after : after + 1] in ("{", " ", "\t"):
            yield after
        following = text.find("\n" + name, after)
        if following < 0:
            return
        position = following + 1


@lru_cache(maxsize=8192)
def _labels(text: str) -> Mapping[str, str]:
    """Of a series; it has the same ones on each page."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        label = _LABEL.match(text, position)
        if label is None:
            if text[position:].strip(" \t,"):
                raise _not_metrics(f"{{{text}}}")
            break
        found[label[1]] = unescape(label[2])
        position = label.end()
    return found


def _value(text: str, name: str) -> float:
    try:
        value = float(text) if "_" not in text else float("nan")
    except ValueError:
        value = float("nan")
    if not is_count(value):
        raise _unusable(name, text)
    return value


def _unusable(name: str, value: str) -> SignalError:
    return SignalError(
        "UnusableValue", f"The counter {name!r} has the value {value[:40]!r}. A counter is a number that only rises."
    )


def _twice(name: str, labels: str) -> SignalError:
    return SignalError(
        "UnusableValue",
        f"The page has the series {name}{{{labels[:80]}}} twice. Let the server list each one once.",
    )


def _not_metrics(line: str) -> SignalError:
    return SignalError(
        "NotMetrics",
        f"The page is not in Prometheus' text format: {line[:80]!r}. Check server.metrics.path and port.",
    )
