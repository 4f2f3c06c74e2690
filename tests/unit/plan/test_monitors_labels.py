"""Labels in the cluster: real quality and its gaps, each label once, and nothing said where nothing is known."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.unit.plan.monitor_world import lines, profile, watched
from tests.unit.plan.observed_world import ASKED, Observed, folded, in_windows, observed
from tests.unit.plan.rollout_world import dump

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.halves import joined
from fairlead.api.tasks import TaskError
from fairlead.cli import show_deployment
from fairlead.cli.blocks import Lines
from fairlead.plan.core import DATASET, JOB, Plan
from fairlead.plan.deployment import gauges
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.deployment.monitors import book, labels, packing, saying


def test_labels_give_the_real_quality_beside_the_estimated_one() -> None:
    sim = observed()
    for _ in range(3):
        sim.labelled()
    line = sim.line("quality")
    assert (line["state"], line["reason"]) == ("Ok", "Fine")
    assert "by 2000 labels: accuracy 0.7" in line["message"]
    assert "estimated without labels: accuracy" in line["message"]
    figures = {one["metric"]: float(one["value"]) for one in sim.joined["real"]["figures"]}
    assert figures["accuracy"] == pytest.approx(0.75, abs=0.04)
    assert (in_windows(sim), sim.joined["labelled"]) == (6000, 6000)
    assert not sim.of(JOB)


def test_real_harm_is_called_so_though_the_estimate_sees_none() -> None:
    sim = observed()
    sim.labelled()
    sim.wrongly = 0.45
    for _ in range(3):
        sim.labelled()
    line = sim.line("quality")
    assert (line["state"], line["reason"]) == ("Harmed", "RealHarm")
    assert "estimated without labels" in line["message"]
    assert sim.condition("Harmed")["reason"] == "RealHarm"
    assert sim.events.count("Harmed") == 1
    sim.passes(2000)  # a window without labels changes nothing of that
    assert sim.line("quality")["reason"] == "RealHarm"


def test_estimated_harm_stays_what_it_is_and_says_what_labels_say() -> None:
    sim = observed()
    sim.labelled()
    sim.unsure = 0.9
    for _ in range(6):
        sim.passes(2000)
    line = sim.line("quality")
    assert (line["state"], line["reason"]) == ("Harmed", "EstimatedHarm")
    assert "real until" in line["message"]


def test_few_labels_are_told_with_what_estimates_add() -> None:
    sim = observed()
    sim.rows("m-1", 2000)
    sim.publish("v100")
    sim.look()
    sim.now += 600
    sim.look()
    assert "by 100 labels" in sim.line("quality")["message"]
    assert in_windows(sim) == 100


def test_a_window_without_requests_takes_labels_in_too() -> None:
    sim = observed()
    sim.passes(2000)
    sim.publish()
    sim.look()
    sim.now += 600
    sim.look()
    assert sim.monitored["rows"] == 0
    assert in_windows(sim) == 2000
    assert sim.line("quality")["state"] == "Ok"
    assert "by 2000 labels" in sim.line("quality")["message"]


class Early(Observed):
    """Its Dataset has labels before anything is live."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.publish("v0")


def test_what_the_dataset_has_when_a_version_becomes_live_is_not_joined() -> None:
    """These are labels of others' answers."""
    sim = watched({"labels": ASKED}, made=Early)
    assert isinstance(sim, Early)
    sim.passes(200)
    assert sim.joins == []
    sim.labelled(200)
    assert [one.version for one in sim.joins] == ["m-1"]


def test_labels_that_are_asked_for_later_are_joined_with_answers_of_before() -> None:
    sim = watched(made=Observed)
    assert isinstance(sim, Observed)
    sim.passes(300)
    sim.publish()
    sim.spec = {**sim.spec, "monitors": {"labels": ASKED}}
    sim.generation += 1
    sim.look()
    sim.now += 600
    sim.look()
    assert in_windows(sim) == 300


RULES = [{"by": "c", "max": "30%"}, {"by": "c", "metric": "error_gap", "max": "20%"}]


def test_gaps_by_labels_are_looked_at_when_rows_are_enough_and_stand_until_the_next_look() -> None:
    sim = observed({"fairness": RULES})
    sim.labelled(1000)
    line = sim.line("fairness")
    assert line["state"] == "Unknown"
    assert "error by c: slice y has" in line["message"]
    for _ in range(6):
        sim.labelled(3000)
    assert sim.line("fairness")["state"] == "Ok", sim.line("fairness")
    assert "error by c:" in sim.line("fairness")["message"]
    sim.passes(9000)
    assert sim.line("fairness")["state"] == "Ok"
    assert "labels until" in sim.line("fairness")["message"]
    sim.unfair = 0.3
    for _ in range(2):
        sim.labelled(9000)
    line = sim.line("fairness")
    assert (line["state"], sim.condition("Unfair")["status"]) == ("Unfair", "True")
    assert "z has" in line["message"]
    assert "error by c" in line["message"]


