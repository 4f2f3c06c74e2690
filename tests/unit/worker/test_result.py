"""Answers fit into a termination message, and stay JSON that says what matters."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fairlead.api.labelled import UsedLabels
from fairlead.api.tasks import RESULT_LIMIT, TASK_ENV, JoinResult, TaskResult
from fairlead.worker import digests, main
from fairlead.worker.counting import fitting
from fairlead.worker.result import encode

TEXT = st.text(max_size=1024)


def read(body: bytes) -> TaskResult:
    assert len(body) <= RESULT_LIMIT
    return TaskResult.model_validate(json.loads(body))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), TEXT), max_size=64))
def test_any_number_of_checks_fits(checks: list[tuple[bool, str]]) -> None:
    listed = [{"check": f"column c{i}" * 8, "passed": ok, "message": text} for i, (ok, text) in enumerate(checks)]
    listed.sort(key=lambda c: bool(c["passed"]))
    found = read(encode(TaskResult.model_validate({"snapshot": {"checks": listed}})))
    assert found.snapshot is not None
    kept = [c for c in found.snapshot.checks if not c.passed]
    assert len(kept) >= min(10, sum(not ok for ok, _ in checks))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["Passed", "Failed"]), TEXT), max_size=32))
def test_any_gates_fit_and_keep_their_verdicts(gates: list[tuple[str, str]]) -> None:
    judged = [
        {"gate": f"mae at most {i}", "verdict": verdict, "value": "1.2345", "low": "1", "high": "2", "message": text}
        for i, (verdict, text) in enumerate(gates)
    ]
    values = dict.fromkeys(("mae", "mse", "rmse", "mape"), "1.23456")
    scores = [{"subject": s, "version": "v" * 60, "values": values} for s in ("challenger", "champion", "baseline")]
    evaluated = {"digest": "a" * 64, "report": "s3://" + "r" * 300, "rows": 1, "scores": scores, "gates": judged,
                 "sample": "s" * 1500}  # fmt: skip
    found = read(encode(TaskResult.model_validate({"evaluate": evaluated})))
    assert found.evaluate is not None
    assert [g.verdict for g in found.evaluate.gates] == [verdict for verdict, _ in gates]
    assert len(found.evaluate.scores) == 3


def test_thirty_two_outputs_fit() -> None:
    folder = f"s3://store/fairlead/team/pipelines/delay/{'0' * 36}/train/1"
    shas = [digests.of_bytes(b"%d" % i) for i in range(32)]
    records = [
        {"name": f"output{i}", "bytes": 10**9, "sha256": sha, "uri": f"{folder}/output{i}/{sha[:16]}/out.bin"}
        for i, sha in enumerate(shas)
    ]
    result = TaskResult.model_validate({"publish": {"attempt": 1, "outputs": records}})
    assert TaskResult.model_validate_json(encode(result)) == result


def test_short_answers_are_readable_and_damaged_ones_refused() -> None:
    assert encode(TaskResult(fetched=3)) == b'{"fetched":3}'
    for damaged in ('{"packed": "AAAA"}', '{"packed": 3}', '{"packed": "no base64!"}'):
        with pytest.raises(ValidationError):
            TaskResult.model_validate_json(damaged)


def test_an_error_keeps_its_reason() -> None:
    found = read(encode(TaskResult.model_validate({"error": {"reason": "CorruptFile", "message": "ü" * 9000}})))
    assert found.error is not None
    assert found.error.reason == "CorruptFile"
    assert found.error.message.startswith("üüü")


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
    assert read(encode(TaskResult(join=found))).join == found
    assert 20 < len(found.cells) < 80
    assert [sum(cell[i] for cell in found.cells) for i in range(1, 9)] == [
        sum(cell[i] for cell in cells) for i in range(1, 9)
    ]
    assert set(cuts) <= {cell[0] for cell in found.cells}
