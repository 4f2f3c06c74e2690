"""Monitors of a live version, in a tiny world: what each says, and that of bad input nothing is known."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from annotated_types import MaxLen
from tests.unit.plan.monitor_world import Counting, counted, profile, watched

from fairlead.api.deployment import Deployment
from fairlead.api.monitors import Monitored
from fairlead.monitor.counts import Tally
from fairlead.monitor.profile import Category, Number, Profile
from fairlead.plan.core import MODEL_VERSION, PROMETHEUS_RULE, WORKLOAD
from fairlead.plan.deployment import gauges
from fairlead.plan.deployment.monitors import period
from fairlead.plan.requests import Failed


def states(sim: Counting) -> dict[str, str]:
    """What each monitor says, in a word; of golden rows there are none in this world."""
    return {one["monitor"]: one["state"] for one in sim.monitored["lines"] if one["monitor"] != "skew"}


def broken(sim: Counting, many: int, place: Callable[[Number | Category], int], feature: str = "a") -> None:
    """So many rows come in which a feature's value lies at one place; the other feature is as ever."""
    (pod,) = (one["metadata"]["uid"] for one in sim.pods("m-1"))
    before = sim.tallies.get(pod) or Tally(sim.learnt.digest)
    vectors = {}
    for one in sim.learnt.features:
        counts = [0] * one.length
        if one.name == feature:
            counts[place(one)] = many
        else:
            for row in range(many):
                counts[row * len(one.counts) // many] += 1
        vectors[f"feature/{one.name}"] = tuple(counts)
    sim.tallies[pod] = before + Tally(sim.learnt.digest, rows=many, requests=many, sampled=many, vectors=vectors)
    sim.now += 600
    sim.look()


# --- what each says ------------------------------------------------------------------------------------------------


def test_as_it_learnt_is_ok() -> None:
    sim = watched()
    assert sim.condition("MonitorReady")["reason"] == "Waiting"
    assert sim.condition("MonitorReady")["status"] == "Unknown"
    assert set(states(sim).values()) == {"Unknown"}
    for _ in range(3):
        sim.passes()
    assert states(sim) == {"quality": "Ok", "data": "Ok", "drift": "Ok", "outliers": "Ok"}
    assert sim.condition("Drifting")["status"] == "False"
    assert sim.condition("MonitorReady")["status"] == "True"
    assert (sim.monitored["windows"], sim.monitored["rows"]) == (3, 2000)
    assert sim.condition("Stale") == {}


def test_moved_is_drifting_said_once_and_over_when_it_is_well_again() -> None:
    sim = watched()
    sim.passes()
    sim.moved = 40.0
    for _ in range(5):
        sim.passes()
    assert sim.condition("Drifting")["status"] == "True"
    assert "a (3" in sim.line("drift")["message"]
    assert sim.status["problem"].startswith("Drifting")
    sim.moved = 0.0
    for _ in range(25):
        sim.passes()
    assert sim.condition("Drifting")["status"] == "False"
    assert [one for one in sim.events if "Drifting" in one] == ["Drifting", "NotDrifting"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (lambda one: len(one.counts) + 2, "ValuesMissing"),
        (lambda one: len(one.counts) + 4, "WrongType"),
        (lambda one: len(one.counts) + 1, "OutOfRange"),
    ],
)
def test_broken_values_are_bad_data(place: Callable[[Number | Category], int], reason: str) -> None:
    sim = watched()
    sim.passes()
    for _ in range(4):
        broken(sim, 2000, place)
    assert (sim.line("data")["state"], sim.line("data")["reason"]) == ("Bad", reason)
    assert "a: 100.0%" in sim.line("data")["message"]
    assert sim.events.count(reason) == 1
    for _ in range(30):
        sim.passes()
    assert sim.line("data")["state"] == "Ok"
    assert sim.events.count("DataOk") == 1


def test_categories_never_seen_are_bad_data_and_outliers() -> None:
    sim = watched()
    sim.passes()
    for _ in range(4):
        broken(sim, 2000, lambda one: len(one.counts) + 1, "c")
    assert sim.line("data")["reason"] == "CategoriesUnseen"


def test_an_old_version_is_stale_without_any_counts() -> None:
    sim = watched({"stale": "10d"}, learnt=False)
    assert sim.line("stale")["state"] == "Ok"
    sim.now += 11 * 86400
    sim.look()
    assert (sim.condition("Stale")["status"], sim.line("stale")["state"]) == ("True", "Stale")
    assert "train anew" in sim.condition("Stale")["message"]
    assert sim.events.count("Stale") == 1


