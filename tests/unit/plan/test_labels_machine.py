"""Each label counts once, whatever happens in whatever order: see `Labels.holds`."""

from __future__ import annotations

import copy

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.plan.label_world import LabelWorld, begun
from tests.unit.plan.rollout_world import dump

from fairlead.api.tasks import TaskError
from fairlead.cli.replay import replay
from fairlead.plan.core import JOB, POD

AWAY = TaskError(reason="Unreachable", message="the store does not answer", transient=True)


class Labels(RuleBasedStateMachine):
    """Answers, copies and labels come, Jobs fail and pods vanish, the operator dies between two writes."""

    sim: LabelWorld

    @initialize(seed=st.integers(0, 1000), delay=st.sampled_from([0.0, 5.0, 40.0]))
    def begin(self, seed: int, delay: float) -> None:
        steps = ((20, "100s", 10), (50, "100s", 10))
        self.sim = begun(wrong={"m-1": 0.2, "m-2": 0.2}, seed=seed, delay=delay, more={"steps": steps})

    @rule(requests=st.integers(0, 40), seconds=st.sampled_from([1.0, 3.0, 20.0]))
    def time_passes(self, requests: int, seconds: float) -> None:
        self.sim.tick(requests, seconds)

    @rule(pairs=st.integers(1, 20))
    def copies(self, pairs: int) -> None:
        self.sim.copies(pairs)

    @rule()
    def labels_come(self) -> None:
        self.sim.publish()
        self.sim.look()

    @rule(holds=st.booleans())
    def jobs_take_their_time(self, holds: bool) -> None:
        self.sim.holds = holds
        if not holds:
            self.sim.end()
        self.sim.look()

    @rule(fails=st.booleans())
    def store(self, fails: bool) -> None:
        self.sim.fails = AWAY if fails else None

    @rule()
    def the_pod_is_lost(self) -> None:
        """Also with an answer that nobody has heard."""
        self.sim.plan()
        for kind in (JOB, POD):
            for name in [name for name in self.sim.of(kind) if "labels" in name]:
                del self.sim.of(kind)[name]
        self.sim.look()

    @rule()
    def dies_after_the_status(self) -> None:
        self.sim.status = dump(self.sim.plan().status)
        self.sim.look()

    @rule()
    def dies_before_the_status(self) -> None:
        """A second leader with an old view makes what it thinks is missing."""
        found = self.sim.plan()
        for wanted in found.create:
            self.sim._make_job(copy.deepcopy(wanted))
        self.sim.look()

    @invariant()
    def holds(self) -> None:
        if "candidate" not in getattr(self, "sim", LabelWorld({})).status:
            return
        guard, joined = self.sim.guard(), self.sim.joined()
        seen = guard["labels"]
        used = set().union(*(self.sim.used[one["key"]] for one in joined["used"]))
        both = sum(seen["pairs"].values())
        # a paired request is labelled in both arms
        assert seen["stable"]["labelled"] + seen["candidate"]["labelled"] - both == len(used)
        waiting = sum(cell[1] + cell[3] for cell in joined["pending"])
        judged = guard["stable"]["requests"] + guard["candidate"]["requests"]
        assert judged + waiting + 2 * both == seen["stable"]["labelled"] + seen["candidate"]["labelled"]
        assert len(self.sim.of(JOB)) <= 1
        book = self.sim.candidate["ledger"]
        if not book["segment"]:  # all lines are still there
            assert replay(book["lines"]).different == []


Labels.TestCase.settings = settings(
    max_examples=2, stateful_step_count=7, deadline=None, suppress_health_check=list(HealthCheck)
)
test_labels = Labels.TestCase
