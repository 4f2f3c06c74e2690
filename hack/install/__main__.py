"""`python -m hack.install`: images, chart, wait until it is ready."""

from __future__ import annotations

import argparse
import subprocess
import sys

from hack.install.chart import check, install
from hack.install.images import build


def main() -> int:
    """Build what is not built yet, install or upgrade, and wait."""
    argparse.ArgumentParser(prog="python -m hack.install", description=main.__doc__).parse_args()
    try:
        check()
        install(build())
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd[1:4]))} … failed; its output is above", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
