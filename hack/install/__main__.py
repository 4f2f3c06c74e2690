"""`python -m hack.install`: images, chart, wait until it is ready."""

from __future__ import annotations

import sys

from hack.install.chart import install
from hack.install.images import build


def main() -> int:
    """Build what is not built yet, install or upgrade, and wait."""
    install(build())
    return 0


if __name__ == "__main__":
    sys.exit(main())
