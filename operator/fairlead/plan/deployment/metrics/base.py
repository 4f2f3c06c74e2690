"""What a metric is to all the rest: this interface, and nothing else. `registry` lists the metrics.

A guard names its metric. In a rollout a metric takes one more window of whatever it counts (`counted`, `asked`,
`answered`, `go_on`), or says why it can't; the tests (`evidence.guards`, `verdict`) weigh it, and the metric says what
was found, what a step still waits for, and how its lines in the ledger are judged once more. After the promotion a live
version is watched by those that `is_watched` admits. What a metric does not say here is as the defaults have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.units import share
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import Json
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import guards, signals
from fairlead.plan.deployment.evidence.answers import Batch
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.evidence.likeness import Told
from fairlead.plan.deployment.evidence.reading import Reading, Sums
from fairlead.plan.deployment.evidence.signals import Scrape
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Counters, Request
from fairlead.verdict import engine
from fairlead.verdict.guards import Arm, decode
from fairlead.verdict.margin import margin
from fairlead.verdict.trace import Prior

Source = Literal["Pods", "Series", "Value", "Answers", "Labels"]
"""Where it is read: the pods' own counters; counters, or a value, in Prometheus; the answers that were kept; labels."""
Taken = list[tuple[Scrape, str, tuple[float, float]]]
"""By pod: which of its counters, and (requests, bad ones) since it started."""


@dataclass(frozen=True)
class Row:
    """What people see of an arm, or of both: a name, what was seen, how much of it was bad."""

    name: str
    seen: int | None = None
    bad: int | str | None = None
    rate: tuple[int, int] | str = ""
    """(bad, seen), or words."""


@dataclass(frozen=True)
class Sample:
    """Of a gauge of the operator: its name behind `fairlead_deployment_`, what it means, its value."""

    name: str
    help: str
    value: float


