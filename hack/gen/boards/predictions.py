"""What the pods of a version count of the requests that they answer, whichever server counts.

A server's own counters come first, and else those of the proxy beside it: where answers are recorded both are there.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.api.selectors import Term, terms
from fairlead.manifests.presets import BY_PROXY, GRPC_BY_PROXY, PRESETS, Counters
from hack.gen.boards.queries import HERE, WHO

BY = f"{WHO}, version"


def known() -> Iterator[Counters]:
    """Of all servers that Fairlead knows, and of the proxy."""
    servers = list(PRESETS.values())
    yield from (one.metrics for one in servers if one.metrics)
    yield from (BY_PROXY, GRPC_BY_PROXY)
    yield from (one.grpc_metrics for one in servers if one.grpc_metrics)


def rate(by: str = BY) -> str:
    """Requests a second."""
    return _first(_summed(one.requests, by) for one in known())


def errors() -> str:
    """The share of requests that the server has failed."""
    shares = []
    for one in known():
        requests, failures = _summed(one.requests, BY), _summed(one.failures, BY)
        shares.append(f"({failures} or {requests} * 0) / ({requests} > 0)")
    return _first(shares)


def latency(quantile: float) -> str:
    """Seconds within which that share of requests is answered."""
    found = []
    for one in known():
        if one.latency:
            (term,) = terms(one.latency)
            buckets = f"sum by (le, {BY}) (rate({_series(f'{term.name}_bucket', term)}[$__rate_interval]))"
            scale = " / 1000" if one.latency_unit == "ms" else ""
            found.append(f"histogram_quantile({quantile}, {buckets}){scale}")
    return _first(found)


def _first(found: Iterator[str] | list[str]) -> str:
    return " or ".join(f"({one})" for one in found)


def _summed(selector: str, by: str) -> str:
    """In a sum of sums one that is missing would take the others with it. So terms are told apart by a label and summed
    at once: the rates of two counters with the same labels can't stand in one vector."""
    asked = terms(selector)
    rates = [f"rate({_series(one.name, one)}[$__rate_interval])" for one in asked]
    if len(asked) == 1:
        return f"sum by ({by}) ({rates[0]})"
    apart = [f'label_replace({one}, "term", "{at}", "", "")' for at, one in enumerate(rates)]
    return f"sum by ({by}) ({' or '.join(apart)})"


def _series(name: str, term: Term) -> str:
    return f"{name}{{{_inside(term)}}}"


def _inside(term: Term) -> str:
    asked = [f'{label}{how}"{value}"' for label, how, value in term.matchers]
    return ",".join([*asked, HERE])
