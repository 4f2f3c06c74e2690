"""The operator itself."""

from __future__ import annotations

from hack.gen.panels import Board, Panel, Rows

OURS = "and on (instance, job) fairlead_leader"
"""Every Python program has the metrics of its process; these are the operator's replicas'."""


def _quantile(metric: str, by: str, share: str = "0.99") -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket[$__rate_interval])))"


ROWS: Rows = (
    ("Does it work?", (
        Panel("Leaders", "One replica works; the others wait.", (("sum(fairlead_leader)", ""),), "stat", width=4,
              height=6, words=(("0", "none", "red"), ("1", "1", "green"))),
        Panel("Looks", "By what came of them.",
              (("sum by (kind, result) (rate(fairlead_reconciles_total[$__rate_interval]))", "{{kind}} {{result}}"),),
              unit="ops", width=10, height=6),
        Panel("Failed looks", "Invalid is a manifest's matter; conflicts are part of the work.",
              (("sum by (kind, error) (rate(fairlead_errors_total[$__rate_interval]))", "{{kind}} {{error}}"),),
              unit="ops", width=10, height=6, needs="errors"),
    )),
    ("How fast does it react?", (
        Panel("Waiting for a look, p99", "Rollbacks wait as long.",
              ((_quantile("fairlead_queue_wait_seconds", "kind"), "{{kind}}"),), unit="s"),
        Panel("Length of a look, p99", "From reading an object to writing what follows.",
              ((_quantile("fairlead_reconcile_seconds", "kind"), "{{kind}}"),), unit="s"),
        Panel("Signals from outside, p99", "Counters of pods, Prometheus, the store.",
              ((_quantile("fairlead_signal_seconds", "signal, result"), "{{signal}} {{result}}"),), unit="s"),
        Panel("Ready to be looked at", "Objects in the queue.",
              (("sum by (kind) (fairlead_queue_depth)", "{{kind}}"),)),
    )),
    ("The API server, and what it costs", (
        Panel("Requests to the API server", "Code 0: no answer.",
              (("sum by (verb, code) (rate(fairlead_api_requests_total[$__rate_interval]))", "{{verb}} {{code}}"),),
              unit="reqps"),
        Panel("Length of requests, p99", "To the API server.",
              ((_quantile("fairlead_api_request_seconds", "verb"), "{{verb}}"),),
              unit="s"),
        Panel("Objects in the cache", "All that is watched.",
              (("sum by (kind) (fairlead_cache_objects)", "{{kind}}"),), width=8),
        Panel("CPU", "Cores.", ((f"rate(process_cpu_seconds_total[$__rate_interval]) {OURS}", "{{instance}}"),),
              width=8),
        Panel("Memory", "Of each replica, resident.", ((f"process_resident_memory_bytes {OURS}", "{{instance}}"),),
              unit="bytes", width=8),
    )),
)  # fmt: skip


BOARD = Board("fairlead-operator", "Fairlead / operator", ROWS)
