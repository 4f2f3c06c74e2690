"""Makes `python3 hack/cluster COMMAND` work from a plain checkout, with the standard library alone."""

import sys
from pathlib import Path

if not __package__:
    # This folder itself must not be on the path: its modules are named in the package only.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from hack.cluster.cli import main

sys.exit(main(sys.argv[1:]))
