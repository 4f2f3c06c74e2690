"""What `hack/cluster env` puts in the PATH."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hack.cluster import info
from hack.cluster.settings import paths


def looked_up(exports: str, program: str, path: str) -> str:
    """Where a shell finds the program after the exports; empty when it doesn't."""
    script = f"{exports}\ncommand -v {program} || true"
    return subprocess.run(
        ["/bin/sh", "-c", script], env={"PATH": path}, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_b10_kubectl_fairlead_is_known_after_env(tmp_path: Path) -> None:
    exports = info.search_path(paths({"FAIRLEAD_STATE": str(tmp_path / "my state")}))
    for program in ("kubectl-fairlead", "fairlead"):
        assert looked_up(exports, program, "/usr/bin:/bin") == str(info.COMMANDS / program)
    assert looked_up(exports, "python3", "/usr/bin:/bin") == looked_up("", "python3", "/usr/bin:/bin")
    assert sorted(path.name for path in info.COMMANDS.iterdir()) == ["fairlead", "kubectl-fairlead"]


@pytest.mark.parametrize("program", ["kubectl-fairlead", "fairlead"])
def test_b10_the_command_runs_this_checkouts_environment_under_its_own_name(tmp_path: Path, program: str) -> None:
    commands, ours = tmp_path / "hack/cluster/commands", tmp_path / ".venv/bin" / program
    commands.mkdir(parents=True)
    for source in info.COMMANDS.iterdir():
        shutil.copy(source, commands / source.name, follow_symlinks=False)
    outside = tmp_path / program  # a link from elsewhere finds the checkout too
    outside.symlink_to(commands / program)
    absent = subprocess.run([commands / program], capture_output=True, text=True, check=False)
    assert absent.returncode == 127
    assert f"make -C {tmp_path} venv" in absent.stderr
    ours.parent.mkdir(parents=True)
    ours.write_text('#!/bin/sh\necho "$0 $*"\n')
    ours.chmod(0o755)
    for way in (commands / program, outside):
        done = subprocess.run([way, "get", "a b"], capture_output=True, text=True, check=True)
        assert done.stdout == f"{ours} get a b\n"
