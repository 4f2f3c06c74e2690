"""How a metric is added is told in docs/CONTRIBUTING.md: who does just that has one by which a rollout is judged."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import fairlead

REPOSITORY = Path(__file__).parents[4]
ROLLOUT = """
import json
from tests.unit.plan.rollout_world import Sim, spec
from tests.unit.plan.test_deployment_ledger import saved
from fairlead.cli.blocks import plain
from fairlead.cli.replay import replay
from fairlead.cli.show_deployment import blocks

def ended(says):
    body = spec({"metric": "errors"}, {"metric": "empty"}, record={"output": {"type": "text"}})
    sim = Sim(body, says={"m-1": lambda _: "hello", "m-2": says}, store=True)
    sim.go_live()
    sim.begin()
    sim.tick(50)
    shown = plain(blocks("web", sim.subject().body, sim.now))
    sim.run(60, 60)
    record = sim.status["history"][0]
    again = replay(saved(sim, "m-2"))
    return [record["result"], record["reason"], record["message"], again.different, again.judged[-1].conclusion.metric,
            "1/empty" in shown]

print(json.dumps([ended(lambda number: "" if number % 2 else "hello"), ended(lambda _: "hello")]))
"""


def section() -> str:
    text = (REPOSITORY / "docs/CONTRIBUTING.md").read_text()
    return text.partition("## To add a metric\n")[2].partition("\n## ")[0]


def added(at: Path, before: str, line: str) -> None:
    """A line more, in a file, behind another one."""
    text = at.read_text()
    assert text.count(before) == 1
    at.write_text(text.replace(before, before + line))


def test_who_follows_the_steps_has_a_metric(tmp_path: Path) -> None:
    told = section()
    tree = tmp_path / "fairlead"
    shutil.copytree(Path(fairlead.__file__).parent, tree, ignore=shutil.ignore_patterns("*.pyc.*"))
    metrics = tree / "plan/deployment/metrics"
    code = re.search(r"```python\n(.*?)```", told, re.DOTALL)
    assert code
    (metrics / "empty.py").write_text(dedent("   " + code[1].lstrip()))
    assert "imports `empty`, and lists `empty.METRIC`" in told
    added(metrics / "registry.py", "    disagreement,\n", "    empty,\n")
    added(metrics / "registry.py", "        disagreement.METRIC,\n", "        empty.METRIC,\n")
    assert "its name in `Guard.metric`" in told
    added(tree / "api/guard.py", '    metric: Literal["errors", ', '"empty", ')
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}
    ran = subprocess.run(
        [sys.executable, "-c", ROLLOUT], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    bad, good = json.loads(ran.stdout)
    assert bad[:2] == ["RolledBack", "EmptyAnswers"]
    assert "m-2 said nothing in" in bad[2]
    assert bad[3:] == [[], "empty", True]
    assert good[0] == "Live"
