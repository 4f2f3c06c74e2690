"""The operator decides from its status what a replay decides from the ledger: at each look, whatever happens."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from tests.effort import few
from tests.unit.plan.label_world import begun as label_begun
from tests.unit.plan.label_world import labels
from tests.unit.plan.metrics.cases import CASES, World
from tests.unit.plan.rollout_world import OUTCOMES, Json, Sim, View, spec

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import Rollout
from fairlead.cli.replay import differences
from fairlead.plan.deployment.context import look_at
from fairlead.plan.deployment.metrics.registry import METRICS
from fairlead.plan.deployment.rollout.known import known
from fairlead.plan.deployment.rollout.whatif import Judged, Play, judge
from fairlead.plan.requests import Failed, Vector
from fairlead.verdict import decision, engine
from fairlead.verdict.decision import Known
from fairlead.verdict.trace import read

AWAY = Failed("Unreachable", "the store does not answer")
GAUGE: Json = {"metric": "gauge", "gauge": {"value": "gauge:{{version}}"}}
GUARDS: list[Json] = [
    *(guard for case in CASES.values() for guard in (case.guard, case.another)),
    {"metric": "errors", "role": "guardrail", "worseBy": "5%"}, {"metric": "errors", "role": "target"},
    {"metric": "latency", "role": "guardrail", "worseBy": "100%"},
    OUTCOMES | {"role": "guardrail", "worseBy": "10%"}, labels(role="guardrail", worseBy="5%"),
    {"metric": "review", "role": "guardrail", "worseBy": "10%"},
]  # fmt: skip
SHADOW: Json = {"shadow": "100%", "for": "3s", "requests": 30}
PREVIEW: Json = {"weight": 0, "for": "3s"}
CANARY: list[Json] = [{"weight": weight, "for": "15s", "requests": 30} for weight in (20, 50, 100)]


class Life:
    """A rollout to which all kinds of things happen, and the ledger that it leaves, as it is replayed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.play = Play(Rollout())
        self.read = 0
        wanted = spec(*self.some(GUARDS, 3), record={"output": {"type": "number"}})
        wanted["rollout"]["steps"] = [*self.some([SHADOW, PREVIEW], 1), *CANARY[: self.rng.randint(1, 3)]]
        wanted["rollout"]["falseAlarms"] = "5%"
        self.sim = World(wanted, seed=seed, delay=1.0, labelled=0.5)
        self.sim.says |= {"m-1": lambda _: [1.0], "m-2": lambda _: [1.0]}
        self.sim.errors |= {"m-1": 0.02, "m-2": 0.02}
        self.sim.wrong |= {"m-1": 0.1, "m-2": 0.1}
        self.sim.publish()
        self.sim.go_live()
        self.sim.traffic(self.rng.choice([50, 600]))
        self.sim.begin()

    def some(self, found: list[Json], most: int) -> list[Json]:
        return self.rng.sample(found, self.rng.randint(0, most))

    # --- what may happen -------------------------------------------------------------------------------------------

    def happens(self) -> None:
        """Something, or nothing."""
        if self.rng.random() < 0.2:
            self.rng.choice([
                self.rates, self.rates, self.sources, self.sources, self.guards, self.rules, self.steps, self.restart,
                self.fall, self.pods, self.answers, self.crash, self.of_a_metric,
            ])()  # fmt: skip

    def rates(self) -> None:
        which = self.rng.choice([self.sim.errors, self.sim.errors, self.sim.wrong, self.sim.slow])
        which[self.rng.choice(["m-1", "m-2"])] = self.rng.choice([0.0, 0.02, 0.1, 0.6, 1.0])

    def answers(self) -> None:
        self.sim.says["m-2"] = self.rng.choice([lambda _: [1.0], lambda _: [2.0], lambda _: [None]])
        self.sim.people = self.rng.choice(["", "Live", "Candidate", "Same"])

    def of_a_metric(self) -> None:
        """What it reads is gone, or there again."""
        case = CASES[self.rng.choice([*CASES])]
        self.rng.choice([case.away, case.back])(self.sim)

    def sources(self) -> None:
        self.sim.prometheus_down = self.rng.random() < 0.3
        self.sim.store_says = AWAY if self.rng.random() < 0.2 else None
        self.sim.split_by = {"m-1": 30, "m-2": 70} if self.rng.random() < 0.3 else None
        self.sim.unreadable = {self.rng.choice(["m-1", "m-2"])} if self.rng.random() < 0.2 else set()

    def crash(self) -> None:
        """The operator has read and saved what it wanted, and dies before it writes what follows."""
        self.sim.traffic(60)
        self.sim.now += 1.0
        self.sim.plan()

    def guards(self) -> None:
        self.sim.spec["rollout"]["guard"] = self.some(GUARDS, 3) or GUARDS[:1]

    def rules(self) -> None:
        key, values = self.rng.choice([
            ("falseAlarms", ["0.1%", "50%"]), ("missedHarm", ["1%", "50%"]), ("designEffect", ["1", "2.5"]),
        ])  # fmt: skip
        self.sim.spec["rollout"][key] = self.rng.choice(values)

    def steps(self) -> None:
        first = self.some([SHADOW, PREVIEW, {"weight": 5, "for": "2s"}, {"weight": 30, "for": "2s"}], 1)
        self.sim.spec["rollout"]["steps"] = [*first, *CANARY[self.rng.randint(0, 2) :]]

    def restart(self) -> None:
        self.sim.look()
        self.sim.restart(self.rng.choice(["m-1", "m-2"]))

    def fall(self) -> None:
        """Nobody knows why; what is counted from then on is doubted for a while."""
        name = self.rng.choice(["m-1", "m-2"])
        self.sim.begin_anew(name)
        self.sim.outcomes[name] = [0, 0]
        if self.rng.random() < 0.5:
            self.sim.errors["m-2"] = self.sim.wrong["m-2"] = self.sim.slow["m-2"] = 0.6

    def pods(self) -> None:
        """It loses its share of the requests for a while."""
        self.sim.ready("m-2", False)
        self.passes()
        self.sim.ready("m-2")

    # --- a look ----------------------------------------------------------------------------------------------------

    def passes(self) -> None:
        """Time, with requests; somebody looks."""
        self.sim.worth = self.sim.wrong["m-2"]
        self.sim.step(self.rng.choice([0, 5, 60, 60, 200]), self.rng.choice([0.4, 1.0, 1.0, 1.0, 3.0]))
        self.sim.look()
        for item in read(self.lines()):
            self.play.take(item)

    def lines(self) -> list[str]:
        """Those of the ledger that have come."""
        whole = lines_of(self.sim)
        fresh, self.read = whole[self.read :], len(whole)
        return fresh

    @property
    def candidate(self) -> Candidate | None:
        return self.sim.subject().body.status.candidate

    def known(self, candidate: Candidate) -> Known:
        """As the operator has it."""
        return known(look_at(self.sim.subject(), View(self.sim), self.sim.now), candidate)


