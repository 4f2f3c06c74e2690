"""What is installed into Fairlead's images, to the last file: `make lock`.

`operator/requirements/*.txt` name each package of an image with its version and the digests of its files; pip refuses
any other (`--require-hashes`). They are made from pyproject.toml, and from *.in for the model server and what trains. What
is locked already stays as it is, as far as it still fits; `make lock LOCK=--upgrade` takes the newest of everything.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "operator" / "requirements"
SOURCES: dict[str, tuple[str, ...]] = {
    "operator": ("pyproject.toml", "--extra", "operator"),
    # on top of the operator's, in the same image
    "worker": ("pyproject.toml", "--extra", "worker", "--constraint", "operator/requirements/operator.txt"),
    "sklearn": ("operator/requirements/sklearn.in",),
    # on top of the model server's: rows are read by the version that checks them
    "trainer": ("operator/requirements/trainer.in", "--constraint", "operator/requirements/worker.txt"),
    "build": ("operator/requirements/build.in",),
}
"""By image: what its packages are chosen from."""


def lock(image: str, *options: str) -> None:
    """Write the lock file of an image. Raises CalledProcessError if there is no solution."""
    command = [
        sys.executable, "-m", "uv", "pip", "compile", *SOURCES[image], "--output-file", str(FOLDER / f"{image}.txt"),
        "--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-emit-index-url", "--quiet",
        *options,
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def main(options: list[str]) -> None:
    """Lock all images."""
    for image in SOURCES:
        lock(image, *options)


if __name__ == "__main__":
    main(sys.argv[1:])
