"""One object, one kind or one clock that is strange stops nothing else: on the simulated cluster."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

from prometheus_client import generate_latest

from fairlead.engine.kernel import Pace
from fairlead.manifests.meta import child_name
from fairlead.manifests.route import weights
from fairlead.plan.core import DEPLOYMENT, HTTP_ROUTE, Kind
from tests.sim.fakecluster import Faults
from tests.sim.gpuworld import NAMESPACE, GpuWorld
from tests.sim.test_kernel import done, play
from tests.sim.toys import CONFIG_MAP, SHELF, TOY, shelf, toy
from tests.sim.virtualtime import run_virtual
from tests.sim.world import SimWorld

Json = dict[str, Any]
WITHHELD = 'fairlead_kind_withheld{kind="configmaps"}'


ROOM = 4500
"""Bytes that a rollout's status may take more than one at rest: its test does fit, its ledger does not."""


def condition(status: Json, type_: str) -> Json:
    return next((one for one in status.get("conditions", []) if one["type"] == type_), {})


def metrics(world: SimWorld) -> str:
    return generate_latest(world.kernel.metrics.registry).decode()


# --- a plan that does not settle -------------------------------------------------------------------------------------


def test_attack_06_a_plan_that_does_not_settle_is_looked_at_more_and_more_rarely() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("restless", every=1e-9))
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        await asyncio.sleep(600)
        early = len(await world.quiet(600))
        assert 600 / 15 - 2 < early < 600 / 7.5 + 2, "one in 7.5 to 15 s"
        assert 'fairlead_errors_total{error="Unsettled",kind="Toy"}' in metrics(world)
        world.server.edit(TOY, "play", "restless", lambda o: o["spec"].pop("every"))
        await asyncio.sleep(40)
        assert await world.quiet(300) == [], "what settles again is looked at as any other"

    play(story)


# --- optional kinds --------------------------------------------------------------------------------------------------


def test_a_forbidden_kind_that_can_be_done_without_keeps_nothing_from_beginning() -> None:
    async def story(world: SimWorld) -> None:
        world.server.forbidden = {CONFIG_MAP}
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(world.kernel.synced.is_set, within=10)
        await world.until(done(world, "bear"), within=30)
        assert f"{WITHHELD} 1.0" in metrics(world)
        world.server.forbidden = set()
        await world.until(lambda: f"{WITHHELD} 0.0" in metrics(world), within=30)
        await asyncio.sleep(15)
        world.server.edit(CONFIG_MAP, "play", "bear-config", lambda o: o["data"].update(colour="mud"))
        await world.until(lambda: world.colours()["bear-config"] == "red", within=2)

    play(story, pace=Pace(discover=10))


def test_a_forbidden_kind_that_is_needed_is_waited_for() -> None:
    async def story(world: SimWorld) -> None:
        world.server.forbidden = {SHELF}
        world.server.create(TOY, toy("bear"))
        world.start()
        await asyncio.sleep(60)
        assert not world.kernel.synced.is_set()
        world.server.forbidden = set()
        await world.until(done(world, "bear"), within=60)

    play(story)


def test_a_kind_that_is_forbidden_later_on_is_done_without() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        world.server.forbidden = {CONFIG_MAP}
        await world.until(lambda: f"{WITHHELD} 1.0" in metrics(world), within=60)
        world.server.create(TOY, toy("wolf"))
        await world.until(done(world, "wolf"), within=30)

    play(story, pace=Pace(compare=20, discover=1000))


def test_an_extension_s_server_that_is_away_keeps_nothing_from_beginning() -> None:
    async def story(world: SimWorld) -> None:
        world.server.unknown = {CONFIG_MAP}
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"), within=30)
        world.server.unknown = set()
        await asyncio.sleep(30)
        world.server.edit(CONFIG_MAP, "play", "bear-config", lambda o: o["data"].update(colour="mud"))
        await world.until(lambda: world.colours()["bear-config"] == "red", within=2)

    play(story, pace=Pace(discover=10))


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_a_leader_whose_clock_is_behind_goes_on_from_the_times_that_it_finds_and_says_so() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear", every=1.0))
        world.start()
        await asyncio.sleep(20)
        await world.kill()
        world.start(behind=60.0)
        await asyncio.sleep(20)
        windows = world.status("bear")["windows"]
        assert all(0.9 < after - before < 1.6 for before, after in pairwise(windows)), windows
        told = condition(world.status("bear"), "ClockBehind")
        assert told["status"] == "True"
        assert "the operator's clock is 60 s behind" in told["message"].replace("59 s", "60 s")
        assert "fairlead_clock_behind_objects 1.0" in metrics(world)
        await world.kill()
        world.start()
        await asyncio.sleep(5)
        assert condition(world.status("bear"), "ClockBehind") == {}
        assert len(set(world.status("bear")["windows"])) == 10

    play(story, faults=Faults(latency=0.0, watch_lag=0.0))


