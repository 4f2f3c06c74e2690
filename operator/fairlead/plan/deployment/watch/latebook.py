"""Lines of a watch's ledger on labels that come late (`verdict.latetrace`): what a join has shown and changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairlead.api.evidence import GuardEvidence
from fairlead.api.watch import WatchedGuard
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import pairs
from fairlead.plan.deployment.watch import ledger as watchbook
from fairlead.verdict.guards import Arm, Window
from fairlead.verdict.latetrace import Late, Shown
from fairlead.verdict.watchtrace import After, Ruled, after
from fairlead.verdict.watchtrace import late as late_line
from fairlead.verdict.watchtrace import ruled as ruled_line


def late(
    look: Look, before: GuardEvidence, now: GuardEvidence, cohorts: Sequence[Sequence[int]]
) -> Iterator[str]:  # fmt: skip
    """What labels of the rollout's time have shown its guard, if anything. cohorts: those that were judged, in their
    order, as labelled and wrong answers of the version before, and of the one under watch."""
    new = pairs.of(now).since(pairs.of(before))
    margin = (now.odds, now.floor) if now.odds != before.odds else None
    windows = tuple(Window(Arm(*one[:2]), Arm(*one[2:])) for one in cohorts)
    if windows or margin or pairs.of(now) != pairs.of(before):
        shown = Shown(now.bound, windows, new, margin)
        effect = float(look.spec.rollout.design_effect)
        yield late_line(Late(look.now, {now.guard: shown}, effect, {now.guard: now.log_evidence}))


def ruled(look: Look, before: WatchedGuard, now: WatchedGuard) -> Iterator[str]:
    """What the detector tolerates, if that has become known."""
    rule = watchbook.rule_of(now)
    if rule != watchbook.rule_of(before):
        yield ruled_line(Ruled(look.now, {now.guard: rule}))


def since(
    look: Look, now: WatchedGuard, live: tuple[int, int], previous: tuple[int, int] | None, effect: float
) -> str:  # fmt: skip
    """A window of the detector: answers since the promotion."""
    window = Arm(*live), Arm(*previous) if previous is not None else None
    return after(After(look.now, {now.guard: window}, effect, {now.guard: now.log_evidence}))
