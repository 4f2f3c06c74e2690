"""A status without its records: what is decided stays, and so does what follows from it."""

from __future__ import annotations

import json

from hack.gen.samples import filled
from hack.gen.structural import schema_of
from tests.unit.plan.rollout_world import Sim, View, dump, spec
from tests.unit.plan.test_backlog import SILENT
from tests.unit.plan.test_deployment_ledger import begun

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.pipeline import PipelineStatus, TriggerDecision
from fairlead.engine.registry import SPECS
from fairlead.plan.deployment import children
from fairlead.plan.deployment.context import look_at
from fairlead.plan.deployment.smaller import forms
from fairlead.plan.terse import of_pipeline

RECORDS = {"ledger", "unsaved", "history", "message", "conditions"}


def under_way() -> Sim:
    """A rollout with much that waits for a store, after others."""
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02})
    sim.store_says = SILENT
    for number in (2, 3, 4):
        for _ in range(12):
            sim.tick(40)
        sim.errors[f"m-{number}"] = 0.9
        for _ in range(40):
            sim.tick(60)
        assert sim.status["history"][0]["version"] == f"m-{number}"
        sim.begin(f"m-{number + 1}")
    for _ in range(8):
        sim.tick(40)
    return sim


def decided(status: DeploymentStatus) -> object:
    """The status without its records."""
    found = {key: value for key, value in dump(status).items() if key not in RECORDS}
    found["candidate"] = {key: value for key, value in found["candidate"].items() if key not in RECORDS}
    return found


def test_each_form_is_smaller_and_has_all_that_is_decided() -> None:
    sim = under_way()
    whole = sim.subject().body.status
    found = list(forms(whole))
    sizes = [len(json.dumps(dump(one))) for one in (whole, *found)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 4
    wanted = children.wanted(look_at(sim.subject(), View(sim), sim.now), whole)
    for one in found:
        assert DeploymentStatus.model_validate(dump(one)) == one
        assert decided(one) == decided(whole)
        assert children.wanted(look_at(sim.subject(), View(sim), sim.now), one) == wanted
    assert found[-1].history[0].version == whole.history[0].version


def test_lines_that_are_given_up_are_counted() -> None:
    whole = under_way().subject().body.status
    assert whole.candidate
    for one in forms(whole):
        assert one.candidate
        before, after = whole.candidate.ledger, one.candidate.ledger
        there = sum("dropped" not in json.loads(line) for line in after.lines)
        assert there + after.dropped == len(before.lines) + before.dropped or after == before


def test_it_goes_on_from_the_smallest_one() -> None:
    sim = under_way()
    sim.status = dump(list(forms(sim.subject().body.status))[-1])
    sim.store_says = None
    sim.errors["m-5"] = 0.9
    for _ in range(40):
        sim.tick(60)
    assert sim.status["history"][0]["result"] == "RolledBack"


def test_a_status_at_rest_has_forms_too() -> None:
    sim = Sim(spec())
    assert [dump(one) for one in forms(sim.subject().body.status)]


# --- the other kinds -------------------------------------------------------------------------------------------------


def test_each_kind_has_a_smaller_form_that_its_definition_takes() -> None:
    for one in SPECS:
        schema = schema_of(one.info.model)["properties"]["status"]
        whole = one.info.model.model_fields["status"].annotation.model_validate(filled(schema))  # type: ignore[union-attr]
        message = "x" * 1024
        long = whole.model_copy(update={
            "message": message, "conditions": [c.model_copy(update={"message": message}) for c in whole.conditions],
        })  # fmt: skip
        found = list(one.smaller(long))
        assert found, one.kind
        assert len(found[-1].model_dump_json()) < len(long.model_dump_json())
        assert type(whole).model_validate(found[-1].model_dump(by_alias=True)) == found[-1]
        assert (found[-1].phase, found[-1].observed_generation) == (long.phase, long.observed_generation)


def test_a_pipeline_keeps_why_each_trigger_waits() -> None:
    said = [TriggerDecision(at="2026-01-01T00:00:00Z", trigger=name, key=str(n), reason="r")
            for n, name in enumerate(["a", "b", "a", "b", "c"])]  # fmt: skip
    (found,) = of_pipeline(PipelineStatus(decisions=said))
    assert [one.key for one in found.decisions] == ["0", "1", "4"]