def test_a_clock_that_is_set_back_while_it_leads_stops_no_window() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear", every=1.0))
        kernel = world.start()
        await asyncio.sleep(20)
        kernel.reconciler.clocks.clock = lambda: world.now() - 120.0
        await asyncio.sleep(15)
        windows = world.status("bear")["windows"]
        assert all(0.9 < after - before < 1.2 for before, after in pairwise(windows)), windows
        assert condition(world.status("bear"), "ClockBehind")["status"] == "True"
        kernel.reconciler.clocks.clock = world.now
        await asyncio.sleep(5)
        assert condition(world.status("bear"), "ClockBehind") == {}

    play(story, faults=Faults(latency=0.0, watch_lag=0.0))


def test_a_time_that_lies_far_ahead_is_not_followed_but_told() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear", every=1.0))
        world.start()
        await asyncio.sleep(20)
        await world.kill()
        world.start(behind=86_400.0)
        await asyncio.sleep(20)
        told = condition(world.status("bear"), "ClockBehind")
        assert "set the clock of the operator's node" in told["message"]

    play(story, faults=Faults(latency=0.0, watch_lag=0.0))


# --- a status that is too large --------------------------------------------------------------------------------------


def test_a_status_that_is_too_large_is_written_without_its_records_and_the_work_goes_on() -> None:
    async def story(world: SimWorld) -> None:
        def refuse(_kind: Kind, obj: Json) -> str | None:
            many = len(obj.get("status", {}).get("windows", []))
            return f"status.windows: Too many: {many}: must have at most 4 items" if many > 4 else None

        world.server.admission = refuse
        world.server.create(TOY, toy("bear", every=1.0, attempts=3))
        world.start()
        await world.until(lambda: condition(world.status("bear"), "StatusTooLarge") != {}, within=60)
        told = condition(world.status("bear"), "StatusTooLarge")
        assert (told["status"], told["reason"]) == ("True", "StatusTooLarge")
        assert "status.windows: Too many: 5: must have at most 4 items" in told["message"]
        await world.until(done(world, "bear"), within=60)
        before = world.status("bear")["windows"][-1]
        await asyncio.sleep(10)
        assert world.status("bear")["windows"][-1] > before + 8
        assert len(await world.quiet(60)) < 60 * 2, "no hot loop"
        world.server.admission = lambda _kind, _obj: None
        await asyncio.sleep(700)
        assert condition(world.status("bear"), "StatusTooLarge") == {}

    play(story)


def test_a_status_with_nothing_to_do_without_is_a_named_case_and_harms_nobody() -> None:
    async def story(world: SimWorld) -> None:
        too_large = "rpc error: code = ResourceExhausted desc = trying to send message larger than max (3 vs. 2)"
        world.server.admission = lambda kind, obj: too_large if kind == SHELF and "toys" in obj.get(
            "status", {}) else None  # fmt: skip
        world.server.create(SHELF, shelf("top"))
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))

        def top() -> Json:
            found: Json = world.server.get(SHELF, "play", "top").get("status", {})
            return found

        await world.until(lambda: condition(top(), "Ready").get("reason") == "StatusTooLarge")
        assert "larger than max" in condition(top(), "Ready")["message"]
        await asyncio.sleep(600)
        looks = world.kernel.metrics.errors.labels("Shelf", "StatusTooLarge")._value.get()
        assert looks < 30, "it is tried more and more rarely"
        world.server.admission = lambda _kind, _obj: None
        await world.until(lambda: top().get("toys") == 1, within=600)

    play(story)


def test_a_rollout_goes_on_under_an_api_server_that_takes_small_statuses_only() -> None:
    async def story() -> None:
        world = GpuWorld(8)
        try:
            world.version("m", 1)
            world.deploy("m")
            world.start()
            await world.until({"m": "m-1"})
            most, refusals = len(json.dumps(world.status("m"))) + ROOM, list[int]()

            def refuse(kind: Kind, obj: Json) -> str | None:
                size = len(json.dumps(obj.get("status", {})))
                if kind != DEPLOYMENT or size <= most:
                    return None
                refusals.append(size)
                return f"status: Too long: may not be more than {most} bytes"

            world.server.admission = refuse
            world.version("m", 2)
            await world.until({"m": "m-2"}, within=300)
            assert refusals
            assert condition(world.status("m"), "StatusTooLarge")["status"] == "True"
            assert weights(world.server.get(HTTP_ROUTE, NAMESPACE, "m")) == {child_name("m", "m-2"): 100}
        finally:
            await world.close()

    run_virtual(story())
