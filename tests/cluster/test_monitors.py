"""Monitors of a live version on the real cluster: its pods count what comes, and that is compared with a profile."""

from __future__ import annotations

import pytest
from hack.testbed.cluster import STORE_BUCKET, Json, Team, condition
from hack.testbed.serving import deploy, is_live, make_version, traffic

from fairlead.monitor.profile import Number, Profile
from tests.cluster.test_evidence import replay

LEARNT = Number(
    kind="number", name="x", edges=[0.5, 1.5, 2.0], counts=[900, 100, 900, 900], low=0.0, high=3.0, mean=1.5, sd=1.0
)
"""What is asked is 1.0 always: one in 28 rows of the reference lies near it."""


def known_profile(team: Team) -> Json:
    """A profile in the store, as a ModelVersion names it."""
    profile = Profile(task="regression", rows=2800, features=[LEARNT])
    key = f"{team.namespace}/profiles/x.json"
    team.s3.put_object(Bucket=STORE_BUCKET, Key=key, Body=profile.dumped())
    return {"profile": {"uri": f"s3://{STORE_BUCKET}/{key}", "digest": profile.digest}}


def lines(obj: Json) -> dict[str, Json]:
    """What the monitors say, by name."""
    return {one["monitor"]: one for one in obj.get("status", {}).get("monitors", {}).get("lines", [])}


def explained(obj: Json) -> Json:
    """What is known of why it answers as it does."""
    found: Json = obj.get("status", {}).get("monitors", {}).get("explained", {})
    return found


@pytest.mark.long
def test_a_live_version_is_compared_with_what_it_learnt_from(team: Team) -> None:
    make_version(team, "m-1", more=known_profile(team))
    deploy(team, more={"monitors": {"every": "1m", "explain": {"every": "1m", "rows": 10}}})
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")
    with traffic(team, 30):
        seen = team.wait(
            "deployment", "web", lambda o: lines(o).get("drift", {}).get("state") == "Drifting", 300, "drifting"
        )
        assert condition(seen, "MonitorReady")["status"] == "True"
        assert condition(seen, "Drifting")["status"] == "True"
        assert "x (" in condition(seen, "Drifting")["message"]
        said = lines(seen)
        assert said["data"]["state"] == said["outliers"]["state"] == "Ok"
        assert said["quality"]["state"] == "Unknown"  # nothing is known of its answers
        assert condition(seen, "Harmed")["status"] == "Unknown"
        windows = seen["status"]["monitors"]["windows"]
        # a pod of its own was asked why; what is asked is always the same, so nothing contributes anything
        seen = team.wait("deployment", "web", lambda o: explained(o).get("at"), 240, "explained")
        assert explained(seen)["rows"] >= 10
        assert [(one["feature"], one["mean"]) for one in explained(seen)["features"]] == [("x", "0")]
        # of the live version, with the proxy's share that follows the traffic: it is not taken for a new one
        assert is_live("m-1")(seen)
    told = replay(team, "--monitors")
    assert told["same"], told["different"]
    assert len(told["windows"]) >= windows
    assert 0 < told["windows"][0]["rows"] <= 30 * 150
