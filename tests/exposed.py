"""The metrics that there are, and those that an expression names: a name that nobody exports any more is seen."""

from __future__ import annotations

import re

from hack.gen import metrics
from hack.gen.boards import gpus, predictions

from fairlead.api.selectors import terms

WORDS = {
    "absent", "and", "avg", "bool", "by", "clamp_min", "count", "group", "group_left", "histogram_quantile", "increase",
    "label_replace", "label_values", "max", "on", "or", "rate", "sum", "time", "vector", "without",
}  # fmt: skip
"""Of PromQL and of Grafana, as far as they are in use."""


def known() -> dict[str, set[str]]:
    """Labels by metric: from the reference, what pods count, what dcgm-exporter exports."""
    (page,) = metrics.files().values()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", page, re.M)
    found = {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels in rows}
    for name, kind, _ in rows:
        if kind == "histogram":
            found[f"{name}_bucket"] = found[name]
    for one in predictions.known():
        for selector in filter(None, (one.requests, one.failures, one.latency)):
            for term in terms(selector):
                name = f"{term.name}_bucket" if selector == one.latency else term.name
                found.setdefault(name, set()).update(label for label, _, _ in term.matchers)
    return found | {name: set(gpus.LABELS) for name in gpus.METRICS} | {"up": set()}


def named(expression: str) -> set[str]:
    """The metrics in an expression: words that are neither PromQL's own, nor labels, nor in strings."""
    by_name = {name for group in re.findall(r'__name__=~"([\w|]+)"', expression) for name in group.split("|")}
    plain = re.sub(r'"[^"]*"', "", expression)
    plain = re.sub(r"\b(?:by|on|ignoring|group_left|without) \([^)]*\)", " ", plain)
    plain = re.sub(r"label_values\((.*), \w+\)", r"\1", plain)
    plain = re.sub(r"\w+(?:=~|!~|!=|=)(?!=)|\$\w+|\[[^]]*\]|\b\d[\d.]*\w*", " ", plain)
    return by_name | {word for word in re.findall(r"[a-zA-Z_]\w*", plain) if word not in WORDS}
