"""A child that has lost its owner, by the book that the real API server keeps of who has set which field."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import config

from fairlead.cluster import errors as api
from fairlead.cluster.client import HttpKube
from fairlead.engine.cache import Cache
from fairlead.engine.errors import ChildError, NameTaken
from fairlead.engine.world import meta_of
from fairlead.engine.write import Freshness, Writer
from fairlead.manifests.meta import labels, owner_reference
from fairlead.plan.core import HTTP_ROUTE, SERVICE, WORKLOAD, Kind
from tests.contract.apiserver import ApiServer
from tests.sim.toys import TOY, toy

Json = dict[str, Any]
KINDS = {(kind.api_version, kind.kind): kind for kind in (WORKLOAD, SERVICE, HTTP_ROUTE)}
PATHS = {WORKLOAD: "/apis/apps/v1", SERVICE: "/api/v1", HTTP_ROUTE: "/apis/gateway.networking.k8s.io/v1"}
EXTRA: Json = {"spec": {"template": {"spec": {"containers": [{"name": "more", "image": "example.invalid/more"}]}}}}
PATCH = "application/strategic-merge-patch+json"


class Children:
    """A Toy's, in a namespace of the real API server; `patch` is what somebody else does to them."""

    def __init__(self, http: HttpKube, server: ApiServer, namespace: str, owner: Json) -> None:
        self.http, self.server, self.namespace, self.owner = http, server, namespace, owner
        self.cache = Cache(KINDS.values(), lambda: 0.0)
        self.writer = Writer(http, self.cache, KINDS)

    def wanted(self, kind: Kind) -> Json:
        """A child of this kind."""
        mine = {"fairlead.dev/toy": "bear"}
        spec: dict[Kind, Json] = {
            WORKLOAD: {
                "replicas": 0, "selector": {"matchLabels": mine},
                "template": {
                    "metadata": {"labels": mine},
                    "spec": {"containers": [{"name": "server", "image": "example.invalid/one"}]},
                },
            },
            SERVICE: {"selector": mine, "ports": [{"name": "http", "port": 80}]},
            HTTP_ROUTE: {
                "parentRefs": [{"name": "nobody"}], "rules": [{"backendRefs": [{"name": "child", "port": 80}]}],
            },
        }  # fmt: skip
        meta = {"name": "child", "namespace": self.namespace, "labels": labels(toy="bear")}
        meta["ownerReferences"] = [owner_reference(TOY.api_version, "Toy", "bear", self.owner["metadata"]["uid"])]
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec[kind]}

    async def apply(self, kind: Kind) -> bool:
        """As the kernel does in one look."""
        meta = meta_of(self.owner)
        return await self.writer.apply(meta, self.wanted(kind), Freshness(self.http, TOY, meta, True))

    async def applied(self, kind: Kind) -> bool:
        """As the kernel does, which looks once more where somebody was faster: Kubernetes notes the status of a
        workload whenever it likes."""
        for _ in range(20):
            try:
                return await self.apply(kind)
            except ChildError as failed:
                if not isinstance(failed.__cause__, api.Conflict):
                    raise
        raise AssertionError(f"somebody changes {kind.kind} child all the time")

    async def settled(self) -> None:
        """Until Kubernetes has noted its revision and status on the workload, and changes it no more."""
        for _ in range(100):
            found = await self.http.get(WORKLOAD, self.namespace, "child")
            said = {one["type"] for one in (found.get("status") or {}).get("conditions") or []}
            if {"Available", "Progressing"} <= said:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"nobody looks after the workload: {found}")

    async def patch(self, kind: Kind, body: Any, content: str, manager: str = "kubectl-edit") -> None:
        """By somebody else; the cache learns of it."""
        path = f"{PATHS[kind]}/namespaces/{self.namespace}/{kind.plural}/child"
        done = await asyncio.to_thread(self.server.call, "PATCH", path, body, content=content, manager=manager)
        assert done.ok, done.message
        self.cache.put(kind, done.body)

    async def orphaned(self, kind: Kind) -> None:
        """Somebody takes its owner away, as in the attack."""
        gone = [{"op": "remove", "path": "/metadata/ownerReferences"}]
        await self.patch(kind, gone, "application/json-patch+json", "kubectl-patch")

    async def owners(self, kind: Kind) -> list[str]:
        """Who owns it now."""
        found = await self.http.get(kind, self.namespace, "child")
        return [one["name"] for one in found["metadata"].get("ownerReferences") or []]


@pytest.fixture
def server(kubeconfig: str) -> ApiServer:
    return ApiServer(config.new_client_from_config(config_file=str(Path(kubeconfig))))


@pytest.fixture
async def children(http: HttpKube, server: ApiServer, namespace: str) -> Children:
    sent = toy("bear")
    owner = await http.create(TOY, {**sent, "metadata": {**sent["metadata"], "namespace": namespace}})
    return Children(http, server, namespace, owner)