def test_estimated_harm_is_said_and_ends() -> None:
    sim = watched({"without": ["drift"]})
    sim.passes()
    assert "accuracy 0.7" in sim.line("quality")["message"]
    sim.unsure = 0.6
    for _ in range(6):
        sim.passes()
    assert (sim.condition("Harmed")["status"], sim.line("quality")["state"]) == ("True", "Harmed")
    assert "estimated without labels" in sim.condition("Harmed")["message"]
    sim.unsure = 0.0
    for _ in range(25):
        sim.passes()
    assert sim.condition("Harmed")["status"] == "False"
    assert [one for one in sim.events if "Harmed" in one] == ["Harmed", "NotHarmed"]


def test_groups_that_are_answered_alike_are_fair_and_others_are_not() -> None:
    sim = watched({"without": ["drift", "quality"], "fairness": [{"by": "c", "max": "15%"}]})
    for _ in range(3):
        sim.passes(6000)
    assert sim.line("fairness")["state"] == "Ok"
    sim.hard_on = "y"
    for _ in range(2):
        sim.passes(6000)
    assert (sim.condition("Unfair")["status"], sim.line("fairness")["state"]) == ("True", "Unfair")
    assert "selection_rate by c" in sim.line("fairness")["message"]


@pytest.mark.parametrize(("by", "many"), [("c", 100), ("nobody", 3000)])
def test_of_small_groups_and_such_as_nobody_counts_nothing_is_known(by: str, many: int) -> None:
    sim = watched({"fairness": [{"by": by}]})
    sim.hard_on = "y"
    for _ in range(3):
        sim.passes(many)
    assert sim.line("fairness")["state"] == "Unknown"
    assert sim.condition("Unfair")["status"] == "Unknown"


def test_between_windows_nothing_is_written() -> None:
    sim = watched({"stale": "10d"})
    sim.passes()
    before = sim.status
    for _ in range(3):
        sim.now += 130
        sim.look()
    assert sim.status == before


def test_it_is_looked_at_when_it_becomes_stale() -> None:
    sim = watched({"stale": "20m", "every": "1h"})
    after = sim.look().requeue_after
    assert after is not None
    assert after <= 20 * 60


def test_what_is_not_wanted_is_not_watched() -> None:
    sim = watched({"without": ["drift", "outliers"]})
    sim.passes()
    assert states(sim) == {"data": "Ok", "quality": "Ok"}
    assert sim.condition("Drifting") == {}


def test_without_monitors_nothing_is_asked_and_nothing_is_left() -> None:
    sim = watched()
    sim.passes()
    asked = sim.asked_counts
    sim.spec.pop("monitors")
    sim.generation += 1
    sim.passes()
    assert sim.asked_counts == asked
    assert "monitors" not in sim.status
    assert not {one["type"] for one in sim.status["conditions"]} & {"MonitorReady", "Drifting", "Stale"}


def test_monitors_alone_record_with_a_share_that_follows_the_traffic() -> None:
    sim = watched()
    (workload,) = sim.select(WORKLOAD, {"fairlead.dev/version": "m-1"})
    containers = {one["name"]: one for one in workload["spec"]["template"]["spec"]["initContainers"]}
    task = next(one["value"] for one in containers["recorder"]["env"] if one["name"] == "FAIRLEAD_TASK")
    assert sim.learnt.digest in task
    assert '"steer"' in task
    assert '"inputs":true' not in task


def test_other_settings_begin_anew_and_say_so_in_the_ledger() -> None:
    sim = watched()
    sim.moved = 40.0
    for _ in range(5):
        sim.passes()
    assert sim.line("drift")["state"] == "Drifting"
    sim.spec["monitors"] = {"tolerance": "60%"}
    sim.generation += 1
    sim.passes()
    assert sim.line("drift")["state"] != "Drifting"
    assert sum(one.rows for one in counted(sim)) == 12000


def test_shorter_windows_begin_at_once() -> None:
    sim = watched({"every": "7d"})
    sim.rows("m-1", 2000)
    sim.now += 3600
    sim.look()
    assert sim.monitored.get("windows", 0) == 0
    sim.spec["monitors"] = {"every": "10m"}
    sim.generation += 1
    sim.look()
    assert sim.monitored["windows"] == 1
    sim.passes()
    assert sim.monitored["windows"] == 2


