"""The page on runs: its program logs what it says, its commands are such, and its numbers are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.worker.bucket import NAME, Memory

from fairlead.api import logged
from fairlead.api.pipeline import Pipeline
from fairlead.api.tasks import Place, PublishItem, PublishTask
from fairlead.cli import show_run
from fairlead.cli.main import parser
from fairlead.cluster.client import LOG_LINES
from fairlead.engine import resolve
from fairlead.plan.pipeline import dag, logs
from fairlead.worker import publish as publishing

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how-to" / "look-at-runs.md").read_text()
EXPLAINED = (ROOT / "docs" / "explanation" / "pipelines.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.S)
    assert found is not None
    return found[1]


def test_what_the_example_logs_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out" / logged.FOLDER
    folder.mkdir(parents=True)
    monkeypatch.setenv(logged.METRICS_ENV, str(folder / logged.METRICS))
    exec(compile(block("python"), "look-at-runs.md", "exec"), {})
    store: Any = Memory(NAME)
    monkeypatch.setattr(publishing, "place", lambda _: store)
    items = [PublishItem(name="roc", type="preview", path=str(tmp_path / "out" / "roc"))]
    task = PublishTask(store=Place(bucket=NAME, prefix="p"), attempt=1, outputs=items, logged=str(folder))
    found = publishing.publish(task)
    assert (found.metrics, found.values, found.left_out) == ({"rmse": "23.1"}, 2, [])
    assert [one.name for one in found.artifacts] == ["worst.csv"]
    assert found.outputs[0].media == "image/svg+xml"


def test_the_example_is_a_pipeline() -> None:
    found = Pipeline.model_validate(yaml.safe_load(block("yaml")))
    dag.validate(found.spec)
    assert (found.spec.history.ttl, found.spec.steps[0].outputs["roc"].type) == ("90d", "preview")


def test_its_commands_are_such() -> None:
    lines = [shlex.split(line)[2:] for line in block("bash").splitlines()]
    assert {line[0] for line in lines} == {"get", "logs", "artifacts", "open"}
    for line in lines:
        assert callable(parser("fairlead").parse_args(line).run)


def test_its_numbers_are_those_of_the_code() -> None:
    for told in (
        f"first {logged.NAMES} names", f"{logged.VALUES:,} values", f"{logged.SERIES:,} names",
        f"{logged.BYTES >> 20} MiB", f"{logged.LINE >> 10} KiB", f"up to {logged.FILES} files",
        f"{logged.FILE_BYTES >> 20} MiB each", f"{logged.ALL_BYTES >> 30} GiB together",
        f"up to {logged.PREVIEW_BYTES >> 20} MiB | nothing", f"{LOG_LINES:,} lines, at most {logs.LIMIT >> 20} MiB",
        f"at most {logs.HOLD:g} seconds", f"cancelled for {logs.STOP:g}", f"{logs.READING:g} seconds",
    ):  # fmt: skip
        assert told in PAGE, told
    for told in (
        f"{resolve.LOGS_AT_ONCE} logs at a time,\n{resolve.LOGS_EACH} of one namespace", f"({logs.READING:g} seconds",
        f"{logs.STORING / 60:g} minutes", f"({logs.HOLD:g} seconds)", f"({logs.STOP:g} seconds)",
    ):  # fmt: skip
        assert told in EXPLAINED, told
    assert show_run.RUNS == 10
    suffixes = re.findall(r"roc\.(\w+)", block("yaml"))
    assert suffixes
    assert set(suffixes) <= set(logged.SUFFIXES)
