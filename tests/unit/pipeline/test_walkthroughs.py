"""The walk-throughs of docs/CONTRIBUTING.md, followed word by word in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/CONTRIBUTING.md").read_text()
BLOCK = re.compile(
    r"(?:[Tt]he file|[Ii]n) `(?P<path>[^`]+)`(?:, (?P<where>above|below) `(?P<line>[^`]+)`)?:?\n\n"
    r"   ```(?:python|text)\n(?P<text>.*?)\n   ```\n",
    re.DOTALL,
)
STEPS = [
    ("To add a trigger", "live", "test_triggers.py", 4),
    ("To add a type of step", "ProfiledStep", "test_step_types.py", 4),
]


def follow(heading: str, tree: Path) -> set[str]:
    """Does what a walk-through says. Returns the files that it has touched."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = list(BLOCK.finditer(section))
    assert 2 * len(found) == section.count("```")
    for step in found:
        path, text = tree / step["path"], textwrap.dedent(step["text"])
        if step["where"]:
            text = inserted(path.read_text(), text, step["line"], step["where"] == "below")
        path.write_text(f"{text}\n")
    return {step["path"] for step in found}


def inserted(whole: str, text: str, line: str, below: bool) -> str:
    """A file with a text beside a line of it, as far indented as that."""
    lines = whole.rstrip("\n").split("\n")
    assert lines.count(line) == 1, f"not one line is {line!r}"
    lines.insert(lines.index(line) + below, textwrap.indent(text, line[: len(line) - len(line.lstrip())]))
    return "\n".join(lines)


def run(tree: Path, *command: str) -> str:
    """The output of a program in the copy. It must succeed."""
    env = os.environ | {"PYTHONPATH": f"{tree / 'operator'}:{tree}"}
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the walk-throughs touch, and of what tests it."""
    for folder in ("operator/fairlead", "hack", "tests/unit/plan", "tests/unit/pipeline"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.pyc.*"))
    for name in ("pyproject.toml", "tests/__init__.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(("heading", "name", "contract", "files"), STEPS)
def test_what_is_added_by_these_steps_keeps_its_contract(
    tree: Path, heading: str, name: str, contract: str, files: int
) -> None:
    touched = follow(heading, tree)
    assert len(touched) == files
    said = run(
        tree, sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", f"tests/unit/pipeline/{contract}",
        "tests/unit/pipeline/test_walls.py",
    )  # fmt: skip
    tried = [line for line in said.splitlines() if "PASSED" in line and (f"[{name}" in line or f"{name}]" in line)]
    assert len(tried) >= 10, said
    run(tree, sys.executable, "-m", "ruff", "check", *(one for one in touched if one.startswith("operator")))
    run(tree, str(Path(sys.executable).with_name("lint-imports")))
