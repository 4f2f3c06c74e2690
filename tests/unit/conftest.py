"""For all pure tests."""

from __future__ import annotations

import os

from hypothesis import settings

# how long an example takes is up to the machine, and to what else it does
settings.register_profile("unhurried", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=10_000)
settings.load_profile("soak" if os.environ.get("FAIRLEAD_SOAK") else "unhurried")