def test_a_gap_by_labels_without_labels_is_unknown_and_says_what_to_do() -> None:
    sim = watched({"fairness": [{"by": "c", "metric": "tpr_gap"}]})
    sim.passes(5000)
    assert sim.line("fairness")["state"] == "Unknown"
    assert "spec.monitors.labels" in sim.line("fairness")["message"]


# --- nothing is known ----------------------------------------------------------------------------------------------


def unknown(sim: Observed) -> str:
    """What the line says; it is neither well nor an alarm."""
    line = sim.line("quality")
    assert line["state"] == "Unknown", line
    assert sim.condition("Harmed")["status"] == "Unknown"
    return f"{line['reason']}: {line['message']}"


def test_a_dataset_that_is_gone_is_told_with_the_remedy() -> None:
    sim = observed()
    sim.labelled()
    del sim.of(DATASET)["outcomes"]
    sim.passes(2000)
    assert "DatasetMissing" in unknown(sim)
    assert "create it" in unknown(sim)
    sim.labelled()
    assert sim.line("quality")["state"] == "Ok"


def test_labels_of_other_answers_say_nothing() -> None:
    sim = observed()
    sim.strange = True
    sim.labelled(500)
    assert "LabelsUnknown" in unknown(sim)
    assert "spec.monitors.labels.requestId" in unknown(sim)
    assert in_windows(sim) == 0
    sim.strange = False
    sim.labelled(500)
    assert sim.line("quality")["state"] == "Ok"
    assert in_windows(sim) == 1000


@pytest.mark.parametrize(
    "window", [{}, {"losses": [1, 5.0, 5.0]}, {"losses": [-1, 0, 0]}, {"losses": [10, 2, 2], "x": 1}]
)
def test_counts_that_cannot_be_are_refused_and_their_labels_come_again(window: Any) -> None:
    sim = observed()
    sim.instead = window
    sim.labelled(500)
    assert "BadCounts" in unknown(sim)
    sim.instead = None
    sim.labelled(500)
    assert in_windows(sim) == 1000


def test_wrong_data_is_not_tried_again_and_a_fault_of_the_surroundings_is() -> None:
    sim = observed()
    sim.fails = TaskError(reason="BadData", message="this version has no column for labels.label")
    sim.labelled(500)
    sim.run(20, 0)
    assert len(sim.joins) == 1
    assert "BadData" in unknown(sim)
    sim.fails = TaskError(reason="Unreachable", message="the store is away", transient=True)
    sim.labelled(500)
    sim.fails = None
    for _ in range(3):
        sim.passes(500)
    assert sim.line("quality")["state"] == "Ok"
    assert in_windows(sim) == 1000


def test_a_version_of_the_dataset_that_is_forgotten_is_passed_over() -> None:
    sim = observed()
    sim.rows("m-1", 2000)
    sim.publish()
    held, sim.make_job = sim.make_job, lambda _wanted: False  # type: ignore[method-assign]
    sim.look()
    sim.make_job = held  # type: ignore[method-assign]
    raw = sim.of(DATASET)["outcomes"]
    raw["status"] = {"current": {**raw["status"]["current"], "version": "v1999", "manifest": "s3://fairlead/v1999"}}
    sim.passes(500)
    sim.passes(500)
    assert in_windows(sim) == 1999
    assert not sim.of(JOB)


def test_what_waits_and_cannot_be_read_counts_for_nothing() -> None:
    sim = observed()
    sim.rows("m-1", 2000)
    sim.publish()
    sim.look()
    for own in (sim.status["monitors"]["labels"], sim.status.get("record", {}).get("monitors", {}).get("labels", {})):
        if "pending" in own:
            own["pending"] = packing.packed({"losses": [1, 2, 3]})
    sim.now += 600
    sim.look()
    assert "LabelsLost" in unknown(sim)
    assert in_windows(sim) == 0


def test_without_a_profile_no_job_is_made() -> None:
    sim = observed(learnt=False)
    sim.publish("v1")
    sim.now += 600
    sim.look()
    assert sim.joins == []
    assert sim.line("quality")["reason"] == "NoProfile"


# --- each label once -----------------------------------------------------------------------------------------------


