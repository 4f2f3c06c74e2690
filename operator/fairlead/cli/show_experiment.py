"""An experiment as people look at it: the versions side by side."""

from __future__ import annotations

from itertools import chain

from fairlead.api.candidate import ExperimentStatus
from fairlead.api.deployment import Deployment
from fairlead.api.experiment import Contender
from fairlead.api.units import human, seconds
from fairlead.cli.blocks import Block, Lines, Table, Title
from fairlead.cli.show_guards import table
from fairlead.cli.text import bar, count, evidence, took
from fairlead.cli.trail import Trail

Row = list[str]


def blocks(found: Deployment, kept: ExperimentStatus, now: float) -> list[Block]:
    """A row for each version, and what is known of each against the best of the others."""
    wanted = found.spec.experiment
    state = kept.result or kept.phase
    patience = f" of at most {wanted.patience}" if wanted else ""
    note = f"against {kept.against}, for {took(kept.since, kept.ended_at, now)}{patience}"
    shown: list[Block] = [Title(f"experiment {', '.join(one.version for one in kept.contenders[1:])}", state, note)]
    if wanted and kept.phase == "Running":
        seen = f"observed {human(float(kept.observed))} of {human(seconds(wanted.for_))}"
        shown.append(Lines([f"{wanted.allocation} shares, {wanted.confidence} confidence; {seen}"]))
    shown.append(_table(kept))
    if kept.phase != "Ended":
        shown += _on_its_way(kept)
    return [*shown, Lines([kept.message])] if kept.message else shown


def _on_its_way(kept: ExperimentStatus) -> list[Block]:
    """What is not known at the moment, and what the guards have seen of each candidate."""
    unknown = [f"reward: {kept.said}"] if kept.said else []
    unknown += [f"users: {kept.division.unknown}"] if kept.division.unknown else []
    guarded = [arm for arm in kept.arms if arm.guards]
    held: list[list[Block]] = [
        [Lines([f"{arm.version} against {kept.against}"]), table(arm, Trail())] for arm in guarded
    ]
    return [*([Lines(unknown)] if unknown else []), *chain.from_iterable(held)]


def _table(kept: ExperimentStatus) -> Table:
    users = any(one.users for one in kept.contenders)
    headers = ["VERSION", "STATE", "SHARE", *(["NEW USERS"] if users else []), "TOTAL", "SUCCESSES", "RATE", "LIES IN",
               "THE BEST ONE", "RISK", "EVIDENCE THAT ANOTHER IS BETTER"]  # fmt: skip
    return Table(headers, [_row(kept, one, users) for one in kept.contenders])


def _row(kept: ExperimentStatus, one: Contender, users: bool) -> Row:
    state = f"{one.state} ({one.reason})" if one.reason else one.state
    best = float(one.best) if one.best else 0.0
    return [
        one.version, state, f"{one.share} %", *([count(one.users)] if users else []), count(one.total),
        count(one.successes), _percent(one.rate), f"{_percent(one.low)} … {_percent(one.high)}" if one.low else "-",
        f"{bar(best, 10)} {100 * best:.1f} %" if one.best else "-", _percent(one.loss), _against(kept, one),
    ]  # fmt: skip


def _against(kept: ExperimentStatus, one: Contender) -> str:
    """The strongest evidence that some other version is better."""
    mine = [pair for pair in kept.comparisons if pair.worse == one.version]
    if not mine or not kept.bound:
        return "-"
    strongest = max(mine, key=lambda pair: float(pair.log_evidence))
    return f"{evidence(strongest.log_evidence, kept.bound)} ({strongest.better})"


def _percent(rate: str) -> str:
    return f"{100 * float(rate):.2f} %" if rate else "-"
