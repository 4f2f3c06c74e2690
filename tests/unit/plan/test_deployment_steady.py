"""A look that only adds a window asks for no other one, and nothing would have come of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from tests.unit.plan.rollout_world import GATEWAY, OUTCOMES, Sim, dump, spec

from fairlead.plan.core import MODEL_VERSION, POD
from fairlead.plan.deployment.context import look_at
from fairlead.plan.memo import Memo, Recent
from fairlead.plan.reads import Reads


@pytest.mark.parametrize(("bad", "end"), [(0.02, "Live"), (0.5, "RolledBack")])
def test_a_steady_plan_leaves_nothing_to_be_done(bad: float, end: str) -> None:
    wanted = spec()
    wanted["rollout"] |= {
        "guard": [{"metric": "errors", "worseBy": "1%"}, OUTCOMES],
        "steps": [{"weight": 20, "for": "10s", "requests": 20}, {"weight": 50, "for": "10s"}],
    }
    sim = Sim(wanted, store=True, errors={"m-1": 0.02, "m-2": bad})
    sim.go_live()
    sim.traffic(2000)
    sim.begin()
    steady = 0
    for _ in range(80):
        sim.now += 1
        sim.traffic(60)
        found = sim.plan()
        while sim.carry_out(found) and not found.steady:
            found = sim.plan()
        if found.steady:
            steady += 1
            again = sim.plan()
            assert dump(again.status) == sim.status
            assert again.requeue_after is not None
            assert again.requeue_after <= 1.1
            assert not sim.carry_out(again)
        if "candidate" not in sim.status:
            break
    assert sim.status["history"][0]["result"] == end
    assert steady >= (15 if end == "Live" else 1)


def test_a_window_under_traffic_is_steady_at_the_first_look() -> None:
    """Else each window of a fleet costs two looks."""
    sim = Sim(spec(steps=((20, "1h", 10),)), store=True, errors={"m-1": 0.02, "m-2": 0.02})
    sim.go_live()
    sim.traffic(200)
    sim.begin()
    sim.run(3, 60)
    found = []
    for _ in range(20):
        sim.now += 1
        sim.traffic(60)
        plan = sim.plan()
        assert dump(plan.status) != sim.status
        found.append(plan.steady)
        sim.carry_out(plan)
    assert found.count(True) >= 17  # now and then the ledger is saved, and a guard or the split has news


@pytest.mark.parametrize(("addresses", "path"), [((), None), (("10.0.0.1",), "/another/path")])
def test_what_is_asked_in_vain_is_not_written_at_each_look(addresses: tuple[str, ...], path: str | None) -> None:
    """Each write is followed by a look: that would go on and on."""
    sim = Sim(spec())
    sim.gateway = replace(GATEWAY, addresses=addresses)
    sim.go_live()
    for _ in range(2):
        sim.now += 1
        sim.look()
        before = sim.status
        sim.now += 1
        assert dump(sim.plan().status) == before
        sim.spec["route"] |= {"path": path} if path else {}


def test_a_memo_keeps_what_follows_from_the_same_object() -> None:
    memo, made = Memo[int](), []

    def make() -> int:
        made.append(1)
        return len(made)

    one, other = {"a": 1}, {"a": 1}
    assert [memo.of("k", one, make), memo.of("k", one, make), memo.of("k", other, make)] == [1, 1, 2]
    memo.of("l", one, make)
    memo.age()
    memo.of("k", other, make)
    memo.age()  # now l, which nobody has asked for meanwhile, is forgotten
    assert memo.of("k", other, make) == 2
    assert memo.of("l", one, make) == 4


@pytest.mark.parametrize("many", [8_191, 8_193, 20_000])
def test_a_memo_keeps_what_is_looked_at_however_much_that_is(many: int) -> None:
    """One look at each in turn, as the kernel does: with a largest number, one object more would have cost all."""
    memo, made = Memo[int](), []
    grounds = [object() for _ in range(many)]
    for _ in range(2):
        for number, ground in enumerate(grounds):
            memo.of(number, ground, lambda: made.append(1) or 0)  # type: ignore[func-returns-value]
    assert len(made) == many


def test_what_nobody_looks_at_any_more_is_not_kept() -> None:
    kept = Recent[int]()
    for number in range(100):
        kept.put(number, number + 1)
    kept.age()
    assert kept.get(7) == 8
    kept.drop(8)
    kept.age()
    assert [kept.get(number) for number in (6, 7, 8)] == [None, 8, None]
    assert len(kept) == 1


@dataclass
class Little:
    """A world of two objects."""

    version: dict
    pods: list
    there: bool = True

    def get(self, _kind: object, _name: str) -> dict:
        return self.version

    def select(self, _kind: object, _labels: object = None) -> list:
        return list(self.pods)

    def served(self, _kind: object) -> bool:
        return self.there


def test_what_was_read_is_the_same_only_if_it_is_the_same_object() -> None:
    version, pod = {"v": 1}, {"p": 1}
    reads = Reads(Little(version, [pod]))  # type: ignore[arg-type]
    reads.get(MODEL_VERSION, "m")
    reads.select(POD, {"a": "b"})
    reads.served(POD)
    same = [
        reads.same(world)  # type: ignore[arg-type]
        for world in (
            Little(version, [pod]), Little({"v": 1}, [pod]), Little(version, [pod, pod]), Little(version, [dict(pod)]),
            Little(version, [pod], there=False),
        )
    ]  # fmt: skip
    assert same == [True, False, False, False, False]


@pytest.mark.parametrize(("crowd", "window"), [(0, 1.0), (110, 1.0), (220, 2.0)])
def test_in_a_crowd_windows_are_longer(crowd: int, window: float) -> None:
    world = SimpleNamespace(crowd=crowd, shared=None, config=SimpleNamespace(tuning=SimpleNamespace(window=1.0)))
    assert look_at(None, world, 0.0).window == window  # type: ignore[arg-type]
