"""What all pages of HTML share that commands and workers make. They need nothing else: no script, nothing from
elsewhere. All names are a tenant's; they are escaped, and so is what would make a browser show something else than is
there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from fairlead.store.names import shown

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72em;margin:2em auto;padding:0 1em;color:#1b1f24;background:#fff}
h1{font-size:1.5em}h2{font-size:1.1em;margin:2em 0 .5em}small{color:#57606a}
.grid{display:grid;gap:1.2em;grid-template-columns:repeat(auto-fill,minmax(17em,1fr))}
figure{margin:0;border:1px solid #d0d7de;border-radius:6px;padding:.7em}figcaption{overflow-wrap:anywhere}
svg{width:100%;height:6em;display:block}rect{fill:#2f6fb3}
path{stroke:#2f6fb3;fill:none;stroke-width:2;vector-effect:non-scaling-stroke}
.even{stroke:#8c959f;stroke-dasharray:4 4;stroke-width:1}
table{border-collapse:collapse}td,th{padding:.15em 1em .15em 0;text-align:left;vertical-align:top}
th{font-size:.85em}
@media(prefers-color-scheme:dark){
body{color:#e6edf3;background:#0d1117}figure{border-color:#30363d}small{color:#8d96a0}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser does for a page, should anything of it be a program after all: it shows styles and pictures."""
END = "</html>\n"


def opening(title: str, style: str = "") -> str:
    """A page's beginning, with its title. style: what a page has besides `STYLE`."""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f'<meta http-equiv=Content-Security-Policy content="{POLICY}">'
        "<meta name=viewport content='width=device-width'>"
        f"<title>{text(title)}</title><style>{STYLE}{style}</style><h1>{text(title)}</h1>"
    )


def text(given: str) -> str:
    """As text."""
    return escape(shown(given))


def table(title: str, rows: Sequence[Sequence[str]], headers: Sequence[str] = ()) -> str:
    """A table under a title; nothing without rows."""
    if not rows:
        return ""
    return f"<h2>{text(title)}</h2>{grid(rows, headers)}"


def grid(rows: Iterable[Sequence[str]], headers: Sequence[str] = ()) -> str:
    """A table."""
    first = "".join(f"<th>{text(cell)}</th>" for cell in headers)
    cells = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<tr>{first}</tr>' if first else ''}{cells}</table>"
