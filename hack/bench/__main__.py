"""`python -m hack.bench NAME …` measures one thing; the names are those of BENCHES."""

from __future__ import annotations

import importlib
import sys

BENCHES = (
    "cache",
    "calls",
    "each",
    "experiments",
    "first",
    "fleet",
    "gitops",
    "hostile",
    "joins",
    "monitors",
    "pipelines",
    "readers",
    "recorder",
    "rollback",
    "scale",
    "step",
    "stores",
    "trips",
    "verdicts",
    "world",
)


def main() -> int:
    """Dispatch; each bench has its own `--help`."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHES:
        print(f"python -m hack.bench {'|'.join(BENCHES)} …")
        return 2
    module = importlib.import_module(f"hack.bench.{sys.argv[1]}")
    return int(module.main(sys.argv[2:]))


if __name__ == "__main__":
    raise SystemExit(main())