def lines_of(sim: Sim) -> list[str]:
    """All of m-2's ledger, wherever they are."""
    status = sim.subject().body.status
    book = status.candidate.ledger if status.candidate else next(iter(status.unsaved), None)
    keys = sorted(key for key in sim.documents if "/evidence/m-2-" in key)
    saved = [line for key in keys[: book.segment if book else None] for line in sim.documents[key].splitlines()]
    return [*saved, *(book.lines if book else [])]


def decided(found: Known) -> Json:
    """What follows, by the guards' places in the list."""
    places = {one.name: index for index, one in enumerate(found.metrics)}
    place: Callable[[Any], int | None] = lambda one: places[one.name] if one else None  # noqa: E731
    return {
        "harm": place(decision.harmed(found)), "disturbed": decision.disturbed(found),
        "waived": decision.waived(found), "unproven": place(decision.unproven(found)), "alone": found.alone,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(few(10, 400)))
def test_the_operator_and_a_replay_decide_the_same_at_each_look(seed: int) -> None:
    life = Life(seed)
    for _ in range(90):
        life.happens()
        life.passes()
        candidate, play = life.candidate, life.play
        if candidate is None:
            break
        if play.rules is None or play.state is None:
            continue
        mine, theirs = life.known(candidate), engine.known(play.rules, play.state)
        assert decided(mine) == decided(theirs)
        assert all(one.proof in (-inf, two.proof) for one, two in zip(mine.metrics, theirs.metrics, strict=True))
        if candidate.step >= 0:
            frozen = engine.conclude(play.rules, play.state).verdict == "noEvidence"
            assert frozen == (candidate.verdict == "NoEvidence")
        assert play.over is None
    assert [words for one in life.play.judged for words in differences(one)] == []
    if life.candidate is None:
        ended_alike(life)


