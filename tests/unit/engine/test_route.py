"""Who is woken by an event, and who is not: by what we write ourselves, and by what nobody goes by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.sim.toys import SPECS, TOY, shelf, toy

from fairlead.cluster import errors as api
from fairlead.engine.cache import Cache
from fairlead.engine.reconcile import Key
from fairlead.engine.route import Router
from fairlead.plan.core import DEPLOYMENT
from fairlead.plan.model.plan import SPEC

Json = dict[str, Any]
MINE, SHELF = SPECS[0], SPECS[1]
BEAR, TOP = Key(TOY, "play", "bear"), Key(SHELF.kind, "play", "top")


class Woken:
    """In the place of the queue: notes what is added."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def add(self, key: Key, *, low: bool = False) -> None:
        """A key."""
        del low
        self.keys.append(key)

    def taken(self) -> list[Key]:
        """What was added since the last time."""
        found, self.keys = self.keys, []
        return found


def router(**more: Any) -> tuple[Router, Woken, Cache]:
    """One that knows a shelf, and toys that wake it."""
    specs = {TOY: MINE, SHELF.kind: replace(SHELF, **more)}
    woken, cache = Woken(), Cache(specs, lambda: 0.0)
    made = Router(specs, cache, woken, lambda _uid: None)  # type: ignore[arg-type]
    top = shelf("top")
    made.listed(SHELF.kind, {**top, "metadata": {**top["metadata"], "uid": "s", "resourceVersion": "1"}})
    woken.taken()
    return made, woken, cache


def bear(version: int, **spec: Any) -> Json:
    """A toy as it is at a version."""
    found = toy("bear", **spec)
    return {**found, "metadata": {**found["metadata"], "uid": "b", "resourceVersion": str(version)}}


def test_what_we_write_wakes_us_not_even_if_the_watch_is_faster_than_the_answer() -> None:
    made, woken, cache = router()
    made.seen(TOY, bear(5))
    assert woken.taken() == [BEAR, TOP]
    with made.writing("b"):
        made.seen(TOY, bear(6, colour="red"))
        assert woken.taken() == []
        made.written(TOY, bear(6, colour="red"), "b")
    assert woken.taken() == [TOP]
    assert cache.get(TOY, "play", "bear")["spec"] == {"colour": "red"}  # type: ignore[index]


def test_what_others_wrote_meanwhile_wakes_us_afterwards() -> None:
    made, woken, cache = router()
    made.seen(TOY, bear(5))
    woken.taken()
    with made.writing("b"):
        made.seen(TOY, bear(6))
        made.seen(TOY, bear(7, colour="blue"))
        made.written(TOY, bear(6), "b")
        woken.taken()
    assert woken.taken() == [BEAR, TOP]
    assert cache.get(TOY, "play", "bear")["spec"] == {"colour": "blue"}  # type: ignore[index]


def test_a_write_whose_answer_is_lost_is_seen_by_the_watch() -> None:
    made, woken, _ = router()
    made.seen(TOY, bear(5))
    woken.taken()
    with pytest.raises(api.Unavailable):
        _lose(made)
    assert woken.taken() == [BEAR, TOP]
    made.seen(TOY, bear(7))
    assert woken.taken() == [BEAR, TOP]


def _lose(made: Router) -> None:
    with made.writing("b"):
        made.seen(TOY, bear(6))
        raise api.Unavailable("timeout")


def test_what_was_deleted_meanwhile_stays_away() -> None:
    made, _, cache = router()
    made.seen(TOY, bear(5))
    with made.writing("b"):
        made.seen(TOY, bear(6))
        made.deleted(TOY, bear(7))
    assert cache.get(TOY, "play", "bear") is None


def test_nobody_is_woken_by_what_he_does_not_heed() -> None:
    made, woken, _ = router(heeds={TOY: lambda raw: raw["spec"]["colour"]})
    made.seen(TOY, bear(5, colour="red"))
    assert woken.taken() == [BEAR, TOP]
    made.seen(TOY, bear(6, colour="red", attempts=2))
    assert woken.taken() == [BEAR]
    made.written(TOY, bear(7, colour="blue"), "b")
    assert woken.taken() == [TOP]
    made.seen(TOY, bear(8))  # it can't be read: then he is woken
    assert woken.taken() == [BEAR, TOP]
    made.deleted(TOY, bear(9))
    assert woken.taken() == [BEAR, TOP]


def test_an_owner_is_not_woken_by_what_he_does_not_heed() -> None:
    def owned(version: int, **spec: Any) -> Json:
        found = bear(version, **spec)
        owner = {"apiVersion": SHELF.kind.api_version, "kind": SHELF.kind.kind, "name": "top", "uid": "s"}
        return {**found, "metadata": {**found["metadata"], "ownerReferences": [{**owner, "controller": True}]}}

    made, woken, _ = router(heeds={TOY: lambda raw: raw["spec"]["colour"]}, mappers={})
    made.seen(TOY, owned(5, colour="red"))
    assert woken.taken() == [BEAR, TOP]
    made.seen(TOY, owned(6, colour="red", attempts=2))
    assert woken.taken() == [BEAR]
    made.seen(TOY, owned(7, colour="blue"))
    assert woken.taken() == [BEAR, TOP]
    made.seen(TOY, bear(8, colour="blue"))  # it is his no longer
    assert woken.taken() == [BEAR, TOP]
    made.deleted(TOY, owned(9, colour="blue"))
    assert BEAR in woken.taken()


def test_versions_heed_what_a_deployment_serves_and_no_window() -> None:
    heeds = SPEC.heeds[DEPLOYMENT]
    before: Json = {"spec": {}, "status": {"live": {"version": "m-1"}, "candidate": {"version": "m-2"}}}
    window = {**before["status"], "candidate": {"version": "m-2", "step": 1}}
    assert heeds(before) == heeds({**before, "status": window})
    for changed in (
        {"live": {"version": "m-2"}}, {"candidate": None}, {"refused": ["m-0"]}, {"previous": "m-0"},
        {"versions": [{"uid": "u"}]}, {"findings": [{"version": "m-2"}]},
    ):  # fmt: skip
        assert heeds(before) != heeds({**before, "status": {**before["status"], **changed}}), changed
    heeds({"spec": {}})
