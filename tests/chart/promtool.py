"""Prometheus' own tool, of the version that the local cluster runs: are rules and queries what they should be?"""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hack.cluster.lock import in_turn
from hack.cluster.settings import paths
from hack.install.chart import ROOT

Json = dict[str, Any]
Series = Mapping[str, str]
"""Values by series, in promtool's notation: `0+1x10`."""


@cache
def program() -> str:
    """The tool; it is built where it is not in the cache, of what Prometheus itself is built of."""
    command = [sys.executable, "hack/cluster", "build", "promtool"]
    with in_turn(paths().cache / "locks" / "promtool.lock"):  # tests run side by side
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def checked(*rules: Path) -> subprocess.CompletedProcess[str]:
    """What it says of rule files. No rule stands twice in them."""
    words = [program(), "check", "rules", "--lint=all", "--lint-fatal", *map(str, rules)]
    return subprocess.run(words, check=False, capture_output=True, text=True)


@dataclass(frozen=True)
class File:
    """Tests of some rules."""

    tests: Sequence[Json]
    """Each with a `name` of its own."""
    rules: Sequence[Json] = ()
    every: str = "15s"
    """How often the rules are evaluated."""


def failures(folder: Path, *files: File) -> dict[str, str]:
    """What is wrong, by the test's name; those that pass have nothing. All is one run."""
    written, report = [], folder / "report.xml"
    for number, one in enumerate(files):
        rules, tests = folder / f"rules-{number}.yaml", folder / f"tests-{number}.yaml"
        rules.write_text(json.dumps({"groups": [{"name": "tried", "rules": list(one.rules)}]}))
        asked = {"rule_files": [str(rules)], "evaluation_interval": one.every, "fuzzy_compare": True}
        tests.write_text(json.dumps(asked | {"tests": list(one.tests)}))
        written.append(str(tests))
    words = [program(), "test", "rules", f"--junit={report}", *written]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert report.exists(), done.stderr
    cases = list(ET.parse(report).getroot().iter("testcase"))
    asked_for = sorted(str(test["name"]) for one in files for test in one.tests)
    assert sorted(str(case.get("name")) for case in cases) == asked_for, done.stderr
    return {str(case.get("name")): "\n".join(_said(case)) for case in cases}


def _said(case: ET.Element) -> list[str]:
    return [f"{one.get('message') or ''}{one.text or ''}" for one in case if one.tag in ("failure", "error")]


def series(found: Series) -> list[Json]:
    """As promtool reads them."""
    return [{"series": name, "values": values} for name, values in found.items()]
