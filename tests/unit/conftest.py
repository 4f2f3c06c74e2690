"""For all pure tests."""

from __future__ import annotations

from hypothesis import settings

# how long an example takes is up to the machine, and to what else it does
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
