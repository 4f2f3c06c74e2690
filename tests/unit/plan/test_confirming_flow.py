"""From labels to a rollback or a changed world: joins that also ask the version before, and operators that die."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass, field
from functools import cache

import pytest
from tests.unit.plan.monitor_world import lines, profile
from tests.unit.plan.observed_world import Observed, observed
from tests.unit.plan.rollout_world import Json, dump
from tests.unit.plan.test_confirming import QUICK, asked

from fairlead.api.tasks import Compared, ObserveTask, TaskError, TaskResult
from fairlead.monitor import question
from fairlead.plan.core import JOB, POD, Plan
from fairlead.plan.deployment.monitors import askbook, book


@dataclass
class Comparing(Observed):
    """The version before is asked too. `theirs`: its share of wrong answers."""

    theirs: float = 0.25
    alike: float = 0.9
    """Share of the requests of which both are right or both wrong, where both are as bad."""
    silent_before: bool = False
    writes: int = 99
    """After the status and so many objects the operator dies; the next one lives."""
    trouble: str = ""
    says: Compared | None = None
    """What is said instead."""
    asked_tasks: list[ObserveTask] = field(default_factory=list)

    def _observe(self, task: ObserveTask, uid: str) -> TaskResult:
        said = super()._observe(task, uid)
        if task.against is None or said.observe is None or not said.observe.matched:
            return said
        self.asked_tasks.append(task)
        rng, n = random.Random(uid), said.observe.matched
        if self.says is not None:
            compared = self.says
        elif self.trouble:
            compared = Compared(unkept=n, trouble=self.trouble)
        else:
            more = self.wrongly - self.theirs
            disagree = max(abs(more), 1 - self.alike)
            drawn = [rng.random() for _ in range(n)]
            u = [1.0 if one < (disagree + more) / 2 else -1.0 if one < disagree else 0.0 for one in drawn]
            found = question.gained(u, float(task.margin))
            compared = Compared(
                n=n, total=found.total, better=list(found.better), not_better=list(found.not_better)
            )  # fmt: skip
        return TaskResult(observe=said.observe.model_copy(update={"compared": compared}))

    def carry_out(self, found: Plan) -> bool:
        if self.writes == 99:
            return super().carry_out(found)
        left, self.writes = self.writes, 99
        self.status, self.events = dump(found.status), self.events + [event.reason for event in found.events]
        self.plans += 1
        for wanted in found.apply[:left]:
            self._apply(copy.deepcopy(wanted))
        for wanted in found.create[: max(0, left - len(found.apply))]:
            self.make_job(wanted)
        return True


@cache
def _harmed(theirs: float) -> Comparing:
    sim = observed({"every": "1h"}, rollout=QUICK)
    sim.__class__ = Comparing
    for name, value in {
        "theirs": theirs,
        "alike": 0.9,
        "writes": 99,
        "trouble": "",
        "says": None,
        "asked_tasks": [],
    }.items():
        setattr(sim, name, value)
    assert isinstance(sim, Comparing)
    sim.version("m-2")
    sim.learns("m-2")
    sim.look()
    sim.ready("m-2")
    sim.look()
    sim.run(30, 20)
    assert sim.status["live"]["version"] == "m-2"
    sim.labelled(1000, 3600)
    sim.wrongly = 0.4
    while "question" not in sim.monitored:
        sim.labelled(1000, 3600)
    return sim


def harmed(theirs: float) -> Comparing:
    """Since a while m-2 is wrong in 40 % of its answers, as labels say; m-1 would be in so many."""
    return copy.deepcopy(_harmed(theirs))


def until_known(sim: Comparing, many: int = 1000) -> str:
    for _ in range(12):
        if asked(sim).get("state") not in ("Asking", "Blocked"):
            break
        sim.labelled(many, 3600)
    return str(asked(sim).get("state"))


def test_labels_that_come_after_the_alarm_ask_and_a_bug_of_one_version_is_rolled_back() -> None:
    sim = harmed(theirs=0.25)
    assert (sim.line("quality")["state"], sim.line("quality")["reason"]) == ("Harmed", "RealHarm")
    assert sim.asked_tasks == []
    rang = sim.joined["labelled"]
    assert until_known(sim) == "Better"
    (task,) = sim.asked_tasks
    assert task.against
    assert (task.against.version, task.against.subject, task.margin) == ("m-1", "before", "0.02")
    assert asked(sim)["pairs"] == 1000
    assert sim.joined["labelled"] == rang + 1000
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    assert sim.status["history"][0]["reason"] == "RealHarm"
    assert "WorldChanged" not in sim.events


def test_a_concept_drift_of_both_is_the_world() -> None:
    sim = harmed(theirs=0.4)
    assert until_known(sim) == "NotBetter"
    assert sim.condition("WorldChanged")["status"] == "True"
    assert sim.condition("WorldChanged")["reason"] == "RealHarm"
    asked_before = len(sim.asked_tasks)
    for _ in range(4):
        sim.labelled(1000, 3600)
    assert len(sim.asked_tasks) == asked_before
    assert sim.events.count("WorldChanged") == 1
    assert not {"RollingBack", "RolledBack"} & set(sim.events)


def test_the_server_beside_a_join_gets_no_right_that_it_does_not_need() -> None:
    sim = harmed(theirs=0.4)
    sim.holds = True
    sim.rows("m-2", 100)
    sim.publish()
    sim.look()
    (job,) = sim.select(JOB)
    pod = job["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["initContainers"]] == ["fetch", "before"]
    fetch, before = pod["initContainers"]
    item = json.loads(fetch["env"][1]["value"])["items"][0]
    assert (item["uri"], item["sha256"]) == ("s3://bucket/m-1", "a" * 64)
    assert before["restartPolicy"] == "Always"
    assert before["image"] == "server:1"
    for one in (fetch, before, *pod["containers"]):
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not one["securityContext"]["allowPrivilegeEscalation"]
        assert one["securityContext"]["readOnlyRootFilesystem"]
    assert pod["securityContext"]["runAsNonRoot"]
    mounts = {one["name"] for one in before["volumeMounts"]}
    assert not any("credentials" in name for name in mounts), "the store's secrets are not the model's"
    assert "requests" in before["resources"]


def test_a_version_before_that_can_not_be_had_keeps_no_label_from_being_counted() -> None:
    """The first attempt asks; when it fails, the next one counts the labels alone."""
    sim = harmed(theirs=0.25)
    counted = sim.joined["labelled"]
    sim.fails = TaskError(reason="ObjectMissing", message="there is no such object")
    sim.rows("m-2", 500)
    sim.publish()
    sim.look()
    assert sim.joins[-1].against
    sim.fails = None
    sim.now += 600
    sim.look()
    assert sim.joins[-1].against is None
    assert sim.joined["labelled"] == counted + 500
    assert asked(sim)["pairs"] == 0
    assert "could not answer: version v" in sim.condition("WorldChanged")["message"]
    assert "there is no such object" in sim.condition("WorldChanged")["message"]
    sim.now += 3600
    sim.look()
    assert until_known(sim) == "Better"


def test_a_server_that_does_not_come_up_is_not_waited_for() -> None:
    sim = harmed(theirs=0.25)
    counted = sim.joined["labelled"]
    sim.holds = True
    sim.rows("m-2", 500)
    sim.publish()
    sim.look()
    name = f"{sim.select(JOB)[0]['metadata']['name']}-pod"
    waits = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    sim.of(POD)[name]["status"] = {
        "phase": "Pending", "conditions": [], "initContainerStatuses": [{"name": "before", "state": waits}],
        "containerStatuses": [],
    }  # fmt: skip
    sim.now += 60
    sim.look()
    assert sim.condition("WorldChanged")["reason"] == "ImagePull"
    assert asked(sim)["state"] == "Blocked"
    sim.holds = False
    for _ in range(5):
        sim.now += 601
        sim.look()
    assert sim.joins[-1].against is None
    assert sim.joined["labelled"] == counted + 500
    assert asked(sim)["state"] == "Asking"


def test_what_a_worker_says_of_the_version_before_is_told() -> None:
    sim = harmed(theirs=0.25)
    sim.trouble = "the before's server is not ready after 120 s: nothing listens"
    sim.labelled(500, 3600)
    said = sim.condition("WorldChanged")["message"]
    assert "Last time it could not answer: the before's server is not ready" in said
    assert asked(sim)["unkept"] == 500
    sim.trouble = ""
    assert until_known(sim) == "Better"


@pytest.mark.parametrize("theirs", [0.25, 0.4])
@pytest.mark.parametrize("writes", range(4))
def test_an_operator_that_dies_after_any_write_counts_each_pair_once(writes: int, theirs: float) -> None:
    sim, undisturbed = harmed(theirs), harmed(theirs)
    for _ in range(6):
        for one in (sim, undisturbed):
            live = one.status["live"]["version"]
            one.rows(live, 400)
            one.publish()
        sim.writes = writes
        for one in (sim, undisturbed):
            one.look()
        sim.writes = writes
        for one in (sim, undisturbed):
            one.now += 3600
            one.look()
    assert asked(sim) == asked(undisturbed)
    assert sim.status["world"] == undisturbed.status["world"] if theirs == 0.4 else sim.status["wayBack"]
    assert [one.same for one in askbook.replayed(json.dumps(line) for line in lines(sim))].count(False) == 0
    names = [name for name in sim.events if name in ("Confirming", "WorldChanged", "RollingBack")]
    assert names == [name for name in undisturbed.events if name in ("Confirming", "WorldChanged", "RollingBack")]
    assert names == ["Confirming", "WorldChanged" if theirs == 0.4 else "RollingBack"]


def test_an_operator_that_dies_before_its_status_is_written_counts_nothing_twice() -> None:
    sim, undisturbed = harmed(0.4), harmed(0.4)
    for one in (sim, undisturbed):
        one.rows("m-2", 400)
        one.publish()
    for _ in range(8):
        sim.plan()  # all is read and planned, nothing is written
        for one in (sim, undisturbed):
            found = one.plan()
            one.carry_out(found)
    assert asked(sim) == asked(undisturbed)
    assert asked(sim)["pairs"] == 400


def test_a_life_is_replayed_from_its_ledger_windows_and_question() -> None:
    sim = harmed(theirs=0.4)
    assert until_known(sim) == "NotBetter"
    texts = [json.dumps(one) for one in lines(sim) if one.get("version", "m-2") == "m-2"]
    start = max(at for at, one in enumerate(texts) if '"monitors"' in one)
    assert all(one.same for one in book.replayed(profile(), texts[start:]))
    heard = list(askbook.replayed(texts[start:]))
    assert heard[-1].result == "NotBetter"
    assert all(one.same for one in heard)
    assert heard[-1].known.n == asked(sim)["pairs"] > 1000


def settings(sim: Comparing, **monitors: Json) -> None:
    sim.spec = {**sim.spec, "monitors": {**sim.spec["monitors"], **monitors}}
    sim.generation += 1
    sim.look()


def test_labels_that_are_taken_away_ask_no_more() -> None:
    sim = harmed(theirs=0.25)
    settings(sim, labels=None)
    sim.passes(1000, seconds=3600)
    assert asked(sim).get("state", "Dropped") == "Dropped"
    assert "wayBack" not in sim.status


@pytest.mark.parametrize("bad", [
    {"n": -1}, {"n": 10**400}, {"n": 5, "total": 1e300}, {"n": 5, "better": [0.0]}, {"unkept": 10**400},
    {"n": 5, "better": [900.0] * 6}, {"n": 5, "refused": -3},
], ids=str)  # fmt: skip
def test_what_no_pairs_can_be_counts_for_nothing_and_the_labels_do(bad: Json) -> None:
    sim = harmed(theirs=0.25)
    counted = sim.joined["labelled"]
    sim.says = Compared.model_construct(**(Compared().__dict__ | bad))
    sim.labelled(500, 3600)
    assert (asked(sim)["pairs"], asked(sim)["logBetter"], asked(sim)["state"]) == (0, "0.0", "Asking")
    assert sim.joined["labelled"] == counted + 500


def test_labels_that_are_counted_anew_answer_no_question_that_they_have_raised() -> None:
    """Those of another Dataset have rung already, and pairs of theirs may be known."""
    sim = harmed(theirs=0.25)
    sim.publish(name="other")
    settings(sim, labels={"dataset": "other"})
    assert sim.joins[-1].against is None
    assert "question" not in sim.monitored
    assert "RollingBack" not in sim.events
    sim.now += 3600
    sim.look()
    assert (asked(sim)["number"], asked(sim)["pairs"]) == (2, 0)
    while asked(sim)["state"] == "Asking":
        sim.rows("m-2", 1000)
        sim.publish(name="other")
        sim.look()
        sim.now += 3600
        sim.look()
    assert (asked(sim)["state"], asked(sim)["pairs"]) == ("Better", 1000)


def test_what_was_said_before_labels_are_counted_anew_asks_nothing() -> None:
    """The line stands until a window closes, and none does while recorders don't answer."""
    sim = harmed(theirs=0.25)
    sim.silent = {one["metadata"]["uid"] for one in sim.pods("m-2")}
    settings(sim, labels={"dataset": "nothing"})
    for _ in range(3):
        sim.now += 3600
        sim.look()
    assert "question" not in sim.monitored
    assert sim.monitored["questions"] == 1


