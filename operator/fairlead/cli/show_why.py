"""Why a Pipeline did, or did not, start a run: what each trigger saw, what came of it, what comes next. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from fairlead.api.pipeline import Pipeline, Seen, Tried, TriggerDecision
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_common import conditions
from fairlead.cli.text import ago
from fairlead.plan.pipeline import gpuhours, limits, tries
from fairlead.plan.pipeline.triggers import registry

SAID = ("GaveUp", "TriggersObserved", "Ready")
"""The conditions that speak of triggers."""


class Row(NamedTuple):
    """A trigger."""

    trigger: str
    state: str
    """`Quiet`, `Holding`, `Asks`, `Unknown`; of one that goes by what happens: `Waits` while it is held back."""
    saw: str
    since: str
    """RFC 3339, or empty."""
    run: str
    """The last one that it has started."""
    came: str
    """What came of that, where it is followed."""
    next: str


def rows(found: Pipeline, now: float) -> list[Row]:
    """A row for each trigger, in the order of the spec. Raises Invalid for one that this Fairlead does not know."""
    seen = {one.trigger: one for one in found.status.seen}
    listed = {one.name: one.outlook(now) for one in registry.all_of(found.spec)}
    return [_row(found, name, seen.get(name), outlook, now) for name, outlook in listed.items()]


def _row(found: Pipeline, name: str, seen: Seen | None, outlook: str, now: float) -> Row:
    decisions = [one for one in found.status.decisions if one.trigger == name]
    last = decisions[0] if decisions else None
    started = next((one.run for one in decisions if one.run), "")
    handled = found.status.handled.get(name, "")
    if seen is not None:
        run, came = (seen.last.run, seen.last.message) if seen.last else (started, "")
        return Row(name, seen.state, seen.message, seen.since, run, came, _next(found, seen, last, outlook, now))
    held = last if last is not None and not last.run else None
    state, saw, since = ("Waits", held.key, held.at) if held else ("Quiet", handled, last.at if last else "")
    return Row(name, state, saw, since, started, "", held.reason if held else _if(found, outlook))


def _if(found: Pipeline, outlook: str) -> str:
    return "nothing, while spec.suspend is set" if found.spec.suspend else f"a run when {outlook}"


def _next(found: Pipeline, seen: Seen, last: TriggerDecision | None, outlook: str, now: float) -> str:
    """What will be done about something that is the case, and when."""
    if found.spec.suspend:
        return _if(found, outlook)
    if seen.state == "Unknown":
        return f"nothing as long as nobody knows; then a run when {outlook}"
    if seen.state != "Asks":
        return _if(found, outlook)
    if last is None or last.run:
        return _under_way(seen.last) if seen.last else _if(found, outlook)
    held = tries.held(found.spec, found.status, seen.trigger, now)
    return held.message if held is not None else last.reason


def _under_way(last: Tried) -> str:
    if last.outcome == "Running":
        return f"what comes of {last.run} decides"
    return f"nothing more for this, as {last.message}; another run when it has been otherwise, and is so again"


def blocks(name: str, found: Pipeline, now: float) -> list[Block]:
    """The view. Raises Invalid as `rows` does."""
    status = found.status
    last = f"last run {status.last_run.name} {ago(status.last_run.at, now)}" if status.last_run else "no run yet"
    shown: list[Block] = [Title(f"pipeline {name}", "Suspended" if found.spec.suspend else status.phase, last)]
    each = rows(found, now)
    for row in each:
        since = f" ({ago(row.since, now)})" if row.since else ""
        came = ": ".join(one for one in (row.run, row.came) if one) or "none yet"
        lines = [f"  saw       {row.saw or 'nothing yet'}{since}", f"  last run  {came}", f"  next      {row.next}"]
        shown += [Title(row.trigger, row.state), Lines(lines)]
    if not each:
        shown.append(Lines(["there are no triggers: runs are made by hand, with kubectl fairlead run"]))
    shown.append(Lines([_pace(found, now), *gpu_hours(found, now)]))
    if status.decisions:
        said = [[ago(d.at, now), d.trigger, d.run or "-", d.because or "-", d.reason] for d in status.decisions]
        shown.append(Table(["DECIDED", "TRIGGER", "RUN", "BECAUSE", "WHY"], said))
    return shown + conditions([one for one in status.conditions if one.type in SAID], now)


def _pace(found: Pipeline, now: float) -> str:
    day, month = limits.counted(found.status.starts, now)
    wanted = found.spec.limits
    most = str(wanted.per_day) if wanted.per_day else f"{limits.STORM} by conditions and values"
    cooldown = f", at least {found.spec.cooldown} apart" if found.spec.cooldown != "0s" else ""
    budget = f" of {wanted.per_month}" if wanted.per_month else ""
    return f"triggers have started {day} of {most} in 24 hours, {month}{budget} in 30 days{cooldown}"


def gpu_hours(found: Pipeline, now: float) -> list[str]:
    """What its runs have used of GPUs, where they use any or a budget holds."""
    most, used = found.spec.limits.gpu_hours_per_month, gpuhours.month(found.status.gpu, now)
    if most is None and not used:
        return []
    budget = f" of {most}" if most is not None else ""
    return [f"its runs have used {used / gpuhours.HOUR:.1f}{budget} GPU hours in 30 days, by attempts that are over"]


def as_json(found: Pipeline, now: float) -> dict[str, Any]:
    """The same for programs."""
    day, month = limits.counted(found.status.starts, now)
    said = [one.model_dump(mode="json", by_alias=True) for one in found.status.decisions]
    each = rows(found, now)
    return {
        "byTrigger": {row.trigger: row._asdict() for row in each},
        "starts": {"day": day, "month": month},
        "gpuHours": {
            "month": round(gpuhours.month(found.status.gpu, now) / gpuhours.HOUR, 3),
            "limit": found.spec.limits.gpu_hours_per_month,
        },
        "decisions": said,
    }
