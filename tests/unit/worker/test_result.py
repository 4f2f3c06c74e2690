"""Answers fit into the share of a termination message that many containers leave, and stay JSON."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fairlead.api import answers
from fairlead.api.labelled import UsedLabels
from fairlead.api.modelversion import GateResult, ProfileRef, Score
from fairlead.api.schema import Model
from fairlead.api.tasks import (
    RESULT_LIMIT,
    TASK_ENV,
    EvaluateTask,
    JoinResult,
    JoinTask,
    Place,
    PublishTask,
    SnapshotTask,
    TaskResult,
)
from fairlead.worker import digests, main, report, result, scoring
from fairlead.worker.counting import COUNTS_LIMIT, fitting
from fairlead.worker.result import MARK, encode

STORE = {"bucket": "store", "prefix": "fairlead/x/"}
TASKS: dict[str, Model] = {
    "snapshot": SnapshotTask.model_validate(
        {"dataset": "rows", "listing": "a" * 64, "source": STORE, "store": STORE, "format": "csv", "pin": "copy"}
    ),
    "publish": PublishTask.model_validate({"store": STORE, "attempt": 1, "outputs": []}),
    "join": JoinTask.model_validate({
        "labels": {"access": {}, "uri": "s3://b/k", "sha256": "b" * 64, "dest": ""}, "format": "csv",
        "requestId": "id", "label": "y", "log": STORE, "stable": "m-1", "candidate": "m-2",
        "since": "2026-01-01T00:00:00Z", "store": STORE,
    }),
    "evaluate": EvaluateTask.model_validate({
        "version": "m-2", "task": "regression", "subjects": [], "data": "/x", "dataSha256": "c" * 64,
        "features": ["x"], "target": "y", "batch": 10, "metrics": ["mae"], "gates": [], "store": STORE,
    }),
}  # fmt: skip
GATES = [GateResult(gate=f"mae at most {i}", verdict="Passed", value="1.5", message="m" * 200) for i in range(32)]
LONG: dict[str, TaskResult] = {
    "snapshot": TaskResult.model_validate(
        {"snapshot": {"checks": [{"check": f"c{i}", "passed": False, "message": "m" * 500} for i in range(64)]}}
    ),
    "publish": TaskResult.model_validate({"publish": {"attempt": 1, "outputs": [
        {"name": f"o{i}", "type": "file", "uri": f"s3://store/{'f' * 200}/{i}", "sha256": "d" * 64} for i in range(32)
    ]}}),
    "join": TaskResult(join=JoinResult(rows=1, cells=[[i * 60, *[10**6] * 8] for i in range(500)])),
}  # fmt: skip


def said(verb: str, asked: EvaluateTask) -> object:
    """What the task comes to."""
    if verb != "evaluate":
        return getattr(LONG[verb], verb)
    rows = scoring.Rows(np.zeros(9), [], 0)
    scored = {"challenger": SimpleNamespace(values={"mae": 1.5}, samples={}, problems={})}
    profile = ProfileRef(digest="d" * 64, uri="s3://store/p.json", rows=9, features=2)
    found = report.store(asked, rows, scored, GATES, "sample", profile)  # type: ignore[arg-type]
    assert [s.values for s in found.scores] == [{"mae": "1.5"}]
    assert found.scores == [Score(subject="challenger", values={"mae": "1.5"})]
    LONG["evaluate"] = TaskResult(evaluate=found)
    return found


def read(body: bytes) -> TaskResult:
    assert len(body) <= RESULT_LIMIT
    return TaskResult.model_validate(json.loads(body))


def test_short_answers_are_readable_and_damaged_ones_refused() -> None:
    assert encode(TaskResult(fetched=3)) == b'{"fetched":3}'
    for damaged in ('{"packed": "AAAA"}', '{"packed": 3}', '{"packed": "no base64!"}'):
        with pytest.raises(ValidationError):
            TaskResult.model_validate_json(damaged)


@settings(max_examples=60)
@given(st.text(max_size=9000), st.sampled_from(["CorruptFile", "DigestMismatch"]))
def test_b05_an_error_of_any_length_keeps_its_reason(text: str, reason: str) -> None:
    found = read(encode(TaskResult.model_validate({"error": {"reason": reason, "message": text}})))
    assert found.error is not None
    assert found.error.reason == reason
    assert found.error.message == text or found.error.message.endswith(MARK)


def test_b05_a_message_has_room_for_twenty_containers() -> None:
    """The kubelet shares 12 KiB among them."""
    assert RESULT_LIMIT <= 12 * 1024 / 20
    assert len(encode(TaskResult(answer="f" * 64))) < 100


@pytest.mark.parametrize("verb", ["snapshot", "publish", "join", "evaluate"])
def test_b05_an_answer_is_a_digest_and_the_document_names_the_task(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it is: here 32 outputs, 64 checks with a text each, 500 stretches of time."""
    kept: dict[str, bytes] = {}
    bucket = SimpleNamespace(put_if_absent=kept.__setitem__, uri=lambda key: f"s3://store/{key}")
    monkeypatch.setattr(result, "place", lambda _: bucket)
    monkeypatch.setattr(report, "place", lambda _: bucket)
    task = TASKS[verb]
    monkeypatch.setenv(TASK_ENV, task.model_dump_json(by_alias=True, exclude_none=True))
    monkeypatch.setattr(f"fairlead.worker.{verb}.{verb}", lambda asked: said(verb, asked))
    assert main.run(verb, str(tmp_path / "answer")) == 0
    digest = read((tmp_path / "answer").read_bytes()).answer
    assert digest is not None
    where = Place(bucket="store", prefix="fairlead/x/")
    body = kept[answers.key(verb, where.prefix, digest)]
    assert len(body) > RESULT_LIMIT
    assert digests.of_bytes(body) == digest
    found = answers.parsed(verb, body.decode(), digest, where)
    assert found.task == answers.task_digest(json.loads(task.model_dump_json(by_alias=True, exclude_none=True)))
    assert found.result == LONG[verb]


