"""Spot checks: which pairs are offered, that a judgement counts once, and what follows from what people say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, View, dump, spec

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import Copies
from fairlead.api.review import Review
from fairlead.cli.blocks import plain
from fairlead.cli.replay import blocks, replay
from fairlead.cli.verdict import report
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence.likeness import Differing, Told
from fairlead.plan.deployment.excerpts import of_output
from fairlead.plan.deployment.metrics import review
from fairlead.plan.deployment.metrics.review import METRIC, offered, pair_id

Json = dict[str, Any]
AT = "2026-01-01T00:00:00Z"


def begun(**guard: object) -> Sim:
    body = spec()
    body["rollout"] |= {
        "steps": [{"weight": 20, "for": "600s", "requests": 10}],
        "guard": [{"metric": "errors"}, {"metric": "review", **guard}],
    }
    sim = Sim(body)
    sim.go_live()
    sim.begin()
    sim.tick(50)
    return sim


def look_at(sim: Sim) -> tuple[Look, State]:
    subject = sim.subject()
    return Look(subject, View(sim), sim.now), State(subject.body.status)


def waiting(look: Look, candidate: Candidate) -> str | None:
    return review.unjudged(look, look.spec.rollout.guards[1], candidate.review or Review())


def show(sim: Sim, pairs: Iterable[Differing]) -> None:
    """These answers are what the versions said since the last look."""
    look, state = look_at(sim)
    assert state.candidate
    told = Told(Copies(), 0, 0, tuple(pairs), None)
    seen = state.having(candidate=METRIC.offered(look, state.candidate, told))
    sim.status = dump(METRIC.go_on(look, seen).status)


def differing(count: int, begin: int = 0) -> list[Differing]:
    return [Differing(f"r-{i}", f"old {i}", f"new {i}") for i in range(begin, begin + count)]


def say(sim: Sim, *words: str, version: str = "m-2") -> list[str]:
    """A person's word on the next pairs; their ids."""
    pairs = [pair["id"] for pair in sim.candidate["review"]["pairs"]][: len(words)]
    said = [
        {"pair": p, "version": version, "better": w, "by": "bob", "at": AT} for p, w in zip(pairs, words, strict=True)
    ]
    sim.spec["judgements"] = [*sim.spec.get("judgements", []), *said]
    return pairs


def evidence(sim: Sim) -> Json:
    found: Json = sim.candidate["guards"][1]
    return found


def test_the_sample_does_not_depend_on_when_its_pairs_came() -> None:
    candidate = Candidate(version="m-2", since=AT)
    found = differing(500)
    whole = offered(candidate, Review(), found)
    piece = Review()
    for start in (300, 0, 100, 400, 200):
        piece = offered(candidate, piece, found[start : start + 100])
    assert [pair.id for pair in whole.pairs] == [pair.id for pair in piece.pairs]
    assert len(whole.pairs) == 20
    assert [pair.id for pair in whole.pairs] == sorted(pair_id(candidate, one.request) for one in found)[:20]
    assert offered(candidate, whole, found) is whole


def test_what_is_shown_can_always_be_judged_however_many_came_and_went(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "pair_id", lambda _candidate, request: request)
    found, candidate = Review(), Candidate(version="m-2", since=AT)
    for i in range(400):
        found = offered(candidate, found, [Differing(f"{1000 - i:016x}" if i else "0" * 16, 1, 2)])
    assert "0" * 16 in found.offered
    assert {pair.id for pair in found.pairs} <= set(found.offered)
    assert len(found.pairs) == 20
    assert len(found.offered) == 200
    assert f"{1000 - 200:016x}" not in found.offered


def test_what_was_ever_shown_may_be_judged_though_others_took_its_place() -> None:
    sim = begun()
    show(sim, differing(20))
    words = say(sim, *["Same"] * 20)
    show(sim, differing(400, 20))
    assert not set(words) <= {pair["id"] for pair in sim.candidate["review"]["pairs"]}
    sim.tick(10)
    assert len(sim.candidate["review"]["judged"]) == 20
    assert evidence(sim)["candidate"] == {"requests": 20, "failures": 0}


def test_a_judgement_counts_once_and_its_pair_is_not_shown_again() -> None:
    sim = begun()
    show(sim, differing(30))
    (pair,) = say(sim, "Live")
    for _ in range(3):
        sim.tick(10)
        show(sim, differing(30))
    found = sim.candidate["review"]
    assert (found["worse"], found["better"], found["judged"]) == (1, 0, [pair])
    assert pair not in [one["id"] for one in found["pairs"]]
    assert evidence(sim)["candidate"] == {"requests": 1, "failures": 1}
    sim.spec["judgements"] = []
    sim.tick(10)
    assert evidence(sim)["candidate"] == {"requests": 1, "failures": 1}
    sim.spec["judgements"] = [{"pair": pair, "version": "m-2", "better": "Candidate", "by": "eve", "at": AT}]
    sim.tick(10)
    assert sim.candidate["review"]["worse"] == 1
    assert sim.candidate["review"]["better"] == 0


