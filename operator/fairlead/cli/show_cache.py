"""Where the outputs of a run's steps come from, and why those ran that did. Pure."""

from __future__ import annotations

from typing import Any

from fairlead.api.pipelinerun import PipelineRun
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.plan.core import Json
from fairlead.plan.pipeline.cache import why
from fairlead.plan.pipeline.cache.why import Why


def earlier(run: Json, runs: list[Json]) -> list[why.Past]:
    """Runs of the same pipeline that were made before a run, newest first; what can't be read is none."""
    mine = _turn(run)
    found = [one for one in runs if one["spec"].get("pipeline") == run["spec"]["pipeline"] and _turn(one) < mine]
    found.sort(key=_turn, reverse=True)
    return [why.Past(one["metadata"]["name"], PipelineRun.model_validate(one).status) for one in found]


def _turn(run: Json) -> tuple[str, str]:
    return str((run.get("status") or {}).get("startedAt") or run["metadata"].get("creationTimestamp", "")), str(
        run["metadata"]["name"]
    )


def blocks(name: str, found: PipelineRun, each: list[Why]) -> list[Block]:
    """The view."""
    taken = sum(one.outcome in ("Hit", "Resumed") for one in each)
    shown: list[Block] = [Title(f"pipelinerun {name}", found.status.phase, f"{taken} of {len(each)} steps did not run")]
    if not each:
        return [*shown, Lines(["it has not started: nothing is known yet"])]
    rows = [[one.step, one.outcome, one.source or "-", one.key[:12] or "-", one.message] for one in each]
    shown.append(Table(["STEP", "OUTCOME", "FROM", "KEY", "WHY"], rows))
    for one in each:
        if one.differs:
            lines = [f"  {why.told(part)}" for part in one.differs]
            shown += [Title(one.step, "", f"differs from run {one.against} in"), Lines(lines)]
        elif one.against and one.outcome == "Ran":
            shown.append(Lines([f"{one.step}: its key is the same as in run {one.against}"]))
    return shown


def as_json(each: list[Why]) -> dict[str, Any]:
    """The same for programs."""
    return {
        one.step: {
            "outcome": one.outcome, "key": one.key, "from": one.source, "message": one.message, "against": one.against,
            "differs": [part._asdict() for part in one.differs],
        }
        for one in each
    }  # fmt: skip
