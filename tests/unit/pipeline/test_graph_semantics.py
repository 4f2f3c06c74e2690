"""Random pipelines whose programs end as chance says: what a run does is what the rules say, written down once more.

The oracle goes by rounds: all that can begin begins, then all that runs ends. So does `Course.play`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.pipeline.courses import Course
from tests.unit.plan.littleworld import Crash

from fairlead.api.pipeline import PipelineSpec
from fairlead.plan.core import Json
from fairlead.plan.pipeline import dag, run

OVER = ("Completed", "Failed", "Aborted", "Skipped")
MANY = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Case:
    """A pipeline, and how its programs end."""

    steps: list[Json]
    bad: set[str]
    """Steps whose programs fail."""
    last: set[str] = field(default_factory=set)
    """Those with `when`."""

    def named(self, name: str) -> Json:
        return next(one for one in self.steps if one["name"] == name)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Up to six steps that decide, up to three after them; each may need, or read from, any of those before it."""
    deciding = [f"s{i}" for i in range(draw(st.integers(1, 6)))]
    last = [f"l{i}" for i in range(draw(st.integers(0, 3)))]
    steps: list[Json] = []
    for index, name in enumerate([*deciding, *last]):
        earlier = [one["name"] for one in steps]
        reads = draw(st.sets(st.sampled_from(earlier), max_size=2)) if earlier else set()
        needs = draw(st.sets(st.sampled_from(earlier), max_size=2)) if earlier else set()
        step: Json = {"name": name, "outputs": {"o": {}}, "needs": sorted(needs),
                      "inputs": {one: {"output": f"{one}.o"} for one in reads}}  # fmt: skip
        if draw(st.integers(0, 3)) == 0:
            step["if"] = [{"param": "p", "in": [draw(st.sampled_from("yn"))]}]
        if index >= len(deciding):
            step["when"] = draw(st.sampled_from(["always", "failed"]))
        steps.append(step)
    names = [one["name"] for one in steps]
    order = draw(st.permutations(steps))
    return Case(order, draw(st.sets(st.sampled_from(names), max_size=2)), set(last))


def reads(step: Json) -> set[str]:
    return {one["output"].split(".")[0] for one in step["inputs"].values()}


def expected(case: Case) -> tuple[dict[str, str], str]:
    """What becomes of each step, and the run's phase: the rules, in other words than the operator's."""
    known: dict[str, str] = {}

    def over_without_running(step: Json) -> bool:
        absent = any(known[one] != "Completed" for one in reads(step))
        return absent or any("y" not in one["in"] for one in step.get("if", ()))

    def rounds(names: list[str], may: str) -> None:
        while True:
            mine = [case.named(n) for n in names if n not in known]
            turn = [s for s in mine if all(one in known and (may == "any" or known[one] in ("Completed", "Skipped"))
                                           for one in {*s["needs"], *reads(s)})]  # fmt: skip
            skipped = [s["name"] for s in turn if over_without_running(s)]
            known.update(dict.fromkeys(skipped, "Skipped"))
            if skipped:
                continue
            known.update({s["name"]: "Failed" if s["name"] in case.bad else "Completed" for s in turn})
            if not turn or (may != "any" and any(known[s["name"]] == "Failed" for s in turn)):
                return

    deciding = [s["name"] for s in case.steps if s["name"] not in case.last]
    rounds(deciding, "completed")
    failed = "Failed" in known.values()
    known.update({name: "Aborted" for name in deciding if name not in known})
    last = [s["name"] for s in case.steps if s["name"] in case.last]
    if not failed:
        known.update({name: "Skipped" for name in last if case.named(name)["when"] == "failed"})
    rounds(last, "any")
    return known, "Failed" if failed else "Completed"


@MANY
@given(cases())
def test_each_step_ends_as_the_rules_say(case: Case) -> None:
    dag.validate(PipelineSpec.model_validate({"steps": [{"image": "i"} | s for s in case.steps], "params": {"p": "y"}}))
    course = Course(*case.steps, params={"p": "y"})
    end = course.play(lambda name: name not in case.bad)
    phases, phase = expected(case)
    assert (course.phases(), end["phase"]) == (phases, phase)
    ran = [name for name, one in phases.items() if one in ("Completed", "Failed")]
    assert course.begun() == sorted(ran), "each runs once, and nothing else runs"


