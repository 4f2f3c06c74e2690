"""docs/how-to/train-on-several-nodes.md: its pipeline runs as it says, its tables have what there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from tests.unit.pipeline.gangs import Gang
from tests.unit.plan.test_run_plan import container

from fairlead.api.pipeline import PipelineSpec
from fairlead.cli.main import parser
from fairlead.manifests import workers
from fairlead.plan.core import Json
from fairlead.plan.pipeline import dag, logs, together

PAGE = (Path(__file__).parents[3] / "docs/how-to/train-on-several-nodes.md").read_text()
EXAMPLES: list[Json] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]


def job() -> Json:
    """Of the example; its inputs and its queue are another page's."""
    (step,) = EXAMPLES[0]["spec"]["steps"]
    return Gang(**{key: one for key, one in step.items() if key not in ("inputs", "queue")}).job


def test_the_example_is_valid_and_asks_for_what_is_told() -> None:
    dag.validate(PipelineSpec.model_validate(EXAMPLES[0]["spec"]))
    made = job()
    pods, gpus = made["spec"]["completions"], container(made, "step")["resources"]["limits"]["nvidia.com/gpu"]
    processes = pods * int(gpus)
    assert f"These are {pods} pods with {gpus} GPUs each: {processes} processes" in PAGE


def test_the_table_has_all_variables_with_their_values() -> None:
    env = {one["name"]: one.get("value", "") for one in container(job(), "step")["env"]}
    table = {name: values for names, values in re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", PAGE, re.M)
             for name in re.findall(r"`(\w+)`", names)}  # fmt: skip
    own = [name for name in env if name.startswith(("PET_", "MASTER", "WORLD", "RANK", "NODE", "FAIRLEAD_WORKER"))]
    assert set(table) == set(own)
    for name in own:
        value = env[name] if env[name].isdecimal() else "2" if "MASTER_ADDR" not in name else ""
        assert value in re.findall(r"`(\w+)`", table[name]) or "MASTER" in name, name
    assert f"`{workers.PORT}`" in PAGE


def test_words_and_sizes_are_those_of_the_code() -> None:
    for word in (together.STOPPING, together.ENDING):
        assert f"`{word}`" in PAGE
    assert (logs.LIMIT, logs.OTHERS) == (1 << 20, 256 << 10)
    assert "last 1 MiB" in PAGE
    assert "256 KiB" in PAGE


def test_its_network_policy_is_of_the_steps_pods() -> None:
    policy = EXAMPLES[1]["spec"]
    mine, labels = policy["podSelector"]["matchLabels"], job()["spec"]["template"]["metadata"]["labels"]
    assert mine.items() <= labels.items()
    assert policy["ingress"][0]["from"] == policy["egress"][0]["to"] == [{"podSelector": {"matchLabels": mine}}]


@pytest.mark.parametrize("text", re.findall(r"```python\n(.*?)```", PAGE, re.S))
def test_programs_are_python(text: str) -> None:
    ast.parse(text)


def test_commands_are_commands() -> None:
    lines = re.findall(r"^kubectl fairlead (.*)$", PAGE, re.M)
    assert lines
    for line in lines:
        parser("fairlead").parse_args(line.split())
