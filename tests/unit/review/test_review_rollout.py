"""Spot checks through a whole rollout: a shadow step, people, and what comes of it."""

from __future__ import annotations

import pytest
from tests.unit.plan.rollout_world import Sim
from tests.unit.plan.test_deployment_ledger import saved
from tests.unit.plan.test_deployment_shadow import SHADOW, begun, shadowed, sometimes

from fairlead.cli.replay import replay
from fairlead.cli.review import blind, waiting
from fairlead.manifests.meta import Json

REVIEW: Json = {"metric": "review", "minEvents": 12}


def people(sim: Sim, better: str, count: int) -> None:
    """The next pairs, as somebody sees them who prefers one version."""
    pairs = sim.candidate["review"]["pairs"][:count]
    mine = {"version": "m-2", "better": better, "by": "bob", "at": "2026-01-01T00:00:00Z"}
    sim.spec["judgements"] = [*sim.spec.get("judgements", []), *(mine | {"pair": pair["id"]} for pair in pairs)]


@pytest.mark.parametrize(("better", "end"), [("Candidate", "Live"), ("Live", "RolledBack")])
def test_a_shadow_step_waits_for_people_and_heeds_them(better: str, end: str) -> None:
    sim = begun(shadowed({"metric": "errors"}, REVIEW), says={"m-2": sometimes(0.3)}, store=True)
    sim.run(15, 40)
    assert sim.candidate["step"] == 0
    assert (
        "12 judgements of people (0 so far): kubectl fairlead review deployment/web"
        in (sim.condition("Progressing")["message"])
    )
    deployment = sim.subject().body
    assert deployment.status.candidate
    shown = waiting(deployment, deployment.status.candidate)
    assert len(shown) == 20
    assert {one.a for one in shown} | {one.b for one in shown} == {"[1]", "[2]"}
    assert [one.id for one in shown] == sorted(one.id for one in shown)
    people(sim, better, 12)
    for _ in range(60):
        sim.tick(40)
        if "candidate" not in sim.status and not sim.status.get("unsaved"):
            break
    assert sim.status["history"][0]["result"] == end
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert found.ended is not None
    assert found.ended.result == end


def test_where_the_versions_agree_nobody_is_waited_for() -> None:
    sim = begun(shadowed({"metric": "errors"}, REVIEW))
    sim.run(20, 40)
    assert sim.status["live"]["version"] == "m-2"


def test_answers_that_cannot_be_read_are_missing_evidence() -> None:
    sim = begun(shadowed({"metric": "errors"}, REVIEW, steps=[{**SHADOW, "requests": 10_000}]), slowness={"m-2": 8.0})
    for _ in range(12):
        sim.tick(20)
    guard = sim.candidate["guards"][1]
    assert (guard["state"], guard["reason"]) == ("NoEvidence", "CopiesMissing")
    assert sim.candidate["verdict"] == "NoEvidence"


def test_a_candidate_that_does_not_answer_is_shown_as_such() -> None:
    sim = begun(shadowed({"metric": "errors", "worseBy": "90%"}, REVIEW), errors={"m-2": 0.2})
    sim.run(4, 40)
    pair = sim.subject().body.status.candidate.review.pairs[0]  # type: ignore[union-attr]
    assert pair.candidate == "(no answer: HTTP 500)"
    assert {blind(pair).a, blind(pair).b} == {"[1]", "(no answer: HTTP 500)"}
