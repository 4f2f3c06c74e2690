"""Monitors of live models beside published figures and by simulation: `python -m hack.bench monitors PART …`."""

from __future__ import annotations

import importlib

PARTS = {
    "drift": "hack.bench.monitors_drift",
    "explain": "hack.bench.monitors_explain",
    "harm": "hack.bench.monitors_harm",
    "live": "hack.bench.monitors_live",
    "profile": "hack.bench.monitors_profile",
    "published": "hack.bench.monitors_published",
    "question": "hack.bench.monitors_question",
    "risk": "hack.bench.monitors_risk",
    "seasons": "hack.bench.monitors_seasons",
}
"""By name, the module whose `main(arguments)` measures it."""


def main(arguments: list[str]) -> int:
    """Dispatch; each part has its own `--help`."""
    if not arguments or arguments[0] not in PARTS:
        print(f"python -m hack.bench monitors {'|'.join(PARTS)} …")
        return 2
    return int(importlib.import_module(PARTS[arguments[0]]).main(arguments[1:]))
