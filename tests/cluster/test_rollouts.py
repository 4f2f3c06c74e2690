"""Rollouts on the real cluster, under real traffic: promotion, rollback, and what freezes them."""

from __future__ import annotations

import time

import pytest
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.serving import LEARNT, artifact_body, deploy, is_live, make_version, server_image, still_from, traffic


def go_live(team: Team, version: str = "m-1", **settings: object) -> None:
    """The first version."""
    make_version(team, version, **settings)
    deploy(team)
    team.wait("deployment", "web", is_live(version), 120, f"live with {version}")


def pods(team: Team, version: str) -> dict[str, int]:
    """Restarts by uid of a version's pods."""
    found = team.cluster.list("pod", team.namespace, f"fairlead.dev/version={version}")
    return {
        p["metadata"]["uid"]: sum(c["restartCount"] for c in p["status"].get("containerStatuses", [])) for p in found
    }


def test_promotion_restarts_nothing_and_loses_no_request(team: Team) -> None:
    go_live(team)
    with traffic(team, 50) as load:
        make_version(team, "m-2")
        team.wait("deployment", "web", lambda o: o["status"].get("candidate", {}).get("weight") == 50, 120, "at 50 %")
        during = pods(team, "m-2")
        done = team.wait("deployment", "web", is_live("m-2"), 120, "live with m-2")
        team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 60, "drained")
    team.wait_condition("deployment", "web", "Ready", "True", "Live", 30)
    assert pods(team, "m-2") == during
    team.cluster.wait_none("pod", team.namespace, "fairlead.dev/version=m-1", 60)
    assert done["status"]["previous"] == "m-1"
    assert done["status"]["history"][0]["result"] == "Live"
    assert not load.failed(), load.failed()[:10]
    assert set(load.by_version()) == {"m-1", "m-2"}


def children(team: Team, version: str) -> list[Json]:
    """The workload and the Service of a version."""
    marks = f"fairlead.dev/deployment=web,fairlead.dev/version={version}"
    return [one for kind in ("workload", "service") for one in team.cluster.list(kind, team.namespace, marks)]


def take_owners_away(team: Team, version: str) -> None:
    """As somebody does who may edit in the namespace."""
    for one in children(team, version):
        kind = "service" if one["kind"] == "Service" else "workload"
        team.cluster.resource(kind).patch(
            name=one["metadata"]["name"], namespace=team.namespace, content_type="application/json-patch+json",
            body=[{"op": "remove", "path": "/metadata/ownerReferences"}],
        )  # fmt: skip


def test_a_version_that_fails_is_rolled_back_and_not_tried_again(team: Team) -> None:
    """… also where somebody takes the live version's objects from their owner meanwhile: they come home."""
    go_live(team, errorRate=0.01)
    known = {one["metadata"]["uid"] for one in children(team, "m-1")}
    with traffic(team, 100) as load:
        make_version(team, "m-2", errorRate=0.3)
        team.wait("deployment", "web", lambda o: bool(o["status"].get("candidate")), 60, "on its way")
        take_owners_away(team, "m-1")
        done = team.wait("deployment", "web", lambda o: o["status"].get("phase") == "RolledBack", 120, "rolled back")
        since = time.time()
        team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 60, "drained")
    home = children(team, "m-1")
    assert {one["metadata"]["uid"] for one in home} == known
    assert len(home) == 2
    assert all(one["metadata"]["ownerReferences"][0]["uid"] == done["metadata"]["uid"] for one in home)
    record = done["status"]["history"][0]
    assert record["result"] == "RolledBack"
    assert record["version"] in done["status"]["refused"]
    stalled = team.wait_condition("deployment", "web", "Stalled", "True", record["reason"], 30)
    assert condition(stalled, "Ready")["status"] == "False"
    assert condition(stalled, "Available")["status"] == "True"
    for version, use in (("m-1", "live in web"), ("m-2", f"refused by web ({record['reason']})")):
        told = team.wait("modelversion", version, lambda o, use=use: o["status"].get("inUse") == use, 30, use)  # type: ignore[misc]
        assert condition(told, "Ready")["status"] == "True"
    assert record["candidate"]["failures"] > 0
    assert load.answers[-1].sent > since + LEARNT
    assert not still_from(load, "m-2", since)
    route = team.get("httproute", "web")
    assert route
    backends = [b["name"] for rule in route["spec"]["rules"] for b in rule["backendRefs"]]
    assert len(set(backends)) == 1
    assert record["candidate"]["requests"] <= sum(load.by_version()["m-2"].values())


