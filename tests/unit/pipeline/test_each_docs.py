"""The page about `each` shows what works: its pipelines run, its programs find what it says, its commands parse."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.pipeline.each_world import EachWorld
from tests.unit.plan.test_run_plan import container, task_of

from fairlead.api.pipeline import PipelineSpec
from fairlead.cli.main import parser
from fairlead.plan.core import Json
from fairlead.plan.pipeline import dag

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "run-a-matrix.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


PIPELINES: list[Json] = [yaml.safe_load(text)["spec"] for text in blocks("yaml")]


@pytest.mark.parametrize("spec", PIPELINES)
def test_the_pipelines_make_sense(spec: Json) -> None:
    dag.validate(PipelineSpec.model_validate(spec))


def test_the_matrix_runs_as_it_is_told() -> None:
    steps = PIPELINES[0]["steps"]
    where = EachWorld().begin(*steps)
    where.look_on()
    jobs = where.alive("prepare")
    given = [json.loads(next(e["value"] for e in container(jobs[n], "step")["env"] if e["name"] == "FAIRLEAD_ITEM"))
             for n in sorted(jobs)]  # fmt: skip
    assert [f"{one['region']} {one['size']}" for one in given][:3] == ["NE large", "NE small", "NW large"]
    for name in ("prepare", "train"):
        where.look_on()
        where.succeed(*where.alive(name), step=name)
    where.look_on()
    (fetched,) = task_of(where.jobs(step="report")[0], "fetch")["items"]
    assert fetched["dest"] == "/fairlead/in/models"


def test_the_programs_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    monkeypatch.setenv("FAIRLEAD_ITEM", '{"region": "NE", "size": "large"}')
    index = [{"id": "00000-a", "item": {"region": "NE"}, "path": "00000-a", "sha256": "s", "bytes": 1}]
    (tmp_path / "items.json").write_text(json.dumps(index))
    for text in blocks("python"):
        exec(text.replace("/fairlead/in/models", str(tmp_path)), {})
    assert capsys.readouterr().out == f"NE {tmp_path}/00000-a s\n"


@pytest.mark.parametrize("line", [line for text in blocks("bash") for line in text.splitlines()])
def test_the_commands_are_parsed(line: str) -> None:
    words = shlex.split(line)
    assert words[:2] == ["kubectl", "fairlead"]
    parser("fairlead").parse_args(words[2:])