@pytest.mark.parametrize("kind", list(PATHS), ids=lambda kind: kind.kind)
async def test_one_that_has_lost_its_owner_is_taken_over_again(children: Children, kind: Kind) -> None:
    await children.apply(kind)
    if kind == WORKLOAD:
        await children.settled()
    before = await children.http.get(kind, children.namespace, "child")
    await children.orphaned(kind)
    assert await children.owners(kind) == []
    assert await children.applied(kind)
    assert await children.owners(kind) == ["bear"]
    after = await children.http.get(kind, children.namespace, "child")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    children.cache.put(kind, after)
    assert not await children.apply(kind)


async def test_what_kubernetes_and_kubectl_note_on_it_is_no_stranger(children: Children) -> None:
    """Its revision, its status, its scale, and labels and annotations of people's own."""
    await children.apply(WORKLOAD)
    await children.settled()
    await children.patch(WORKLOAD, {"metadata": {"annotations": {"note": "mine"}}}, PATCH, "kubectl-annotate")
    await children.orphaned(WORKLOAD)
    assert await children.applied(WORKLOAD)
    assert await children.owners(WORKLOAD) == ["bear"]


async def test_one_to_which_somebody_has_added_a_container_is_not(children: Children) -> None:
    await children.apply(WORKLOAD)
    await children.patch(WORKLOAD, EXTRA, PATCH)
    await children.orphaned(WORKLOAD)
    with pytest.raises(NameTaken, match="kubectl-edit set fields") as said:
        await children.apply(WORKLOAD)
    assert "patch deployments.apps child --type=merge" in str(said.value)
    assert await children.owners(WORKLOAD) == []


Change = Callable[[Json], None]


def unlabelled(obj: Json) -> None:
    obj["metadata"]["labels"] = {}


def annotated(obj: Json) -> None:
    obj["metadata"]["annotations"] = {"fairlead.dev/applied": "0" * 16}


@pytest.mark.parametrize("forge", [unlabelled, annotated])
async def test_one_that_somebody_has_made_by_that_name_is_not(children: Children, forge: Change) -> None:
    made = copy.deepcopy(children.wanted(WORKLOAD))
    del made["metadata"]["ownerReferences"]
    forge(made)
    path = f"{PATHS[WORKLOAD]}/namespaces/{children.namespace}/deployments"
    done = await asyncio.to_thread(children.server.call, "POST", path, made, manager="kubectl-create")
    assert done.ok, done.message
    with pytest.raises(NameTaken):
        await children.apply(WORKLOAD)


async def test_one_applied_by_our_name_with_more_in_it_loses_that(children: Children) -> None:
    """A tenant who forges the field manager, too, has only made for us what we want."""
    made = copy.deepcopy(children.wanted(WORKLOAD))
    del made["metadata"]["ownerReferences"]
    annotated(made)
    made["spec"]["template"]["spec"]["containers"].append(EXTRA["spec"]["template"]["spec"]["containers"][0])
    made["spec"]["template"]["spec"]["hostNetwork"] = True
    await children.http.apply(WORKLOAD, made)  # the tenant says that he is `fairlead`
    await children.settled()
    assert await children.apply(WORKLOAD)
    found = await children.http.get(WORKLOAD, children.namespace, "child")
    assert [one["name"] for one in found["spec"]["template"]["spec"]["containers"]] == ["server"]
    assert "hostNetwork" not in found["spec"]["template"]["spec"]


async def test_one_whose_book_was_wiped_is_not(children: Children) -> None:
    """… after somebody has added to it: the API server then notes all that was there as somebody's."""
    await children.apply(WORKLOAD)
    await children.patch(WORKLOAD, EXTRA, PATCH)
    await children.patch(WORKLOAD, {"metadata": {"managedFields": [{}]}}, "application/merge-patch+json")
    await children.orphaned(WORKLOAD)
    with pytest.raises(NameTaken):
        await children.apply(WORKLOAD)
    bare = copy.deepcopy(children.wanted(WORKLOAD))
    del bare["metadata"]["ownerReferences"]
    annotated(bare)
    await children.http.apply(WORKLOAD, bare)
    with pytest.raises(NameTaken, match="set fields"):
        await children.apply(WORKLOAD)


async def test_one_that_has_changed_since_it_was_seen_is_looked_at_again(children: Children) -> None:
    await children.apply(WORKLOAD)
    await children.orphaned(WORKLOAD)
    get = children.http.get

    async def stale(kind: Kind, namespace: str, name: str) -> Json:
        found = await get(kind, namespace, name)
        await children.patch(WORKLOAD, EXTRA, PATCH)
        return found

    children.http.get = stale  # type: ignore[method-assign]
    with pytest.raises(ChildError, match="has been modified") as said:
        await children.apply(WORKLOAD)
    assert isinstance(said.value.cause, api.Conflict)
