"""Run all tests, in stages, on the local cluster: `make test`.

Each stage shows its progress with elapsed and expected time (expected: what it took the last time). Stages can be
chosen: `python3 hack/test.py unit contract`. Only the standard library is used, because the first stage makes the
virtual environment.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = Path(os.environ.get("FAIRLEAD_STATE", ROOT / ".local"))
DURATIONS = LOCAL / "durations.json"
LOGS = LOCAL / "log"
PYTHON = ROOT / ".venv" / "bin" / "python"
BEAT = 30.0
"""Seconds between two signs of life of a quiet stage."""
AGAIN = "-again"
"""What the report of tests that are run once more is called after."""
FAILED = LOGS / "failed"
"""What failing tests on the cluster have left (tests/cluster/conftest.py)."""
KEPT = "kept"
"""The property of a test's report that names its folder there."""
_remembering = threading.Lock()


@dataclass(frozen=True)
class Stage:
    """A stage: what it is for, roughly how long it takes when nothing is known, and its commands."""

    name: str
    about: str
    expected: float
    commands: Callable[[], list[list[str]]]
    after: tuple[str, ...] = ()
    """The stages that must have ended well before it begins; beside all others it may run."""
    cluster: bool = False
    beside: bool = False
    """Runs while the cluster is made; its output is shown when it ends."""
    patient: bool = False
    """Its tests wait for a whole cluster that shares the cores with them: those that failed are run once more, one by
    one, and must pass then."""


def pytest_command(name: str, *paths: str) -> list[str]:
    """pytest on these paths, leaving a report from which the totals are added up."""
    return [str(PYTHON), "-m", "pytest", "-q", f"--junitxml={LOGS / f'{name}.xml'}", *paths]


def tool(name: str, *arguments: str) -> list[str]:
    """A program of the virtual environment."""
    return [str(ROOT / ".venv" / "bin" / name), *arguments]


def venv_commands() -> list[list[str]]:
    """Nothing when the environment matches pyproject.toml already."""
    if (ROOT / ".venv" / "stamp").exists() and (ROOT / ".venv" / "stamp").read_text() == venv_stamp():
        return []
    return [
        [sys.executable, "-m", "venv", ".venv"],
        [str(PYTHON), "-m", "pip", "install", "-q", "-e", ".[dev]"],
        [sys.executable, "-c", f"open('.venv/stamp', 'w').write('{venv_stamp()}')"],
    ]


def venv_stamp() -> str:
    """What the environment was made from."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + sys.version.encode()).hexdigest()


def hack(*arguments: str) -> list[str]:
    """A program under hack/ that needs only the standard library."""
    return [sys.executable, *arguments]


STAGES = (
    Stage("preflight", "is this machine fit?", 1, lambda: [hack("hack/preflight.py")]),
    Stage("cluster", "local Kubernetes", 900, lambda: [hack("hack/cluster", "up")], after=("preflight",), cluster=True),
    Stage("venv", "Python environment", 75, venv_commands, after=("preflight",), beside=True),
    Stage("lint", "ruff, mypy, import-linter, generated files", 40, lambda: [
        tool("ruff", "check", "."), tool("ruff", "format", "--check", "."), tool("mypy"), tool("lint-imports"),
        [str(PYTHON), "-m", "hack.gen", "--check"],
    ], after=("venv",), beside=True),
    Stage("unit", "pure tests and simulation", 300, lambda: [
        pytest_command("unit", "tests/unit", "tests/sim", "-n", "2"),
    ], after=("lint",), beside=True),
    Stage("install", "images and chart", 120, lambda: [[str(PYTHON), "-m", "hack.install"]], after=("cluster", "venv"),
          cluster=True),
    Stage("contract", "against a real API server", 140, lambda: [
        pytest_command("contract", "tests/contract", "tests/chart", "-n", "2", "--dist", "loadscope"),
    ], after=("unit", "install"), cluster=True),
    Stage("real", "on the real cluster", 740, lambda: [
        pytest_command("real", "tests/cluster", "-m", "not alone and not soak", "-n", "4", "--maxschedchunk", "1"),
        pytest_command("alone", "tests/cluster", "-m", "alone and not soak"),
    ], after=("contract",), cluster=True, patient=True),
    Stage("demo", "the whole loop, as a user sees it", 480, lambda: [
        [str(PYTHON), "-m", "hack.demo", "--fresh"],
        [str(PYTHON), "-m", "hack.demo"],  # again: it recognises what has happened
    ], after=("real",), cluster=True),
)  # fmt: skip


def remembered() -> dict[str, float]:
    """Seconds that each stage took the last time."""
    return json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}


def remember(name: str, took: float) -> None:
    """Keep it for the next run's expectations."""
    with _remembering:
        known = remembered() | {name: round(took, 1)}
        DURATIONS.write_text(json.dumps(known, indent=1, sort_keys=True))


