"""Whether the dashboards' queries have found anything since the demo began."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hack.demo import story
from hack.demo.kube import Json
from hack.demo.numbers import Numbers
from hack.demo.world import World, spec, status
from hack.gen.boards import deployment as needs
from hack.gen.dashboards import BOARDS
from hack.gen.panels import Panel
from hack.gen.reading import filled

CHOSEN = {"deployment": story.DEPLOYMENT, "pipeline": story.PIPELINE, "price": "1", "__rate_interval": "1m"}
CONDITIONS = {"Watched": needs.WATCH, "WorldChanged": needs.WORLD}
"""What is there once a Deployment has a condition of a type."""
AT_A_TIME = 4


@dataclass(frozen=True)
class Query:
    """Of a panel; `panel` names it and its dashboard."""

    panel: str
    needs: str
    expression: str


def queries(namespace: str) -> Iterator[Query]:
    """All of them."""
    for name, board in BOARDS.items():
        for panel in board.panels:
            yield from _queries(name, panel, namespace)


def _queries(name: str, panel: Panel, namespace: str) -> Iterator[Query]:
    for expression, _ in panel.queries:
        yield Query(f"{name}/{panel.title}", panel.needs, filled(expression, CHOSEN | {"namespace": namespace}))


def there(deployment: Json) -> set[str]:
    """What is there, of what queries may need besides a rollout. What never is in the demo (GPUs of NVIDIA's, people
    who judge answers) is not among it."""
    found, kept = {""}, status(deployment).get("monitors") or {}
    told = {one["type"] for one in status(deployment).get("conditions") or []}
    found |= {CONDITIONS[one] for one in told & CONDITIONS.keys()}
    if spec(deployment).get("monitors") is None or not kept.get("windows"):
        return found
    figures = ((status(deployment).get("record") or {}).get("monitors") or {}).get("figures") or []
    found |= {f"{needs.MONITORED}/{one['monitor']}" for one in kept.get("lines") or []}
    return found | {needs.MONITORED, *(f"{needs.QUALITY}/{one['metric']}" for one in figures)}


class Pictures:
    """Asks each query until it has found something."""

    def __init__(self, source: Numbers) -> None:
        self._source = source
        self._open = list(queries(source.namespace))
        self.asked = len(self._open)

    def empty(self, world: World) -> list[str]:
        """The panels of which a query has found nothing so far, though what it needs is there."""
        known = there(world.get("Deployment", story.DEPLOYMENT))
        due = [one for one in self._open if one.needs in known]
        with ThreadPoolExecutor(AT_A_TIME) as lanes:
            found = list(lanes.map(self._source.ever, (one.expression for one in due)))
        seen = {one for one, good in zip(due, found, strict=True) if good}
        self._open = [one for one in self._open if one not in seen]
        return list(dict.fromkeys(one.panel for one in due if one not in seen))
