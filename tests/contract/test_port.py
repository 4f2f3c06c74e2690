"""What the engine relies on, held against the real API server and against the simulated one alike."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
import pytest_asyncio

from fairlead.cluster import errors as api
from fairlead.cluster.client import HttpKube
from fairlead.cluster.port import EVENT, LEASE, Kube
from fairlead.engine.cache import version_of
from fairlead.plan.core import JOB, SERVICE, Kind
from tests.sim.apiserver import ApiServer
from tests.sim.fakecluster import FakeKube, Faults
from tests.sim.toys import CONFIG_MAP, SHELF, TOY, toy

Json = dict[str, Any]
NOWHERE = Kind("test.fairlead.dev/v1", "Nowhere", "nowheres")


@pytest.fixture(params=["real", "fake"])
def where(request: pytest.FixtureRequest) -> tuple[Kube, str]:
    """A connection and a namespace."""
    if request.param == "real":
        return request.getfixturevalue("http"), request.getfixturevalue("namespace")
    server = request.getfixturevalue("server")
    return FakeKube(server, random.Random(1), Faults(latency=0.0)), "play"


@pytest_asyncio.fixture
async def server() -> ApiServer:
    """A simulated API server (it needs a running loop)."""
    return ApiServer(lambda: 1_800_000_000.0, with_status={TOY, SHELF, JOB})


def in_ns(namespace: str, obj: Json) -> Json:
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def config(namespace: str, name: str = "c", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


async def test_create_sets_what_it_should(where: tuple[Kube, str]) -> None:
    kube, ns = where
    sent = in_ns(ns, toy("bear", colour="brown"))
    made = await kube.create(TOY, {**sent, "status": {"phase": "smuggled"}})
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"].endswith("Z")
    assert version_of(made) > 0
    assert "status" not in made
    with pytest.raises(api.AlreadyExists):
        await kube.create(TOY, sent)


async def test_what_is_not_there(where: tuple[Kube, str]) -> None:
    kube, ns = where
    with pytest.raises(api.NotFound):
        await kube.get(TOY, ns, "nobody")
    with pytest.raises(api.NotFound):
        await kube.delete(TOY, ns, "nobody", "no-uid")


async def test_a_kind_that_is_not_served_says_nothing_of_its_objects(where: tuple[Kube, str]) -> None:
    kube, ns = where
    if isinstance(kube, FakeKube):
        kube.server.absent.add(NOWHERE)
    obj = {"apiVersion": NOWHERE.api_version, "kind": NOWHERE.kind, "metadata": {"name": "x", "namespace": ns}}
    for asked in (kube.get(NOWHERE, ns, "x"), kube.create(NOWHERE, obj), kube.delete(NOWHERE, ns, "x", "no-uid")):
        with pytest.raises(api.NotServed):
            await asked
    with pytest.raises(api.NotServed):
        async for _ in kube.pages(NOWHERE):
            pass
    assert not await kube.served(NOWHERE)


async def test_status_is_apart_from_the_spec(where: tuple[Kube, str]) -> None:
    kube, ns = where
    made = await kube.create(TOY, in_ns(ns, toy("bear")))
    meta = {k: made["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion")}
    bare = {"apiVersion": TOY.api_version, "kind": "Toy", "metadata": meta, "status": {"phase": "Good", "attempt": 2}}
    written = await kube.replace_status(TOY, bare)
    assert written["status"] == {"phase": "Good", "attempt": 2}
    assert written["spec"] == {}
    assert written["metadata"]["generation"] == 1
    assert version_of(written) > version_of(made)
    with pytest.raises(api.Conflict):
        await kube.replace_status(TOY, bare)
    changed = await kube.replace(TOY, {**written, "spec": {"colour": "blue"}, "status": {"phase": "smuggled"}})
    assert changed["metadata"]["generation"] == 2
    assert changed["status"]["phase"] == "Good"


async def test_writing_the_same_again_changes_nothing(where: tuple[Kube, str]) -> None:
    kube, ns = where
    made = await kube.create(TOY, in_ns(ns, toy("bear")))
    written = await kube.replace_status(TOY, {**made, "status": {"phase": "Good"}})
    again = await kube.replace_status(TOY, {**written, "status": {"phase": "Good"}})
    assert version_of(again) == version_of(written)
    first = await kube.apply(CONFIG_MAP, config(ns, colour="red"))
    assert version_of(await kube.apply(CONFIG_MAP, config(ns, colour="red"))) == version_of(first)


async def test_apply_makes_changes_and_takes_back(where: tuple[Kube, str]) -> None:
    kube, ns = where
    await kube.apply(CONFIG_MAP, config(ns, colour="red", size="big"))
    found = await kube.apply(CONFIG_MAP, config(ns, colour="blue"))
    assert found["data"] == {"colour": "blue"}


async def test_apply_leaves_others_fields_alone_and_takes_ours_back(where: tuple[Kube, str]) -> None:
    kube, ns = where
    made = await kube.apply(CONFIG_MAP, config(ns, colour="red"))
    edited = await kube.replace(CONFIG_MAP, {**made, "data": {"colour": "mud", "theirs": "kept"}})
    assert edited["data"]["colour"] == "mud"
    found = await kube.apply(CONFIG_MAP, config(ns, colour="red"))
    assert found["data"] == {"colour": "red", "theirs": "kept"}


async def test_delete_as_it_was_seen_leaves_what_has_changed_since(where: tuple[Kube, str]) -> None:
    kube, ns = where
    made = await kube.create(CONFIG_MAP, config(ns, colour="red"))
    uid, seen = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    changed = await kube.replace(CONFIG_MAP, {**made, "data": {"colour": "mud"}})
    with pytest.raises(api.Conflict):
        await kube.delete(CONFIG_MAP, ns, "c", uid, version=seen)
    assert (await kube.get(CONFIG_MAP, ns, "c"))["data"] == {"colour": "mud"}
    await kube.delete(CONFIG_MAP, ns, "c", uid, version=changed["metadata"]["resourceVersion"])
    with pytest.raises(api.NotFound):
        await kube.get(CONFIG_MAP, ns, "c")


async def test_delete_needs_the_right_uid(where: tuple[Kube, str]) -> None:
    kube, ns = where
    made = await kube.create(TOY, in_ns(ns, toy("bear")))
    with pytest.raises(api.Conflict):
        await kube.delete(TOY, ns, "bear", "00000000-0000-0000-0000-000000000000")
    left = await kube.delete(TOY, ns, "bear", made["metadata"]["uid"])
    assert left["kind"] == "Status" or "deletionTimestamp" not in left["metadata"]
    with pytest.raises(api.NotFound):
        await kube.get(TOY, ns, "bear")


async def test_finalizers_keep_an_object(where: tuple[Kube, str]) -> None:
    kube, ns = where
    held = in_ns(ns, toy("bear"))
    held["metadata"]["finalizers"] = ["test.fairlead.dev/hold"]
    made = await kube.create(TOY, held)
    left = await kube.delete(TOY, ns, "bear", made["metadata"]["uid"])
    assert left["metadata"]["deletionTimestamp"]
    freed = {**left, "metadata": {**left["metadata"], "finalizers": []}}
    await kube.replace(TOY, freed)
    with pytest.raises(api.NotFound):
        await kube.get(TOY, ns, "bear")


async def test_children_of_a_deleted_owner_are_collected(where: tuple[Kube, str]) -> None:
    kube, ns = where
    owner = await kube.create(TOY, in_ns(ns, toy("bear")))
    child = config(ns, colour="red")
    reference = {"apiVersion": TOY.api_version, "kind": "Toy", "name": "bear", "uid": owner["metadata"]["uid"]}
    child["metadata"]["ownerReferences"] = [{**reference, "controller": True}]
    await kube.apply(CONFIG_MAP, child)
    await kube.delete(TOY, ns, "bear", owner["metadata"]["uid"])
    if isinstance(kube, FakeKube):
        kube.server.collect_garbage()
    for _ in range(900):  # the collector learns of new kinds every 30 s
        try:
            await kube.get(CONFIG_MAP, ns, "c")
        except api.NotFound:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the child is still there after 90 s")


async def test_lists_by_labels_and_of_metadata(where: tuple[Kube, str]) -> None:
    kube, ns = where
    for n in range(3):
        one = config(ns, f"c{n}", n=str(n))
        one["metadata"]["labels"] = {"odd": "yes" if n % 2 else "no"}
        await kube.create(CONFIG_MAP, one)
    pages = [page async for page in kube.pages(CONFIG_MAP, ns, selector="odd=no")]
    found = [item for page in pages for item in page.items]
    assert [item["metadata"]["name"] for item in found] == ["c0", "c2"]
    assert all(int(page.resource_version) >= version_of(found[-1]) for page in pages)
    bare = [
        item async for page in kube.pages(CONFIG_MAP, ns, selector="odd=yes", metadata_only=True) for item in page.items
    ]
    assert [item["metadata"]["name"] for item in bare] == ["c1"]
    assert "data" not in bare[0]
    assert version_of(bare[0]) > 0
    for metadata_only in (False, True):
        none = [page async for page in kube.pages(CONFIG_MAP, ns, selector="odd=perhaps", metadata_only=metadata_only)]
        assert [page.items for page in none] == [[]]


async def test_served_kinds(where: tuple[Kube, str]) -> None:
    kube, _ = where
    nowhere = Kind("nowhere.example/v1", "Ghost", "ghosts")
    if isinstance(kube, FakeKube):
        kube.server.absent.add(nowhere)
    assert await kube.served(TOY)
    assert await kube.served(SERVICE)
    assert not await kube.served(nowhere)


async def test_refusals_name_the_field(http: HttpKube, namespace: str) -> None:
    long = in_ns(namespace, toy("bear", colour="a colour that is much too long"))
    with pytest.raises(api.Refused, match=r"spec\.colour"):
        await http.create(TOY, long)
    bad = {"apiVersion": JOB.api_version, "kind": "Job", "metadata": {"name": "j", "namespace": namespace}, "spec": {}}
    with pytest.raises(api.Refused, match=r"spec\.template"):
        await http.create(JOB, bad)


async def test_events_and_leases_are_taken(http: HttpKube, namespace: str) -> None:
    from fairlead.engine.cache import Cache
    from fairlead.engine.world import meta_of
    from fairlead.engine.write import Writer
    from fairlead.plan.core import Event

    made = await http.create(TOY, in_ns(namespace, toy("bear")))
    writer = Writer(http, Cache([TOY], lambda: 0.0), {})
    for _ in range(2):
        await writer.event(TOY, meta_of(made), Event("Tried", "once", warning=True), 1_800_000_000.0)
    events = [item async for page in http.pages(EVENT, namespace) for item in page.items]
    assert [(e["reason"], e["note"], e["type"], e["regarding"]["name"]) for e in events] == [
        ("Tried", "once", "Warning", "bear")
    ]
    lease = {"apiVersion": LEASE.api_version, "kind": "Lease", "metadata": {"name": "l", "namespace": namespace}}
    first = await http.create(LEASE, {**lease, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}})
    await http.replace(LEASE, {**first, "spec": {"holderIdentity": "b"}})
    with pytest.raises(api.Conflict):
        await http.replace(LEASE, {**first, "spec": {"holderIdentity": "c"}})


async def test_no_answer_is_unavailable(kubeconfig: str) -> None:
    from fairlead.cluster.client import load_configuration

    configuration = await load_configuration(kubeconfig)
    configuration.host = "https://127.0.0.1:1"
    kube = HttpKube(configuration)
    with pytest.raises(api.Unavailable):
        await kube.get(TOY, "x", "y")
    await kube.close()


async def test_the_api_server_says_where_it_is_reached(http: HttpKube) -> None:
    asked, *own = await http.addresses()
    assert own, "besides the address that it was asked at"
    assert all(part.rpartition(":")[2].isdigit() for part in (asked, *own))
