"""What gets in an experiment's way, and what people decide meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.experiment.test_experiment_way import begun, contender, experiment, opened, run
from tests.unit.plan.label_world import LabelWorld, labels
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.manifests.route import services
from fairlead.plan.core import HTTP_ROUTE, JOB, MODEL_VERSION, WORKLOAD
from fairlead.plan.requests import GatewaySeen

Json = dict[str, Any]
ALIKE = {"m-1": 0.5, "m-2": 0.5, "m-3": 0.5}


def said(sim: Sim) -> tuple[str, str]:
    found = sim.condition("Experiment")
    return found.get("status", ""), found.get("reason", "")


def evidence(sim: Sim) -> tuple[str, str]:
    found = sim.condition("EvidenceAvailable")
    return found.get("status", ""), found.get("reason", "")


def trial(sim: Sim) -> Json:
    return dict(sim.status["experiment"])


def decide(sim: Sim, action: str, version: str) -> None:
    sim.spec["override"] = {"action": action, "version": version, "reason": "a test", "at": "2027-01-15T08:00:00Z"}
    sim.look()


def test_harm_takes_one_out_and_the_others_go_on() -> None:
    sim = begun(experiment(), wrong=ALIKE, errors={"m-2": 0.5})
    run(sim, 8, 100)
    assert trial(sim)["phase"] == "Running"
    assert (contender(sim, "m-2")["state"], contender(sim, "m-2")["reason"]) == ("Out", "ErrorsWorse")
    assert sim.shares() == {"m-1": 58, "m-3": 42}, "40 to 30, as it was"
    assert sim.status["refused"] == ["m-2"]
    assert sim.status["history"][0]["result"] == "RolledBack"
    assert "ArmTakenOut" in sim.events
    assert sim.status["phase"] == "Progressing"
    route = sim.get(HTTP_ROUTE, "web")
    assert route
    assert len(services(route)) == 2
    sim.tick(100, seconds=20)
    assert len(sim.of(WORKLOAD)) == 2


@pytest.mark.parametrize("looks", range(5))
def test_one_may_leave_in_the_look_in_which_users_are_counted(looks: int) -> None:
    sim = begun(experiment() | {"record": {"sample": "100%"}}, wrong=ALIKE)
    sim.look()
    for _ in range(10 + looks):  # users are counted each fifth time
        sim.tick(100)
    assert trial(sim)["division"]["counts"]
    sim.errors = {"m-2": 1.0}
    for _ in range(20):
        sim.tick(100)
    assert contender(sim, "m-2")["state"] == "Out"
    assert len(trial(sim)["division"]["counts"]) == 2


def test_identity_one_that_is_made_again_is_taken_out_and_its_second_self_gets_nothing() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    run(sim, 3, 100)
    again = sim.version("m-2", artifact={"uri": "s3://elsewhere/evil", "sha256": "e" * 64})
    again["metadata"]["uid"] = "another"
    sim.tick(100)
    assert (contender(sim, "m-2")["state"], contender(sim, "m-2")["reason"]) == ("Out", "VersionReplaced")
    assert "m-2" not in sim.shares()
    sim.tick(100, seconds=20)
    assert "evil" not in str(sim.of(WORKLOAD))


def test_each_candidate_has_its_part_of_the_false_alarms() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    sim.tick(100)
    bounds = {arm["guards"][0]["bound"][:6] for arm in trial(sim)["arms"]}
    assert bounds == {"5.2983"}, "ln(2 / 1 %)"


def test_when_all_do_harm_it_stops() -> None:
    sim = begun(experiment(), wrong=ALIKE, errors={"m-2": 0.5, "m-3": 0.5})
    run(sim, 10, 100)
    assert (trial(sim)["phase"], trial(sim)["result"]) == ("Ended", "Stopped")
    assert sim.shares() == {"m-1": 100}
    assert said(sim) == ("False", "Stopped")
    assert sorted(sim.status["refused"]) == ["m-2", "m-3"]


def test_the_live_version_may_win() -> None:
    sim = begun(experiment(then="Promote"), wrong={"m-1": 0.2, "m-2": 0.5, "m-3": 0.5})
    run(sim, 100, 100)
    assert (trial(sim)["result"], trial(sim)["winner"]) == ("Won", "m-1")
    assert sim.status["live"]["version"] == "m-1"
    assert sorted(sim.status["refused"]) == ["m-2", "m-3"]


def test_a_report_names_the_winner_and_changes_nothing() -> None:
    sim = begun(experiment(), wrong={"m-1": 0.5, "m-2": 0.2, "m-3": 0.5})
    run(sim, 100, 100)
    assert (trial(sim)["result"], trial(sim)["winner"]) == ("Won", "m-2")
    assert sim.status["live"]["version"] == "m-1"
    assert sim.shares() == {"m-1": 100}
    assert said(sim) == ("True", "Won")
    assert "name m-2 in spec.model.version" in sim.condition("Experiment")["message"]
    for _ in range(40):
        sim.tick(100)
    assert "candidate" not in sim.status
    assert sim.rests()


def test_patience_ends_it_with_all_numbers() -> None:
    sim = begun(experiment(patience="60s"), wrong=ALIKE)
    run(sim, 100, 50)
    assert trial(sim)["result"] == "Undecided"
    message = sim.condition("Experiment")["message"]
    assert all(version in message for version in ("m-1", "m-2", "m-3"))
    assert "risk" in message
    assert sim.shares() == {"m-1": 100}
    assert sim.status.get("refused", []) == []


def test_nobody_wins_before_enough_was_seen() -> None:
    sim = begun(experiment(requests=400), wrong={"m-1": 0.9, "m-2": 0.9, "m-3": 0.1})
    run(sim, 12, 50)
    assert trial(sim)["phase"] == "Running"
    assert said(sim) == ("True", "TooFewTrials")
    run(sim, 60, 50)
    assert trial(sim)["winner"] == "m-3"


def test_prometheus_away_freezes_and_it_goes_on() -> None:
    sim = begun(experiment(then="Promote"), wrong={"m-1": 0.9, "m-2": 0.9, "m-3": 0.1})
    sim.prometheus_down = True
    run(sim, 40, 100)
    assert trial(sim)["phase"] == "Running"
    assert said(sim) == ("True", "Unreachable")
    assert evidence(sim) == ("False", "Unreachable")
    sim.prometheus_down = False
    sim.tick(10)
    sim.tick(10)
    assert evidence(sim) == ("True", "Watching")
    run(sim, 40, 100)
    assert sim.status["live"]["version"] == "m-3"


def test_series_that_come_and_go_with_the_applications_pods_fill_no_more_than_their_room() -> None:
    sim = begun(experiment(requests=100_000), wrong=ALIKE)
    for deployed in range(8):
        sim.series = [f"app-{deployed}-{index}" for index in range(10)]
        run(sim, 12, 30)
    assert said(sim) == ("True", "TooManySeries")
    assert evidence(sim) == ("False", "TooManySeries")
    assert "in a recording rule without the pod's label" in sim.condition("Experiment")["message"]
    known = trial(sim)["contenders"]
    run(sim, 12, 30)
    assert trial(sim)["contenders"] == known, "nothing is counted any more"


def test_pods_that_go_lose_their_share_and_get_it_again() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    sim.ready("m-2", ready=False)
    sim.tick(10)
    assert sim.shares() == {"m-1": 58, "m-3": 42}
    assert contender(sim, "m-2")["state"] == "Away"
    sim.ready("m-2")
    sim.tick(10)
    sim.tick(10)
    assert sim.shares() == {"m-1": 40, "m-2": 30, "m-3": 30}
    assert trial(sim)["phase"] == "Running"


def test_a_version_that_can_not_be_read_loses_its_share_and_somebody_is_told() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    sim.unreadable.add("m-2")
    run(sim, 20, 50)
    assert sim.shares() == {"m-1": 58, "m-3": 42}
    assert contender(sim, "m-2")["state"] == "Away"
    assert evidence(sim) == ("False", "Unreachable")
    sim.unreadable.clear()
    run(sim, 3, 50)
    assert evidence(sim) == ("True", "Watching")
    sim.spec = spec(model={"version": "m-1"})
    sim.tick(50)
    assert evidence(sim) == ("", "")


@pytest.mark.parametrize("how", ["deleted", "revoked"])
def test_a_version_that_is_not_to_be_had_any_more_leaves(how: str) -> None:
    sim = begun(experiment(), wrong=ALIKE)
    if how == "deleted":
        del sim.of(MODEL_VERSION)["m-2"]
    else:
        sim.of(MODEL_VERSION)["m-2"]["spec"]["revoked"] = "a bad label"
    sim.tick(10)
    assert sim.shares() == {"m-1": 58, "m-3": 42}
    assert contender(sim, "m-2")["reason"] == f"Version{'Missing' if how == 'deleted' else 'Revoked'}"
    assert sim.status.get("refused", []) == []


UNSEEN = {
    "type": "Verified", "status": "Unknown", "reason": "ByEveryPod", "lastTransitionTime": "2026-01-01T00:00:00Z"
}  # fmt: skip


@pytest.mark.parametrize(("whose", "reason"), [("its own", "DigestMismatch"), ("another's", "NotApproved")])
def test_b16_one_with_wrong_bytes_leaves_when_a_pod_has_found_that(whose: str, reason: str) -> None:
    sim = Sim(experiment())
    sim.go_live("m-1")
    for version in ("m-2", "m-3"):
        sim.version(version)["status"]["conditions"] = [dict(UNSEEN)]
    sim.look()
    sim.ready("m-3")
    if whose == "its own":
        (pod,) = sim.pods("m-2")
        error = '{"error":{"reason":"DigestMismatch","message":"other bytes"}}'
        end = {"terminated": {"exitCode": 1, "message": error}}
        pod["status"]["initContainerStatuses"] = [{"name": "fetch", "restartCount": 0, "state": end}]
    else:
        sim.of(MODEL_VERSION)["m-2"]["status"] |= {"phase": "Rejected", "message": "other bytes"}
    sim.look()
    assert (contender(sim, "m-2")["state"], contender(sim, "m-2")["reason"]) == ("Out", reason)
    assert contender(sim, "m-3")["state"] != "Out"
    assert [one["version"] for one in sim.status.get("findings", [])] == (["m-2"] if whose == "its own" else [])
    assert "m-2" not in sim.shares()


def test_without_the_experiment_in_the_spec_all_is_as_before() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    run(sim, 3, 50)
    sim.spec = spec(model={"version": "m-1"})
    sim.tick(50)
    assert "experiment" not in sim.status
    assert sim.shares() == {"m-1": 100}
    assert sim.condition("Experiment") == {}
    sim.tick(50, seconds=20)
    assert len(sim.of(WORKLOAD)) == 1


def test_other_versions_are_another_experiment() -> None:
    pinned = {"model": {"version": "m-1"}}
    sim = begun(experiment() | pinned, wrong=ALIKE)
    run(sim, 3, 50)
    sim.version("m-4")
    sim.spec = experiment(versions=["m-3", "m-4"]) | pinned
    sim.look()
    assert trial(sim)["phase"] == "Starting"
    assert sim.shares() == {"m-1": 100}
    sim.ready("m-4")
    sim.look()
    assert sim.shares() == {"m-1": 40, "m-3": 30, "m-4": 30}


def test_a_changed_share_counts_at_once_and_keeps_what_was_seen() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    run(sim, 12, 50)
    before = contender(sim, "m-2")["total"]
    sim.spec = experiment(share="20%")
    sim.tick(50)
    assert sim.shares() == {"m-1": 80, "m-2": 10, "m-3": 10}
    assert contender(sim, "m-2")["total"] >= before > 0


def test_no_rollout_begins_meanwhile() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    sim.version("m-4")
    run(sim, 3, 50)
    assert "candidate" not in sim.status
    assert "m-4 waits until it has ended" in sim.condition("Progressing")["message"]


def test_a_rollout_is_finished_first() -> None:
    sim = Sim(spec())
    sim.go_live("m-1")
    sim.begin("m-2")
    sim.version("m-3", age=500)
    sim.version("m-4", age=400)
    sim.spec = experiment(versions=["m-3", "m-4"])
    sim.tick(10)
    assert "experiment" not in sim.status
    assert said(sim) == ("False", "Waiting")
    for _ in range(30):
        sim.tick(200)
    assert sim.status["live"]["version"] == "m-2"
    assert trial(sim)["against"] == "m-2"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda sim: sim.of(MODEL_VERSION).pop("m-2"), "VersionMissing"),
        (lambda sim: sim.version("m-2", "Proving"), "NotApproved"),
        (lambda sim: sim.version("m-2", revoked="bad"), "VersionRevoked"),
        (lambda sim: sim.status.update(refused=["m-2"]), "VersionRefused"),
        (lambda sim: sim.spec.update(paused=True), "Paused"),
        (lambda sim: sim.spec["experiment"].update(versions=["m-1", "m-2", "m-3"]), "VersionIsLive"),
    ],
)
def test_what_it_waits_for(change: Any, reason: str) -> None:
    sim = Sim(experiment())
    sim.go_live("m-1")
    for version in ("m-2", "m-3"):
        sim.version(version)
    change(sim)
    sim.look()
    assert "experiment" not in sim.status
    assert said(sim) == ("False", reason)


def test_a_gateway_that_cant_keep_users_is_named() -> None:
    plain = GatewaySeen(
        ("10.0.0.1",), (("HTTP", 80),), class_name="plain", controller="example.com/plain", features=("GRPCRoute",)
    )
    sim = Sim(experiment(), gateway=plain)
    sim.go_live("m-1")
    for version in ("m-2", "m-3"):
        sim.version(version)
    sim.look()
    assert said(sim) == ("False", "GatewayUnable")
    assert "sticky.for to 0s" in sim.condition("Experiment")["message"]
    sim.spec = experiment(sticky={"for": "0s"})
    sim.look()
    assert trial(sim)["phase"] == "Starting"


@pytest.mark.parametrize("more", [{}, {"protocol": "GRPC", "host": "m.example.com"}])
def test_without_cookies_requests_are_divided_and_counted(more: Json) -> None:
    wanted = experiment(sticky={"for": "0s"}, patience="60s")
    wanted["route"] |= more
    sim = begun(wanted, wrong=ALIKE)
    run(sim, 8, 200)
    assert sum(trial(sim)["division"]["counts"]) > 500
    assert not trial(sim)["division"]["wrong"]
    sim.split_by = {"m-1": 90, "m-2": 5, "m-3": 5}
    run(sim, 10, 200)
    assert trial(sim)["division"]["wrong"]
    assert said(sim) == ("True", "SplitWrong")


def test_a_bandit_moves_within_its_bounds_and_lets_go_of_who_is_worse() -> None:
    sim = begun(experiment(allocation="Bandit", requests=20), wrong={"m-1": 0.5, "m-2": 0.9, "m-3": 0.3})
    seen = [sim.shares()]
    for _ in range(25):
        sim.tick(40, seconds=16)
        if sim.status["experiment"]["phase"] == "Ended":
            break
        seen.append(sim.shares())
    assert trial(sim)["winner"] == "m-3", trial(sim)["contenders"]
    moves = [one for one, other in zip(seen[1:], seen, strict=False) if one != other]
    assert moves
    assert all(sum(one.values()) == 100 and one["m-1"] >= 40 for one in seen)
    assert seen[0] == {"m-1": 40, "m-2": 30, "m-3": 30}
    assert all(min(one.values()) >= 5 for one in seen)


def test_paused_it_keeps_its_shares_and_harm_still_counts() -> None:
    sim = begun(experiment(patience="30s"), wrong={"m-1": 0.9, "m-2": 0.9, "m-3": 0.1}, errors={"m-2": 0.5})
    sim.spec["paused"] = True
    run(sim, 60, 100)
    assert trial(sim)["phase"] == "Running"
    assert contender(sim, "m-2")["state"] == "Out"
    assert said(sim) == ("True", "Paused")


def test_paused_past_its_patience_it_is_looked_at_once_a_window() -> None:
    sim = begun(experiment(patience="30s"), wrong=ALIKE)
    sim.spec["paused"] = True
    sim.tick(100, seconds=40)
    again = sim.tick(100).requeue_after
    assert again is not None
    assert again >= 1
    assert trial(sim)["phase"] == "Running"
    sim.spec["paused"] = False
    sim.tick(100)
    assert trial(sim)["result"] == "Undecided"


def test_a_live_version_that_is_left_alone_by_a_bandit_is_counted_until_it_has_won() -> None:
    wanted = experiment(allocation="Bandit", **{"for": "60s"})
    sim = begun(wanted, wrong={"m-1": 0.1, "m-2": 0.9, "m-3": 0.9})
    while trial(sim)["arms"]:
        again = sim.tick(100).requeue_after
    assert trial(sim)["phase"] == "Running"
    left_at = sim.now
    while trial(sim)["phase"] != "Ended":
        assert again is not None
        assert again < 6, "a window of the reward"
        again = sim.tick(100, seconds=again).requeue_after
    assert trial(sim)["winner"] == "m-1"
    assert sim.now - left_at < 70


def test_who_is_ahead_when_patience_is_over_has_not_won() -> None:
    wanted = experiment(then="Promote", patience="60s", **{"for": "1h"})
    sim = begun(wanted, wrong={"m-1": 0.9, "m-2": 0.9, "m-3": 0.1})
    run(sim, 40, 100)
    assert said(sim) == ("True", "Observing")
    run(sim, 40, 100)
    assert (trial(sim)["result"], trial(sim)["winner"]) == ("Undecided", "")
    assert "m-3 is ahead, but evidence came in for less than 1h: m-1 " in sim.condition("Experiment")["message"]
    assert sim.shares() == {"m-1": 100}


def test_a_winner_without_pods_does_not_go_live_and_patience_ends_it() -> None:
    wanted = experiment(then="Promote", patience="60s", **{"for": "20s"})
    sim = begun(wanted, wrong={"m-1": 0.9, "m-2": 0.9, "m-3": 0.1})
    run(sim, 15, 100)
    sim.ready("m-3", ready=False)
    run(sim, 40, 100)
    assert said(sim) == ("True", "WinnerAway")
    run(sim, 40, 100)
    assert (trial(sim)["result"], trial(sim)["winner"]) == ("Undecided", "")
    assert "m-3 has won, but no pod of it answers, so it can't go live" in sim.condition("Experiment")["message"]
    assert sim.shares() == {"m-1": 100}


def test_a_person_stops_it() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    decide(sim, "Rollback", "m-1")
    assert (trial(sim)["phase"], trial(sim)["result"]) == ("Ended", "Stopped")
    assert sim.shares() == {"m-1": 100}
    sim.tick(10)
    assert trial(sim)["phase"] == "Ended"


def test_a_person_promotes_one() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    decide(sim, "Promote", "m-2")
    assert sim.status["live"]["version"] == "m-2"
    assert (trial(sim)["result"], trial(sim)["winner"]) == ("Won", "m-2")
    assert sim.shares() == {"m-2": 100}


def test_a_live_version_that_is_left_ends_it() -> None:
    sim = begun(experiment(), wrong=ALIKE)
    sim.version("m-0", age=2000)
    sim.status["served"].append({"name": "m-0"})
    decide(sim, "Rollback", "m-0")
    assert "experiment" not in sim.status or trial(sim)["phase"] == "Ended"
    sim.ready("m-0")
    for _ in range(5):
        sim.tick(10)
    assert sim.status["live"]["version"] == "m-0"


def test_a_pinned_version_stays_what_git_says_until_git_follows() -> None:
    wanted = experiment(then="Promote") | {"model": {"version": "m-1"}}
    sim = begun(wanted, wrong={"m-1": 0.9, "m-2": 0.1, "m-3": 0.9})
    run(sim, 60, 100)
    for _ in range(20):
        sim.tick(100)
    assert sim.status["live"]["version"] == "m-2"
    assert "candidate" not in sim.status
    assert "Set spec.model.version to m-2" in sim.condition("Experiment")["message"]
    sim.spec = spec(model={"version": "m-2"})
    sim.tick(100)
    assert sim.status["live"]["version"] == "m-2"
    assert "experiment" not in sim.status
    assert "candidate" not in sim.status


def test_the_winner_keeps_its_pods_and_is_watched() -> None:
    sim = begun(experiment(then="Promote"), wrong={"m-1": 0.9, "m-2": 0.1, "m-3": 0.9})
    pods = [pod["metadata"]["uid"] for pod in sim.pods("m-2")]
    run(sim, 60, 100)
    assert [pod["metadata"]["uid"] for pod in sim.pods("m-2")] == pods
    assert sim.status["previous"] == "m-1"
    assert sim.status["watch"]["version"] == "m-2"


def test_a_restarted_operator_counts_nothing_twice() -> None:
    """Each look of this world goes through the status alone; here some looks are lost before they are written."""
    sim = begun(experiment(patience="40s"), wrong=ALIKE)
    for index in range(39):
        sim.traffic(50)
        sim.now += 1
        if index % 7 == 3:
            sim.plan()  # what it found is never written
            continue
        sim.look()
    known = {one["version"]: one["total"] for one in trial(sim)["contenders"]}
    for version, total in known.items():
        assert total <= sim.outcomes[version][0]
        assert total >= sim.outcomes[version][0] - 8 * 50


def labelled(**wrong: float) -> LabelWorld:
    """An experiment with a guard on labels; wrong: the shares of wrong answers."""
    wanted = experiment(requests=100_000)["experiment"]
    shares = {version.replace("_", "-"): share for version, share in wrong.items()}
    sim = LabelWorld(spec({"metric": "errors"}, labels(), record={}, experiment=wanted), wrong=shares)
    sim.publish()
    return opened(sim)


def test_a_version_that_is_wrong_by_its_labels_is_taken_out() -> None:
    sim = labelled(m_1=0.05, m_2=0.9, m_3=0.05)
    sim.until(lambda: contender(sim, "m-2")["state"] == "Out")
    assert contender(sim, "m-2")["reason"] == "LabelsWorse"
    assert trial(sim)["phase"] == "Running"
    assert {one["version"] for one in sim.status["joins"]} == {"m-3"}, "nobody joins labels of one that has left"


def test_each_candidates_labels_are_joined_from_where_they_began() -> None:
    sim = labelled(m_1=0.05, m_2=0.05, m_3=0.05)
    began = {one["version"]: one["since"] for one in sim.status["joins"]}
    sim.until(lambda: {"m-2", "m-3"} == {task.candidate for task in sim.joins})
    assert {one["version"]: one["since"] for one in sim.status["joins"]} == began
    assert [contender(sim, version)["state"] for version in ("m-2", "m-3")] == ["In", "In"]
    decide(sim, "Rollback", "m-1")
    assert trial(sim)["phase"] == "Ended"
    assert sim.status.get("joins", []) == []
    assert not sim.of(JOB)


def test_four_candidates_with_eight_guards_on_labels_each_have_room() -> None:
    wanted = experiment(versions=["m-2", "m-3", "m-4", "m-5"])["experiment"]
    sim = opened(LabelWorld(spec(*[labels()] * 8, record={}, experiment=wanted)))
    sim.tick(10)
    assert len(sim.status["joins"]) == 4 * 8
