"""What a step has measured, as a page: metrics with their intervals, and the slices of each gap. No script, no link."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1c2430}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{padding:.25rem .9rem;border-bottom:1px solid #d8dee6;"
    "text-align:right}th:first-child,td:first-child{text-align:left}h2{font-size:1.1rem}p{margin:.3rem 0}"
)


def page(content: Mapping[str, Any]) -> str:
    """One HTML document. content: as `measure` writes it."""
    name = escape(content["model"]["name"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}, measured</title><style>{_STYLE}</style>'
        f"<h1>{name}, measured</h1>{''.join(_parts(content))}</html>\n"
    )


def _parts(content: Mapping[str, Any]) -> Iterator[str]:
    data = content["data"]
    left = f"; {data['leftOut']} rows without a target are left out" if data["leftOut"] else ""
    yield f"<p>{escape(content['task'])} of <b>{escape(content['target'])}</b> on {data['rows']} rows{left}</p>"
    yield f"<p>Features: {escape(', '.join(content['features']))}</p><h2>Metrics</h2>"
    rows = [[name, value, *content["intervals"].get(name, ("", ""))] for name, value in content["values"].items()]
    yield _table(["metric", "value", "95 %: from", "to"], rows)
    for gap in content["gaps"]:
        positive = f", positive: {gap['positive']}" if gap.get("positive") else ""
        yield f"<h2>{escape(gap['gate'] + positive)}</h2><p>{escape(gap['message'])}</p>"
        yield _table(["slice", "rows", "share", "95 %: from", "to"], map(_slice, gap["slices"].items()))


def _slice(one: tuple[str, Mapping[str, Any]]) -> list[str]:
    name, found = one
    if "unknown" in found:
        return [name, str(found["rows"]), str(found["unknown"]), "", ""]
    return [name, *(str(found[key]) for key in ("rows", "share", "low", "high"))]


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"

    return f"<table>{line(headers, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"