def test_judgements_of_what_was_not_shown_are_named_and_not_counted() -> None:
    sim = begun()
    show(sim, differing(5))
    sim.spec["judgements"] = [
        {"pair": "abc", "version": "m-2", "better": "Live", "by": "eve", "at": AT},
        {"pair": "abd", "version": "m-0", "better": "Live", "by": "eve", "at": AT},
    ]
    for _ in range(3):
        sim.tick(10)
    assert sim.candidate["review"]["unknown"] == ["abc"]
    assert sim.events.count("JudgementUnknown") == 1
    assert evidence(sim)["windows"] == 0


def test_silence_of_people_freezes_nothing() -> None:
    sim = begun()
    sim.run(5, 50)
    assert sim.candidate["verdict"] == "Continue"
    assert evidence(sim)["state"] == "Watching"


def test_people_who_find_the_new_answers_worse_take_the_version_back() -> None:
    sim = begun()
    show(sim, differing(20))
    say(sim, *["Live"] * 7, "Same", "BothBad", "Candidate")
    sim.tick(10)
    assert "candidate" in sim.status
    show(sim, differing(20, 100))
    say(sim, *["Live"] * 12)
    sim.tick(10)
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "ReviewWorse")
    assert (
        "of 22 pairs of answers that people judged, m-2 gave the worse one in 19 and the better one in 1"
        in (record["message"])
    )


def test_praise_is_no_harm() -> None:
    sim = begun()
    show(sim, differing(20))
    say(sim, *["Candidate"] * 20)
    sim.tick(10)
    assert float(evidence(sim)["logEvidence"]) < 0


@pytest.mark.parametrize(
    ("guard", "words", "proven"),
    [
        ({"role": "target"}, ["Candidate"] * 9, True), ({"role": "target"}, ["Candidate", "Live"] * 5, False),
        ({"role": "guardrail", "worseBy": "30%"}, ["Same"] * 20, True),
        ({"role": "guardrail", "worseBy": "1%"}, ["Same"] * 20, False),
    ],
)  # fmt: skip
def test_what_must_be_proven_is_proven_by_people(guard: Json, words: list[str], proven: bool) -> None:
    sim = begun(**guard)
    show(sim, differing(20))
    say(sim, *words)
    sim.tick(10)
    shown = evidence(sim)["proven"]
    assert (float(shown["logEvidence"]) >= float(shown["bound"])) is proven


def test_a_shadow_step_waits_for_judgements_unless_there_is_nothing_to_judge() -> None:
    sim = begun(minEvents=3)
    look, state = look_at(sim)
    assert state.candidate
    assert waiting(look, state.candidate) is None
    show(sim, differing(5))
    say(sim, "Same", "Live")
    sim.tick(10)
    look, state = look_at(sim)
    assert state.candidate
    waits = waiting(look, state.candidate)
    assert waits == "3 judgements of people (2 so far): kubectl fairlead review deployment/web -n team"
    say(sim, "Same")
    sim.tick(10)
    look, state = look_at(sim)
    assert state.candidate
    assert waiting(look, state.candidate) is None


def test_judgements_are_replayed_to_the_last_bit_though_the_guard_was_changed_meanwhile() -> None:
    sim = begun(worseBy="5%")
    show(sim, differing(20))
    say(sim, "Live", "Live", "Same", "Candidate")
    sim.tick(50)
    sim.spec["rollout"]["guard"][1]["worseBy"] = "10%"
    sim.tick(50)
    say(sim, "Live", "BothBad")
    sim.tick(50)
    lines = sim.candidate["ledger"]["lines"]
    told = [json.loads(line)["judgement"] for line in lines if '"judgement"' in line]
    assert len(told) == 6
    assert told[0]["by"] == "bob"
    found = replay(lines)
    assert found.different == []
    assert "review" in found.judged[-1].told
    shown = plain(blocks("deployment/web", found))
    assert "review: test F at the end, pairs of answers" in shown
    assert "3                1           2" in shown
    tests = report(found.judged)["end"]["metrics"]["review"]["tests"]
    assert tests["F"]["worseBy"] == 0.1
    assert found.judged[-1].conclusion.verdict == "continue"


def test_a_rollout_without_the_guard_has_no_sample() -> None:
    sim = begun()
    show(sim, differing(5))
    sim.spec["rollout"]["guard"] = [{"metric": "errors"}]
    sim.tick(10)
    assert "review" not in sim.candidate


def test_answers_are_cut_off_for_people() -> None:
    assert of_output("x" * 400) == "x" * 300 + "…"
    assert of_output([1, 2.5, "ä"]) == '[1, 2.5, "ä"]'
