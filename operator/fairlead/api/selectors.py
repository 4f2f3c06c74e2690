"""Selectors of counters: `name{label="value",code=~"5.."}`, several joined by ` + `. The one grammar of them, for pages
that are read here and for rules that Prometheus reads."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|(?=\}))')
_END = re.compile(r"\s*\}")
_ESCAPE = re.compile(r"\\(.)")

_ONE = r'\s*[a-zA-Z_][a-zA-Z0-9_]*\s*(=~|!~|!=|=)\s*"([^"\\\n]|\\[\\"n])*"\s*'
_TERM = rf"[a-zA-Z_:][a-zA-Z0-9_:]*(\{{\s*({_ONE}(,{_ONE})*(,\s*)?)?\}})?"
WRITTEN = rf"^\s*{_TERM}(\s*\+\s*{_TERM})*\s*$"
"""What is asked of one that is written now: strings as PromQL has them, where a backslash is `\\\\`."""


@dataclass(frozen=True)
class Term:
    """A metric, and what is asked of its labels: (label, one of `=`, `!=`, `=~`, `!~`, value)."""

    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()


def terms(text: str) -> tuple[Term, ...]:
    """The terms whose series are added up. Raises ValueError with the reason."""
    found: list[Term] = []
    position = 0
    while True:
        term, position = _one(text, position)
        found.append(term)
        rest = text[position:].lstrip()
        if not rest:
            return tuple(found)
        if not rest.startswith("+"):
            raise ValueError(f"unexpected {rest[:20]!r}")
        position = len(text) - len(rest) + 1


def unescape(value: str) -> str:
    r"""A label's value without its escapes (`\\`, `\"`, `\n`)."""
    return _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], value) if "\\" in value else value


def _one(text: str, position: int) -> tuple[Term, int]:
    while text[position : position + 1].isspace():
        position += 1
    name = _NAME.match(text, position)
    if name is None:
        raise ValueError("a metric's name is expected")
    position = name.end()
    if text[position : position + 1] != "{":
        return Term(name[0]), position
    position += 1
    matchers: list[tuple[str, str, str]] = []
    while (end := _END.match(text, position)) is None:
        part = _MATCHER.match(text, position)
        if part is None:
            raise ValueError(f"a matcher is expected at {text[position : position + 20]!r}")
        matchers.append((part[1], part[2], unescape(part[3])))
        position = part.end()
    return Term(name[0], tuple(matchers)), end.end()
