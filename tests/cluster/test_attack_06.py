"""A Deployment behind a Gateway that is not there says so, and heals when it gets one."""

from __future__ import annotations

from hack.testbed.cluster import Team, condition
from hack.testbed.serving import deploy, is_live, make_version


def test_attack_06_behind_a_gateway_that_is_not_there(team: Team) -> None:
    make_version(team, "m-1")
    deploy(team, more={"route": {"gateway": {"name": "public", "namespace": "nope"}}})
    team.wait("deployment", "web", is_live("m-1"), 180, "m-1 chosen and warm")
    held = team.wait_condition("deployment", "web", "Available", "False", "RouteNotAccepted", 30)
    assert held["status"]["phase"] == "Pending"
    assert "nope/public has not answered" in condition(held, "Available")["message"]
    deploy(team)
    healed = team.wait_condition("deployment", "web", "Available", "True", "Serving", 60)
    assert condition(healed, "RouteAccepted")["status"] == "True"
    assert healed["status"]["phase"] == "Live"
