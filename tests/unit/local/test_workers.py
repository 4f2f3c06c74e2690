"""`fairlead dev run` of a step with several workers: processes of this machine that find each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.local.test_dev_run import _in_a_folder, record, run, step, written

from fairlead.local import together

__all__ = ["_in_a_folder"]
REDUCE = Path(__file__).with_name("reduce.py")


def train(shell: str, count: int = 3, **more: Any) -> dict[str, Any]:
    return step("train", shell, workers={"count": count}, **more)


def test_they_add_up_what_each_has(tmp_path: Path) -> None:
    program = f"python {REDUCE}"
    written(tmp_path, train(program, outputs={"sum": {"type": "file"}}, timeout="1m"))
    assert run() == 0
    (done,) = record()["status"]["steps"]
    kept = Path(".fairlead/runs/1/steps/train/out/sum").read_text()
    assert kept == "6"
    assert (done["phase"], done["attempt"], done["log"]["kept"]) == ("Completed", 1, [1, 2])
    assert "worker 2 of 3 has 3" in Path(".fairlead/runs/1/steps/train/worker-2/log").read_text()


def test_one_fails_and_all_of_them_end(tmp_path: Path) -> None:
    """The others would run for ten minutes."""
    shell = 'if [ "$RANK" = 2 ]; then echo no such file; exit 7; fi; exec sleep 600'
    written(tmp_path, train(shell))
    assert run() == 1
    (done,) = record()["status"]["steps"]
    assert (done["phase"], done["reason"], done["failures"]) == ("Failed", "UserError", 1)
    assert "worker 2: the program ended with exit code 7: no such file" in done["message"]


def test_index_0_alone_is_kept(tmp_path: Path) -> None:
    written(tmp_path, train('echo "$RANK" > "$FAIRLEAD_OUT/x"', outputs={"x": {"type": "value"}}))
    assert run() == 0
    assert record()["status"]["steps"][0]["outputs"][0]["value"] == "0"


@pytest.mark.parametrize(("name", "value", "wanted"), [
    ("MASTER_ADDR", "j-1-0.workers-0123456789", "127.0.0.1"),
    ("PEER", "tcp://j-1-12.workers-0123456789:99", "tcp://127.0.0.1:99"),
    ("OTHER", "k-1-0.workers-0123456789", "k-1-0.workers-0123456789"),
    ("MASTER_PORT", "29500", "4711"), ("MASTER_PORT", "1234", "1234"), ("PORT", "29500", "29500"),
])  # fmt: skip
def test_what_is_told_here(name: str, value: str, wanted: str) -> None:
    container = {"name": "step", "env": [{"name": name, "value": value}]}
    assert together.here(container, "j-1", 3, 4711)["env"] == [{"name": name, "value": wanted}]


def test_the_index_is_that_of_the_process() -> None:
    container = {"env": [{"name": "FAIRLEAD_WORKER_INDEX", "valueFrom": json.loads("{}")}]}
    assert together.here(container, "j", 3, 1)["env"] == [{"name": "FAIRLEAD_WORKER_INDEX", "value": "3"}]