def test_b16_artifact_with_another_digest_is_rejected_for_good_and_the_next_one_goes_live(team: Team) -> None:
    key = make_version(team, "m-1", wrong_digest=True)
    deploy(team)
    seen = team.wait_condition("modelversion", "m-1", "Verified", "False", "DigestMismatch")
    assert key in condition(seen, "Verified")["message"]
    assert seen["status"]["phase"] == "Rejected"
    team.s3.put_object(Bucket=team.bucket, Key=key, Body=artifact_body("m-1"))
    make_version(team, "m-2")
    done = team.wait("deployment", "web", is_live("m-2"), 120, "live")
    assert [(one["version"], one["reason"]) for one in done["status"]["history"]] == [
        ("m-2", "Promoted"), ("m-1", "DigestMismatch"),
    ]  # fmt: skip
    assert (team.get("modelversion", "m-1") or {})["status"]["phase"] == "Rejected"


def test_b03_a_label_that_the_servers_page_does_not_have_is_said_before_the_rollout_begins(team: Team) -> None:
    """Every second request would fail, and none would be counted as failed."""
    go_live(team)
    with traffic(team, 30):
        make_version(team, "m-2", metrics={"failures": 'infer_requests_total{status=~"5.."}'}, errorRate=0.5)
        seen = team.wait_condition("deployment", "web", "Progressing", "False", "LabelMissing", timeout=120)
    assert "their labels: code" in condition(seen, "Progressing")["message"]
    assert seen["status"]["live"]["version"] == "m-1"
    assert seen["status"]["candidate"]["weight"] == 0


def test_server_image_that_does_not_exist_leaves_the_live_version(team: Team) -> None:
    go_live(team)
    late = "fairlead.local/test-server-late:1"
    make_version(team, "m-2", image=late)

    def waits_for_image(obj: Json) -> bool:
        return condition(obj, "Progressing").get("reason") == "ImagePull"

    seen = team.wait("deployment", "web", waits_for_image, 120, "waiting for the image")
    assert late in condition(seen, "Progressing")["message"]
    assert seen["status"]["live"]["version"] == "m-1"
    assert condition(seen, "Available")["status"] == "True"
    team.cluster.delete("modelversion", "m-2", team.namespace)
    team.wait("deployment", "web", is_live("m-1"), 60, "back to m-1 alone")
    assert server_image() != late


@pytest.mark.alone
def test_prometheus_that_is_gone_freezes_and_goes_on_when_it_is_back(team: Team) -> None:
    """What the servers count themselves still shows a version that fails."""
    go_live(team)
    series = 'infer_requests_total{namespace="{{namespace}}",version="{{version}}"'
    guard = {"metric": "outcomes", "promql": {"total": series + "}", "failures": series + ',code="500"}'}}
    deploy(team, guard=[{"metric": "errors"}, guard])
    scale_prometheus(team, 0)
    try:
        with traffic(team, 50):
            make_version(team, "m-0", errorRate=0.5)
            bad = team.wait("deployment", "web", lambda o: o["status"].get("refused") == ["m-0"], 120, "rid of m-0")
            assert bad["status"]["history"][0]["reason"] == "ErrorsWorse"
            make_version(team, "m-2")
            seen = team.wait_condition("deployment", "web", "EvidenceAvailable", "False", timeout=120)
            assert "Prometheus" in condition(seen, "EvidenceAvailable")["message"]
            weight = seen["status"]["candidate"]["weight"]
            scale_prometheus(team, 1)
            done = team.wait("deployment", "web", is_live("m-2"), 180, "live with m-2")
    finally:
        scale_prometheus(team, 1)
    assert weight == 10
    assert [record["result"] for record in done["status"]["history"]] == ["Live", "RolledBack", "Live"]


def scale_prometheus(team: Team, replicas: int) -> None:
    """Stop or start Prometheus, and wait until it is so."""
    team.cluster.apply({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
        "metadata": {"name": prometheus_name(team), "namespace": "monitoring"}, "spec": {"replicas": replicas},
    })  # fmt: skip
    team.cluster.wait(
        "prometheus", prometheus_name(team), "monitoring",
        lambda o: o["status"].get("availableReplicas", 0) == replicas, 120, f"at {replicas} replicas",
    )  # fmt: skip


def prometheus_name(team: Team) -> str:
    """Name of the stack's Prometheus."""
    return str(team.cluster.list("prometheus", "monitoring")[0]["metadata"]["name"])
