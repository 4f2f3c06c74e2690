"""What a change of an object means, in words. Pure: (kind, before, now) in, lines out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from hack.demo.kube import Json
from hack.demo.world import spec, status

FEED = "landed"
"""A Dataset that has a version every few seconds."""


def narrate(kind: str, before: Json | None, now: Json | None) -> list[str]:
    """Lines for people; empty when nothing worth telling happened."""
    if now is None:
        return []
    return list(TELLERS[kind](before or {}, now)) if kind in TELLERS else []


def dataset(before: Json, now: Json) -> Iterator[str]:
    """A version was published, or refused."""
    current = status(now).get("current") or {}
    if current and current != (status(before).get("current") or {}) and name(now) != FEED:
        files = f"{current.get('files', 0)} file{'s' if current.get('files', 0) != 1 else ''}"
        yield f"dataset {name(now)}: version {current['version']} published ({files}, {current.get('rows', 0):,} rows)"
    failed = [c for c in status(now).get("checks", []) if not c["passed"]]
    if failed and failed != [c for c in status(before).get("checks", []) if not c["passed"]]:
        for check in failed:
            what = f"{check['check']}: {check.get('message')}"
            yield f"dataset {name(now)}: check failed ({check.get('severity')}): {what}"
    yield from troubles("dataset", before, now)


def run(before: Json, now: Json) -> Iterator[str]:
    """A run began, a step began or ended, the run ended."""
    if not before:
        params = spec(now).get("params")
        yield f"run {name(now)}: {spec(now).get('reason') or 'started'}" + (f" {params}" if params else "")
    old = {step["name"]: step for step in status(before).get("steps", [])}
    for step in status(now).get("steps", []):
        was = old.get(step["name"], {})
        if step["phase"] != was.get("phase", "Pending") and step["phase"] != "Pending":
            yield f"run {name(now)}: {step['name']} {step['phase'].lower()}{detail(step)}"
    if status(now).get("phase") != status(before).get("phase") and status(now).get("finishedAt"):
        made = status(now).get("models", [])
        made_text = f", made {', '.join(made)}" if made else ""
        yield f"run {name(now)}: {status(now)['phase'].lower()} after {took(status(now))}{made_text}"


def model(before: Json, now: Json) -> Iterator[str]:
    """The proof, and what became of it."""
    phase, evidence = status(now).get("phase"), status(now).get("evidence") or {}
    if phase == status(before).get("phase"):
        return
    if phase in ("Verifying", "Evaluating"):
        champion = (status(now).get("job") or {}).get("champion")
        yield f"model {name(now)}: {phase.lower()}" + (f" against {champion}" if champion else "")
    elif phase:
        yield (
            f"model {name(now)}: {phase.lower()}; {scores(evidence)}"
            if evidence
            else f"model {name(now)}: {phase.lower()}"
        )
        for gate in evidence.get("gates", []):
            mark = {"Passed": "✓", "Failed": "✗"}.get(gate["verdict"], "–")
            yield f"    {mark} {gate['gate']}" + (f": {gate['message']}" if gate.get("message") else "")


def deployment(before: Json, now: Json) -> Iterator[str]:
    """Weights, verdicts and ends of rollouts."""
    old, new = status(before).get("candidate") or {}, status(now).get("candidate") or {}
    if new and new.get("version") != old.get("version"):
        against = f" against {new['against']}" if new.get("against") else ""
        yield f"deployment {name(now)}: {new['version']} starts{against}"
        old = {}
    if new and new.get("weight", 0) != old.get("weight", 0):
        yield f"deployment {name(now)}: {new['version']} gets {new['weight']} % of the requests"
    if new and new.get("verdict") == "NoEvidence" != old.get("verdict"):
        yield f"deployment {name(now)}: no evidence, the weight is frozen: {status(now).get('message', '')}"
    known = [(r["version"], r["endedAt"]) for r in status(before).get("history", [])]
    for record in reversed(status(now).get("history", [])):
        if (record["version"], record["endedAt"]) not in known:
            yield f"deployment {name(now)}: {record['version']} {verdict(record)}"
    yield from monitors(before, now)
    yield from troubles("deployment", before, now)


def monitors(before: Json, now: Json) -> Iterator[str]:
    """What a monitor says once it is not what it was, and what follows from it."""
    old, new = status(before).get("monitors") or {}, status(now).get("monitors") or {}
    was = {line["monitor"]: line["state"] for line in old.get("lines", []) if old.get("version") == new.get("version")}
    for line in new.get("lines", []):
        first = was.get(line["monitor"], "Unknown") == "Unknown" and line["state"] == "Ok"
        if line["state"] not in (was.get(line["monitor"], "Unknown"), "Unknown") and not first:
            yield f"deployment {name(now)}: {line['monitor']} of {new['version']}: {line['state']}: {line['message']}"
    asked = new.get("question") or {}
    if asked.get("state") != (old.get("question") or {}).get("state") and asked.get("message"):
        yield f"deployment {name(now)}: is {asked.get('against', 'another')} better? {asked['message']}"
    if changed(now) and not changed(before):
        yield f"deployment {name(now)}: THE WORLD HAS CHANGED: {changed(now)}"


def changed(item: Json) -> str:
    """Why the world has changed; empty as long as it has not."""
    found = next((c for c in status(item).get("conditions", []) if c["type"] == "WorldChanged"), {})
    return str(found.get("message") or found.get("reason")) if found.get("status") == "True" else ""


def verdict(record: Json) -> str:
    """How a rollout ended."""
    result = {"Live": "is live", "RolledBack": "ROLLED BACK"}.get(record["result"], record["result"])
    said = str(record.get("message") or record["reason"]).removeprefix(f"{record['version']} goes live").lstrip(":, ")
    return f"{result}: {said}"


def troubles(kind: str, before: Json, now: Json) -> Iterator[str]:
    """Conditions that turned false with a message."""
    old = {(c["type"], c["status"], c["reason"]) for c in status(before).get("conditions", [])}
    found = status(now).get("conditions", [])
    told = {(c["reason"], c["status"]) for c in found if c["type"] != "Ready"}
    for condition in found:
        if condition["type"] == "Ready" and (condition["reason"], condition["status"]) in told:
            continue  # the condition that it follows from says it
        bad = condition["status"] == "False" and condition.get("reason") in TROUBLE
        if bad and (condition["type"], condition["status"], condition["reason"]) not in old:
            what = f"{condition['type']} is false ({condition['reason']})"
            yield f"{kind} {name(now)}: {what}: {condition.get('message', '')}"


TROUBLE = {
    "BucketMissing", "AccessDenied", "Unreachable", "CorruptFile", "ChecksFailed", "Invalid", "ImagePull",
    "Unschedulable", "DigestMismatch", "NotAccepted", "Failed", "SecretMissing", "PrometheusUnreachable",
}  # fmt: skip
TELLERS: dict[str, Callable[[Json, Json], Iterator[str]]] = {
    "Dataset": dataset, "PipelineRun": run, "ModelVersion": model, "Deployment": deployment,
}  # fmt: skip


def name(item: Json) -> str:
    """An object's name."""
    return str(item["metadata"]["name"])


