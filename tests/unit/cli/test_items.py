"""`fairlead get run/x --items` and `fairlead logs run/x step --item`: items as if all of them stood in the status."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.unit.cli.test_commands import Memory, fairlead, memory  # noqa: F401 - fixtures
from tests.unit.pipeline.each_world import REGIONS, TRAIN, EachWorld
from tests.unit.plan.test_run_plan import task_of
from tests.unit.worker.bucket import Memory as Bucket

from fairlead.cli import stores
from fairlead.plan.core import PIPELINE_RUN, Json

FOLDER = "fairlead/team/pipelines/p/uid-2/train/"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The store."""
    found = Bucket("store")

    @asynccontextmanager
    async def opened(_session: Any, _args: Any, name: str) -> AsyncIterator[Bucket]:
        assert name == found.name
        yield found

    monkeypatch.setattr(stores, "opened", opened)
    return found


def leave(bucket: Bucket, job: Json) -> None:
    """What an item's pod has committed."""
    task = task_of(job, "publish")
    outputs = [{"name": "model", "type": "model", "uri": "s3://store/m/", "sha256": "ab" * 32, "bytes": 2048}]
    said = {"attempt": task["attempt"], "outputs": outputs, "item": task["item"]}
    bucket.objects[task["outcome"]] = json.dumps(said).encode()


def half_way(bucket: Bucket, each: Json = REGIONS) -> EachWorld:
    """Two are completed, one has failed, one waits for another attempt, one runs, one is still to begin."""
    each = each | {"maxParallel": 2, "failures": "Continue"}
    retry = {"limit": 1, "backoff": "1h"}
    where = EachWorld().begin(TRAIN | {"each": each, "retry": retry})
    where.look_on()
    for number in (0, 1):
        leave(bucket, where.alive()[number])
    where.succeed(0, 1)
    where.look_on()
    where.fail(2)
    where.look_on()
    where.now += 3601
    where.look_on()
    where.fail(3)
    where.look_on()
    where.fail(2)
    where.look_on()
    return where


def put(memory: Memory, where: EachWorld) -> None:  # noqa: F811
    raw = where.objects["PipelineRun", "p-1"]
    memory.put("PipelineRun", "p-1", spec=raw["spec"], status=where.status(PIPELINE_RUN, "p-1"))


def test_all_items_are_shown_whoever_keeps_them(
    fairlead: Callable[..., int], memory: Memory, bucket: Bucket, capsys: Any  # noqa: F811
) -> None:  # fmt: skip
    put(memory, half_way(bucket))
    assert fairlead("get", "run/p-1", "--items", "-o", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["item"], row["phase"]) for row in rows] == [
        (0, "Completed"), (1, "Completed"), (2, "Failed"), (3, "Pending"), (4, "Pending"), (5, "Pending"),
    ]  # fmt: skip
    assert rows[1]["values"] == {"region": "NE", "size": "small"}
    assert rows[0]["outputs"][0]["sha256"] == "ab" * 32
    assert rows[2]["message"].startswith("UserError: ")
    assert "again at" in rows[3]["message"]
    assert fairlead("get", "run", "p-1", "--items") == 0
    shown = capsys.readouterr().out
    assert "region=NW, size=large" in shown
    assert "2.0 KiB" in shown or "2 KiB" in shown


def test_only_those_that_failed_and_only_of_one_step(
    fairlead: Callable[..., int], memory: Memory, bucket: Bucket, capsys: Any  # noqa: F811
) -> None:  # fmt: skip
    put(memory, half_way(bucket))
    assert fairlead("get", "run/p-1", "--items", "--failed", "--step", "train", "-o", "json") == 0
    assert [row["item"] for row in json.loads(capsys.readouterr().out)] == [2]
    assert fairlead("get", "run/p-1", "--items", "--step", "other") != 0
    assert "has no items of step 'other'" in capsys.readouterr().err


def test_values_of_a_dataset_are_read_from_the_store(
    fairlead: Callable[..., int], memory: Memory, bucket: Bucket, capsys: Any  # noqa: F811
) -> None:  # fmt: skip
    each = {"dataset": "flights", "distinct": ["region", "size"], "failures": "Continue"}
    where = EachWorld().begin(TRAIN | {"each": each})
    assert where.step()["items"]["folder"] == f"s3://store/{FOLDER}"
    put(memory, where)
    assert fairlead("get", "run/p-1", "--items") != 0
    assert "still asking the data" in capsys.readouterr().err
    where.answer_items([["NE", None], ["ÜÄ\x1b[2J", "x"]])
    where.look_on()
    bucket.objects |= {key: text.encode() for key, text in where.told.documents.items()}
    put(memory, where)
    assert fairlead("get", "run/p-1", "--items") == 0
    shown = capsys.readouterr().out
    assert "region=NE, size=null" in shown
    assert "\x1b" not in shown


def test_an_outcome_that_can_not_be_read_is_named(
    fairlead: Callable[..., int], memory: Memory, bucket: Bucket, capsys: Any  # noqa: F811
) -> None:  # fmt: skip
    put(memory, half_way(bucket))
    key = next(iter(bucket.objects))
    bucket.objects[key] = b"[1]"
    assert fairlead("get", "run/p-1", "--items") != 0
    assert f"s3://store/{key} is no outcome" in capsys.readouterr().err


def test_the_log_of_an_item_is_that_of_its_last_attempt(
    fairlead: Callable[..., int], memory: Memory, bucket: Bucket, capsys: Any  # noqa: F811
) -> None:  # fmt: skip
    put(memory, half_way(bucket))
    for attempt in (1, 2):
        bucket.objects[f"{FOLDER}logs/00002/{attempt}/log.txt"] = f"attempt {attempt}\n".encode()
    assert fairlead("logs", "run/p-1", "train", "--item", "2") == 0
    assert capsys.readouterr().out == "attempt 2\n"
    assert fairlead("logs", "run/p-1", "train", "--item", "2", "--attempt", "1") == 0
    assert capsys.readouterr().out == "attempt 1\n"
    assert fairlead("logs", "run/p-1", "train", "--item", "4") != 0
    assert "kept are those of attempts: none" in capsys.readouterr().err
    assert fairlead("logs", "run/p-1", "train") != 0
    assert "say which by --item NUMBER" in capsys.readouterr().err