def test_a_state_that_can_not_be_read_begins_anew() -> None:
    sim = watched()
    sim.passes()
    for wrong in ("", "!", "bm9uc2Vuc2U=", "e30="):
        sim.status["monitors"]["state"] = wrong
        sim.passes()
        assert sim.line("drift")["state"] == "Ok"
    assert sum(one.rows for one in counted(sim)) == 10000


def test_series_are_few() -> None:
    sim = watched({"stale": "60d", "fairness": [{"by": "c"}]})
    sim.passes(20000)
    found = list(gauges.of({"metadata": {"name": "web", "namespace": "team"}, "status": sim.status}))
    mine = [one for one in found if "monitor" in one.name or one.name.endswith("_quality")]
    assert {one.labels["monitor"]: one.value for one in mine if "monitor" in one.labels} == {
        "quality": 0, "fairness": 0, "data": 0, "drift": 0, "outliers": 0, "skew": -1, "stale": 0,
    }  # fmt: skip
    assert {one.labels["metric"]: one.labels["source"] for one in mine if "metric" in one.labels} == {
        "accuracy": "estimated", "auc": "estimated", "f1": "estimated",
    }  # fmt: skip
    assert len(mine) <= 12


def test_series_are_few_with_all_that_a_status_can_hold() -> None:
    line = sim_lines()
    most = {"version": "m-1", "lines": line, "figures": [
        {"metric": one, "source": "realised", "value": "1"} for one in ("mape", "rmse", "rmse_zero")
    ]}  # fmt: skip
    ready = [{"type": "MonitorReady", "status": "True"}]
    status = {"monitors": most, "conditions": ready}
    assert Monitored.model_validate(most | {"since": "2026-01-02T03:04:05Z"}).figures
    found = list(gauges.of({"metadata": {"name": "web", "namespace": "team"}, "status": status}))
    mine = [one for one in found if "monitor" in one.name or one.name.endswith("_quality")]
    assert len(mine) == 12


def sim_lines() -> list[dict[str, str]]:
    """As many lines as there may be."""
    (most,) = (one.max_length for one in Monitored.model_fields["lines"].metadata if hasattr(one, "max_length"))
    line = {"state": "Ok", "since": "2026-01-02T03:04:05Z"}
    return [line | {"monitor": f"m{number}"} for number in range(most)]


def quality(sim: Counting) -> dict[str, str]:
    """Each figure's source."""
    found = gauges.of({"metadata": {"name": "web", "namespace": "team"}, "status": sim.status})
    return {one.labels["metric"]: one.labels["source"] for one in found if one.name == "fairlead_deployment_quality"}


def test_a_figure_that_is_not_known_any_more_is_no_series() -> None:
    sim = watched()
    sim.passes()
    assert set(quality(sim)) == {"accuracy", "auc", "f1"}
    sim.silent = {one["metadata"]["uid"] for one in sim.pods("m-1")}
    for _ in range(5):
        sim.passes()
    assert sim.line("quality")["state"] == "Unknown"
    assert quality(sim) == {}


def test_nobody_is_called_for_a_first_window_that_is_long() -> None:
    sim = watched({"every": "1d"})

    def seen() -> list[float]:
        found = gauges.of({"metadata": {"name": "web", "namespace": "team"}, "status": sim.status})
        return [one.value for one in found if one.name == "fairlead_deployment_monitored"]

    assert sim.condition("MonitorReady")["reason"] == "Waiting"
    assert seen() == []
    sim.passes(seconds=86400)
    assert seen() == [1]
    sim.silent = {one["metadata"]["uid"] for one in sim.pods("m-1")}
    sim.passes(seconds=86400)
    assert seen() == [0]


def test_alerts_are_made_for_what_is_watched() -> None:
    sim = watched({"without": ["outliers"]})
    (rules,) = sim.of(PROMETHEUS_RULE).values()
    made = {rule["alert"] for group in rules["spec"]["groups"] for rule in group["rules"]}
    assert {"FairleadDrifting", "FairleadDataBad", "FairleadNotMonitored"} <= made
    assert not {"FairleadOutliers", "FairleadStale"} & made


# --- bad input: unknown, with the reason; never ok, never an alarm ------------------------------------------------


def unknown(sim: Counting, reason: str, status: str = "False") -> str:
    """That nothing is known, and nothing else is affected. Returns what a person is told."""
    assert set(states(sim).values()) == {"Unknown"}
    found = sim.condition("MonitorReady")
    assert (found["status"], found["reason"]) == (status, reason)
    assert sim.condition("Drifting")["status"] == "Unknown"
    assert sim.condition("Ready")["status"] == "True"
    assert sim.status["phase"] == "Live"
    return str(found["message"])


