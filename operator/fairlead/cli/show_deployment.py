"""A Deployment as people look at it: the arms side by side, the evidence, and what became of earlier rollouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead.api.candidate import Candidate
from fairlead.api.confirmation import Confirmation
from fairlead.api.deployment import CanaryStep, Deployment
from fairlead.api.evidence import ArmCounts
from fairlead.api.monitors import LabelsJoined, Monitored, Question
from fairlead.api.units import human, seconds
from fairlead.api.watch import Watch
from fairlead.cli import show_experiment, show_labels
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_common import conditions, message
from fairlead.cli.show_guards import counted, table
from fairlead.cli.text import ago, amount, count, evidence, percent, took
from fairlead.cli.trail import Trail

Json = dict[str, Any]


def blocks(
    name: str, found: Deployment, now: float, trail: Trail | None = None, datasets: Mapping[str, Json] | None = None
) -> list[Block]:  # fmt: skip
    """The view. trail: what was seen of the rollout before; datasets: those of labels, by name, as far as known."""
    status, trail = found.status, trail or Trail()
    live = f"live {status.live.version} since {ago(status.live.since, now)}" if status.live else "nothing live yet"
    shown: list[Block] = [Title(f"deployment {name}", status.phase or "Pending", live), *message(status.message)]
    if status.address:
        shown.append(Lines([f"address   {status.address}", f"pods      {status.ready_replicas} ready"]))
    if status.candidate:
        shown += _candidate(found, status.candidate, now, trail)
    if status.experiment:
        shown += show_experiment.blocks(found, status.experiment, now)
    if status.way_back:
        back = status.way_back
        shown.append(Title(f"way back to {back.version}", "Starting", f"{back.reason}, {ago(back.since, now)}"))
    elif status.watch and status.watch.guards:
        shown += _watch(status.watch, now)
    shown += _monitors(status.monitors, now) if status.monitors else []
    shown += show_labels.blocks(found, now, datasets or {})
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


def _candidate(found: Deployment, candidate: Candidate, now: float, trail: Trail) -> list[Block]:
    steps = found.spec.rollout.steps
    trail.add(candidate)
    if 0 <= candidate.step < len(steps):
        progress = _step(steps[candidate.step], candidate, now, f"step {candidate.step + 1} of {len(steps)}")
    else:
        wanted = candidate.pods or found.spec.replicas.asked
        progress = [f"its pods start and are warmed ({len(candidate.warmed)} of {wanted} warm)"]
    patience = f" of at most {found.spec.rollout.patience}" if candidate.against else ""
    note = f"against {candidate.against or 'nothing'}, for {took(candidate.since, None, now)}{patience}"
    shown: list[Block] = [Title(f"candidate {candidate.version}", candidate.verdict, note), Lines(progress)]
    if candidate.guards:
        shown.append(table(candidate, trail))
    shown += [Lines([f"last failure of {one.version}: {one.status} {one.body}".rstrip()]) for one in candidate.says]
    shown += [Lines([candidate.waived.message])] if candidate.waived else []
    return shown + [Lines([f"{g.guard}: {g.message}"]) for g in candidate.guards if g.message]


def _step(step: CanaryStep, candidate: Candidate, now: float, where: str) -> list[str]:
    """What the candidate gets, how far the step is, and what more is known of its traffic."""
    if not candidate.weight and not candidate.shadow:
        passed = took(candidate.step_since, None, now)
        return [f"{where}, preview: only requests that ask for it by header; {passed} of {human(seconds(step.for_))}"]
    gets = f"copies of {candidate.shadow}" if candidate.shadow else f"weight {candidate.weight} %"
    what = "copies" if candidate.shadow else "requests"
    progress = (
        f"{where}, {gets}, observed {human(float(candidate.observed))} of {human(seconds(step.for_))}, "
        f"{count(candidate.step_requests)} of {count(step.requests)} {what}"
    ) + _time(candidate)
    return [progress, *_pairs(step, candidate), *_shares(candidate)]


def _pairs(step: CanaryStep, candidate: Candidate) -> list[str]:
    """In a shadow step: what came of the copies."""
    copies = candidate.copies
    if not candidate.shadow or not copies.pairs + copies.unclear + copies.alone:
        return []
    most = f"; at most {amount(step.copies, 'copy')}" if step.copies else ""
    return [
        f"{amount(copies.pairs, 'pair')} of answers, {count(copies.different)} differ, {count(copies.unclear)} can't "
        f"be compared, {count(copies.alone)} without a twin{most}"
    ]


def _shares(candidate: Candidate) -> list[str]:
    """How the requests were really divided."""
    stable, own = candidate.split.stable, candidate.split.candidate
    if not stable + own:
        return []
    wrong = ": not as asked" if candidate.split.wrong else ""
    return [f"divided {percent(own, stable + own)} of {amount(stable + own, 'request')}{wrong}"]


def _time(candidate: Candidate) -> str:
    left = f"; {candidate.expected} to go at the present traffic" if candidate.expected else ""
    return left + (f"; twice the failures would be found in {candidate.doubling}" if candidate.doubling else "")


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
        shown = [watch.version, *counted(guard.live), evidence(guard.log_evidence, guard.bound)]
        rows.append([guard.guard, state, *shown])
        if watch.holdback:
            rows.append(["", "", watch.against, *counted(guard.previous), ""])
        elif guard.tolerated:
            rows.append(["", "", "tolerated", "", "", f"{100 * float(guard.tolerated):.2f} %", ""])
    return [
        Title(f"after the promotion of {watch.version}", "Watching", seen + beside), Table(headers, rows),
        *(_question(watch, watch.confirmation, now) if watch.confirmation else []),
    ]  # fmt: skip


def _monitors(kept: Monitored, now: float) -> list[Block]:
    """A line a monitor: what it says, since when, and why."""
    seen = (
        f"{amount(kept.rows, 'row')} in the last of {amount(kept.windows, 'window')}"
        if kept.windows
        else "no window yet"
    )
    closed = f", closed {ago(kept.closed_at, now)}" if kept.closed_at else ""
    lost = f"; {count(kept.lost)} times a pod's rows were not counted" if kept.lost else ""
    rows = [[one.monitor, one.state, ago(one.since, now), one.reason, one.message] for one in kept.lines]
    headers = ["MONITOR", "STATE", "SINCE", "REASON", "MESSAGE"]
    told = [Lines([labels(kept.labels, now)])] if kept.labels else []
    asked = _harm_asked(kept.question, kept.version, now) if kept.question else []
    return [Title(f"monitors of {kept.version}", "", f"{seen}{closed}{lost}"), Table(headers, rows), *told, *asked]


def _harm_asked(asked: Question, live: str, now: float) -> list[Block]:
    """What real harm asks: would the version before have lost less?"""
    against = asked.against or "nothing: there is none to go back to"
    title = Title(f"question {asked.number}: is it {live}?", asked.state, f"{ago(asked.since, now)}; against {against}")
    if asked.against is None:
        return [title]
    shown = [asked.against, count(asked.pairs), count(asked.refused), evidence(asked.log_better, asked.bound),
             evidence(asked.log_not_better, asked.bound_not_better)]  # fmt: skip
    headers = ["AGAINST", "SAME REQUESTS", "NOT ANSWERED", "EVIDENCE THAT IT IS BETTER", "THAT IT IS NOT"]
    return [title, Table(headers, [shown])]


def labels(joined: LabelsJoined, now: float) -> str:
    """What has been counted of labels, and what has not."""
    parts = [f"labels: {count(joined.labelled)} counted"]
    parts += [f"the last ones {ago(joined.at, now)}, of version {joined.dataset}"] if joined.at else []
    others = {
        "of no answer of this version": joined.unmatched, "contradictory": joined.contradictory,
        "said something else later": joined.changed, "of answers that were not understood": joined.unread,
    }  # fmt: skip
    parts += [f"{count(number)} {words}" for words, number in others.items() if number]
    parts += ["a join is under way"] if joined.job else []
    parts += [f"{joined.reason}: {joined.message}"] if joined.reason else []
    return "; ".join(parts)


_ASKS = {
    "Waiting": "a candidate or an experiment has traffic; it is waited for",
    "Starting": "the pods of {against} start and are warmed",
    "Asking": "{against} answers {share} % of the requests, {observed} so far",
}


def _question(watch: Watch, asked: Confirmation, now: float) -> list[Block]:
    """What an alarm asks: is it the version, or the world?"""
    where = "it can't be asked at the moment: see WorldChanged" if asked.blocked else _ASKS[asked.phase]
    told = where.format(against=watch.against, share=asked.share, observed=human(float(asked.observed)))
    title = Title(f"question {asked.question}: is it {watch.version}?", asked.phase, f"{ago(asked.since, now)}; {told}")
    rows = []
    for one in asked.guards if asked.counting_since else []:
        shown = [watch.version, *counted(one.candidate), evidence(one.log_evidence, one.bound)]
        rows += [[one.guard, *shown], ["", watch.against, *counted(one.stable), ""]]
    headers = ["GUARD", "VERSION", "REQUESTS", "FAILURES", "RATE", "EVIDENCE OF HARM"]
    return [title, *([Table(headers, rows)] if rows else [Lines([asked.message])])]
