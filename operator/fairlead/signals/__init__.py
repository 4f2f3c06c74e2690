"""Signals: what the outside says when a decision needs it. Pods' own counters, Prometheus, a model server's readiness.

`ask` answers a request of the plan; it never raises, a signal that can't be had is a `Failed` answer.
"""

from __future__ import annotations

from fairlead.signals.ask import ask

__all__ = ["ask"]
