"""Names that both the recorder's small process and its children know."""

from __future__ import annotations

TASK_ENV = "FAIRLEAD_TASK"
POD_ENV = "POD_UID"
"""The pod's uid, by the downward API."""
BODY_LIMIT = 256 * 1024
"""Bytes of a body that are kept at most."""
REFUSED = 400
"""From this status on an answer is none."""
FAILED = 500
"""From this status on an answer is a failure, which is dropped last."""
PARTS = 256
"""Shares are counted in parts of so many, as the proxy has them."""
SHARES = (256, 64, 16, 4, 1)
"""Of these one is handed over where the share follows the traffic, in parts of PARTS."""
SETTING = "share_{}"
"""The proxy's runtime setting of each: 100 for the one that is handed over."""