def minutes(sim: Counting, many: int = 60) -> None:
    """Time passes, and somebody looks each minute."""
    for _ in range(many):
        sim.now += 60
        sim.look()


def test_no_profile() -> None:
    sim = watched(learnt=False)
    minutes(sim)
    assert "an evaluation of a new ModelVersion makes one" in unknown(sim, "NoProfile")
    assert sim.asked_counts == 0


def test_without_a_profile_nothing_is_written_while_nothing_changes() -> None:
    sim = watched(learnt=False)
    sim.passes()
    before = copy.deepcopy(sim.status)
    for _ in range(5):
        sim.now += 61
        assert sim.look().requeue_after == pytest.approx(period.AGAIN, abs=1)
        assert sim.status == before
    sim.learns("m-1")  # and whoever looks then, sees it
    sim.look()
    assert sim.condition("MonitorReady")["reason"] == "Waiting"


def test_no_profile_and_why() -> None:
    sim = watched(learnt=False)
    raw = sim.get(MODEL_VERSION, "m-1")
    assert raw
    raw["status"]["evidence"]["noProfile"] = "the rows have no features"
    minutes(sim)
    assert "(the rows have no features)" in unknown(sim, "NoProfile")


def test_a_profile_that_is_not_in_the_store() -> None:
    sim = watched()
    sim.told.documents.clear()
    minutes(sim)
    unknown(sim, "ProfileUnread")


@pytest.mark.parametrize("body", ["", "{}", "[" * 100_000, '{"version":2,"task":"regression","rows":1,"features":[]}'])
def test_a_profile_that_is_none(body: str) -> None:
    sim = watched(learnt=False)
    sim.learns("m-1", body=body)
    minutes(sim)
    unknown(sim, "BadProfile")


def test_a_profile_in_another_form_is_the_one_that_recorders_name_by_its_bytes() -> None:
    sim = watched(learnt=False)
    sim.learns("m-1", body=json.dumps(json.loads(profile().dumped()), indent=1))
    minutes(sim, 2)
    (key,) = sim.told.documents
    sim.counts_by = key.rpartition(".")[2]
    assert sim.counts_by != profile().digest
    minutes(sim, 2)
    sim.passes()
    sim.passes()
    assert sim.line("drift")["state"] == "Ok"


def test_counts_of_a_foreign_profile() -> None:
    sim = watched()
    sim.counts_by = "f" * 64
    minutes(sim)
    assert "ffffffffffff" in unknown(sim, "ForeignProfile")


def test_a_recorder_that_counts_nothing() -> None:
    sim = watched()
    sim.trouble = "the store is away"
    minutes(sim)
    assert "the store is away" in unknown(sim, "NotCounted")


def test_a_recorder_that_is_away() -> None:
    sim = watched()
    sim.silent = {one["metadata"]["uid"] for one in sim.pods("m-1")}
    minutes(sim)
    unknown(sim, "RecorderAway")


def test_one_recorder_of_several_that_is_away_is_told_of() -> None:
    sim = watched(pods=2)
    sim.passes()
    assert "some pods" not in sim.condition("MonitorReady")["message"]
    sim.silent = {sim.pods("m-1")[0]["metadata"]["uid"]}
    sim.passes()
    said = sim.condition("MonitorReady")
    assert said["status"] == "True"
    assert "without those of some pods: the recorder of a pod of m-1 can't be read" in said["message"]
    sim.silent = set()
    sim.passes()
    assert "some pods" not in sim.condition("MonitorReady")["message"]
    assert sum(one.rows for one in counted(sim)) == 6000


def test_a_recorder_that_is_away_for_a_moment_takes_nothing_back() -> None:
    sim = watched()
    sim.passes()
    sim.silent = {one["metadata"]["uid"] for one in sim.pods("m-1")}
    sim.passes()
    assert sim.condition("MonitorReady")["reason"] == "RecorderAway"
    assert states(sim) == {"quality": "Ok", "data": "Ok", "drift": "Ok", "outliers": "Ok"}
    minutes(sim)
    unknown(sim, "RecorderAway")
    sim.silent = set()
    sim.passes()
    assert states(sim) == {"quality": "Ok", "data": "Ok", "drift": "Ok", "outliers": "Ok"}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (lambda one: one.place(None), "FeaturesRenamed"),
        (lambda one: one.place(float("nan")) if isinstance(one, Number) else one.place(None), "NoUsableValues"),
        (lambda one: one.length - 1, "NoUsableValues"),
    ],
)
def test_no_values_at_all(place: Callable[[Number | Category], int], reason: str) -> None:
    sim = watched()
    (pod,) = (one["metadata"]["uid"] for one in sim.pods("m-1"))
    for window in range(1, 6):
        vectors = {f"feature/{one.name}": _at(one, place(one), 2000 * window) for one in sim.learnt.features}
        sim.tallies[pod] = Tally(sim.learnt.digest, rows=2000 * window, requests=2000 * window, vectors=vectors)
        sim.now += 600
        sim.look()
    unknown(sim, reason)


