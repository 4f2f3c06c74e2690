"""A fetch begins each serving pod: what it does not need it must not load first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = {
    "fairlead.api.tasks", "fairlead.api.modelversion", "fairlead.cli.commands", "fairlead.engine", "boto3", "pyarrow",
    "duckdb",
}  # fmt: skip


def test_a_fetch_loads_neither_commands_nor_the_types_of_other_tasks(tmp_path: Path) -> None:
    program = (
        "import os, sys; os._exit = lambda code: sys.exit(print(*sys.modules) or code)\n"
        "import fairlead.cli.main as cli, fairlead.worker.main as worker\n"
        f"worker.run.__defaults__ = ({str(tmp_path / 'result')!r},)\n"
        "cli.main(['worker', 'fetch'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        env={"FAIRLEAD_TASK": '{"items": []}', "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "fairlead.worker.fetch" in loaded
    assert not loaded & HEAVY
