"""The labels of series, which are the same on each page of a pod: they are read once, and kept within a bound."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fairlead.api.selectors import unescape

_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
MOST = 128 * 1024
"""Characters that are kept; they take some ten times as many bytes."""
LONGEST = 512
"""Characters of a series' labels that are kept; longer ones are read each time."""


class Labels:
    """Of the pages of one namespace: whoever writes many different ones makes nobody else's be read again."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, str]] = {}
        self._size = 0

    def of(self, text: str) -> Mapping[str, str] | None:
        """What stands between the braces of a series; None if it is no labels."""
        found = self._known.get(text)
        if found is None:
            found = read(text)
            if found is not None and len(text) <= LONGEST:
                self._keep(text, found)
        return found

    def _keep(self, text: str, found: Mapping[str, str]) -> None:
        if self._size + len(text) > MOST:
            self._known, self._size = {}, 0
        self._known[text] = found
        self._size += len(text)


def read(text: str) -> Mapping[str, str] | None:
    """Labels by name; None for a text that is none."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        label = _LABEL.match(text, position)
        if label is None:
            return None if text[position:].strip(" \t,") else found
        found[label[1]] = unescape(label[2])
        position = label.end()
    return found
