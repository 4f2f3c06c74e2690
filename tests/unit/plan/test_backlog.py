"""What waits for the store is bounded in every state of the store, and what is lost is counted."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import effort
from tests.unit.plan.rollout_world import Sim, spec
from tests.unit.plan.test_deployment_ledger import begun, finish, saved

from fairlead.api.ledger import LINE, Ledger
from fairlead.cli.replay import replay
from fairlead.plan.deployment.context import State, look_at
from fairlead.plan.deployment.evidence import backlog, ledger
from fairlead.plan.requests import UNDERWAY, Failed, Saved, SaveDocument

SILENT = Failed(UNDERWAY, "the store has not answered yet")
AWAY = Failed("Unreachable", "the store does not answer")
FORBIDDEN = Failed("CredentialsForbidden", "allow it by: kubectl …")
STATES = (SILENT, AWAY, FORBIDDEN, None)


def line(number: int, length: int) -> str:
    return json.dumps({"t": number, "x": "x" * length})


class Store:
    """Answers what it is told to, and keeps what it takes."""

    shared = None
    crowd = 0

    def __init__(self, config: object) -> None:
        self.config, self.says = config, SILENT
        self.kept: dict[str, str] = {}

    def answer(self, request: SaveDocument) -> Failed | Saved:
        if self.says is None:
            assert self.kept.setdefault(request.key, request.body) == request.body, "a segment is written once"
        return self.says or Saved()


def test_a_store_that_never_answers_keeps_the_status_small_and_no_rollback_waits() -> None:
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02})
    sim.store_says = SILENT
    for _ in range(400):
        sim.tick(3)
    book = sim.status["candidate"]["ledger"]
    assert len(book["lines"]) <= ledger.MOST
    told = sim.condition("EvidenceSaved")
    assert (told["status"], told["reason"]) == ("False", UNDERWAY)
    assert sim.status["candidate"]["verdict"] == "NoEvidence", "no step is left on evidence that nobody has"
    sim.errors["m-2"] = 0.8
    for _ in range(120):
        sim.tick(100)
    assert sim.status["history"][0]["result"] == "RolledBack"


def test_a_store_that_answers_again_gets_what_is_there() -> None:
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02})
    sim.store_says = SILENT
    for _ in range(60):
        sim.tick(5)
    sim.store_says = None
    finish(sim)
    assert sim.status["live"]["version"] == "m-2"
    assert replay(saved(sim, "m-2")).different == []


@settings(max_examples=effort.few(3, 10))
@given(seed=st.integers(0, 2**32), wide=st.integers(1, 3000), few=st.booleans())
def test_ten_thousand_lines_fit_whatever_the_store_does(seed: int, wide: int, few: bool) -> None:
    rng, sim = random.Random(seed), Sim(spec(), store=True)
    store, book, written = Store(sim.config), Ledger(name="m-2-x", uri="s3://fairlead/x/"), 0
    for turn in range(2500):
        if rng.random() < 0.01:
            store.says = rng.choice(STATES)
        look = look_at(sim.subject(), store, sim.now + turn)  # type: ignore[arg-type]
        book = ledger.moved_on(look, book, whole=False)
        fresh = [line(written + n, rng.randrange(wide)) for n in range(rng.randrange(1, 4 if few else 8))]
        written += len(fresh)
        book = ledger.appended(book, fresh, ledger.KEPT, ledger.MOST)
        assert len(book.lines) <= ledger.MOST
        assert backlog.size(book.lines) <= backlog.BYTES + 100
        Ledger.model_validate(book.model_dump())
    kept = [one for key in sorted(store.kept) for one in store.kept[key].splitlines()] + list(book.lines)
    there = sum("dropped" not in json.loads(one) for one in kept)
    assert there + book.dropped >= written, "what is not there is counted"


def test_a_line_that_no_status_can_hold_is_counted() -> None:
    book = ledger.appended(Ledger(uri="s3://b/x/"), [line(1, 10), "x" * (LINE + 1)], 10, 10)
    assert (book.dropped, len(book.lines)) == (1, 2)
    assert book.lines[0] == '{"dropped":1}'


def test_books_that_wait_share_their_room_and_the_last_one_comes_first() -> None:
    state = State(Sim(spec()).subject().body.status)
    for number in range(backlog.TAILS + 2):
        lines = [line(n, 900) for n in range(100)]
        state = backlog.waiting(state, Ledger(name=str(number), uri=f"s3://b/{number}/", lines=lines, sealed=30))
    books = state.status.unsaved
    assert [one.name for one in books] == ["2", "3", "4", "5", "6", "7"]
    assert sum(backlog.size(one.lines) for one in books) <= backlog.ENDED + 6 * 30
    assert (len(books[-1].lines), books[-1].sealed) == (100, 30)
    assert all(one.dropped and not one.sealed for one in books[:-2])
    assert [event.reason for event in state.events] == ["EvidenceLost"] * 2
    assert "s3://b/0/" in state.events[0].message


@pytest.mark.parametrize("says", STATES, ids=["silent", "away", "forbidden", "well"])
def test_a_ledger_with_the_widest_lines_is_sealed_early(says: Failed | None) -> None:
    sim = Sim(spec(), store=True)
    store, book = Store(sim.config), Ledger(name="m-2-x", uri="s3://fairlead/x/")
    store.says = says
    look = look_at(sim.subject(), store, sim.now)  # type: ignore[arg-type]
    book = ledger.appended(book, [line(n, 9000) for n in range(4)], ledger.KEPT, ledger.MOST)
    assert ledger.moved_on(look, book, whole=False).sealed == 4
