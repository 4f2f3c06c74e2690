"""The operator's own metrics about Datasets and Pipelines, read off their status. A few series each; a run has some for
as long as it is under way."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.plan.core import Gauge, Json, epoch


def of_dataset(raw: Json) -> Iterable[Gauge]:
    """A Dataset's state, for alerts: whether its source and data are all right, and how old its version is."""
    labels = {"namespace": raw["metadata"].get("namespace", ""), "dataset": raw["metadata"]["name"]}
    status = raw.get("status") or {}
    truth = {"True": 1.0, "False": 0.0}
    for condition in status.get("conditions") or []:
        name = {
            "SourceReachable": "source_reachable",
            "Valid": "valid",
            "Ready": "ready",
            "Available": "available",
        }.get(condition["type"])
        if name and condition["status"] in truth:
            help_ = f"Condition {condition['type']} of a Dataset: 1 true, 0 false."
            yield Gauge(f"fairlead_dataset_{name}", help_, labels, truth[condition["status"]])
    current = status.get("current")
    if current:
        published = epoch(current["at"])
        yield Gauge(
            "fairlead_dataset_version_timestamp_seconds", "When the current version was published.", labels, published
        )
        yield Gauge("fairlead_dataset_rows", "Rows of the current version.", labels, float(current.get("rows", 0)))


STEPS = {"Pending": 0.0, "Running": 1.0, "Completed": 2.0}
"""Of a run's steps; any other phase is -1."""
ENDED = ("Completed", "Failed", "Aborted")


def of_run(raw: Json) -> Iterable[Gauge]:
    """Where the steps of a run stand that is under way; nothing of one that has ended, for runs are many."""
    status = raw.get("status") or {}
    if status.get("phase") in ENDED:
        return
    where = {
        "namespace": raw["metadata"].get("namespace", ""), "pipeline": raw["spec"]["pipeline"],
        "run": raw["metadata"]["name"],
    }  # fmt: skip
    for step in status.get("steps") or ():
        text = "Where a step of a run stands that is under way: 0 waits, 1 runs, 2 done, -1 failed."
        yield Gauge("fairlead_pipelinerun_step", text, where | {"step": step["name"]}, STEPS.get(step["phase"], -1.0))


def of_pipeline(raw: Json) -> Iterable[Gauge]:
    """A Pipeline's state, for alerts. One series each, whatever the number of runs."""
    where = {"namespace": raw["metadata"].get("namespace", ""), "pipeline": raw["metadata"]["name"]}
    status = raw.get("status") or {}
    yield Gauge("fairlead_pipeline_active_runs", "Runs under way.", where, float(status.get("active", 0)))
    yield Gauge("fairlead_pipeline_runs", "Runs that triggers have started.", where, float(status.get("runs", 0)))
    failed = float(status.get("phase") == "Failed")
    yield Gauge("fairlead_pipeline_last_run_failed", "1 if the last run that ended has failed.", where, failed)
    said = {one.get("type"): one.get("status") for one in status.get("conditions") or ()}
    text = "1 while triggers have tried as often as they may, and wait for a person."
    yield Gauge("fairlead_pipeline_gave_up", text, where, float(said.get("GaveUp") == "True"))
    for name, much in (status.get("cache") or {}).items():
        text = "Steps of runs that are kept, by what became of earlier results: hits, audits, mismatches."
        yield Gauge("fairlead_pipeline_cache_steps", text, where | {"outcome": name}, float(much))
    last = status.get("lastRun")
    if last:
        text = "When a trigger last started a run."
        yield Gauge("fairlead_pipeline_last_run_timestamp_seconds", text, where, epoch(last["at"]))
