"""What a page of counters does not have though it is asked for: no such thing is a counter at 0.

Libraries add a labelled series when it is first needed, and many of them list the metric from the start all the same,
in `# TYPE` and `# HELP`. So a value that no series has is a zero; a metric or a label that the page has no sign of is
spelt wrongly, or nobody knows yet. What a page lists is a family; its samples may have longer names, by its type.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import Literal

from fairlead.plan.requests import Unproven
from fairlead.signals.selector import Selector

Of = Literal["requests", "failures", "latency"]
_NAMES = re.compile(r"^(?:# (?:TYPE|HELP) )?([a-zA-Z_:][a-zA-Z0-9_:]{0,99})(?![a-zA-Z0-9_:])", re.MULTILINE)
_SUFFIX = re.compile(r"_(?:total|count|sum|bucket)$")
"""What a sample's name has more than its family's."""
_MADE = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}
"""By type, the samples whose names are longer than the family's. In OpenMetrics a counter has no others."""
MOST = 500
"""Names of a page that are compared with the one that it lacks,"""
_SEARCHED = 256 * 1024
"""from this many of its first characters."""
_ALIKE = 0.4
"""Of two names' runs of three characters, the share that both have, from which on they are alike."""


def of_metric(text: str, name: str, of: Of) -> list[Unproven]:
    """Of a metric without any series: nothing if the page lists it, else that it is unproven."""
    if _to_come(text, name):
        return []
    shown = name.removesuffix("_bucket") if of == "latency" else name
    words = f"the page has no series {shown}, which {_field(of)} names; {_has(text, shown)}"
    return [Unproven(of, "MetricMissing", shown, words)]


def of_labels(selector: Selector, known: set[str], of: Of) -> list[Unproven]:
    """Of a metric with series: the labels that the selector asks for and none of these has. known: their labels."""
    lacking = dict.fromkeys(one.label for one in selector.matchers if one.label not in known and one.value != "")
    name, others = selector.name.removesuffix("_bucket") if of == "latency" else selector.name, sorted(known - {"le"})
    has = f"their labels: {', '.join(one[:40] for one in others[:10])}" if others else "they have no labels"
    words = f"no series of {name} has the label {{}}, which {_field(of)} names; {has}"
    return [Unproven(of, "LabelMissing", label, words.format(label)) for label in lacking]


def _to_come(text: str, name: str) -> bool:
    """Whether the page lists a metric that will have samples of this name."""
    family = _SUFFIX.sub("", name)
    if _listed(text, name):
        longer = _MADE.get(_type(text, name), ())
        counter = longer == _MADE["counter"] and not _open_metrics(text)
        return not longer or (counter and (_listed(text, f"{name}_total") or not _sampled(text, f"{name}_total")))
    if family == name or not _listed(text, family) or _sampled(text, family):
        return False
    kind = _type(text, family)
    return not kind or name.removeprefix(family) in _MADE.get(kind, ())


def _listed(text: str, family: str) -> bool:
    return any(_begins(text, f"# {word} {family}{end}") for word in ("TYPE", "HELP") for end in (" ", "\t", "\n", "\r"))


def _begins(text: str, line: str) -> bool:
    return text.startswith(line) or f"\n{line}" in text


def _type(text: str, family: str) -> str:
    """What the page says that a family is; empty where it doesn't."""
    line = f"# TYPE {family}"
    for end in (" ", "\t"):
        begin = 0 if text.startswith(line + end) else text.find(f"\n{line}{end}") + 1
        if begin or text.startswith(line + end):
            words = text[begin + len(line) : begin + len(line) + 64].split("\n", 1)[0].split()
            return words[0] if words else ""
    return ""


def _open_metrics(text: str) -> bool:
    """Whether it is the format in which the samples of a counter end with _total."""
    return text[-64:].rstrip().endswith("# EOF")


def _sampled(text: str, name: str) -> bool:
    return any(_begins(text, name + end) for end in (" ", "\t", "{"))


def _field(of: Of) -> str:
    return f"spec.server.metrics.{of}"


def _has(text: str, name: str) -> str:
    if not text.strip():
        return "it is empty"
    names = (found[1] for found in _NAMES.finditer(text[:_SEARCHED]) if found[1] != name)
    close = _closest(name, tuple(islice(dict.fromkeys(names), MOST)))
    return f"the closest that it has: {', '.join(close)}" if close else "it has nothing alike"


@lru_cache(maxsize=64)
def _closest(name: str, every: tuple[str, ...]) -> tuple[str, ...]:
    """The three that are most alike, in time that grows with the names' length and no faster."""
    mine = _runs(name)
    alike = {one: 2 * len(mine & runs) / (len(mine) + len(runs)) for one in every for runs in (_runs(one),)}
    return tuple(one for one in sorted(alike, key=lambda one: -alike[one])[:3] if alike[one] >= _ALIKE)


def _runs(name: str) -> set[str]:
    whole = f"^{name}$"
    return {whole[at : at + 3] for at in range(len(whole) - 2)}
