"""B13: `Ready` is about what was asked for, `Available` about who answers, and exactly one of Ready, Reconciling and
Stalled is the case."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan import kstatus, rollout_world
from tests.unit.plan.rollout_world import Sim

from fairlead.plan.conditions import PROBLEM, problem

ERRORS = {"metric": "errors"}
Json = dict[str, Any]


def sim(**spec: Any) -> Sim:
    found = Sim(rollout_world.spec(ERRORS, **spec))
    found.go_live("m-1")
    found.look()
    return found


def pinned(name: str = "m-1", **spec: Any) -> Sim:
    return sim(model={"version": name}, **spec)


def edit(world: Sim, **spec: Any) -> None:
    """People change the spec."""
    world.spec |= spec
    world.generation += 1


def said(world: Sim) -> tuple[str, str]:
    """What kstatus makes of it, and why."""
    ready = kstatus.conditions(world.status)["Ready"]
    return kstatus.verdict(world.status, world.generation), ready["reason"]


def available(world: Sim) -> str:
    return str(world.condition("Available")["status"])


def test_b13_from_the_change_of_the_version_until_it_is_live_it_is_not_ready() -> None:
    world = pinned()
    assert said(world) == ("Current", "Live")
    world.version("m-2", phase="Verifying")
    edit(world, model={"version": "m-2"})
    assert kstatus.verdict(world.status, world.generation) == "InProgress", "nobody has looked yet"
    world.look()
    assert said(world) == ("InProgress", "NotApproved")
    assert available(world) == "True"
    world.version("m-2")
    seen = set()
    world.look()
    world.ready("m-2")
    for _ in range(60):
        world.tick(60)
        seen.add(said(world)[0])
        if world.status["live"]["version"] == "m-2":
            break
        assert seen == {"InProgress"}
        assert world.status["problem"] == ""
    world.look()
    assert said(world) == ("Current", "Live")


def test_b13_after_a_rollback_it_is_stalled_with_the_reason_and_the_numbers() -> None:
    world = pinned()
    world.version("m-2")
    edit(world, model={"version": "m-2"})
    world.errors["m-2"] = 0.5
    world.look()
    world.ready("m-2")
    for _ in range(60):
        world.tick(60)
        assert said(world)[0] != "Current"
    told = world.condition("Stalled")
    assert (told["status"], told["reason"]) == ("True", "ErrorsWorse")
    assert "m-2 failed" in told["message"]
    assert "fairlead.dev/retry=m-2" in told["message"]
    assert world.status["problem"].startswith("ErrorsWorse: m-2 was taken back: m-2 failed")
    assert len(world.status["problem"]) <= PROBLEM
    assert available(world) == "True"
    edit(world, model={"version": "m-1"})  # git is put back
    world.look()
    assert said(world) == ("Current", "Live")
    assert world.status["problem"] == ""
    edit(world, model={"version": "m-2"})  # and once more asked for what was refused
    world.look()
    assert said(world) == ("Failed", "ErrorsWorse")
    world.annotations["fairlead.dev/retry"] = "m-2"
    world.look()
    assert said(world)[0] == "InProgress"


def test_the_newest_version_of_a_model_that_was_taken_back_is_missed() -> None:
    world = sim()
    world.errors["m-2"] = 0.5
    world.begin("m-2")
    world.run(60, 60)
    world.look()
    assert said(world) == ("Failed", "ErrorsWorse")
    world.errors["m-3"] = 0.0
    world.begin("m-3")
    assert said(world)[0] == "InProgress"
    world.run(60, 60)
    world.look()
    assert said(world) == ("Current", "Live")


def test_a_refused_version_that_nobody_would_take_any_more_is_not_missed() -> None:
    world = sim()
    world.errors["m-2"] = 0.5
    world.begin("m-2")
    world.run(60, 60)
    world.of(rollout_world.MODEL_VERSION)["m-2"]["spec"]["revoked"] = "it was bad"
    world.look()
    assert said(world) == ("Current", "Live")


@pytest.mark.parametrize(
    ("phase", "verdict", "reason"),
    [
        ("Evaluating", "InProgress", "NotApproved"), ("AwaitingApproval", "InProgress", "AwaitingApproval"),
        ("Rejected", "Failed", "VersionRejected"),
    ],
)  # fmt: skip
def test_a_version_that_is_not_approved(phase: str, verdict: str, reason: str) -> None:
    world = pinned()
    world.version("m-2", phase=phase)
    edit(world, model={"version": "m-2"})
    world.look()
    assert said(world) == (verdict, reason)
    assert available(world) == "True"


def test_a_version_that_is_not_there_may_come_and_one_that_is_revoked_may_not() -> None:
    world = pinned()
    edit(world, model={"version": "m-9"})
    world.look()
    assert said(world) == ("InProgress", "VersionMissing")
    world.version("m-9")["spec"]["revoked"] = "no"
    world.look()
    assert said(world) == ("Failed", "VersionRevoked")


def test_a_live_version_that_is_revoked_answers_and_is_not_what_anybody_wants() -> None:
    world = pinned()
    world.of(rollout_world.MODEL_VERSION)["m-1"]["spec"]["revoked"] = "a wrong label"
    world.look()
    assert said(world) == ("Failed", "LiveRevoked")
    assert available(world) == "True"


def test_who_waits_for_a_person_says_so() -> None:
    world = pinned()
    world.version("m-2")
    edit(world, model={"version": "m-2"}, paused=True)
    world.look()
    assert said(world) == ("InProgress", "Paused")
    assert world.status["problem"] == ""
    manual = Sim(rollout_world.spec(ERRORS))
    manual.spec["rollout"]["steps"] = [{"weight": 10, "for": "3s", "requests": 10, "manual": True}]
    manual.go_live("m-1")
    manual.begin("m-2")
    manual.run(30, 100)
    assert said(manual) == ("InProgress", "WaitingForPerson")
    assert "kubectl fairlead continue web" in manual.condition("Reconciling")["message"]


def test_a_route_that_may_not_be_where_it_should_is_stalled_and_the_old_one_answers() -> None:
    world = pinned()
    edit(world, route={**world.spec["route"], "path": "/somebody/else"})
    world.look()
    assert said(world) == ("Failed", "PathNotAllowed")
    assert available(world) == "True"
    assert world.status["problem"].startswith("PathNotAllowed: ")


def test_pods_that_are_gone_or_not_yet_as_the_spec_says() -> None:
    world = pinned()
    workload = next(iter(world.of(rollout_world.WORKLOAD).values()))
    workload["status"] |= {"updatedReplicas": 0}
    world.look()
    assert said(world) == ("InProgress", "PodsStarting")
    assert available(world) == "True"
    world.ready("m-1", ready=False)
    world.look()
    assert said(world)[0] == "InProgress"
    assert available(world) == "False"
    assert world.status["problem"].startswith("NoReadyPod: ")
    world.ready("m-1")
    world.look()
    assert said(world) == ("Current", "Live")


def test_a_new_spec_is_not_there_at_the_look_that_writes_it() -> None:
    world = pinned()
    edit(world)
    assert kstatus.conditions(rollout_world.dump(world.plan().status))["Ready"]["reason"] == "SpecChanged"
    world.look()
    assert said(world) == ("Current", "Live")


def test_the_worst_condition_comes_first_and_is_cut_between_words() -> None:
    stalled = ("Stalled", "True", "ErrorsWorse", "word " * 60)
    saved = ("EvidenceSaved", "False", "AccessDenied", "the credentials may not use s3://x\n; allow them to")
    off = ("ErrorsGuarded", "False", "Off", "errors are not guarded")
    fine = ("Progressing", "False", "Settled", "m-1 is live")
    worst = problem([off, saved, stalled, fine])
    assert worst.startswith("ErrorsWorse: word word")
    assert worst.endswith(" word…")
    assert len(worst) <= PROBLEM
    assert problem([off, saved, fine]) == "AccessDenied: the credentials may not use s3://x ; allow them to"
    assert problem([off, fine]) == "Off: errors are not guarded"
    assert problem([fine, ("Reconciling", "True", "Observing", "m-2 gets 10 %")]) == ""


def test_a_refused_version_is_missed_when_the_history_has_forgotten_it() -> None:
    world = sim()
    world.errors["m-2"] = 0.5
    world.begin("m-2")
    world.run(60, 60)
    world.status["history"] = []
    world.look()
    assert said(world) == ("Failed", "VersionRefused")
    assert "fairlead.dev/retry=m-2" in world.condition("Stalled")["message"]


def test_pods_that_nobody_has_counted_since_they_were_asked_for_are_not_there_yet() -> None:
    world = pinned()
    workload = next(iter(world.of(rollout_world.WORKLOAD).values()))
    workload["metadata"]["generation"] = 2
    workload["status"]["observedGeneration"] = 1
    assert kstatus.conditions(rollout_world.dump(world.plan().status))["Reconciling"]["reason"] == "PodsStarting"
    workload["status"]["observedGeneration"] = 2
    assert kstatus.conditions(rollout_world.dump(world.plan().status))["Ready"]["status"] == "True"