class Metric:
    """A way in which a version may be worse."""

    # --- what it is ------------------------------------------------------------------------------------------------

    name: ClassVar[str] = ""
    """As guards name it."""
    reason: ClassVar[str] = ""
    """Why a version goes that is worse, in a word."""
    unit: ClassVar[str] = "requests"
    """What is counted, in words."""
    source: ClassVar[Source] = "Pods"
    all_requests: ClassVar[bool] = False
    """It counts each request, and those that failed: what else is said of a version's requests goes by it."""
    timed: ClassVar[bool] = False
    """It goes by how long requests take: pods are asked for their histogram, and it depends on load."""
    by_difference: ClassVar[bool] = False
    """`worseBy` is judged as a difference of rates. How many come in a window must not depend on what they are."""
    by_odds: ClassVar[bool] = False
    """What is tolerated is a ratio of odds: nothing is added to the live version's rate."""
    comparing: ClassVar[bool] = False
    """It needs answers of the live version to compare with, or what that does while it answers."""
    late: ClassVar[bool] = False
    """It becomes known long after the request."""

    @property
    def unprovable(self) -> bool:
        """Whether nothing can be proven of it while the live version gives no answers."""
        return self.comparing

    def mine(self, look: Look) -> list[tuple[int, Guard]]:
        """The guards with this metric, by their place in the list."""
        return [(i, guard) for i, guard in enumerate(look.spec.rollout.guards) if guard.metric == self.name]

    def states(self, look: Look, candidate: Candidate) -> Iterator[tuple[Guard, GuardEvidence]]:
        """What they have seen."""
        pairs = zip(look.spec.rollout.guards, candidate.guards, strict=False)
        return ((guard, state) for guard, state in pairs if guard.metric == self.name)

    # --- one more window in a rollout ------------------------------------------------------------------------------

    def expressions(self, guard: Guard) -> Mapping[str, str]:
        """What Prometheus is asked for each version, by part: of series `total`, and `failures` or `successes`."""
        return {}

    def requests(self, look: Look, candidate: Candidate, index: int, guard: Guard) -> Iterable[Request]:
        """What a guard needs to be asked now, besides the pods' counters and the answers that were kept."""
        wanted = self.expressions(guard)
        due = wanted and signals.query_due(look, candidate, index, guard)
        return signals.queries(look, candidate, wanted).values() if due else ()

    def begin(self, look: Look, index: int, state: GuardEvidence, reading: Reading, book: Book) -> GuardEvidence:
        """Just before the first traffic: what the pods have counted so far is not evidence."""
        return state

    def counted(
        self, look: Look, index: int, state: GuardEvidence, reading: Reading, book: Book, sums: Sums
    ) -> GuardEvidence:  # fmt: skip
        """After one more window of the pods' counters. sums: all requests in it, and failed ones, by arm."""
        return state

    def asked(self, look: Look, candidate: Candidate, index: int, state: GuardEvidence, book: Book) -> GuardEvidence:
        """After what `requests` were answered. Called in each look, and before the first traffic (step -1)."""
        return state

    def answered(
        self, look: Look, candidate: Candidate, index: int, state: GuardEvidence, batch: Batch, told: Told | None
    ) -> GuardEvidence:  # fmt: skip
        """After the answers that have come in. told: what pairs of them tell, in a shadow step."""
        return self.at_rest(state)

    def offered(self, look: Look, candidate: Candidate, told: Told) -> Candidate:
        """The candidate, after the same, where more of it changes than the guard."""
        return candidate

    def at_rest(self, state: GuardEvidence) -> GuardEvidence:
        """While no answers are read."""
        return state

    def unread(self, candidate: Candidate, state: GuardEvidence, why: Problem) -> GuardEvidence:
        """While answers should be read and can't."""
        return self.at_rest(state)

    def go_on(self, look: Look, state: State) -> State:
        """The state after what has become of all its guards besides. Called in each look, and at step -1."""
        return state

    def share_lost(self, look: Look, state: State) -> State:
        """The candidate loses its share of the requests for now."""
        return state

    # --- what follows ----------------------------------------------------------------------------------------------

    def did(self, threshold: str) -> str:
        """What a bad one is, in words: `failed`, `was wrong in`."""
        return "was bad in"

    def found(self, candidate: Candidate, state: GuardEvidence) -> str:
        """Why it is harm, in words."""
        windows = "window" if state.windows == 1 else f"{state.windows} windows"
        most = f", a difference of {100 * decode(state.beyond.worse_by):g} % is tolerated" if state.beyond else ""
        return (
            f"{candidate.version} {self.did(state.threshold)} {counts(state.candidate, self.unit)}, "
            f"{candidate.against} {counts(state.stable, self.unit)} in the same {windows}{most}; {evidence_of(state)}"
        )

    def missing(self, look: Look, candidate: Candidate) -> str | None:
        """What the candidate's step still waits for, in words: a guard that has seen nothing must not be passed."""
        return None

    def stuck(self, look: Look, candidate: Candidate) -> Problem | None:
        """Why it will never know enough, once all copies of a step have been made."""
        return None

    # --- the ledger ------------------------------------------------------------------------------------------------

    def lines(self, look: Look, before: Candidate | None, after: Candidate) -> Iterator[dict[str, object]]:
        """Its lines in the ledger besides margins and windows."""
        return iter(())

    def anew(self, state: GuardEvidence) -> GuardEvidence | None:
        """What a guard that was changed had seen when it began anew; None: nothing."""
        return None

    def rules(self, name: str, guard: Guard, prior: Prior, begun: bool) -> engine.Metric:
        """How its lines are judged. begun: the rollout was under way when this was asked for."""
        known, worse_by = prior.metrics.get(name), share(guard.worse_by)
        if known is not None:
            by = known.worse_by if known.beyond else 0.0
            return engine.Metric(name, guard.role, known.margin, known.rate, known.worse_by, by)
        live = prior.live or Arm()
        rate = guards.live_rate(live.requests, live.failures)
        by = worse_by if self.by_difference else 0.0
        return engine.Metric(name, guard.role, margin(rate, worse_by), rate, worse_by, by)

    # --- after the promotion ---------------------------------------------------------------------------------------

    changed: ClassVar[str] = ""
    """Where the version before is as bad at the same time: what has become worse, in a word."""

    def is_watched(self, seen: GuardEvidence, room: bool) -> bool:
        """Whether the live version alone can be watched by it. seen: in the rollout; room: for cursors of series."""
        return False

    def counts(
        self, index: int, threshold: str, read: Sequence[tuple[Scrape, Counters]],
        added: Callable[[Taken], Sums], whole: Sums,
    ) -> Sums | Problem:  # fmt: skip
        """Of one read off the pods: (requests, bad ones) of a window by arm, or why they can't be had. added: what the
        pods have counted since they were last read; whole: all requests of the window, and failed ones."""
        return whole

    def mute(self, against: str) -> str:
        """Why nobody can find out by asking whether it is the version; empty: one can. against: the version before."""
        return ""

    # --- when it is over -------------------------------------------------------------------------------------------

    def shortened(self, state: GuardEvidence) -> GuardEvidence:
        """As the history keeps it of rollouts that ended long ago: without the test's inner state."""
        return state.model_copy(update={"log_lr": [], "digest": ""})

    # --- what people see -------------------------------------------------------------------------------------------

    def rows(self, candidate: Candidate, state: GuardEvidence) -> Sequence[Row]:
        """Two or more rows for a guard."""
        arms = ((candidate.version, state.candidate), (candidate.against, state.stable))
        return [Row(name, arm.requests, arm.failures, (arm.failures, arm.requests)) for name, arm in arms]

    def tell(self, look: Look, told: Conditions) -> None:
        """Its conditions. Called whether or not a guard has this metric."""

    def samples(self, candidate: Json) -> Iterator[Sample]:
        """What the operator's own metrics say besides. candidate: of the status, as JSON."""
        return iter(())


def counts(seen: ArmCounts, what: str) -> str:
    """`25 of 792 requests (3.2 %)`."""
    part = 100 * seen.failures / seen.requests if seen.requests else 0.0
    shown = f"{part:.0f}" if part >= 10 else f"{part:.2g}"
    return f"{seen.failures} of {seen.requests} {what} ({shown} %)"


def evidence_of(state: GuardEvidence) -> str:
    """`evidence 4.2 ≥ bound 4.1`."""
    return f"evidence {decode(state.log_evidence):.1f} ≥ bound {decode(state.bound):.1f}"
