"""What a step has measured, as a page: metrics with their intervals, and the slices of each gap. No script, no link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.worker.html import END, grid, opening, text

_STYLE = "td:not(:first-child),th:not(:first-child){text-align:right}"


def page(content: Mapping[str, Any]) -> str:
    """One HTML document. content: as `measure` writes it."""
    title = f"{content['model']['name']}, measured"
    return f"{opening(title, _STYLE)}{''.join(_parts(content))}{END}"


def _parts(content: Mapping[str, Any]) -> Iterator[str]:
    data = content["data"]
    left = f"; {data['leftOut']} rows without a target are left out" if data["leftOut"] else ""
    yield f"<p>{text(content['task'])} of <b>{text(content['target'])}</b> on {data['rows']} rows{left}</p>"
    yield f"<p>Features: {text(', '.join(content['features']))}</p><h2>Metrics</h2>"
    rows = [[name, value, *content["intervals"].get(name, ("", ""))] for name, value in content["values"].items()]
    yield grid(rows, ["metric", "value", "95 %: from", "to"])
    for gap in content["gaps"]:
        positive = f", positive: {gap['positive']}" if gap.get("positive") else ""
        yield f"<h2>{text(gap['gate'] + positive)}</h2><p>{text(gap['message'])}</p>"
        yield grid(map(_slice, gap["slices"].items()), ["slice", "rows", "share", "95 %: from", "to"])


def _slice(one: tuple[str, Mapping[str, Any]]) -> list[str]:
    name, found = one
    if "unknown" in found:
        return [name, str(found["rows"]), str(found["unknown"]), "", ""]
    return [name, *(str(found[key]) for key in ("rows", "share", "low", "high"))]