class Dying(Observed):
    """Its operator dies after so many writes of a look: the status, objects, Jobs, deletions."""

    writes: int = 99

    def carry_out(self, found: Plan) -> bool:
        """See above; the next operator lives."""
        if self.writes == 99:
            return super().carry_out(found)
        self.plans += 1
        left, self.writes = self.writes, 99
        if left:
            self.status = dump(found.status)
        for wanted in found.apply[: max(0, left - 1)]:
            self._apply(copy.deepcopy(wanted))
        for wanted in found.create[: max(0, left - 2)]:
            self.make_job(wanted)
        return True


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("look", range(6))
def test_an_operator_that_dies_at_any_write_counts_each_label_once(writes: int, look: int) -> None:
    sim = observed(pods=2)
    sim.__class__ = Dying
    assert isinstance(sim, Dying)
    for window in range(3):
        sim.rows("m-1", 200)
        sim.publish()
        for at in range(2):
            if 2 * window + at == look:
                sim.writes = writes
                sim.carry_out(sim.plan())
            sim.look()
            sim.now += 0 if at == 0 else 600
        sim.look()
    sim.now += 600
    sim.look()
    assert in_windows(sim) == 600
    assert sim.joined["labelled"] == 600
    assert not sim.joined.get("pending")
    again = list(book.replayed(profile(), [json.dumps(one) for one in lines(sim)]))
    assert all(one.same for one in again)


def test_the_ledger_gives_the_same_bits_once_more_with_labels() -> None:
    sim = observed({"fairness": RULES})
    for errors in (0.25, 0.25, 0.45, 0.45):
        sim.wrongly = errors
        sim.labelled(3000)
        sim.passes(1000)
    again = list(book.replayed(profile(), [json.dumps(one) for one in lines(sim)]))
    assert len(again) == 8
    assert all(one.same for one in again)
    states = [one.report.losses["realised"].state for one in again]
    assert (states[0], states[-2]) == ("Ok", "Drifting")


def test_no_join_begins_before_the_last_one_is_in_a_window() -> None:
    sim = observed()
    sim.rows("m-1", 1000)
    sim.publish()
    sim.look()
    assert sim.joined["pending"]
    sim.rows("m-1", 1000)
    sim.publish()
    sim.look()
    assert len(sim.joins) == 1
    sim.now += 600
    sim.look()
    sim.look()
    assert [one.losses.n for one in folded(sim)] == [1000]
    assert len(sim.joins) == 2


def test_other_labels_begin_the_tests_anew_and_a_job_of_the_old_ones_goes() -> None:
    sim = observed()
    sim.labelled()
    sim.holds = True
    sim.rows("m-1", 1000)
    sim.publish()
    sim.look()
    assert len(sim.of(JOB)) == 1
    old = set(sim.of(JOB))
    sim.publish("v500", name="others")
    sim.spec = {**sim.spec, "monitors": {"labels": {"dataset": "others"}}}
    sim.generation += 1
    sim.holds = False
    sim.look()
    assert not old & set(sim.of(JOB))
    sim.passes(2000)
    assert [one.losses.n for one in folded(sim)] == [2000, 500]
    assert len([one for one in lines(sim) if "monitors" in one]) == 2


def test_by_other_settings_what_labels_said_before_holds_no_more_and_none_counts_twice() -> None:
    sim = observed()
    sim.wrongly = 0.5
    sim.labelled()
    assert sim.line("quality")["reason"] == "RealHarm"
    sim.spec = {**sim.spec, "monitors": {**sim.spec["monitors"], "worseBy": "40%"}}
    sim.generation += 1
    sim.passes(2000)
    assert (sim.line("quality")["state"], sim.condition("Harmed")["status"]) == ("Unknown", "Unknown")
    assert sim.line("quality")["reason"] == "NoLabels"
    assert {one["source"] for one in figures_of(sim)} == {"estimated"}
    assert "no label of its answers has come since" in sim.line("quality")["message"]
    assert "NotHarmed" not in sim.events
    sim.labelled()
    assert sim.line("quality")["state"] == "Ok"
    assert in_windows(sim) == len(sim.log)


def test_labels_that_are_taken_away_and_asked_for_again_within_a_window_count_once() -> None:
    sim = observed()
    sim.wrongly = 0.3
    sim.labelled()
    wanted = sim.spec["monitors"]
    for monitors in ({key: value for key, value in wanted.items() if key != "labels"}, wanted):
        sim.spec = {**sim.spec, "monitors": monitors}
        sim.generation += 1
        sim.look()
    sim.passes(10)
    last = max(at for at, line in enumerate(lines(sim)) if "monitors" in line)
    again = [labels.parsed(line["labels"]) for line in lines(sim)[last:] if "labels" in line]
    assert [one.losses.n for one in again] == [2000], "all of them, by tests that know none of them yet"


