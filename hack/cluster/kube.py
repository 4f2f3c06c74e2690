"""The cluster through kubectl, always with a kubeconfig named by us."""

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.cluster.shell import Word, run

MANIFESTS = Path(__file__).resolve().parent / "manifests"
MANAGER = "fairlead-local"


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace ${NAME} in a manifest; a name without a value is an error."""
    return string.Template(text).substitute(values)


@dataclass(frozen=True)
class Kube:
    """kubectl and the cluster that it talks to."""

    kubectl: Path
    kubeconfig: Path

    def call(self, *words: str | Path, stdin: str | None = None, check: bool = True, timeout: float = 300) -> str:
        """Run kubectl; its output."""
        argv: list[Word] = [self.kubectl, "--kubeconfig", self.kubeconfig, *words]
        return run(argv, stdin=stdin, check=check, timeout=timeout).stdout

    def ok(self, *words: str) -> bool:
        """Whether kubectl succeeds."""
        argv: list[Word] = [self.kubectl, "--kubeconfig", self.kubeconfig, *words]
        return run(argv, check=False, timeout=60).returncode == 0

    def get(self, *words: str) -> Any:
        """An object or list; None when there is none."""
        out = self.call("get", *words, "-o", "json", "--ignore-not-found")
        return json.loads(out) if out.strip() else None

    def apply(self, text: str) -> None:
        """Server-side apply."""
        self.call("apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", "-f", "-", stdin=text)

    def apply_files(self, paths: Sequence[Path]) -> None:
        """Server-side apply of files as they are."""
        files = [word for path in paths for word in ("-f", str(path))]
        self.call("apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", *files)

    def apply_manifest(self, name: str, values: Mapping[str, str]) -> None:
        """Fill in and apply one of our own manifests."""
        self.apply(fill((MANIFESTS / name).read_text(), values))

    def wait(self, condition: str, *what: str, timeout: int = 120) -> None:
        """Wait (by a watch) for a condition."""
        self.call("wait", f"--for={condition}", f"--timeout={timeout}s", *what, timeout=timeout + 10)

    def rollout(self, *what: str, timeout: int = 180) -> None:
        """Wait (by a watch) until a workload's pods are there and ready."""
        self.call("rollout", "status", f"--timeout={timeout}s", *what, timeout=timeout + 10)