def scores(evidence: Json) -> str:
    """`mae 10.9 (champion 11.8, baseline 24.4) on 6,435 rows`."""
    by = {score["subject"]: score.get("values", {}) for score in evidence.get("scores", [])}
    own = by.get("challenger", {})
    if not own:
        return "evaluated"
    metric = "mae" if "mae" in own else next(iter(own))
    others = [f"{who} {short(by[who][metric])}" for who in ("champion", "baseline") if metric in by.get(who, {})]
    compared = f" ({', '.join(others)})" if others else ""
    return f"{metric} {short(own[metric])}{compared} on {evidence.get('rows', 0):,} rows"


def short(number: str) -> str:
    """Four significant digits."""
    return f"{float(number):.4g}"


def took(block: Json) -> str:
    """Time between startedAt and finishedAt, `12 s`."""
    start, end = block.get("startedAt"), block.get("finishedAt")
    return f"{seconds(end) - seconds(start):.0f} s" if start and end else "?"


def seconds(timestamp: str) -> float:
    """Epoch seconds of an RFC 3339 time."""
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


def detail(step: Json) -> str:
    """Why or how long."""
    if step["phase"] == "Completed":
        return f" in {took(step)}"
    return f": {step.get('reason')} {step.get('message', '')}".rstrip() if step.get("message") else ""