@pytest.mark.parametrize(
    ("name", "task", "reason", "words"),
    [
        ("dance", "{}", "BadTask", "there are snapshot, fetch, publish, evaluate"),
        ("fetch", "", "BadTask", "is not a task for fetch"),
        ("fetch", '{"items": 3}', "BadTask", "is not a task for fetch"),
        ("fetch", '{"items": [{"access": {}, "uri": "x", "sha256": "", "dest": "/x"}]}', "BadTask", "write s3://"),
        ("fetch", '{"items": [{"access": {"credentials": "/no"}, "uri": "s3://b/k", "sha256": "", "dest": "/x"}]}',
         "AccessDenied", "/no is not mounted"),
    ],
)  # fmt: skip
def test_the_program_always_answers(
    name: str, task: str, reason: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TASK_ENV, task)
    assert main.run(name, str(tmp_path / "answer")) == 1
    found = read((tmp_path / "answer").read_bytes())
    assert found.error is not None
    assert found.error.reason == reason
    assert words in found.error.message


def test_the_program_says_when_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TASK_ENV, '{"items": []}')
    assert main.run("fetch", str(tmp_path / "answer")) == 0
    assert read((tmp_path / "answer").read_bytes()).fetched == 0


def test_a_bug_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(main.TASKS, "fetch", lambda _task: 1 / 0)  # type: ignore[arg-type]
    error = main.attempt("fetch", "").error
    assert error is not None
    assert (error.reason, error.transient) == ("Bug", False)


@pytest.mark.parametrize("cuts", [[], [7 + 3600 * i for i in range(0, 80, 3)]])
def test_all_counts_of_a_join_fit(cuts: list[int]) -> None:
    """80 stretches of time, a million answers in each, and all files of used labels: stretches become fewer."""
    rng = random.Random(3)
    cells = [[i * 3600 + 7, *(rng.randrange(10**6) for _ in range(8))] for i in range(80)]
    used = [UsedLabels(key=f"{rng.randrange(16**32):032x}.parquet", rows=2 ** (20 - i)) for i in range(12)]
    whole = JoinResult(rows=10**8, matched=10**8, cells=cells, pairs=[10**7] * 4, kept=[10**8, 10**8], used=used)
    found = fitting(whole, cuts)
    assert len(found.model_dump_json(by_alias=True, exclude_defaults=True)) <= COUNTS_LIMIT
    assert 20 < len(found.cells) < 80
    assert [sum(cell[i] for cell in found.cells) for i in range(1, 9)] == [
        sum(cell[i] for cell in cells) for i in range(1, 9)
    ]
    assert set(cuts) <= {cell[0] for cell in found.cells}