def clock(seconds: float) -> str:
    """`1:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def heartbeat(stage: str, began: float, expected: float, done: threading.Event) -> None:
    """A line now and then, so that a long quiet stage is seen to live."""
    while not done.wait(BEAT):
        print(f"    … {stage}: {clock(time.monotonic() - began)} of about {clock(expected)}", flush=True)


def run_stage(stage: Stage, number: int, of: int) -> bool:
    """Run one; its output is passed on, at once or (beside others) at its end."""
    expected = remembered().get(stage.name, stage.expected)
    how = ", beside the next ones" if stage.beside else ""
    print(f"\n[{number}/{of}] {stage.name}: {stage.about} (about {clock(expected)}{how})", flush=True)
    began, done = time.monotonic(), threading.Event()
    beat = threading.Thread(target=heartbeat, args=(stage.name, began, expected, done), daemon=True)
    beat.start()
    try:
        good = all(run_command(one, stage) or run_again(one, stage) for one in stage.commands())
    finally:
        done.set()
    took = time.monotonic() - began
    print(f"[{number}/{of}] {stage.name}: {'ok' if good else 'FAILED'} in {clock(took)}", flush=True)
    if good:
        remember(stage.name, took)
    return good


def run_again(command: list[str], stage: Stage) -> bool:
    """Whether the tests of a patient stage that failed pass when nothing else runs."""
    if not stage.patient:
        return False
    print(f"    … {stage.name}: what failed is run once more, one by one", flush=True)
    once_more = [word.replace(".xml", f"{AGAIN}.xml") if word.startswith("--junitxml=") else word for word in command]
    return run_command([*once_more, "--last-failed", "--last-failed-no-failures", "none", "-n", "0"], stage)


def run_command(command: list[str], stage: Stage) -> bool:
    """Whether it succeeds."""
    if not stage.beside:
        return subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    done = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"[{stage.name}] {Path(command[0]).name} {' '.join(command[1:])}\n{done.stdout}", end="", flush=True)
    return done.returncode == 0


def run_all(stages: list[Stage]) -> bool:
    """Run each stage as soon as those before it have ended well, whichever of them were chosen; when one has failed,
    none begins any more."""
    failed, ends = threading.Event(), dict[str, Future[bool]]()

    def turn(stage: Stage, number: int) -> bool:
        if not all(ends[name].result() for name in before(stage) if name in ends) or failed.is_set():
            return False
        good = run_stage(stage, number, len(stages))
        if not good:
            failed.set()
        return good

    with ThreadPoolExecutor(max(1, len(stages))) as lanes:
        for number, stage in enumerate(stages, 1):
            ends[stage.name] = lanes.submit(turn, stage, number)
    return all(end.result() for end in ends.values())


def before(stage: Stage) -> set[str]:
    """The names of all stages that come before one."""
    known = {one.name: one for one in STAGES}
    return set(stage.after).union(*(before(known[name]) for name in stage.after))


def totals() -> dict[str, int]:
    """How many tests have passed, failed and were skipped, and how many of those passed only when they were run once
    more, by the reports that the stages have left."""
    last, first = dict[str, str](), dict[str, str]()
    for report in sorted(LOGS.glob("*.xml"), key=lambda path: path.stem.endswith(AGAIN)):
        found = outcomes(report)
        first = found | first
        last |= found
    ended = Counter(last.values())
    mended = sum(first[test] == "failed" and last[test] == "passed" for test in last)
    return {name: ended[name] for name in ("passed", "failed", "skipped")} | {"passed only when run again": mended}


def told(logs: Path) -> list[str]:
    """Of each test that failed the first time: what came of it, and where its state is kept."""
    first, last, folders = dict[str, str](), dict[str, str](), dict[str, list[str]]()
    for report in sorted(logs.glob("*.xml"), key=lambda path: path.stem.endswith(AGAIN)):
        found = outcomes(report)
        first = found | first
        last |= {test: what for test, what in found.items() if report.stem.endswith(AGAIN)}
        for case in ET.parse(report).getroot().iter("testcase"):
            kept = [str(one.get("value")) for one in case.iter("property") if one.get("name") == KEPT]
            folders.setdefault(name_of(case), []).extend(kept)
    lines = list[str]()
    for test in (test for test, what in first.items() if what == "failed"):
        again = {"failed": "failed again", "passed": "passed when run again: why did it fail?"}
        lines.append(f"  {test}: {again.get(last.get(test, ''), 'not run again')}")
        lines += [f"    its objects, events and logs: {folder}" for folder in folders.get(test, [])]
    return ["", "FAILED THE FIRST TIME:", *lines] if lines else []


def name_of(case: ET.Element) -> str:
    """What a test is called."""
    return f"{case.get('classname')}::{case.get('name')}"


def outcomes(report: Path) -> dict[str, str]:
    """What came of each test of a report of pytest; a test that has passed and then failed to clean up has failed."""
    found = dict[str, str]()
    for case in ET.parse(report).getroot().iter("testcase"):
        test = name_of(case)
        if case.find("failure") is not None or case.find("error") is not None:
            found[test] = "failed"
        else:
            found.setdefault(test, "passed" if case.find("skipped") is None else "skipped")
    return found


def choose(names: list[str]) -> list[Stage]:
    """The stages to run, in their order."""
    unknown = set(names) - {stage.name for stage in STAGES}
    if unknown:
        known = ", ".join(stage.name for stage in STAGES)
        raise SystemExit(f"unknown stage {', '.join(sorted(unknown))}; there are: {known}")
    return [stage for stage in STAGES if not names or stage.name in names]


def main() -> int:
    """Run the stages until one fails; take the cluster down unless it is to be kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", help="only these: " + ", ".join(stage.name for stage in STAGES))
    parser.add_argument("--keep", action="store_true", help="leave the cluster running")
    options = parser.parse_args()
    os.environ.setdefault("CLUSTER", "local")  # whatever the demo has chosen: the tests need Service addresses
    stages = choose(options.stages)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what one process has compiled, the next hundred need not
    LOGS.mkdir(parents=True, exist_ok=True)
    for old in LOGS.glob("*.xml"):
        old.unlink()
    shutil.rmtree(FAILED, ignore_errors=True)
    began = time.monotonic()
    good = run_all(stages)
    if (
        any(stage.cluster for stage in stages)
        and not options.keep
        and not re.fullmatch("1|yes", os.environ.get("KEEP", ""))
    ):
        subprocess.run(hack("hack/cluster", "down"), cwd=ROOT, check=False)
    counted = totals()
    print(f"\n{'All stages passed' if good else 'A stage failed'} in {clock(time.monotonic() - began)}.")
    print(", ".join(f"{number} {what}" for what, number in counted.items()))
    print("\n".join(told(LOGS)), flush=True)
    return 0 if good and not counted["failed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
