"""The same rollouts behind another implementation of Gateway API: Traefik."""

from __future__ import annotations

from hack.testbed.cluster import Team, condition
from hack.testbed.serving import deploy, is_live, make_version, traffic

TRAEFIK = "traefik"


def go_live(team: Team) -> None:
    """The first version, behind Traefik."""
    make_version(team, "m-1")
    deploy(team, gateway=TRAEFIK)
    team.wait("deployment", "web", is_live("m-1"), 120, "live with m-1")


def test_behind_traefik_a_version_that_fails_is_rolled_back(team: Team) -> None:
    go_live(team)
    with traffic(team, 100, gateway=TRAEFIK) as load:
        make_version(team, "m-2", errorRate=0.3)
        done = team.wait("deployment", "web", lambda o: o["status"].get("phase") == "RolledBack", 120, "rolled back")
        before = len(load.answers)
        team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 60, "drained")
    record = done["status"]["history"][0]
    assert record["version"] == "m-2"
    assert record["candidate"]["failures"] > 0
    assert condition(done, "RouteAccepted")["status"] == "True"
    assert "m-2" not in {a.version for a in load.answers[before + 100 :]}


def test_behind_traefik_a_good_version_goes_live_and_no_request_is_lost(team: Team) -> None:
    go_live(team)
    with traffic(team, 50, gateway=TRAEFIK) as load:
        make_version(team, "m-2")
        team.wait("deployment", "web", is_live("m-2"), 120, "live with m-2")
        team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 60, "drained")
    assert not load.failed(), load.failed()[:10]
    assert set(load.by_version()) == {"m-1", "m-2"}
