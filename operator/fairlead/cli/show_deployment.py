"""A Deployment as people look at it: the arms side by side, the evidence, and what became of earlier rollouts."""

from __future__ import annotations

from fairlead.api.deployment import ArmCounts, Candidate, Deployment, GuardEvidence, Watch
from fairlead.api.units import human, seconds
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_common import conditions, message
from fairlead.cli.text import ago, count, evidence, percent, took


def blocks(name: str, found: Deployment, now: float) -> list[Block]:
    """The view."""
    status = found.status
    live = f"live {status.live.version} since {ago(status.live.since, now)}" if status.live else "nothing live yet"
    shown: list[Block] = [Title(f"deployment {name}", status.phase or "Pending", live), *message(status.message)]
    if status.address:
        shown.append(Lines([f"address   {status.address}", f"pods      {status.ready_replicas} ready"]))
    if status.candidate:
        shown += _candidate(found, status.candidate, now)
    if status.way_back:
        back = status.way_back
        shown.append(Title(f"way back to {back.version}", "Starting", f"{back.reason}, {ago(back.since, now)}"))
    elif status.watch and status.watch.guards:
        shown += _watch(status.watch, now)
    if status.history:
        shown.append(history(found, now, limit=3))
    return shown + conditions(status.conditions, now)


def history(found: Deployment, now: float, limit: int | None = None) -> Table:
    """The last rollouts, newest first."""
    rows = [
        [
            record.version, record.result, record.reason, ago(record.ended_at, now),
            took(record.started_at, record.ended_at, now), f"{record.weight} %",
            _arm(record.candidate), _arm(record.stable), record.message,
        ]
        for record in found.status.history[:limit]
    ]  # fmt: skip
    headers = ["VERSION", "RESULT", "REASON", "ENDED", "TOOK", "WEIGHT", "CANDIDATE", "LIVE", "MESSAGE"]
    return Table(headers, rows, caption="rollouts (failures/requests)")


def _arm(counts: ArmCounts) -> str:
    return f"{count(counts.failures)}/{count(counts.requests)}"


def _candidate(found: Deployment, candidate: Candidate, now: float) -> list[Block]:
    steps = found.spec.rollout.steps
    if 0 <= candidate.step < len(steps):
        step = steps[candidate.step]
        progress = (
            f"step {candidate.step + 1} of {len(steps)}, {_share(candidate)}, "
            f"observed {human(float(candidate.observed))} of {human(seconds(step.for_))}, "
            f"{count(candidate.step_requests)} of {count(step.requests)} {'copies' if candidate.shadow else 'requests'}"
        ) + _time(candidate)
    else:
        progress = f"its pods start and are warmed ({len(candidate.warmed)} of {found.spec.replicas.min} warm)"
    note = f"against {candidate.against}, for {took(candidate.since, None, now)}"
    shown: list[Block] = [Title(f"candidate {candidate.version}", candidate.verdict, note), Lines([progress])]
    if candidate.guards:
        shown.append(_guards(candidate))
    return shown + [Lines([f"{g.guard}: {g.message}"]) for g in candidate.guards if g.message]


def _share(candidate: Candidate) -> str:
    if not candidate.shadow:
        return f"weight {candidate.weight} %"
    seen = candidate.copies
    different = f", {count(seen.different)} of {count(seen.pairs)} answers differ" if seen.pairs else ""
    return f"copies of {candidate.shadow} of the requests{different}"


def _time(candidate: Candidate) -> str:
    left = f"; {candidate.expected} to go at the present traffic" if candidate.expected else ""
    return left + (f"; twice the failures would be found in {candidate.doubling}" if candidate.doubling else "")


def _guards(candidate: Candidate) -> Table:
    headers = ["GUARD", "STATE", "ARM", "REQUESTS", "FAILURES", "RATE", "EVIDENCE OF HARM"]
    rows: list[list[str]] = []
    for guard in candidate.guards:
        if guard.values:
            stable, own = (f"value {float(total) / guard.values.pairs:.4g}" for total in guard.values.sums)
            rows.append([guard.guard, guard.state, candidate.version, own, "", "", _evidence(guard)])
            rows.append(["", "", candidate.against, stable, "", "", f"{guard.values.pairs} pairs"])
            continue
        rows.append([guard.guard, guard.state, candidate.version, *_rate(guard.candidate), _evidence(guard)])
        rows.append(["", "", candidate.against, *_rate(guard.stable), f"{guard.windows} windows"])
    return Table(headers, rows)


def _watch(watch: Watch, now: float) -> list[Block]:
    """The live version since it was promoted."""
    seen = (
        f"{human(float(watch.observed))} of {human(seconds(watch.length))} observed, {took(watch.since, None, now)} old"
    )
    beside = f"; {watch.against} keeps {watch.holdback} %" if watch.holdback else ""
    headers = ["GUARD", "STATE", "VERSION", "REQUESTS", "FAILURES", "RATE", "EVIDENCE OF HARM"]
    rows: list[list[str]] = []
    for guard in watch.guards:
        state = f"{guard.state} ({guard.reason})" if guard.reason else guard.state
        shown = [watch.version, *_rate(guard.live), evidence(guard.log_evidence, guard.bound)]
        rows.append([guard.guard, state, *shown])
        if watch.holdback:
            rows.append(["", "", watch.against, *_rate(guard.previous), ""])
        elif guard.tolerated:
            rows.append(["", "", "tolerated", "", "", f"{100 * float(guard.tolerated):.2f} %", ""])
    return [Title(f"after the promotion of {watch.version}", "Watching", seen + beside), Table(headers, rows)]


def _rate(arm: ArmCounts) -> list[str]:
    return [count(arm.requests), count(arm.failures), percent(arm.failures, arm.requests)]


def _evidence(guard: GuardEvidence) -> str:
    return evidence(guard.log_evidence, guard.bound)
