"""`python -m hack.gen`: write all generated files. With `--check`: say which are stale, and exit 1 if any is."""

from __future__ import annotations

import argparse
import sys

from hack.gen import argocd, crds, dashboards, local, metrics, python, rbac, readme, reference
from hack.gen.files import stale, write


def generated() -> dict[str, str]:
    """Every generated file: text by path."""
    pages = reference.files() | python.files() | metrics.files() | readme.files()
    return crds.files() | local.files() | rbac.files() | dashboards.files() | argocd.files() | pages


def main(arguments: list[str] | None = None) -> int:
    """Write, or compare."""
    parser = argparse.ArgumentParser(prog="python -m hack.gen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is stale")
    check = parser.parse_args(arguments).check
    changed = stale(generated()) if check else write(generated())
    if check:
        print(f"definitions: {crds.sizes()}")
    for path in changed:
        print(f"{path}: {'stale; run `make generate` and commit the result' if check else 'written'}")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
