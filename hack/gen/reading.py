"""A dashboard's query as Grafana sends it."""

from __future__ import annotations

import re
from collections.abc import Mapping


def filled(expression: str, chosen: Mapping[str, str]) -> str:
    """With its variables filled in; `$1` is PromQL's own. Raises KeyError for one that has no value."""
    return re.sub(r"\$([a-zA-Z_]\w*)", lambda found: chosen[found[1]], expression)
