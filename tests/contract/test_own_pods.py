"""Who may make pods that look like Fairlead's: real users against the chart's ValidatingAdmissionPolicy."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from fairlead.api.tasks import Place, SnapshotTask
from fairlead.manifests import job as jobs
from fairlead.manifests.limits import Limits
from fairlead.manifests.meta import labels
from tests.contract.apiserver import Answer, ApiServer
from tests.contract.users import server_with, space_with

Json = dict[str, Any]
EDITOR = "editor@example.com"
MERGE = "application/merge-patch+json"
FORGED = {"app.kubernetes.io/managed-by": "fairlead", "fairlead.dev/modelversion": "fg-2"}


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return server_with("fairlead-pods", kubeconfig)


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    """A namespace in which the editor may edit."""
    with space_with(server, "fl-own-pods", {"edit": [EDITOR]}) as name:
        yield name


def pod(server: ApiServer, space: str, own: Json, user: str = EDITOR) -> Answer:
    """Make a pod with these labels."""
    manifest = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p-{uuid.uuid4().hex[:8]}", "labels": own},
        "spec": {"containers": [{"name": "c", "image": "nowhere.example/c:1"}]},
    }  # fmt: skip
    return server.call("POST", f"/api/v1/namespaces/{space}/pods", manifest, user=user)


def change(server: ApiServer, space: str, name: str, patch: Json) -> Answer:
    """Patch a pod as the editor."""
    return server.call("PATCH", f"/api/v1/namespaces/{space}/pods/{name}", patch, user=EDITOR, content=MERGE)


def test_forged_evidence_an_editor_can_not_make_a_pod_that_looks_like_fairleads(server: ApiServer, space: str) -> None:
    refused = pod(server, space, FORGED)
    assert refused.code == 403
    assert f"{EDITOR} may not make a pod with the label app.kubernetes.io/managed-by: fairlead" in refused.message
    assert "pods.makers" in refused.message
    assert pod(server, space, {"app": "mine"}).ok


def test_forged_evidence_an_editor_can_not_make_one_of_his_own_look_so(server: ApiServer, space: str) -> None:
    mine = pod(server, space, {"app": "mine"}).body["metadata"]["name"]
    refused = change(server, space, mine, {"metadata": {"labels": FORGED}})
    assert refused.code == 403
    assert "labels of Fairlead can be taken off a pod, and not put on one" in refused.message
    assert change(server, space, mine, {"metadata": {"labels": {"team": "a"}}}).ok


def made_by_its_job(server: ApiServer, space: str) -> Json:
    """The pod of a Job as Fairlead makes it; the Job controller makes the pod."""
    place = Place(bucket="store", prefix="x/")
    task = SnapshotTask(dataset="rows", listing="a" * 64, source=place, store=place, format="csv", pin="copy")
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": space, "uid": "none"}
    who = jobs.Identity(f"rows-{uuid.uuid4().hex[:8]}", space, owner, labels(dataset="rows"))
    job = jobs.snapshot_job(who, "nowhere.example/worker:1", task, [], Limits("1Gi", "64Mi"), 60)
    del job["metadata"]["ownerReferences"]
    made = server.call("POST", f"/apis/batch/v1/namespaces/{space}/jobs", job)
    assert made.ok, made.message
    end = time.monotonic() + 30
    while time.monotonic() < end:
        pods = server.call("GET", f"/api/v1/namespaces/{space}/pods").body["items"]
        mine = [one for one in pods if one["metadata"]["name"].startswith(who.name)]
        if mine:
            return dict(mine[0])
        time.sleep(0.2)
    raise AssertionError("the Job controller has made no pod; does the policy let it?")


def test_forged_evidence_pods_of_a_job_are_made_and_nobody_changes_what_they_are(
    server: ApiServer, space: str
) -> None:  # fmt: skip
    name = made_by_its_job(server, space)["metadata"]["name"]
    image = {"spec": {"containers": [{"name": "snapshot", "image": "evil.example/worker:1"}]}}
    refused = server.call(
        "PATCH", f"/api/v1/namespaces/{space}/pods/{name}", image, user=EDITOR,
        content="application/strategic-merge-patch+json",
    )  # fmt: skip
    assert refused.code == 403
    assert "owner and images of a pod of Fairlead" in refused.message
    assert change(server, space, name, {"metadata": {"ownerReferences": None}}).code == 403
    assert change(server, space, name, {"metadata": {"labels": {"fairlead.dev/dataset": "other"}}}).code == 403
    assert change(server, space, name, {"metadata": {"labels": {"fairlead.dev/dataset": None}}}).ok
    assert change(server, space, name, {"metadata": {"annotations": {"note": "looked at"}}}).ok
