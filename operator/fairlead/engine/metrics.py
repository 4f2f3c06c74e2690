"""The operator's own metrics. One registry an operator, so that tests may build many."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client import Gauge as PrometheusGauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fairlead.engine.cache import Cache
from fairlead.plan.core import Gauge, KindSpec, no_gauges

log = logging.getLogger(__name__)
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter that nobody reads

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What is counted as it happens."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.reconciles = Counter(
            "fairlead_reconciles_total",
            "Looks at an object, by what came of it.",
            ["kind", "result"],
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            "fairlead_reconcile_seconds", "Length of a look.", ["kind"], buckets=FAST, registry=registry
        )
        self.queue_wait = Histogram(
            "fairlead_queue_wait_seconds", "How long a key was ready before it was looked at.", ["kind"],
            buckets=FAST, registry=registry,
        )  # fmt: skip
        self.errors = Counter(
            "fairlead_errors_total", "Failed looks, by the kind of error.", ["kind", "error"], registry=registry
        )
        self.api_requests = Counter(
            "fairlead_api_requests_total", "Requests to the API server; code 0: no answer.",
            ["verb", "resource", "code"], registry=registry,
        )  # fmt: skip
        self.api_seconds = Histogram(
            "fairlead_api_request_seconds", "Length of requests to the API server.", ["verb"],
            buckets=FAST, registry=registry,
        )  # fmt: skip
        self.signal_seconds = Histogram(
            "fairlead_signal_seconds", "Length of getting a signal from outside.", ["signal", "result"],
            buckets=FAST, registry=registry,
        )  # fmt: skip
        self.clock_behind = PrometheusGauge(
            "fairlead_clock_behind_objects",
            "Objects whose status has times that the operator's clock has not reached yet.", registry=registry,
        )  # fmt: skip
        self.kinds_withheld = PrometheusGauge(
            "fairlead_kind_withheld", "1 for an optional kind that the API server has and does not let be listed.",
            ["kind"], registry=registry,
        )  # fmt: skip
        self.leader = PrometheusGauge("fairlead_leader", "1 while this replica leads.", registry=registry)
        self.leader.set(0)
        # to find a series by its labels takes longer than to count
        self._api: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._signals: dict[tuple[str, str], Histogram] = {}

    def api(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """A request to the API server was answered."""
        kept = self._api.get((verb, resource, code))
        if kept is None:
            kept = self.api_requests.labels(verb, resource, str(code)), self.api_seconds.labels(verb)
            self._api[verb, resource, code] = kept
        kept[0].inc()
        kept[1].observe(seconds)

    def signal(self, signal: str, result: str, seconds: float) -> None:
        """A signal was had, or not."""
        kept = self._signals.get((signal, result))
        if kept is None:
            kept = self._signals[signal, result] = self.signal_seconds.labels(signal, result)
        kept.observe(seconds)


class StateCollector(Collector):
    """What is read off the cache and the queue at each scrape."""

    def __init__(self, cache: Cache, specs: Iterable[KindSpec[Any]], ready: Iterable[tuple[str, int]]) -> None:
        self._cache, self._specs, self._ready = cache, tuple(specs), ready

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: the names are only known from the objects."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges of the objects, the size of the cache and the length of the queue."""
        objects = GaugeMetricFamily("fairlead_cache_objects", "Objects in the cache.", labels=["kind"])
        for kind in self._cache.kinds:
            objects.add_metric([f"{kind.kind}.{kind.api_version}"], len(self._cache.store(kind)))
        yield objects
        depth = GaugeMetricFamily("fairlead_queue_depth", "Keys that are ready to be looked at.", labels=["kind"])
        for kind_name, count in self._ready:
            depth.add_metric([kind_name], count)
        yield depth
        yield from families(self._samples())

    def _samples(self) -> Iterator[Gauge]:
        for spec in self._specs:
            if spec.gauges is no_gauges:
                continue
            for _, name, entry in self._cache.store(spec.kind):
                try:
                    yield from entry.gauges(spec.gauges)
                except Exception:
                    log.exception("the gauges of %s %s can't be read", spec.kind.kind, name)


def families(samples: Iterable[Gauge]) -> Iterator[GaugeMetricFamily]:
    """The samples grouped by name. All samples of a name must have the same labels; others are left out."""
    found: dict[str, tuple[tuple[str, ...], GaugeMetricFamily]] = {}
    for sample in samples:
        names = tuple(sorted(sample.labels))
        labels, family = found.setdefault(
            sample.name, (names, GaugeMetricFamily(sample.name, sample.help, labels=list(names)))
        )
        if labels == names:
            family.add_metric([sample.labels[n] for n in names], sample.value)
    return (family for _, family in found.values())
