"""Run a component's program in a folder, as a step does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.components.words import finish


@dataclass
class Ran:
    """How it has ended."""

    code: int
    out: Path
    said: str
    """On standard output."""
    error: str

    def table(self, output: str) -> pa.Table:
        """All rows of an output."""
        return pq.read_table(self.out / output / "data.parquet")

    def metrics(self) -> dict[str, float]:
        """The last value by name."""
        path = self.out / ".fairlead" / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return {one["name"]: one["value"] for one in map(json.loads, lines)}


@dataclass
class Here:
    """A folder in which programs run."""

    folder: Path
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    runs: int = 0

    def write(self, called: str, files: Mapping[str, str | bytes | pa.Table]) -> None:
        """Files of an input."""
        for path, content in files.items():
            target = self.folder / "in" / called / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, pa.Table):
                pq.write_table(content, target)
            else:
                target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def run(self, program: ModuleType, args: Sequence[str]) -> Ran:
        """Run it, with an output folder of its own."""
        self.runs += 1
        out = self.folder / f"out{self.runs}"
        self.patch.setenv("FAIRLEAD_IN", str(self.folder / "in"))
        self.patch.setenv("FAIRLEAD_OUT", str(out))
        self.patch.delenv("FAIRLEAD_METRICS", raising=False)
        code = finish(program.program, args)
        said, error = self.capsys.readouterr()
        return Ran(code, out, said, error)
