"""Names that get other bytes, and a namespace that is applied again from a backup, on the real cluster."""

from __future__ import annotations

import hashlib
import json
import time

from hack.testbed.cluster import Json, Team, condition
from hack.testbed.serving import LEARNT, deploy, is_live, make_version, traffic


def backup(team: Team, kind: str, name: str) -> Json:
    """An object as backups have it: no status, no uid."""
    found = team.get(kind, name)
    assert found
    return {"kind": found["kind"], "metadata": {"name": name}, "spec": found["spec"]}


def made_again(team: Team, one: Json, body: Json) -> None:
    """The ModelVersion is deleted, and another one gets its name: with these bytes, and nobody has approved it."""
    name, key = one["metadata"]["name"], "models/stranger/model.json"
    bytes_ = json.dumps(body).encode()
    team.s3.put_object(Bucket=team.bucket, Key=key, Body=bytes_)
    artifact = {"uri": f"s3://{team.bucket}/{key}", "sha256": hashlib.sha256(bytes_).hexdigest()}
    team.cluster.delete("modelversion", name, team.namespace)
    spec = one["spec"] | {"artifact": artifact, "approval": {"required": 3, "expires": "1h"}}
    team.apply({"kind": "ModelVersion", "metadata": {"name": name}, "spec": spec})


def test_b08_what_was_live_is_live_under_any_name_and_after_a_restore(team: Team) -> None:
    make_version(team, "m-1")
    deploy(team)
    team.wait("deployment", "web", is_live("m-1"), 120, "live with m-1")
    with traffic(team, 50) as load:
        make_version(team, "m-2", errorRate=0.5)
        team.wait("deployment", "web", lambda o: o["status"].get("refused") == ["m-2"], 120, "m-2 was taken back")
        kept = [backup(team, "modelversion", "m-2"), backup(team, "deployment", "web")]
        kept.append(backup(team, "modelversion", "m-1"))
        since = time.time() + LEARNT

        made_again(team, kept[-1], {"name": "stranger"})
        seen = team.wait_condition("deployment", "web", "VersionReplaced", "True")
        assert "m-1" in condition(seen, "VersionReplaced")["message"]
        time.sleep(15)  # as long as it took until the stranger answered all requests
    after = [answer for answer in load.answers if answer.sent > since]
    assert after
    assert {(answer.version, answer.code) for answer in after} == {("m-1", 200)}

    team.wait_condition("deployment", "web", "StateSaved", "True")
    for one in kept:
        team.cluster.delete(one["kind"].lower(), one["metadata"]["name"], team.namespace)
    team.cluster.wait_none("pod", team.namespace, "fairlead.dev/deployment=web", 90)
    for one in kept:
        team.apply(one)
    done = team.wait("deployment", "web", is_live("m-1"), 60, "live with m-1 again")
    assert done["status"]["refused"] == ["m-2"]
    assert done["status"]["history"][0]["reason"] == "ErrorsWorse"
    team.wait_condition("deployment", "web", "Available", "True")
    team.wait("modelversion", "m-2", lambda o: o.get("status", {}).get("phase") == "Approved", 60, "Approved")
    settled = team.get("deployment", "web")
    assert settled
    assert is_live("m-1")(settled)
