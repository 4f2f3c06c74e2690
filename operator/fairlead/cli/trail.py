"""How the evidence has moved: what the ledger's last lines say, and what was seen while somebody watched."""

from __future__ import annotations

from collections import defaultdict
from math import isfinite

from fairlead.api import foreign
from fairlead.api.candidate import Candidate

WIDTH = 24
_STEPS = "▁▂▃▄▅▆▇█"


class Trail:
    """Log evidence by guard and time, of one rollout; another one begins anew."""

    def __init__(self) -> None:
        self._rollout = ""
        self._seen: dict[str, dict[float, float]] = defaultdict(dict)

    def add(self, candidate: Candidate) -> None:
        """What the candidate's status knows of its windows."""
        if candidate.ledger.name != self._rollout:
            self._rollout = candidate.ledger.name
            self._seen.clear()
        for line in candidate.ledger.lines:
            body = foreign.parse(line)
            for guard, value in (body.get("logEvidence") or {}).items():
                self._seen[guard][float(body["t"])] = float(value)

    def drawn(self, guard: str, bound: str) -> str:
        """The last windows, from no evidence to the bound; empty if fewer than two are known."""
        values = [value for _, value in sorted(self._seen.get(guard, {}).items())][-WIDTH:]
        most = float(bound or 0)
        return sparkline(values, most) if len(values) > 1 and most > 0 else ""


def sparkline(values: list[float], most: float) -> str:
    """A character a value, from 0 to `most`, which is above 0."""
    parts = [min(1.0, max(0.0, value / most)) if isfinite(value) else float(value > 0) for value in values]
    return "".join(_STEPS[min(len(_STEPS) - 1, int(part * len(_STEPS)))] for part in parts)
