"""Guards on labels in a tiny world: judged against the version that answered, each label once, also days later."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.plan.label_world import LabelWorld, begun, labels
from tests.unit.plan.test_deployment_ledger import saved

from fairlead.api.tasks import TaskError
from fairlead.cli.replay import replay
from fairlead.plan.core import DATASET, JOB, POD, epoch

WRONG = {"m-1": 0.1, "m-2": 0.6}
ALIKE = {"m-1": 0.1, "m-2": 0.1}


def over(sim: LabelWorld) -> bool:
    return "candidate" not in sim.status


def live(sim: LabelWorld) -> str:
    return str(sim.status["live"]["version"])


def promoted(**world: Any) -> LabelWorld:
    """m-2 is live, without a single label so far."""
    world.setdefault("delay", 1000.0)
    sim = begun(**world)
    sim.until(lambda: over(sim), every=1000)
    assert live(sim) == "m-2"
    return sim


def test_a_worse_candidate_is_taken_back_by_its_labels() -> None:
    sim = begun(wrong=WRONG)
    sim.until(lambda: over(sim))
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "LabelsWorse")
    assert "labelled answers" in record["message"]
    assert not sim.of(JOB)
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert found.judged[-1].conclusion.verdict == "harm"
    assert found.judged[-1].conclusion.metric == "labels"
    guard = record["guards"][1]
    assert guard["logEvidence"] == repr(found.judged[-1].state.guards[1].log_evidence)
    assert sim.status["joins"] == []


def test_b11_the_numbers_of_the_message_are_those_of_the_evidence() -> None:
    sim = begun(wrong=WRONG)
    sim.until(lambda: over(sim))
    guard, message = sim.status["history"][0]["guards"][1], sim.status["history"][0]["message"]
    for version, arm in (("m-1", "stable"), ("m-2", "candidate")):
        counts = guard[arm]
        assert f"{counts['failures']} of {counts['requests']} labelled answers" in message, version


@pytest.mark.parametrize("guard", [labels(), labels(worseBy="5%"), labels(worseBy="8%", role="guardrail")])
def test_an_equal_one_goes_live_and_its_labels_are_counted(guard: dict) -> None:
    sim = begun(guard, wrong=ALIKE, delay=1.0, more={"steps": ((20, "3s", 20), (50, "12s", 20))})
    sim.until(lambda: over(sim), ticks=400, requests=200)
    assert live(sim) == "m-2"
    seen = sim.status["history"][0]["guards"][1]["labels"]
    assert seen["candidate"]["labelled"] > 200
    assert seen["stable"]["wrong"] > 20
    assert replay(saved(sim, "m-2")).different == []


def test_without_labels_an_alarm_holds_nothing_up_unless_it_says_so() -> None:
    assert live(promoted()) == "m-2"
    sim = begun(labels(minEvents=50), wrong=ALIKE, delay=15.0)
    for _ in range(6):
        sim.tick(100)
    assert sim.candidate["step"] == 0
    assert "50 labels of the candidate's answers" in sim.status["message"]
    assert sim.guard()["state"] == "Watching"
    sim.until(lambda: over(sim), ticks=400)
    assert live(sim) == "m-2"


def test_one_job_for_a_version_and_it_is_deleted_when_its_answer_is_recorded() -> None:
    sim = begun(wrong=ALIKE)
    assert not sim.joins  # what was there at the beginning knows nothing of later answers
    for _ in range(8):
        sim.tick(50)
    sim.holds = True
    sim.publish()
    sim.look()
    sim.look()
    assert (len(sim.joins), len(sim.of(JOB))) == (1, 1)
    sim.publish()
    sim.tick(50)
    assert len(sim.joins) == 1
    job = next(iter(sim.of(JOB).values()))
    assert len(job["metadata"]["name"]) <= 63
    assert "fairlead.dev/deployment" not in job["metadata"]["labels"]
    sim.end()
    sim.holds = False
    sim.look()
    assert not sim.of(JOB)
    assert sim.guard()["labels"]["candidate"]["labelled"] > 0
    assert sim.joins[0].stable == "m-1"
    assert len(sim.joins[0].cuts) % 2 == 0  # when a weight was asked for, and when the route had it


def test_pairs_of_a_shadow_step_are_judged_besides() -> None:
    sim = begun(wrong=WRONG, delay=0.0)
    sim.copies(60)
    sim.now += 1
    sim.publish()
    sim.look()
    record = sim.status["history"][0]
    assert record["reason"] == "LabelsWorse"
    guard = record["guards"][1]
    assert sum(guard["labels"]["pairs"].values()) == 60
    for _ in range(5):
        sim.tick(10)
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert found.judged[-1].state.guards[1].pairs.candidate_wrong == guard["labels"]["pairs"]["candidateWrong"]
    assert repr(found.judged[-1].state.guards[1].log_evidence) == guard["logEvidence"]


def test_pairs_alike_do_not_harm_and_stay_in_the_replay_beside_a_margin() -> None:
    sim = begun(labels(worseBy="5%"), wrong=ALIKE, delay=0.0)
    sim.copies(40)
    sim.until(lambda: over(sim), ticks=400)
    assert live(sim) == "m-2"
    assert replay(saved(sim, "m-2")).different == []


def test_unequal_coverage_is_no_evidence_and_no_harm() -> None:
    sim = begun(wrong=WRONG, missing={"m-2": 0.7})
    for tick in range(16):
        sim.tick(100)
        if tick % 8 == 7:
            sim.publish()
            sim.look()
    assert sim.guard()["state"] == "NoEvidence"
    assert sim.guard()["reason"] == "UnequalCoverage"
    assert "random sample" in sim.condition("EvidenceAvailable")["message"]
    assert live(sim) == "m-1"
    assert not over(sim)


@pytest.mark.parametrize(
    ("spoil", "reason", "remedy"),
    [
        (lambda sim: sim.of(DATASET).clear(), "DatasetMissing", "labels.dataset"),
        (lambda sim: setattr(sim, "fails", TaskError(reason="BadData", message="no column for labels.label (label)")),
         "BadData", "labels.label"),
        (lambda sim: setattr(sim, "fails", TaskError(reason="Unreachable", message="store away", transient=True)),
         "Unreachable", "store away"),
        (lambda sim: setattr(sim, "strange", True), "LabelsUnknown", "x-request-id"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_freezes(spoil: Any, reason: str, remedy: str) -> None:
    sim = begun(wrong=ALIKE)
    sim.tick(400, seconds=6)
    sim.publish()
    spoil(sim)
    sim.look()
    assert (sim.guard()["state"], sim.guard()["reason"]) == ("NoEvidence", reason)
    assert remedy in sim.condition("EvidenceAvailable")["message"]
    for _ in range(9):
        sim.tick(50)
    assert sim.candidate["step"] == 0
    sim.fails, sim.strange = None, False
    sim.publish()
    sim.until(lambda: sim.candidate["step"] == 1)


def test_a_failed_attempt_is_made_again_and_counts_once() -> None:
    sim = begun(wrong=ALIKE)
    for _ in range(9):
        sim.tick(50)
    sim.fails = TaskError(reason="Unreachable", message="away", transient=True)
    sim.publish()
    sim.look()
    first = sim.joined()["job"]
    assert first["notBefore"]
    assert not sim.of(JOB)
    sim.fails = None
    sim.tick(0, seconds=6)
    sim.look()
    assert sim.joins[0].labels == sim.joins[1].labels
    seen = sim.guard()["labels"]
    used = sim.joined()["used"][0]["key"]
    assert seen["stable"]["labelled"] + seen["candidate"]["labelled"] == len(sim.used[used])


def test_a_pod_that_is_gone_is_replaced() -> None:
    sim = begun(wrong=ALIKE)
    for _ in range(9):
        sim.tick(50)
    sim.holds = True
    sim.publish()
    sim.look()
    for kind in (JOB, POD):
        for name in [n for n in sim.of(kind) if "labels" in n]:
            del sim.of(kind)[name]
    sim.look()
    assert sim.guard()["reason"] == "Disrupted"
    sim.holds = False
    sim.tick(10, seconds=6)
    assert len(sim.joins) == 2
    assert sim.guard()["state"] == "Watching"


def test_a_dataset_without_a_version_is_waited_for() -> None:
    sim = LabelWorld(begun().spec)
    sim.of(DATASET)["truth"] = {
        "metadata": {"name": "truth"}, "spec": {"source": {"s3": {"bucket": "bbb"}}, "format": "parquet"},
        "status": {"message": "no objects under s3://bbb/"},
    }  # fmt: skip
    sim.go_live()
    sim.begin()
    assert sim.guard()["state"] == "Watching"
    assert "no objects under" in sim.guard()["message"]


# --- after the promotion ---------------------------------------------------------------------------------------------


def test_days_later_labels_of_the_canarys_time_take_a_promoted_version_back() -> None:
    sim = promoted(wrong=WRONG, more={"rollout": {"afterPromotion": {"for": "7d"}}})
    sim.tick(0, seconds=2 * 86400)
    sim.publish()
    sim.look()
    assert sim.status["wayBack"]["reason"] == "LabelsWorseAfterPromotion"
    sim.ready("m-1")
    sim.look()
    assert live(sim) == "m-1"
    assert sim.status["refused"] == ["m-2"]
    guard = sim.status["history"][0]["guards"][1]
    assert guard["labels"]["candidate"]["wrong"] > 50
    assert not sim.of(JOB)


def test_a_version_that_becomes_worse_after_the_promotion_is_left_to_a_person_without_a_holdback() -> None:
    sim = promoted(wrong=ALIKE, delay=10.0, more={"rollout": {"afterPromotion": {"for": "7d"}}})
    for _ in range(5):
        sim.tick(100, seconds=60)
        sim.publish()
    sim.look()
    watched = sim.guard()
    assert 0.1 < float(watched["tolerated"]) < 0.3
    assert (watched["state"], live(sim)) == ("Watching", "m-2")
    sim.wrong["m-2"] = 0.6
    for _ in range(10):
        sim.tick(100, seconds=60)
        sim.publish()
    said = sim.condition("WorldChanged")
    assert (said["status"], said["reason"]) == ("Unknown", "CannotConfirm")
    assert "m-2 was wrong in" in said["message"]
    assert "kubectl fairlead rollback web" in said["message"]
    assert sim.events.count("CannotConfirm") == 1
    assert live(sim) == "m-2"
    # what is found about another guard later on stays, and nobody is asked once more
    sim.status["world"] |= {"state": "Changed", "guard": "0/errors", "reason": "MoreErrors", "message": "both fail"}
    sim.tick(100)
    assert (sim.condition("WorldChanged")["status"], sim.events.count("CannotConfirm")) == ("True", 1)


@pytest.mark.parametrize("holdback", ["0%", "20%"])
def test_one_that_stays_well_stays_and_every_label_counts_once(holdback: str) -> None:
    sim = promoted(wrong=ALIKE, delay=30.0, more={"rollout": {"afterPromotion": {"for": "1h", "holdback": holdback}}})
    since = epoch(sim.joined()["since"])
    for _ in range(12):
        sim.tick(150, seconds=60)
        sim.publish()
    sim.tick(0)
    assert live(sim) == "m-2"
    seen = sim.guard()
    labelled = sim.canary()["labels"]
    kept = [one for one in sim.log if since <= one.at <= sim.now - 31 - 60]
    total = sum(labelled[arm]["labelled"] for arm in ("stable", "candidate"))
    assert total >= len(kept)
    assert total == len(set().union(*(sim.used[one["key"]] for one in sim.joined()["used"])))
    assert seen["live"]["requests"] > 1000
    assert (seen["previous"]["requests"] > 100) is (holdback != "0%")
    sim.tick(10, seconds=7200)
    assert "watch" not in sim.status
    assert not sim.of(JOB)


def test_a_last_few_answers_of_the_version_before_are_not_compared_with_what_the_live_one_answers_later() -> None:
    sim = promoted(wrong=WRONG, more={"rollout": {"afterPromotion": {"for": "7d"}}})
    sim.delay = 0.1
    sim.log += [sim._kept(f"last-{at}-{version}", version) for at in range(100) for version in ("m-1", "m-2")]
    sim.now += sim.delay
    sim.log += [sim._kept(f"later-{at}", "m-2") for at in range(2000)]  # whose labels come later
    sim.publish()
    sim.look()
    assert sim.status["history"][0]["reason"] == "LabelsWorseAfterPromotion"  # the old pods were still there


def test_a_watched_dataset_that_is_gone_is_said() -> None:
    sim = promoted(wrong=ALIKE, more={"rollout": {"afterPromotion": {"for": "1d"}}})
    sim.of(DATASET).clear()
    sim.tick(50, seconds=20)
    assert sim.condition("Watched")["reason"] == "DatasetMissing"
    assert live(sim) == "m-2"


def test_a_join_that_runs_at_the_promotion_is_not_lost() -> None:
    sim = begun(wrong=WRONG, delay=100.0, more={"rollout": {"afterPromotion": {"for": "7d"}}})
    sim.until(lambda: sim.candidate["step"] == 1, every=1000)
    sim.holds, sim.delay = True, 0.0
    sim.publish()
    sim.look()
    name = sim.joined()["job"]["name"]
    sim.until(lambda: over(sim), every=1000)
    assert sim.joined()["job"]["name"] == name
    sim.end()
    sim.look()
    assert sim.status["history"][0]["reason"] == "LabelsWorseAfterPromotion"  # the old pods were still there


def test_status_stays_small() -> None:
    sim = begun(wrong=ALIKE, more={"steps": ((20, "200s", 20), (50, "20s", 20))})
    for _ in range(15):
        sim.tick(20)
        sim.publish()
    assert len(json.dumps([sim.guard(), sim.joined()])) < 5000