def ended_alike(life: Life) -> None:
    """Harm was found at the last window, by the same guard; or it was never found."""
    record = life.sim.status["history"][0]
    harm = [one for one in life.play.judged if one.conclusion.verdict == "harm"]
    reasons = {metric.reason: name for name, metric in METRICS.items()}
    if record["reason"] not in reasons:
        assert harm == []
        return
    assert [one.t for one in harm] == [life.play.judged[-1].t]
    assert harm[0].conclusion.metric.rpartition("/")[2] == reasons[record["reason"]]


# --- what they once decided differently ----------------------------------------------------------------------------


def begun(*guards: Json, steps: list[Json], **more: Any) -> Sim:
    """A canary under way."""
    wanted = spec(*guards, record={"output": {"type": "class"}})
    wanted["rollout"]["steps"] = steps
    sim = Sim(wanted, store=True, errors={"m-1": 0.02, "m-2": 0.02}, **more)
    sim.go_live()
    sim.traffic(600)
    sim.begin()
    sim.run(3, 60)
    return sim


def replayed(sim: Sim) -> list[Judged]:
    return judge(Rollout(), read(lines_of(sim))).judged


LONG: Json = {"weight": 50, "for": "300s", "requests": 50}


def test_a_step_that_gets_another_weight_is_counted_anew_in_the_ledger_too() -> None:
    sim = begun({"metric": "errors"}, {"metric": "scores"}, steps=[LONG])
    sim.run(5, 60)
    sim.spec["rollout"]["steps"] = [LONG | {"weight": 80}]
    sim.run(5, 60)
    assert sim.candidate["weight"] == 80
    last = replayed(sim)[-1]
    assert last.state.split.stable == sim.candidate["split"]["stable"]
    assert last.state.answering.stable.requests == sim.candidate["answering"]["stable"]["requests"]


def test_a_weight_that_came_back_unseen_is_counted_anew_in_the_ledger_too() -> None:
    sim = begun({"metric": "errors"}, steps=[LONG])
    sim.run(5, 60)
    for weight in (80, LONG["weight"]):
        sim.spec["rollout"]["steps"] = [LONG | {"weight": weight}]
        sim.look()
    sim.run(5, 60)
    assert replayed(sim)[-1].state.split.stable == sim.candidate["split"]["stable"] < 200


def test_a_guard_that_went_and_came_while_the_candidate_was_away_begins_anew_in_the_ledger_too() -> None:
    guards = [{"metric": "errors"}, {"metric": "latency"}]
    sim = begun(*guards, steps=[LONG])
    sim.ready("m-2", False)
    sim.tick(60)
    for wanted in (guards[:1], guards):
        sim.spec["rollout"]["guard"] = wanted
        sim.look()
    sim.ready("m-2")
    sim.run(5, 60)
    assert replayed(sim)[-1].state.guards[1].stable.requests == sim.candidate["guards"][1]["stable"]["requests"] > 0


def test_a_step_that_stands_at_another_place_goes_on_in_the_ledger_too() -> None:
    sim = begun({"metric": "errors"}, steps=[LONG])
    sim.run(5, 60)
    sim.spec["rollout"]["steps"] = [LONG | {"weight": 5}, LONG]
    sim.run(2, 60)
    assert sim.candidate["step"] == 1
    assert replayed(sim)[-1].state.split.stable == sim.candidate["split"]["stable"] > 100


def test_counters_that_fell_prove_no_harm_in_the_ledger_either() -> None:
    sim = begun({"metric": "errors"}, steps=[LONG])
    sim.begin_anew("m-2")
    sim.errors["m-2"] = 0.6
    sim.run(8, 60)
    guard = sim.candidate["guards"][0]
    assert guard["state"] == "NoEvidence"
    assert float(guard["logEvidence"]) >= float(guard["bound"])
    assert {one.conclusion.verdict for one in replayed(sim)} == {"continue", "noEvidence"}


def test_a_guardrail_on_latency_may_come_in_the_middle_whatever_its_margin() -> None:
    sim = begun({"metric": "errors"}, steps=[LONG])
    guard = {"metric": "latency", "role": "guardrail", "worseBy": "150%"}
    sim.spec["rollout"]["guard"] = [{"metric": "errors"}, guard]
    sim.run(3, 60)
    proof = replayed(sim)[-1].state.proofs[1]
    assert proof is not None
    assert repr(proof.log_evidence) == sim.candidate["guards"][1]["proven"]["logEvidence"]