def test_other_settings_of_the_tests_end_no_question() -> None:
    sim = harmed(theirs=0.25)
    settings(sim, falseAlarmsPerYear="2")
    sim.passes(1000, seconds=3600)
    assert (sim.line("quality")["state"], asked(sim)["state"]) == ("Unknown", "Asking")
    assert until_known(sim) == "Better"


def test_labels_that_stay_away_end_no_question_and_nobody_says_that_all_is_well() -> None:
    sim = harmed(theirs=0.25)
    sim.unsure = 0.9  # from now on harm is estimated, too
    sim.now += 31 * 86400
    for _ in range(12):
        sim.passes(1000, seconds=3600)
    assert sim.line("quality")["reason"] == "EstimatedHarm"
    assert (asked(sim)["state"], asked(sim)["reason"]) == ("Unknown", "TooFewLabels")
    assert sim.condition("WorldChanged")["status"] == "Unknown"


def test_a_quota_that_refuses_the_server_beside_a_join_keeps_no_label_from_being_counted() -> None:
    sim = harmed(theirs=0.25)
    counted = sim.joined["labelled"]
    sim.holds = True
    sim.rows("m-2", 500)
    sim.publish()
    sim.look()
    assert sim.joins[-1].against
    (job,) = sim.select(JOB)
    del sim.of(POD)[f"{job['metadata']['name']}-pod"]
    sim.holds = False
    for _ in range(5):
        sim.now += 601
        sim.look()
    assert sim.joins[-1].against is None
    assert sim.joined["labelled"] == counted + 500
    assert "got no pod" in asked(sim)["trouble"]


def test_counts_that_are_refused_give_no_pairs_either_for_both_come_again() -> None:
    sim = harmed(theirs=0.25)
    sim.instead = {"losses": [5, 9, 9]}
    sim.labelled(500, 3600)
    assert sim.joined["reason"] == "BadCounts"
    assert asked(sim)["pairs"] == 0


def test_versions_that_are_as_bad_are_one_change_however_few_labels_come_at_first() -> None:
    sim = harmed(theirs=0.4)
    assert until_known(sim) == "NotBetter"
    sim.now += 60
    sim.version("m-3")
    sim.learns("m-3")
    sim.look()
    sim.ready("m-3")
    sim.look()
    sim.run(30, 20)
    assert sim.status["live"]["version"] == "m-3"
    said = []
    for many in (20, 20, 20, 20, 20, 1000, 1000, 1000, 1000, 1000, 1000):
        sim.labelled(many, 3600)
        said.append((sim.condition("WorldChanged")["status"], sim.condition("WorldChanged")["reason"]))
    assert said[:4] == [("Unknown", "LabelsAwaited")] * 4
    assert said[-1] == ("True", "RealHarm")
    assert "False" not in {status for status, _ in said}
