"""A child that can't be written keeps no other one from being written, and one that has lost its owner comes home."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.cluster import errors as api
from fairlead.engine.cache import Cache
from fairlead.engine.children import Children, Result
from fairlead.engine.errors import ChildError, classify_all
from fairlead.engine.world import meta_of
from fairlead.engine.write import Freshness, Writer
from fairlead.plan.core import JOB, Delete, Kind, Plan
from tests.sim import toys
from tests.sim.apiserver import ApiServer
from tests.sim.fakecluster import FakeKube, Faults
from tests.sim.test_kernel import done, play
from tests.sim.toys import CONFIG_MAP, TOY, toy
from tests.sim.virtualtime import run_virtual
from tests.sim.world import EPOCH, SimWorld

Json = dict[str, Any]
NAMES = [f"c{n}" for n in range(5)]


def config(name: str, owner: Json, colour: str = "red") -> Json:
    """A child."""
    reference = {"apiVersion": toys.GROUP, "kind": "Toy", "controller": True, "blockOwnerDeletion": True}
    reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
    labels = {"app.kubernetes.io/managed-by": "fairlead", "fairlead.dev/toy": owner["metadata"]["name"]}
    meta = {"name": name, "namespace": "play", "labels": labels, "ownerReferences": [reference]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"colour": colour}}


class Bench:
    """A writer over an API server, without a kernel around it."""

    def __init__(self, refused: Iterable[str] = ()) -> None:
        loop = asyncio.get_running_loop()
        self.server = ApiServer(lambda: EPOCH + loop.time(), with_status={TOY, JOB})
        self.owner = self.server.create(TOY, toy("bear"))
        self.refused = set(refused)
        self.server.admission = lambda _, obj: "no" if obj["metadata"]["name"] in self.refused else None
        self.kube = FakeKube(self.server, random.Random(0), Faults(latency=0.0))
        self.cache = Cache([CONFIG_MAP, JOB], loop.time)
        self.writer = Writer(self.kube, self.cache, {("v1", "ConfigMap"): CONFIG_MAP, ("batch/v1", "Job"): JOB})
        self.children = Children(self.writer, loop.time, random.Random(0))

    async def write(self, plan: Plan, known: bool = True) -> Result:
        meta = meta_of(self.owner)
        return await self.children.write(meta, plan, Freshness(self.kube, TOY, meta, known))

    def plan(self, apply: Iterable[Json] = (), create: Iterable[Json] = (), delete: Iterable[Delete] = ()) -> Plan:
        return Plan(toys.ToyStatus(), apply=list(apply), create=list(create), delete=list(delete))

    def there(self) -> set[str]:
        return {obj["metadata"]["name"] for obj in self.server.all(CONFIG_MAP)}


@settings(max_examples=40, deadline=None)
@given(refused=st.sets(st.sampled_from([*NAMES, "old0", "old2"])), created=st.integers(0, 5))
def test_whatever_is_refused_all_others_are_as_wanted(refused: set[str], created: int) -> None:
    """… and nothing is deleted whose successor could not be written."""

    async def story() -> None:
        bench = Bench()
        old = [bench.server.create(CONFIG_MAP, config(f"old{n}", bench.owner)) for n in range(5)]
        for obj in old:
            bench.cache.put(CONFIG_MAP, obj)
        bench.refused = refused
        gone = [
            Delete(CONFIG_MAP, f"old{n}", obj["metadata"]["uid"], after=((CONFIG_MAP, f"c{n}"),) if n % 2 else ())
            for n, obj in enumerate(old)
        ]
        wanted = [config(name, bench.owner) for name in NAMES]
        plan = bench.plan(apply=wanted[created:], create=wanted[:created], delete=gone)
        found = await bench.write(plan)
        assert bench.there() & set(NAMES) == set(NAMES) - refused
        kept = {f"old{n}" for n in range(5) if n % 2 and f"c{n}" in refused}
        assert bench.there() - set(NAMES) == kept
        assert len(found.failures) == len(refused & set(NAMES))
        bench.refused = set()
        await asyncio.sleep(15)
        again = await bench.write(plan)
        assert again.failures == []
        assert bench.there() == set(NAMES)

    run_virtual(story())


def test_all_that_could_not_be_written_is_named_the_most_important_first() -> None:
    async def story() -> None:
        bench = Bench(refused=["c1", "c3"])
        found = await bench.write(bench.plan(apply=[config(name, bench.owner) for name in NAMES]))
        told = classify_all(found.failures)
        assert told.reason == "Refused"
        assert told.message.index("ConfigMap c1") < told.message.index("ConfigMap c3")

    run_virtual(story())


def test_what_may_pass_by_itself_is_not_kept_waiting_by_what_a_person_must_mend() -> None:
    bad, late = api.Forbidden("no role", 403), api.Unavailable("webhook timed out", 500)
    found = classify_all([children_error("c0", bad), children_error("c1", late)])
    assert (found.word, found.reason) == ("Transient", "Forbidden")
    assert "c0" in found.message
    assert "c1" not in found.message


def children_error(name: str, cause: api.ApiError) -> Exception:
    return ChildError(CONFIG_MAP, name, cause)


@pytest.mark.parametrize("known", [True, False])
def test_a_stale_view_stops_all_of_them(known: bool) -> None:
    async def story() -> None:
        bench = Bench()
        bench.server.edit(TOY, "play", "bear", lambda o: o["spec"].update(colour="blue"))
        plan = bench.plan(apply=[config(name, bench.owner) for name in NAMES])
        if known:
            assert (await bench.write(plan)).failures == []
            return
        with pytest.raises(api.Conflict):
            await bench.write(plan, known=False)
        assert bench.there() == set()

    run_virtual(story())


def test_without_an_answer_the_others_are_not_tried() -> None:
    async def story() -> None:
        bench = Bench()
        bench.kube.faults.unavailable = 1.0
        found = await bench.write(bench.plan(apply=[config(name, bench.owner) for name in NAMES]))
        assert len(found.failures) == 1
        assert len(bench.kube.calls) == 1

    run_virtual(story())


def test_one_that_is_refused_is_left_alone_for_a_while_unless_it_is_wanted_otherwise() -> None:
    async def story() -> None:
        bench = Bench(refused=["c1"])
        plan = bench.plan(apply=[config(name, bench.owner) for name in NAMES])
        await bench.write(plan)
        before = len(bench.kube.writes)
        found = await bench.write(plan)
        assert (len(found.failures), found.fresh, len(bench.kube.writes)) == (1, [], before)
        assert found.due is not None
        assert found.due - asyncio.get_running_loop().time() <= 10
        bench.refused = set()
        other = bench.plan(apply=[config(name, bench.owner, "blue") for name in NAMES])
        assert (await bench.write(other)).failures == []

    run_virtual(story())


# --- owners ----------------------------------------------------------------------------------------------------------


def orphan(world: SimWorld) -> None:
    """Somebody takes the owner away."""
    world.server.edit(CONFIG_MAP, "play", "bear-config", lambda o: o["metadata"].pop("ownerReferences"))


def owners(world: SimWorld) -> list[str]:
    found = world.server.get(CONFIG_MAP, "play", "bear-config")["metadata"].get("ownerReferences") or []
    return [one["name"] for one in found]


def test_a_child_that_has_lost_its_owner_is_taken_over_again_at_once() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        uid = world.server.get(CONFIG_MAP, "play", "bear-config")["metadata"]["uid"]
        orphan(world)
        await world.until(lambda: owners(world) == ["bear"], within=2)
        assert world.server.get(CONFIG_MAP, "play", "bear-config")["metadata"]["uid"] == uid
        assert world.condition("bear")["reason"] == "Done"
        assert await world.quiet(60) == []

    play(story)


def test_one_whose_labels_were_taken_away_too_is_seen_again() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        world.server.edit(CONFIG_MAP, "play", "bear-config", lambda o: o["metadata"].pop("labels"))
        label = "app.kubernetes.io/managed-by"
        await world.until(lambda: label in world.server.all(CONFIG_MAP)[0]["metadata"].get("labels", {}), within=2)
        await world.until(lambda: world.kernel.cache.get(CONFIG_MAP, "play", "bear-config") is not None, within=2)

    play(story)


def test_one_to_which_somebody_has_added_is_not_taken_over_and_keeps_nothing_else() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))

        def stray(obj: Json) -> None:
            del obj["metadata"]["ownerReferences"]
            obj["data"]["more"] = "theirs"

        world.server.edit(CONFIG_MAP, "play", "bear-config", stray)
        await world.until(lambda: world.condition("bear").get("reason") == "NameTaken", within=5)
        said = world.condition("bear")["message"]
        assert "kubectl set fields" in said
        assert "patch configmaps bear-config" in said
        assert "delete" not in said
        assert world.server.get(CONFIG_MAP, "play", "bear-config")["data"] == {"colour": "red", "more": "theirs"}
        reference = config("x", world.server.get(TOY, "play", "bear"))["metadata"]["ownerReferences"]
        world.server.edit(CONFIG_MAP, "play", "bear-config", lambda o: o["metadata"].update(ownerReferences=reference))
        await world.until(lambda: world.condition("bear").get("reason") == "Done", within=30)

    play(story)


@pytest.mark.parametrize("mark", ["labels", "nothing"])
def test_one_that_somebody_made_by_that_name_is_not_taken_over(mark: str) -> None:
    """Whatever it is labelled with: what it consists of was set by somebody else."""

    async def story(world: SimWorld) -> None:
        bear = world.server.create(TOY, toy("bear"))
        forged = config("bear-config", bear, "forged")
        del forged["metadata"]["ownerReferences"]
        forged["metadata"]["annotations"] = {"fairlead.dev/applied": "0" * 16}
        if mark == "nothing":
            del forged["metadata"]["labels"]
        world.server.create(CONFIG_MAP, forged)
        world.start()
        await world.until(lambda: world.condition("bear").get("reason") == "NameTaken")
        await world.until(done(world, "bear"))  # its Job is none the worse
        assert world.colours() == {"bear-config": "forged"}

    play(story)


def test_one_that_is_being_deleted_is_named_and_made_again_when_it_is_gone() -> None:
    async def story(world: SimWorld) -> None:
        world.server.create(TOY, toy("bear"))
        world.start()
        await world.until(done(world, "bear"))
        hold = ["example.com/hold"]
        world.server.edit(CONFIG_MAP, "play", "bear-config", lambda o: o["metadata"].update(finalizers=hold))
        world.server.delete(CONFIG_MAP, "play", "bear-config")
        await world.until(lambda: world.condition("bear").get("reason") == "BeingDeleted", within=5)
        assert "example.com/hold" in world.condition("bear")["message"]
        world.server.edit(CONFIG_MAP, "play", "bear-config", lambda o: o["metadata"].pop("finalizers"))
        await world.until(lambda: world.condition("bear").get("reason") == "Done", within=60)
        assert world.colours() == {"bear-config": "red"}

    play(story)


def test_one_refused_job_among_others_holds_up_nobody() -> None:
    async def story(world: SimWorld) -> None:
        def refuse(kind: Kind, _: Json) -> str | None:
            return "quota" if kind == JOB else None

        world.server.admission = refuse
        world.server.create(TOY, toy("bear", shelf="top", every=1.0))
        world.start()
        await world.until(lambda: world.condition("bear").get("reason") == "Refused")
        assert world.colours() == {"bear-config": "red"}
        assert "top" in world.made("shelves")
        before = world.status("bear")["windows"][-1]
        await asyncio.sleep(20)
        assert world.status("bear")["windows"][-1] > before + 15, "looks go on at their pace"
        tried = [call for call in world.kube.writes if call[:2] == ("create", "jobs")]
        assert len(tried) < 12

    play(story)