def test_a_value_is_held_against_the_chance_that_is_asked_for_now() -> None:
    sim = begun(GAUGE, steps=[LONG])
    rng = random.Random(0)

    def passes(windows: int) -> None:
        for _ in range(windows):
            for name, mean in (("m-1", 1.0), ("m-2", 1.04)):
                sim.gauges[name] = Vector((("a", rng.gauss(mean, 0.1)),))
            sim.tick(20)

    passes(60)
    before = sim.candidate["guards"][0]["bound"]
    sim.spec["rollout"]["falseAlarms"] = "0.1%"
    passes(2)
    assert float(sim.candidate["guards"][0]["bound"]) > float(before)


def proven(sim: Sim) -> bool:
    found = sim.candidate["guards"][0]["proven"]
    return float(found["logEvidence"]) >= float(found["bound"])


def test_a_proof_is_held_against_the_chance_that_is_asked_for_now() -> None:
    step = {"weight": 50, "for": "300s", "requests": 50}
    sim = begun({"metric": "errors", "role": "guardrail", "worseBy": "10%"}, steps=[step])
    while not proven(sim):
        sim.tick(20)
    sim.spec["rollout"] |= {"missedHarm": "0.0001%", "steps": [step | {"for": "1s"}]}
    sim.look()
    assert proven(sim), "as it was asked for before"
    assert "the proof that 0/errors is worse by at most 10%" in sim.condition("Progressing")["message"]


@pytest.mark.parametrize("requests", [60, 0], ids=["more came", "nothing came"])
def test_harm_that_was_doubted_is_harm_when_the_doubt_is_over(requests: int) -> None:
    sim = begun({"metric": "errors"}, steps=[LONG])
    sim.begin_anew("m-2")
    sim.errors["m-2"] = 0.6
    sim.run(8, 60)
    sim.now += 150
    sim.run(2, requests)
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"
    assert [one.conclusion.verdict for one in replayed(sim)][-2:] == ["noEvidence", "harm"]


def test_a_doubt_goes_on_in_the_ledger_while_the_candidate_is_away() -> None:
    sim = begun({"metric": "errors"}, steps=[LONG])
    sim.begin_anew("m-2")
    sim.errors["m-2"] = 0.6
    sim.run(8, 60)
    sim.ready("m-2", False)
    sim.tick(60)
    sim.ready("m-2")
    sim.look()
    assert sim.candidate["step"] == 0
    assert sim.candidate["guards"][0]["state"] == "Watching", "until its next window"
    assert "harm" not in {one.conclusion.verdict for one in replayed(sim)}


@pytest.mark.parametrize(
    "guard", [{"metric": "errors"}, {"metric": "latency"}, OUTCOMES], ids=lambda one: one["metric"]
)
def test_harm_by_another_bound_is_in_the_ledger_though_nothing_has_come(guard: Json) -> None:
    sim = begun(guard, steps=[LONG])
    sim.spec["rollout"]["falseAlarms"] = "0.0001%"
    sim.errors["m-2"] = sim.wrong["m-2"] = sim.slow["m-2"] = 0.25
    while float(sim.candidate["guards"][0]["logEvidence"]) < 5.0:
        sim.tick(60)
    sim.spec["rollout"]["falseAlarms"] = "50%"
    sim.tick(0)
    assert sim.status["history"][0]["result"] == "RolledBack"
    found = replayed(sim)
    assert [one.conclusion.verdict for one in found][-2:] == ["continue", "harm"]
    assert found[-1].t == sim.now


def test_the_margin_of_labels_is_told_as_it_was_before_the_first_of_them() -> None:
    guard, rates, steps = labels(role="guardrail", worseBy="10%"), {"m-1": 0.1, "m-2": 0.1}, ((50, "300s", 20),)
    sim = label_begun(guard, wrong=rates, delay=1.0, more={"steps": steps})
    sim.until(lambda: sim.guard().get("windows", 0) > 3)
    proof = replayed(sim)[-1].state.proofs[1]
    assert proof is not None
    assert repr(proof.log_evidence) == sim.guard()["proven"]["logEvidence"]