@MANY
@given(cases(), st.sets(st.sampled_from(["l0", "l1", "l2"])))
def test_how_the_last_steps_end_does_not_change_the_verdict(case: Case, bad: set[str]) -> None:
    deciding = case.bad - case.last
    ends = [Course(*case.steps, params={"p": "y"}).play(lambda name, all_bad=found: name not in all_bad)
            for found in (deciding, deciding | bad)]  # fmt: skip
    first, other = [(one["phase"], one["verdict"]["reason"], one["verdict"]["message"]) for one in ends]
    assert first == other


@pytest.mark.parametrize("mode", ["now", "finally", "drain"])
@MANY
@given(case=cases(), after=st.integers(0, 3))
def test_a_cancel_at_any_time(mode: str, case: Case, after: int) -> None:
    course = Course(*case.steps, params={"p": "y"})
    for _ in range(after):
        course.look()
        for name in course.live():
            (course.fail if name in case.bad else course.succeed)(name)
    before = course.look()
    if before["phase"] in OVER:
        return
    begun, decided = list(course.world.created), before.get("verdict")
    running = course.live()
    course.ask(cancel=mode)
    end = course.play(lambda name: name not in case.bad)
    new = [name for kind, name in course.world.created[len(begun) :] if kind == "Job"]
    if mode == "now":
        assert new == [], "nothing begins any more"
    assert end["phase"] == (decided["phase"] if decided else "Aborted")
    phases = course.phases()
    assert set(phases.values()) <= set(OVER)
    always = [s for s in case.steps if s.get("when") == "always" and not s["inputs"]
              and all("y" in one["in"] for one in s.get("if", ()))]  # fmt: skip
    if mode != "now":
        assert all(phases[s["name"]] in ("Completed", "Failed") for s in always), "always means always"
    if mode == "drain":
        assert all(phases[name] in ("Completed", "Failed") for name in running), "what runs may end"
    if mode != "now" and not decided:
        mending = [name for name in case.last if case.named(name)["when"] == "failed"]
        assert all(phases[name] == "Skipped" for name in mending), "cancelled is not failed"


@MANY
@given(case=cases(), after=st.integers(0, 2))
def test_suspended_nothing_begins_and_then_all_is_as_without(case: Case, after: int) -> None:
    course = Course(*case.steps, params={"p": "y"})
    for _ in range(after):
        course.look()
        for name in course.live():
            (course.fail if name in case.bad else course.succeed)(name)
    if course.look()["phase"] in OVER:
        return
    made = len(course.world.created)
    course.ask(suspend=True)
    for name in [*course.live()]:
        (course.fail if name in case.bad else course.succeed)(name)
    course.look()
    assert [one for one in course.world.created[made:] if one[0] == "Job"] == []
    course.ask(suspend=False)
    end = course.play(lambda name: name not in case.bad)
    assert (course.phases(), end["phase"]) == expected(case)


@MANY
@given(case=cases(), data=st.data())
def test_a_kill_at_any_write_changes_nothing(case: Case, data: st.DataObject) -> None:
    course = Course(*case.steps, params={"p": "y"})
    for _ in range(60):
        at = data.draw(st.sampled_from([None, None, 0, 1, 2, 3]))
        try:
            course.world.look(run.SPEC, "p-1", at)
        except Crash:
            continue
        if course.status["phase"] in OVER:
            break
        if data.draw(st.booleans()):
            for name in course.live():
                (course.fail if name in case.bad else course.succeed)(name)
    course.play(lambda name: name not in case.bad)
    assert len(set(course.world.created)) == len(course.world.created)
    assert set(course.phases()) == {s["name"] for s in case.steps}
    last = {name: phase for name, phase in course.phases().items() if name in case.last}
    assert set(last.values()) <= {"Completed", "Failed", "Skipped"}