def _at(one: Number | Category, place: int, many: int) -> tuple[int, ...]:
    return tuple(many if at == place else 0 for at in range(one.length))


def test_no_requests() -> None:
    sim = watched()
    for _ in range(5):
        sim.now += 600
        sim.look()
    unknown(sim, "TooFewRequests")


def test_too_few_requests() -> None:
    sim = watched()
    for _ in range(3):
        sim.passes(20)
    assert sim.line("drift")["state"] == "Unknown"
    assert "needed" in sim.line("drift")["message"]


@pytest.mark.parametrize(
    ("why", "reason"), [("binary", "RequestsUnread"), ("answer", "RequestsUnread"), ("features", "FeaturesRenamed")]
)
def test_requests_that_can_not_be_read(why: str, reason: str) -> None:
    sim = watched()
    unread(sim, {why: 1800}, 200)
    unknown(sim, reason)


def test_some_requests_that_can_not_be_read_are_bad_data() -> None:
    sim = watched()
    unread(sim, {"shape": 120}, 1880, windows=8)
    assert (sim.line("data")["state"], sim.line("data")["reason"]) == ("Bad", "RequestsUnread")
    assert sim.line("drift")["state"] == "Ok"


def test_what_the_recorder_itself_has_missed_says_nothing_of_the_clients() -> None:
    sim = watched()
    unread(sim, {"early": 500, "busy": 1000}, 1500)
    assert set(states(sim).values()) == {"Ok"}


def unread(sim: Counting, why: dict[str, int], read: int, windows: int = 5) -> None:
    """Windows in which so many requests can't be counted, and so many can."""
    (pod,) = (one["metadata"]["uid"] for one in sim.pods("m-1"))
    for _ in range(windows):
        sim.rows("m-1", read)
        missed = sum(why.values())
        more = Tally(sim.learnt.digest, requests=missed, sampled=missed, unread=why)
        sim.tallies[pod] = sim.tallies[pod] + more
        sim.now += 600
        sim.look()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda one: replace(one, vectors={"feature/a": (1, 2, 3), "feature/c": ()}),
        lambda one: replace(one, rows=2**70),
        lambda one: replace(one, vectors={}),
        lambda one: replace(one, outliers=10**9),
        lambda one: replace(one, vectors={key: tuple(10**18 for _ in of) for key, of in one.vectors.items()}),
    ],
)
def test_counts_that_can_not_be(wrong: Callable[[Tally], Tally]) -> None:
    sim = watched()
    sim.bent = wrong
    for _ in range(5):
        sim.passes(500)
    assert sim.line("drift")["state"] == "Unknown"
    assert "Bad" not in states(sim).values()


def test_a_clock_of_a_node_that_is_wrong_changes_nothing() -> None:
    sim = watched()
    for pod in sim.pods("m-1"):
        pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = "2055-01-01T00:00:00Z"
    for _ in range(3):
        sim.passes()
    assert sum(one.rows for one in counted(sim)) == 6000


def test_a_profile_of_many_features_leaves_the_status_small() -> None:
    many = Profile(
        task="classification", rows=32000,
        features=[
            Number(kind="number", name=f"f{index}", edges=[10.0 * i for i in range(1, 32)], counts=[1000] * 32, low=0,
                   high=320, mean=160, sd=90)
            for index in range(50)
        ],
    )  # fmt: skip
    sim = watched(learnt=False)
    sim.learnt = many
    sim.learns("m-1")
    sim.passes(0)
    (pod,) = (one["metadata"]["uid"] for one in sim.pods("m-1"))
    for window in range(1, 13):
        vectors = {f"feature/f{i}": (*((sim.random.randrange(200) + 50 * window) for _ in range(32)), 0, 0, 0, 0, 0)
                   for i in range(50)}  # fmt: skip
        rows = max(map(sum, vectors.values()))
        known = sim.tallies.get(pod) or Tally(many.digest)
        sim.tallies[pod] = known + Tally(many.digest, rows=rows, requests=rows, sampled=rows, vectors=vectors)
        sim.now += 600
        sim.look()
    kept: dict[str, Any] = sim.status["monitors"]
    assert kept["windows"] >= 11
    assert len(kept["state"]) < 12_000
    assert sum(map(len, kept["ledger"]["lines"])) < 40_000


