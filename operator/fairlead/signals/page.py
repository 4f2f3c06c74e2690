"""Reading a page in Prometheus' text format, fast: only the lines of the wanted metrics are looked at.

The format is line by line, so the lines of a metric are found by searching for its name at the start of a line; a
100 kB page takes well under a millisecond, against tens of milliseconds for parsing all of it. A page is somebody
else's: whatever it says, a line costs little, and after every line it is asked whether the page's budget is spent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import inf, isnan

from fairlead.plan.requests import Counters, MetricNames, Unproven
from fairlead.signals import absence
from fairlead.signals.absence import Of
from fairlead.signals.aside import LONG
from fairlead.signals.budget import Budget
from fairlead.signals.counts import is_count
from fairlead.signals.errors import SignalError
from fairlead.signals.labels import Labels
from fairlead.signals.selector import Selector, parse

_LABELS = r"\{(?P<labels>(?:[^\"}\n]|\"(?:[^\"\\\n]|\\.)*\")*)\}"
_REST = re.compile(rf"(?:{_LABELS})?[ \t]*(?P<value>[^\s{{}}#]+)(?P<tail>[ \t].*)?\r?$")
_SAMPLE = re.compile(rf"[a-zA-Z_:][a-zA-Z0-9_:]*(?:(?:{_LABELS})[ \t]*|[ \t]+)[+-]?(?:[0-9.]|Inf|NaN)")
_BEGUN = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*[{ \t]")

LINE = 8192
"""Characters of a line of a wanted metric."""
BOUNDS = 512
"""Of a histogram: what is reckoned with it takes as long as it has bounds."""
_NUMBER = 64
"""Characters of a number."""

Series = tuple[Mapping[str, str], float]


class _Page:
    """A page that is being read."""

    def __init__(self, text: str, labels: Labels, budget: Budget) -> None:
        self.text, self.labels, self.budget = text, labels, budget


def parse_page(text: str, names: MetricNames, labels: Labels | None = None, budget: Budget | None = None) -> Counters:
    """The wanted counters of a page. labels: of earlier pages; budget: what may be spent on it.

    A counter without any matching series is 0: libraries add a labelled series when it is first needed. What the page
    has no sign of, neither a series nor a `# TYPE` or `# HELP` line, nor the label on any series, is 0 as well, and
    `unproven`. Raises SignalError: NotMetrics (the page is something else), UnusableValue (NaN, infinite, negative,
    above 2^53), TooLarge (a line, or the number of a histogram's bounds), TooSlow, BadSelector.
    """
    page = _Page(text, labels or Labels(), budget or Budget(LONG))
    _check(text)
    requests, no_requests = _total(page, names.requests, "requests")
    failures, no_failures = _total(page, names.failures, "failures")
    buckets, no_buckets = _buckets(page, names.latency, names.latency_unit) if names.latency else ((), ())
    return Counters(requests, failures, buckets, (*no_requests, *no_failures, *no_buckets))


def _check(text: str) -> None:
    """The first line that isn't empty must be a comment or a sample."""
    first, ends, _ = text[:LINE].lstrip().partition("\n")
    sample = _SAMPLE if ends or len(text) <= LINE else _BEGUN
    if first and not first.startswith("#") and not sample.match(first):
        raise _not_metrics(first)


def _total(page: _Page, selector: str, of: Of) -> tuple[float, tuple[Unproven, ...]]:
    total, unproven = 0.0, []
    for one in parse(selector):
        found, missing = _series(page, one, of)
        total += sum(value for _, value in found)
        unproven += missing
    if not is_count(total):
        raise _unusable(selector, str(total))
    return total, tuple(unproven)


def _buckets(
    page: _Page, selector: str, unit: float
) -> tuple[tuple[tuple[float, float], ...], tuple[Unproven, ...]]:  # fmt: skip
    """Cumulative counts by upper bound in seconds, of all matching histograms together."""
    counts: dict[float, float] = {}
    members: dict[float, int] = {}
    unproven: list[Unproven] = []
    for one in parse(selector):
        series, missing = _series(page, Selector(f"{one.name}_bucket", one.matchers), "latency")
        unproven += missing
        for labels, value in series:
            bound = _bound(labels.get("le", ""), one.name)
            counts[bound] = counts.get(bound, 0.0) + value
            members[bound] = members.get(bound, 0) + 1
    if not counts:
        return (), tuple(unproven)
    if len(counts) > BOUNDS:
        raise SignalError(
            "TooLarge", f"The histogram {selector!r} has {len(counts)} bounds. Let it have {BOUNDS} at most."
        )  # fmt: skip
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
        bound = float(text) if len(text) <= _NUMBER else float("nan")
    except ValueError:
        bound = float("nan")
    if isnan(bound):
        raise SignalError("UnusableValue", f"{name}_bucket has a bucket with the bound le={text[:40]!r}.")
    return bound


def _series(page: _Page, selector: Selector, of: Of) -> tuple[list[Series], list[Unproven]]:
    """(labels, value) of each matching sample; and what the page does not have though it is asked for."""
    found: list[Series] = []
    there, known, seen = False, set[str](), set[frozenset[tuple[str, str]]]()
    for rest in _lines(page, selector.name):
        line = _REST.match(rest)
        if line is None:
            raise _not_metrics(selector.name + rest[:60])
        labels = _labels(page, line["labels"])
        there = True
        known.update(labels)
        if selector.accepts(labels):
            one = frozenset(labels.items())
            if one in seen:
                raise _twice(selector.name, line["labels"] or "")
            seen.add(one)
            found.append((labels, _value(line["value"], selector.name)))
    page.budget.check()
    if not there:
        return [], absence.of_metric(page.text, selector.name, of)
    return found, absence.of_labels(selector, known, of)


def _lines(page: _Page, name: str) -> Iterator[str]:
    """Of each line that begins with `name`, which ends there, what follows it."""
    text, size = page.text, len(name)
    position = 0 if text.startswith(name) else text.find("\n" + name) + 1
    while position or text.startswith(name):
        page.budget.check()
        after = position + size
        if text[after : after + 1] in ("{", " ", "\t"):
            end = text.find("\n", after, after + LINE)
            if end < 0 and len(text) > after + LINE:
                raise SignalError("TooLarge", f"A line of {name} has more than {LINE} characters. Shorten its labels.")
            yield text[after:end] if end >= 0 else text[after:]
        following = text.find("\n" + name, after)
        if following < 0:
            return
        position = following + 1


def _labels(page: _Page, text: str | None) -> Mapping[str, str]:
    if not text:
        return {}
    found = page.labels.of(text)
    if found is None:
        raise _not_metrics(f"{{{text}}}")
    return found


def _value(text: str, name: str) -> float:
    try:
        value = float(text) if "_" not in text and len(text) <= _NUMBER else float("nan")
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
