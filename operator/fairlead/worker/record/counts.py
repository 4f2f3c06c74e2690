"""What the recorder says of itself to Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
RECEIVED = Counter("fairlead_recorder_received", "Answers that the proxy began to hand over.", registry=REGISTRY)
KEPT = Counter("fairlead_recorder_kept", "Answers that were kept.", registry=REGISTRY)
NEW_USERS = Counter(
    "fairlead_answers_new_users", "Answers that were kept, to users who came without a cookie of the experiment. None "
    "are counted where the share that is kept follows the traffic: versions' shares differ then.",
    registry=REGISTRY,
)  # fmt: skip
DROPPED = Counter(
    "fairlead_recorder_dropped",
    "Answers, or their bodies, that were not kept, by reason: aborted (the client went away before it had its answer, "
    "or the recorder took it too late), long (the body was), memory, disk, spool (the store was away for too long).",
    ["reason"], registry=REGISTRY,
)  # fmt: skip
WRITTEN = Counter("fairlead_recorder_written", "Answers written to the store.", registry=REGISTRY)
FAILURES = Counter("fairlead_recorder_write_failures", "Attempts to write to the store that failed.", registry=REGISTRY)
WAITING = Gauge("fairlead_recorder_spool_bytes", "Bytes of answers that wait for the store.", registry=REGISTRY)
HELD = Gauge("fairlead_recorder_held_bytes", "Bytes of bodies under way.", registry=REGISTRY)
BINNED = Counter("fairlead_recorder_binned_rows", "Rows of requests that were counted.", registry=REGISTRY)
UNREAD = Counter(
    "fairlead_recorder_unread", "Chosen requests whose rows, or whose answers, were not counted, by reason.",
    ["reason"], registry=REGISTRY,
)  # fmt: skip
for _reason in ("aborted", "long", "memory", "disk", "spool"):
    DROPPED.labels(_reason)
