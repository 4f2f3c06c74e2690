"""What guards on labels have seen, as people look at it: which answers are labelled by now, and which were wrong.

Also of what age these are, what a guard that says nothing still lacks, and when the next labels are joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.api.deployment import Deployment
from fairlead.api.evidence import GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.labelled import Joined, LabelCounts, LabelsSeen
from fairlead.api.units import human, many, seconds, share
from fairlead.api.watch import WatchedGuard
from fairlead.cli.blocks import Block, Lines, Table
from fairlead.cli.text import ago, amount, count, evidence, percent
from fairlead.plan.core import epoch
from fairlead.plan.dataset.plan import until_listing
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.evidence.guards import ENOUGH

HEADERS = ["GUARD", "VERSION", "ANSWERS", "LABELLED", "COVERAGE", "WRONG", "RATE", "EVIDENCE OF HARM"]
Json = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """A guard on labels, of what is on its way or of what is watched."""

    version: str
    against: str
    state: GuardEvidence
    joined: Joined | None
    rule: Guard | None
    """As the spec has it; None if it has it no more."""
    since: WatchedGuard | None = None
    """After the promotion, without a holdback: the detector of the answers since then."""

    @property
    def seen(self) -> LabelsSeen:
        """What was joined so far."""
        return self.state.labels or LabelsSeen()


def blocks(found: Deployment, now: float, datasets: Mapping[str, Json]) -> list[Block]:
    """A table of the rollout's answers, and lines for each guard; nothing without such guards. datasets: by name, those
    of labels that could be read."""
    rows, lines = list[list[str]](), list[str]()
    several = bool(phase.arms(found.status))
    for one in _guards(found):
        harm = evidence(one.state.log_evidence, one.state.bound)
        rows += [
            [one.state.guard, one.version, *_counts(one, one.seen.candidate), harm],
            ["", one.against, *_counts(one, one.seen.stable), f"{one.state.windows} cohorts"],
        ]
        counted, waited = [*_pairs(one.seen), *_loss(one), *_ages(one, now)], [*_lacks(one), *_joined(one, now)]
        told = [*counted, *waited, *_next(one, now, datasets)]
        about = f"{one.version}, {one.state.guard}" if several else one.state.guard
        lines += [f"{about}: {text}" for text in told]
    caption = f"labels of the {'experiment' if several else 'rollout'}'s answers"
    return [Table(HEADERS, rows, caption=caption), Lines(lines)] if rows else []


def _guards(found: Deployment) -> Iterator[Shown]:
    status, joins = found.status, {(one.version, one.guard): one for one in found.status.joins}
    for mine in [*([status.candidate] if status.candidate else []), *phase.arms(status)]:
        for state in mine.guards:
            if state.labels:
                joined = joins.get((mine.version, state.guard))
                yield Shown(mine.version, mine.against, state, joined, _rule(found, state.guard))
    for one in status.joins:
        if one.canary and status.watch and one.version == status.watch.version:
            state = GuardEvidence.model_validate_json(one.canary)
            since = next((guard for guard in status.watch.guards if guard.guard == one.guard), None)
            alone = None if status.watch.holdback else since
            yield Shown(one.version, one.against, state, one, _rule(found, one.guard), alone)


def _rule(found: Deployment, guard: str) -> Guard | None:
    index, known = int(guard.split("/")[0]), found.spec.rollout.guards
    return known[index] if index < len(known) and known[index].labels else None


def _counts(one: Shown, counts: LabelCounts) -> list[str]:
    """Answers are counted by a join: before the first one nobody knows how many there are."""
    answered = count(counts.answered) if one.seen.at else "-"
    return [
        answered, count(counts.labelled), percent(counts.labelled, counts.answered),
        count(counts.wrong), percent(counts.wrong, counts.labelled),
    ]  # fmt: skip


def _pairs(seen: LabelsSeen) -> Iterator[str]:
    pairs = seen.pairs
    total = pairs.alike + pairs.candidate_wrong + pairs.stable_wrong
    if total:
        yield (
            f"of {count(total)} requests that both answered {count(pairs.candidate_wrong)} were answered wrongly by "
            f"the candidate alone, {count(pairs.stable_wrong)} by the live version alone"
        )


def _loss(one: Shown) -> Iterator[str]:
    wanted = one.rule.labels if one.rule else None
    if wanted and wanted.loss != "wrong":
        yield f"RATE is the mean {wanted.loss} loss in percent of the cap {wanted.cap}; answers are drawn as wrong"


def _ages(one: Shown, now: float) -> Iterator[str]:
    """From how far back the labels are."""
    if one.joined is None:
        return
    oldest, youngest = one.seen.oldest, one.seen.youngest
    labelled = "none of them is labelled yet"
    if oldest and youngest:
        labelled = f"the labelled ones were given from {ago(oldest, now)} to {ago(youngest, now)}"
    yield f"answers count from {ago(one.joined.since, now)} on; {labelled}"


def _lacks(one: Shown) -> Iterator[str]:
    """What is missing before the guard can say anything, or before the step may be left."""
    if one.joined and one.joined.pending:
        yield f"{many(len(one.joined.pending), 'cohort')} of labelled answers to be judged, one a look"
    if one.rule is None:
        return
    if one.joined and not one.state.odds and share(one.rule.worse_by) > 0:
        known = min(ENOUGH, one.joined.reference.labelled)
        yield (
            f"{known} of {ENOUGH} labelled answers of {one.against} have come, from which its rate is learnt that "
            "worseBy is added to; before, nothing is judged"
        )
    if one.state.step_events < one.rule.min_events and one.joined and not one.joined.canary:
        have, wanted = count(one.state.step_events), count(one.rule.min_events)
        yield f"{have} of {wanted} labels that the step waits for (minEvents)"
    if one.since and one.since.reason == "" and not one.since.tolerated:
        yield (
            f"{min(ENOUGH, one.seen.stable.labelled)} of {ENOUGH} labelled answers of {one.against} have come; then it "
            "is known what is tolerated of answers since the promotion"
        )


def _joined(one: Shown, now: float) -> Iterator[str]:
    """How far the Dataset has been joined."""
    yield f"joined with version {one.seen.dataset} {ago(one.seen.at, now)}" if one.seen.at else "nothing joined yet"
    if one.joined is None:
        return
    found = ((one.joined.changed, "changed later"), (one.joined.contradictory, "contradict each other"))
    doubtful = [f"{amount(number, 'label')} {what}" for number, what in found if number]
    if doubtful:
        yield "; ".join(doubtful)


def _next(one: Shown, now: float, datasets: Mapping[str, Json]) -> Iterator[str]:
    """When the next labels come."""
    job = one.joined.job if one.joined else None
    if job and job.not_before:
        left = human(max(0.0, epoch(job.not_before) - now))
        yield f"version {job.dataset} could not be joined {job.attempt} times; tried again in {left}"
    elif job:
        yield f"version {job.dataset} is being joined now"
    elif one.rule and one.rule.labels:
        yield _due(one.rule.labels.dataset, datasets.get(one.rule.labels.dataset), now)


def _due(name: str, dataset: Json | None, now: float) -> str:
    """A join follows each new version of the Dataset."""
    if dataset is None:
        return f"the next join follows the next version of Dataset {name}"
    if dataset["spec"].get("suspend"):
        return f"Dataset {name} is suspended: no label comes until its spec.suspend is taken away"
    every = (dataset["spec"].get("watch") or {}).get("every", "5m")
    left = until_listing(dataset["metadata"].get("uid", ""), max(1.0, seconds(every)), now)
    current = (dataset.get("status") or {}).get("current") or {}
    newest = f"its newest, {current['version']}, came {ago(current['at'], now)}" if current else "it has none yet"
    return (
        f"the next join follows the next version of Dataset {name} ({newest}), whose source is looked at again in "
        f"{human(left)}, every {every}"
    )
