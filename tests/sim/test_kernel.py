"""The engine's promises, one by one, on the simulated cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from prometheus_client import generate_latest

from fairlead.cluster import errors as api
from fairlead.engine.kernel import Pace
from fairlead.plan.core import JOB, Kind
from fairlead.plan.requests import Failed
from tests.sim.fakecluster import Faults
from tests.sim.toys import CONFIG_MAP, SHELF, TOY, shelf, toy
from tests.sim.virtualtime import run_virtual
from tests.sim.world import SimWorld

Json = dict[str, Any]
Story = Callable[[SimWorld], Awaitable[None]]


def play(story: Story, **how: Any) -> None:
    """Tell a story in virtual time."""

    async def run() -> None:
        world = SimWorld(**how)
        world.start_controllers()
        try:
            await story(world)
        finally:
            await world.close()

    run_virtual(run())


def done(world: SimWorld, name: str) -> Callable[[], bool]:
    return lambda: world.status(name).get("done") is True


def test_reaches_the_desired_state_and_then_writes_nothing() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear", colour="brown", attempts=3))
        world.start()
        await world.until(done(world, "bear"))
        await asyncio.sleep(2)
        assert len(world.made("jobs")) == 3
        assert world.server.all(JOB) == []
        assert world.colours() == {"bear-config": "brown"}
        assert world.condition("bear")["status"] == "True"
        assert await world.quiet(3000) == []

    play(story)


def test_what_was_remembered_of_looks_is_forgotten_when_nobody_looks() -> None:
    """It would keep objects parsed that the cache keeps compressed."""

    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear", colour="brown"))
        kernel = world.start()
        await world.until(done(world, "bear"))
        memo, right = kernel.reconciler._memo._kept, kernel.reconciler.writer._right
        assert len(memo) > 0
        assert len(right) > 0
        await asyncio.sleep(100)
        assert (len(memo), len(right)) == (0, 0)
        world.server.edit(TOY, "play", "bear", lambda o: o["spec"].update(colour="blue"))
        await world.until(lambda: world.colours()["bear-config"] == "blue", within=1.0)

    play(story)


def test_status_is_written_before_children() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        assert [verb for verb, _, _ in world.kube.writes][:3] == ["status", "apply", "create"]

    play(story)


def test_an_edit_is_followed_within_a_second() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        world.server.edit(TOY, "play", "bear", lambda o: o["spec"].update(colour="blue"))
        await world.until(lambda: world.colours()["bear-config"] == "blue", within=1.0)

    play(story)


def test_a_child_edited_by_hand_is_put_back_and_a_deleted_one_is_made_again() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        world.server.edit(CONFIG_MAP, "play", "bear-config", lambda o: o["data"].update(colour="mud", extra="kept"))
        await world.until(lambda: world.colours()["bear-config"] == "red", within=2.0)
        assert world.server.get(CONFIG_MAP, "play", "bear-config")["data"]["extra"] == "kept"
        world.server.delete(CONFIG_MAP, "play", "bear-config")
        await world.until(lambda: "bear-config" in world.colours(), within=2.0)

    play(story)


def test_an_invalid_object_names_its_fields_and_harms_nobody() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("broken", attempts=0, colour=7))
        world.server.create(TOY, toy("unseen", colour="infrared"))
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        condition = world.condition("broken")
        assert (condition["status"], condition["reason"]) == ("False", "Invalid")
        assert "spec.attempts" in condition["message"]
        assert "spec.colour" in condition["message"]
        assert world.status("broken")["observedGeneration"] == 1
        assert "infrared" in world.condition("unseen")["message"]
        assert await world.quiet(60) == []
        world.server.edit(TOY, "play", "broken", lambda o: o.update(spec={"colour": "green"}))
        await world.until(done(world, "broken"))
        assert world.condition("broken")["reason"] == "Done"

    play(story)


def test_a_bug_hits_its_own_object_only_and_backs_off() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bomb", explode=True))
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        assert world.condition("bomb")["reason"] == "InternalError"
        assert "ZeroDivisionError" in world.condition("bomb")["message"]
        looks = world.kernel.metrics.errors.labels("Toy", "Bug")
        await asyncio.sleep(3600)
        assert looks._value.get() < 40
        assert await world.quiet(600) == []
        world.server.edit(TOY, "play", "bomb", lambda o: o["spec"].update(explode=False))
        await world.until(done(world, "bomb"), within=10)

    play(story)


def test_a_name_that_somebody_else_has_is_a_condition_and_heals() -> None:
    async def story(world: SimWorld) -> None:
        foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bear-config", "namespace": "play"}}
        world.server.create(CONFIG_MAP, {**foreign, "data": {"colour": "theirs"}})
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(lambda: world.condition("bear").get("reason") == "NameTaken")
        assert "ConfigMap bear-config" in world.condition("bear")["message"]
        assert world.colours() == {"bear-config": "theirs"}
        written = await world.quiet(600)
        assert len(written) <= 2, "a standing trouble is not written again and again"
        world.server.delete(CONFIG_MAP, "play", "bear-config")
        await world.until(lambda: world.condition("bear").get("reason") == "Done", within=600)
        assert world.colours() == {"bear-config": "red"}

    play(story)


def test_a_child_that_the_api_server_refuses_is_named() -> None:
    async def story(world: SimWorld) -> None:
        world.server.admission = lambda kind, _: "spec.parallelism: too much" if kind == JOB else None
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(lambda: world.condition("bear").get("reason") == "Refused")
        assert "Job bear-" in world.condition("bear")["message"]
        assert "spec.parallelism" in world.status("bear")["message"]
        assert world.colours() == {"bear-config": "red"}, "what comes before it is made"
        world.server.admission = lambda _kind, _obj: None
        await world.until(done(world, "bear"), within=600)
        assert world.condition("bear")["reason"] == "Done"

    play(story)


def test_a_status_that_the_api_server_refuses_is_said_in_a_condition() -> None:
    async def story(world: SimWorld) -> None:
        def refuse(kind: Kind, obj: Json) -> str | None:
            return "status.attempt: too many" if kind == TOY and obj.get("status", {}).get("attempt") else None

        world.server.admission = refuse
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(lambda: world.condition("bear").get("reason") == "InternalError")
        assert "status.attempt: too many" in world.status("bear")["message"]
        assert world.made("jobs") == [], "without its record nothing is begun"
        world.server.admission = lambda _kind, _obj: None
        await world.until(done(world, "bear"), within=600)

    play(story)


def test_a_thousand_objects_that_wait_do_not_hold_up_one_that_does_not() -> None:
    async def story(world: SimWorld) -> None:
        world.asker.seconds = 3000.0
        for n in range(1000):
            world.server.create(TOY, toy(f"slow-{n}", ask="up"))
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"), within=30)

    play(story, faults=Faults(latency=0.0, watch_lag=0.0))


def test_mappers_wake_other_kinds() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(SHELF, shelf("top"))
        world.start()
        await world.until(lambda: world.server.get(SHELF, "play", "top").get("status", {}).get("toys") == 0)
        world.server.create(TOY, toy("bear"))
        await world.until(lambda: world.server.get(SHELF, "play", "top")["status"]["toys"] == 1, within=1)
        world.server.delete(TOY, "play", "bear")
        await world.until(lambda: world.server.get(SHELF, "play", "top")["status"]["toys"] == 0, within=1)

    play(story)


def test_an_object_that_the_kernel_makes_is_looked_at_like_any_other() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear", shelf="top"))
        world.start()
        await world.until(lambda: SHELF in {c.kind for c in world.server.log}, within=5)
        await world.until(lambda: world.server.get(SHELF, "play", "top").get("status", {}).get("toys") == 1, within=2)

    play(story)


def test_deleting_an_object_leaves_its_children_to_kubernetes() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        world.server.delete(TOY, "play", "bear")
        await world.until(lambda: not world.server.all(CONFIG_MAP))
        assert await world.quiet(60) == []

    play(story)


def test_an_object_being_deleted_is_left_alone() -> None:
    async def story(world: SimWorld) -> None:
        held = toy("bear")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        world.server.create(TOY, held)
        world.server.delete(TOY, "play", "bear")
        world.start()
        assert await world.quiet(30) == []

    play(story)


def test_settled_objects_cost_nothing() -> None:
    async def story(world: SimWorld) -> None:
        settled = toy("old")
        settled["metadata"]["labels"] = {"settled": "yes"}
        world.server.create(TOY, settled)
        world.start()
        await world.until(world.kernel.synced.is_set)
        assert await world.quiet(3000) == []
        assert world.kernel.cache.store(TOY).find("play", "old")._hot is None

    play(story)


def test_signals_that_fail_reach_the_plan() -> None:
    async def story(world: SimWorld) -> None:
        world.asker.answer = Failed("Unreachable", "prometheus is gone")
        world.server.create(TOY, toy("bear", ask="up"))
        world.start()
        await world.until(lambda: world.status("bear").get("asked") == "Unreachable")

    play(story)


def test_slow_signals_do_not_hold_up_other_objects() -> None:
    async def story(world: SimWorld) -> None:
        world.asker.seconds = 60.0
        for n in range(50):
            world.server.create(TOY, toy(f"slow-{n}", ask="up"))
        world.start()
        await asyncio.sleep(5)
        world.server.create(TOY, toy("bear"))
        await world.until(done(world, "bear"), within=3)

    play(story)


def test_windows_keep_their_length() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear", every=1.0))
        world.start()
        await asyncio.sleep(30)
        windows = world.status("bear")["windows"]
        gaps = [b - a for a, b in pairwise(windows)]
        assert len(gaps) == 9
        assert all(0.999 < gap < 1.02 for gap in gaps), gaps

    play(story)


@pytest.mark.parametrize("seed", range(4))
def test_events_that_the_watch_forgot_are_made_up_for(seed: int) -> None:
    """A relist after 410 says nothing of deletions: the comparison finds them."""

    async def story(world: SimWorld) -> None:
        world.server.create(SHELF, shelf("top"))
        world.start()
        for n in range(10):
            world.server.create(TOY, toy(f"t{n}"))
        await asyncio.sleep(20)
        for n in range(5):
            world.server.delete(TOY, "play", f"t{n}")
            await asyncio.sleep(world.rng.uniform(0, 2))
        await world.until(lambda: world.server.get(SHELF, "play", "top")["status"]["toys"] == 5, within=60)
        assert len(world.kernel.cache.store(TOY)) == 5

    play(story, seed=seed, faults=Faults(gone=0.2, duplicate=0.1, broken_watch=0.1))


def test_a_kind_that_appears_later_is_picked_up() -> None:
    async def story(world: SimWorld) -> None:
        world.server.absent = {CONFIG_MAP}
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(lambda: world.condition("bear").get("reason") == "KindMissing")
        assert "configmaps" in world.condition("bear")["message"]
        world.server.absent = set()
        await world.until(done(world, "bear"), within=120)
        await world.until(lambda: world.status("bear")["message"] == "", within=30)
        await asyncio.sleep(15)
        world.server.edit(CONFIG_MAP, "play", "bear-config", lambda o: o["data"].update(colour="mud"))
        await world.until(lambda: world.colours()["bear-config"] == "red", within=2)

    play(story, pace=Pace(discover=10))


def test_own_kinds_that_are_missing_are_waited_for() -> None:
    async def story(world: SimWorld) -> None:
        world.server.absent = {TOY}
        world.start()
        await asyncio.sleep(30)
        assert not world.kernel.synced.is_set()
        world.server.absent = set()
        world.server.create(TOY, toy("bear"))
        await world.until(done(world, "bear"), within=30)

    play(story)


def test_nothing_is_written_without_the_lease() -> None:
    async def story(world: SimWorld) -> None:
        def refuse() -> None:
            raise api.NotLeading("not leading")

        world.server.create(TOY, toy("bear"))
        world.start(guard=refuse)
        await asyncio.sleep(30)
        assert world.kube.writes == []
        assert world.status("bear") == {}

    play(story)


def test_a_plan_that_never_settles_is_slowed_down() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("restless", every=1e-9))
        world.start()
        await asyncio.sleep(60)
        assert len(world.kube.writes) < 200

    play(story)


def test_a_plan_in_which_much_goes_on_is_paced_and_not_told_of_as_an_error() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("restless", every=1e-9, moving=True))
        world.start()
        await asyncio.sleep(60)
        assert 200 < len(world.kube.writes) < 400
        assert "Unsettled" not in generate_latest(world.kernel.metrics.registry).decode()

    play(story)


def test_a_plan_in_which_much_goes_on_in_circles_is_slowed_down_and_told_of() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("torn", torn=True, moving=True))
        world.start()
        await asyncio.sleep(120)
        assert 'fairlead_errors_total{error="Unsettled",kind="Toy"}' in generate_latest(
            world.kernel.metrics.registry).decode()  # fmt: skip
        early = len(await world.quiet(300))
        assert early < 300 / 7.5 + 2, "one in 7.5 to 15 s"
        world.server.edit(TOY, "play", "torn", lambda o: o["spec"].pop("torn"))
        await asyncio.sleep(40)
        assert await world.quiet(300) == [], "what settles again is looked at as any other"

    play(story)


def test_gauges_are_read_off_the_objects() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear", attempts=2))
        world.start()
        await world.until(done(world, "bear"))
        await asyncio.sleep(1)
        text = generate_latest(world.kernel.metrics.registry).decode()
        assert 'toy_attempts{toy="bear"} 2.0' in text
        assert 'fairlead_reconciles_total{kind="Toy",result="wrote"}' in text
        assert 'fairlead_queue_depth{kind="Toy"} 0.0' in text
        assert f'fairlead_cache_objects{{kind="Toy.{TOY.api_version}"}} 1.0' in text

    play(story)
