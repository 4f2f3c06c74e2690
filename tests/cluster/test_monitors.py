"""Monitors of a live version on the real cluster: its pods count what comes, and that is compared with a profile."""

from __future__ import annotations

import pytest
from hack.testbed.cluster import STORE_BUCKET, Json, Team, condition
from hack.testbed.serving import deploy, is_live, make_version, traffic

from fairlead.monitor.profile import Losses, Number, Profile
from tests.cluster.test_evidence import replay, said_by
from tests.cluster.test_labels import ENOUGH, kept, make_dataset, publish

LEARNT = Number(
    kind="number", name="x", edges=[0.5, 1.5, 2.0], counts=[900, 100, 900, 900], low=0.0, high=3.0, mean=1.5, sd=1.0
)
"""What is asked is 1.0 always: one in 28 rows of the reference lies near it."""


ANSWERED = Number(kind="number", name="answer", edges=[], counts=[2800], low=0.0, high=2.0, mean=1.0, sd=0.1)
LOST = Losses(counts=[2800], absolute=[280.0], squared=[40.0], fourth=[2.0], nonzero=[2800], relative=[280.0],
              relative_squared=[40.0])  # fmt: skip
"""A mean error of 0.1. It answers 1."""


def known_profile(team: Team) -> Json:
    """A profile in the store, as a ModelVersion names it."""
    profile = Profile(
        task="regression", rows=2800, held_out=2800, features=[LEARNT], prediction=ANSWERED, losses=LOST,
    )  # fmt: skip
    key = f"{team.namespace}/profiles/x.json"
    team.s3.put_object(Bucket=STORE_BUCKET, Key=key, Body=profile.dumped())
    return {"profile": {"uri": f"s3://{STORE_BUCKET}/{key}", "digest": profile.digest}}


def lines(obj: Json) -> dict[str, Json]:
    """What the monitors say, by name."""
    return {one["monitor"]: one for one in obj.get("status", {}).get("monitors", {}).get("lines", [])}


@pytest.mark.long
def test_a_live_version_is_compared_with_what_it_learnt_from(team: Team) -> None:
    make_version(team, "m-1", more=known_profile(team))
    make_dataset(team)
    deploy(team, more={"monitors": {"every": "1m", "labels": {"dataset": "truth"}}})
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")
    with traffic(team, 30):
        publish(team, kept(team, "m-1", 150))  # meanwhile the windows go on
        seen = team.wait(
            "deployment", "web", lambda o: lines(o).get("drift", {}).get("state") == "Drifting", 300, "drifting"
        )
        assert condition(seen, "MonitorReady")["status"] == "True"
        assert condition(seen, "Drifting")["status"] == "True"
        assert "x (" in condition(seen, "Drifting")["message"]
        said = lines(seen)
        assert said["data"]["state"] == said["outliers"]["state"] == "Ok"
        seen = team.wait("deployment", "web", lambda o: "labels: mae 0.000" in lines(o)["quality"]["message"], 180,
                         "right by its labels")  # fmt: skip
        assert lines(seen)["quality"]["state"] == "Ok"
        assert condition(seen, "Harmed")["status"] == "False"
        assert seen["status"]["monitors"]["labels"]["labelled"] >= ENOUGH
        windows = seen["status"]["monitors"]["windows"]
        # of the live version, with the proxy's share that follows the traffic: it is not taken for a new one
        assert is_live("m-1")(seen)
    team.cluster.wait_none("job", team.namespace, "fairlead.dev/observe", 60)
    told = replay(team, "--monitors")
    assert told["same"], told["different"]
    assert len(told["windows"]) >= windows
    assert 0 < told["windows"][0]["rows"] <= 30 * 150
    shown = said_by(team, "monitor", "deployment/web", "--windows", "2")
    assert shown["windows"][-1]["drift"]["x"]["state"] == "Drifting"
    assert shown["labels"]["labelled"] >= ENOUGH
    strange = said_by(team, "monitor", "deployment/web", "--outliers")
    assert (strange["outside"], strange["requests"]) == (0, [])
    assert strange["inside"] > 0  # labels keep the bodies, by which that is known