def test_harm_that_labels_have_shown_is_not_over_because_none_come_any_more() -> None:
    sim = observed()
    sim.wrongly = 0.5
    sim.labelled()
    assert sim.line("quality")["reason"] == "RealHarm"
    sim.now += 31 * 86400
    sim.passes(2000)
    assert (sim.line("quality")["state"], sim.line("quality")["reason"]) == ("Unknown", "LabelsStale")
    assert {one["source"] for one in figures_of(sim)} == {"estimated"}
    assert sim.condition("Harmed")["status"] == "Unknown"
    assert "NotHarmed" not in sim.events


def test_few_labels_that_are_right_do_not_show_that_all_is_well() -> None:
    sim = observed()
    sim.labelled(20)
    assert sim.joined["real"]["state"] == "Ok"
    assert not well(sim)
    sim.wrongly = 0.1
    sim.labelled(500)
    assert well(sim)
    sim.wrongly = 0.6
    sim.labelled(500)
    assert not well(sim)


def figures_of(sim: Observed) -> list[Any]:
    """As they are written."""
    found: list[Any] = joined(DeploymentStatus, sim.form(sim.status))["monitors"]["figures"]
    return found


def well(sim: Observed) -> bool:
    kept = DeploymentStatus.model_validate(sim.status).monitors
    assert kept
    assert kept.labels
    return saying.is_well(kept.labels)


def test_a_new_live_version_has_labels_of_its_own() -> None:
    sim = observed(rollout={"afterPromotion": {"for": "0s"}})
    sim.labelled()
    sim.version("m-2")
    sim.learns("m-2", profile(more=320))
    sim.look()
    sim.ready("m-2")
    sim.look()
    sim.run(60, 100)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.joined.get("labelled", 0) == 0
    before = len(sim.joins)
    sim.learnt = profile(more=320)
    sim.rows("m-2", 1500)
    sim.publish()
    sim.look()
    sim.now += 600
    sim.look()
    assert {one.version for one in sim.joins[before:]} == {"m-2"}
    assert sim.joined["labelled"] == len([one for one in sim.log if one.version == "m-2"])


def test_without_labels_in_the_spec_nothing_of_them_stays() -> None:
    sim = observed()
    sim.labelled()
    sim.spec = {**sim.spec, "monitors": {}}
    sim.generation += 1
    sim.passes(2000)
    assert "labels" not in sim.monitored
    assert "real" not in sim.line("quality")["message"]


def test_what_waits_is_short_whatever_slices_are_called() -> None:
    sim = observed()
    long = {"c": {chr(0x4E00 + at) * 250 + str(at): [1, 0, 0, 0] for at in range(8)}}
    sim.instead = {"losses": [10, 2.0, 2.0], "confusion": [4, 1, 1, 4], "slices": long}
    sim.rows("m-1", 2000)
    sim.publish()
    sim.look()
    assert 0 < len(sim.joined["pending"]) <= labels.LARGEST


def test_the_first_figures_are_gauges_and_there_are_few_series() -> None:
    sim = observed({"fairness": RULES, "stale": "60d"})
    for _ in range(2):
        sim.labelled()
    raw = {"metadata": {"namespace": "team", "name": "web"}, "status": sim.status}
    found = [one for one in gauges.of(raw) if one.labels.get("metric") or "monitor" in one.name]
    said = [one for one in found if one.name == "fairlead_deployment_quality"]
    real = {one.labels["metric"]: one.value for one in said if one.labels["source"] == "realised"}
    assert real["accuracy"] == pytest.approx(0.75, abs=0.04)
    assert "f1" in real
    assert len(found) <= 12


def test_people_are_told_what_was_counted_and_what_was_not() -> None:
    sim = observed()
    sim.labelled()
    shown = "\n".join(line for line in lines_of(sim))
    assert "labels: 2,000 counted" in shown or "labels: 2000 counted" in shown
    assert "by 2000 labels: accuracy" in shown


def lines_of(sim: Observed) -> list[str]:
    status = DeploymentStatus.model_validate(joined(DeploymentStatus, sim.status))
    assert status.monitors
    found = []
    for block in show_deployment._monitors(status.monitors, sim.now):
        found += block.lines if isinstance(block, Lines) else [" ".join(row) for row in getattr(block, "rows", [])]
    return found


def test_a_new_version_of_the_labels_and_a_pod_that_counts_them_wake_the_deployment() -> None:
    mine = {"metadata": {"name": "web"}, "spec": {"monitors": {"labels": ASKED}}}
    other = {"metadata": {"name": "other"}, "spec": {"monitors": {}}}
    wakes = deployment.SPEC.mappers[DATASET]
    assert list(wakes({"metadata": {"name": "outcomes"}}, [mine, other])) == ["web"]
    assert list(wakes({"metadata": {"name": "others"}}, [mine, other])) == []
    assert list(deployment.of_pod({"metadata": {"labels": {"fairlead.dev/observe": "web"}}}, [])) == ["web"]
