"""Which of the dashboards' queries must have found something in the demo."""

from __future__ import annotations

from typing import Any

from hack.demo import pictures, story
from hack.demo.numbers import Numbers
from hack.demo.world import World
from hack.gen.boards import deployment as needs

Json = dict[str, Any]


class Asked(Numbers):
    """A Prometheus that knows these expressions."""

    def __init__(self, silent: str = "") -> None:
        self.namespace, self.silent, self.asked = "airline", silent, list[str]()

    def ever(self, expression: str) -> bool:
        """All but those that have the silent word."""
        self.asked.append(expression)
        return not self.silent or self.silent not in expression


def world(
    monitors: Json | None = None, told: tuple[str, ...] = (), figures: tuple[str, ...] = (), **kept: Any
) -> World:
    """A world with the demo's Deployment."""
    made = World()
    meta = {"name": story.DEPLOYMENT, "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    record = {"monitors": {"figures": [{"metric": one} for one in figures]}}
    status = {"conditions": [{"type": one} for one in told], "monitors": kept, "record": record}
    made.receive("Deployment", "ADDED", {"metadata": meta, "spec": {"monitors": monitors}, "status": status})
    return made


def test_without_monitors_nothing_of_them_is_asked() -> None:
    source = Asked()
    assert pictures.Pictures(source).empty(world()) == []
    asked = "".join(source.asked)
    assert "fairlead_deployment_phase" in asked
    for word in ("fairlead_deployment_monitor", "DCGM", "fairlead_deployment_quality", "$"):
        assert word not in asked


def test_with_monitors_their_queries_must_find_something() -> None:
    lines = [{"monitor": "drift", "state": "Ok"}, {"monitor": "quality", "state": "Unknown"}]
    seen = world({}, windows=2, lines=lines)
    empty = pictures.Pictures(Asked('monitor="')).empty(seen)
    assert empty == ["deployment/Quality", "deployment/Drift"]
    found = pictures.there(seen.get("Deployment", story.DEPLOYMENT))
    assert found == {"", needs.MONITORED, f"{needs.MONITORED}/drift", f"{needs.MONITORED}/quality"}
    assert needs.MONITORED not in pictures.there(world({}, windows=0).get("Deployment", story.DEPLOYMENT))


def test_figures_and_a_watch_are_seen() -> None:
    seen = world({}, ("Watched",), ("rmse", "mape"), windows=2)
    found = pictures.there(seen.get("Deployment", story.DEPLOYMENT))
    assert found == {"", needs.WATCH, needs.MONITORED, f"{needs.QUALITY}/rmse", f"{needs.QUALITY}/mape"}
    assert found <= {one.needs for one in pictures.queries("airline")}


def test_a_world_that_has_changed_is_to_be_seen_with_or_without_a_watch() -> None:
    for told, found in ((("WorldChanged",), {"", needs.WORLD}), (("Watched",), {"", needs.WATCH})):
        assert pictures.there(world(None, told).get("Deployment", story.DEPLOYMENT)) == found
    assert needs.WORLD in {one.needs for one in pictures.queries("airline")}


def test_what_was_found_is_not_asked_again() -> None:
    source = Asked("fairlead_deployment_phase")
    shown = pictures.Pictures(source)
    assert shown.empty(world())
    source.asked.clear()
    left = shown.empty(world())
    assert left
    assert all("fairlead_deployment_phase" in one for one in source.asked)
    source.silent = ""
    assert shown.empty(world()) == []
    assert shown.asked > 60