def test_the_spec_alone_is_a_sensible_whole() -> None:
    found = Deployment.model_validate({"spec": {
        "model": {"name": "m"}, "route": {"gateway": {"name": "g"}}, "monitors": {},
    }}).spec  # fmt: skip
    assert found.monitors is not None
    assert (found.monitors.every, found.monitors.tolerance, found.recorded is not None) == ("10m", "3%", True)


def test_the_store_that_has_not_answered_is_asked_again() -> None:
    sim = watched()
    sim.passes()
    sim.told.says = Failed("Underway", "not yet")
    sim.passes()
    assert sim.monitored["windows"] == 1
    after = sim.look().requeue_after
    assert after is not None
    assert after < 3
    sim.told.says = None
    sim.passes(0, seconds=1)
    assert sim.monitored["windows"] == 2
    assert sim.get(MODEL_VERSION, "m-1") is not None


def test_a_profile_that_comes_late_is_used() -> None:
    sim = watched(learnt=False)
    minutes(sim, 5)
    sim.learns("m-1", profile())
    minutes(sim, 5)
    sim.passes()
    sim.passes()
    assert sim.line("drift")["state"] == "Ok"


def test_windows_are_never_shorter_than_the_pause_after_trouble() -> None:
    """The API server knows a length by its parts: one of them may be nothing."""
    sim = watched({"every": "1s0m"})
    sim.passes()
    for _ in range(5):
        sim.passes(seconds=10)
    assert sim.monitored["windows"] == 1
    sim.passes(seconds=11)
    assert sim.monitored["windows"] == 2


def test_a_clock_that_is_behind_counts_nothing_and_loses_nothing() -> None:
    sim = watched()
    sim.passes()
    sim.passes()
    before = sim.monitored
    sim.rows("m-1", 2000)
    sim.now -= 1800
    sim.look()
    assert unknown_or_as_before(sim, before) == "ClockBehind"
    sim.now += 3600
    sim.look()
    assert sim.condition("MonitorReady")["status"] == "True"
    assert sum(one.rows for one in counted(sim)) == 6000


def unknown_or_as_before(sim: Counting, before: dict[str, Any]) -> str:
    """No line has changed, and no mark has moved. Returns why nothing is compared."""
    assert (sim.monitored["lines"], sim.monitored["marks"]) == (before["lines"], before["marks"])
    said = sim.condition("MonitorReady")
    assert said["status"] == "False"
    return str(said["reason"])


def test_after_a_clock_that_was_far_ahead_the_tests_begin_anew() -> None:
    sim = watched()
    sim.passes(seconds=30 * 365 * 86400)
    sim.now -= 30 * 365 * 86400
    for _ in range(3):
        sim.passes()
    assert sim.condition("MonitorReady")["status"] == "True"
    assert sim.line("drift")["state"] == "Ok"
    assert sum(one.rows for one in counted(sim)) == 8000


def test_a_state_that_a_status_can_not_keep_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = watched()
    sim.passes()
    kept = sim.monitored["state"]
    monkeypatch.setattr(period, "LARGEST", len(kept) // 2)
    for _ in range(4):
        sim.passes()
    assert sim.monitored["state"] == kept
    assert sim.line("drift")["reason"] == sim.condition("MonitorReady")["reason"] == "TooManyFeatures"


def test_what_can_be_kept_can_be_read_again() -> None:
    longest = {name: one.metadata for name, one in Monitored.model_fields.items()}
    assert MaxLen(period.LARGEST) in longest["state"]
    assert MaxLen(period.MARKS) in longest["marks"]


def test_a_window_that_can_not_be_written_down_stops_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = watched()
    sim.passes()

    def fails(_: object) -> str:
        raise ValueError("Out of range float values are not JSON compliant")

    monkeypatch.setattr(period.packing, "packed", fails)
    for _ in range(4):
        sim.passes()
    assert sim.line("drift")["reason"] == "MonitorFailed"
    assert sim.monitored["windows"] == 1
