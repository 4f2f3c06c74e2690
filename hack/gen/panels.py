"""Grafana's panels and dashboards, as it keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA = 39
"""Of Grafana 10.4; later ones read it."""
WIDE = 24
YES_NO = (("1", "yes", "green"), ("0", "no", "red"))
Words = tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Panel:
    """A panel: queries are (PromQL, legend)."""

    title: str
    about: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 12
    height: int = 8
    least: float | None = 0
    most: float | None = None
    red: float | None = None
    """A line is drawn here, and what is beyond is bad."""
    words: Words = ()
    """(value, text, colour)"""
    needs: str = ""
    """What must be there so that its queries find anything, besides a Deployment that is rolled out."""


Rows = tuple[tuple[str, tuple[Panel, ...]], ...]


@dataclass(frozen=True)
class Board:
    """A dashboard: `choices` stand at its top."""

    uid: str
    title: str
    rows: Rows
    choices: tuple[Json, ...] = ()

    @property
    def panels(self) -> Iterator[Panel]:
        """All of them."""
        for _, members in self.rows:
            yield from members


def placed(rows: Rows) -> Iterator[Json]:
    """Rows with their panels, placed from left to right."""
    number, top = 0, 0
    for title, members in rows:
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": top, "w": WIDE, "h": 1}}  # fmt: skip
        left, top, tall = 0, top + 1, 0
        for panel in members:
            if left + panel.width > WIDE:
                left, top, tall = 0, top + tall, 0
            number += 1
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield drawn(panel) | {"id": number, "gridPos": place}
            left, tall = left + panel.width, max(tall, panel.height)
        top += tall


def drawn(panel: Panel) -> Json:
    """A panel as Grafana keeps it, without its place."""
    instant = panel.kind in ("table", "stat")
    targets = [
        {"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expr, "legendFormat": legend or "__auto",
         "instant": instant, "range": not instant, "format": "table" if panel.kind == "table" else "time_series"}
        for i, (expr, legend) in enumerate(panel.queries)
    ]  # fmt: skip
    found: Json = {
        "type": panel.kind, "title": panel.title, "description": panel.about, "datasource": SOURCE, "targets": targets,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []}, "options": _options(panel),
    }  # fmt: skip
    if panel.kind == "table":
        hidden = {"Time": True, "Value": True}
        found["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    return found


def _defaults(panel: Panel) -> Json:
    lines: list[Json] = [{"color": "green", "value": None}]
    if panel.red is not None:
        lines.append({"color": "red", "value": panel.red})
    found: Json = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": lines}}
    if panel.least is not None:
        found["min"] = panel.least
    if panel.most is not None:
        found["max"] = panel.most
    if panel.kind == "timeseries":
        style = "line" if panel.red is not None else "off"
        found["custom"] = {"lineInterpolation": "stepAfter", "fillOpacity": 5, "thresholdsStyle": {"mode": style}}
    if panel.words:
        options = {value: {"text": text, "color": colour} for value, text, colour in panel.words}
        found["mappings"] = [{"type": "value", "options": options}]
    return found


def _options(panel: Panel) -> Json:
    if panel.kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    if panel.kind == "state-timeline":
        return {"mergeValues": True, "showValue": "auto", "legend": {"showLegend": False}}
    return {}


def variable(name: str, query: str, several: bool = True) -> Json:
    """A choice at the top, of a label's values: one, or several and all."""
    found: Json = {
        "name": name, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name}, "refresh": 2,
        "includeAll": several, "multi": several, "sort": 1,
    }  # fmt: skip
    if several:
        found |= {"allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    return found


def number(name: str, label: str, value: str) -> Json:
    """A number at the top that people write."""
    return {"name": name, "type": "textbox", "label": label, "query": value}


def dashboard(board: Board) -> Json:
    """A whole dashboard."""
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    return {
        "uid": board.uid, "title": board.title, "tags": ["fairlead"], "schemaVersion": SCHEMA, "editable": True,
        "refresh": "10s", "time": {"from": "now-1h", "to": "now"}, "timezone": "browser", "graphTooltip": 1,
        "templating": {"list": [source, *board.choices]}, "panels": list(placed(board.rows)),
    }  # fmt: skip
