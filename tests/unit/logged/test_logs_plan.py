"""Rule 18: logs are kept before a Job may go, with a time limit; a log that is stuck holds nobody else up."""

from __future__ import annotations

import pytest
from tests.unit.plan.littleworld import LittleWorld, stopped
from tests.unit.plan.test_run_plan import live, step, succeed

from fairlead.plan.core import PIPELINE_RUN, POD, Json
from fairlead.plan.pipeline import logs, run
from fairlead.plan.requests import Failed, KeepLog, LogKept, ReadDocument

PIPELINE = """
kind: Pipeline
metadata: {name: delay}
spec:
  steps:
  - {name: one, image: "i:1", retry: {limit: 1, backoff: 1s}}
  - {name: two, image: "i:1"}
"""
UNDERWAY = Failed("Underway", "")
AWAY = Failed("LogUnreadable", "the node of pod x did not send its log within 15 s")


@pytest.fixture
def where() -> LittleWorld:
    found = LittleWorld()
    found.put(PIPELINE)
    found.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    look(found)
    return found


def look(where: LittleWorld) -> Json:
    where.settle(run.SPEC, "delay-7")
    return where.status(PIPELINE_RUN, "delay-7")


def log_of(status: Json, name: str) -> Json:
    """What is said of a step's log, without what is empty."""
    return {key: value for key, value in step(status, name)["log"].items() if value}


def asked(where: LittleWorld) -> list[KeepLog]:
    """What a look asks to be kept."""
    found = run.observe(where.subject(run.SPEC, "delay-7"), where, where.now)
    return [one for one in found if isinstance(one, KeepLog)]


def fail(where: LittleWorld, name: str) -> Json:
    where.pod(live(where, name), "Failed", initContainerStatuses=[stopped("step", 1)])
    return look(where)


def test_the_log_of_a_program_that_has_ended_is_kept_while_its_outputs_are_published(where: LittleWorld) -> None:
    job = live(where, "one")
    where.pod(job, "Running", initContainerStatuses=[stopped("step")], containerStatuses=[{"name": "publish"}])
    before = where.writes
    look(where)
    (request,) = asked(where)
    assert request.key.endswith("pipelines/delay/uid-1/one/1/log.txt")
    assert (request.bucket, request.credentials, request.container) == ("store", "keys", "step")
    looks = where.writes
    status = succeed(where, "one")
    assert log_of(status, "one") == {"attempt": 1, "uri": f"s3://store/{request.key}", "bytes": 7}
    assert where.writes - looks <= 1, "it is recorded with the outcome"
    assert looks - before <= 1
    assert asked(where) == []


def test_a_log_that_is_stuck_delays_neither_siblings_nor_the_end(where: LittleWorld) -> None:
    where.logs = UNDERWAY
    succeed(where, "one")
    status = succeed(where, "two")
    assert status["phase"] == "Completed"
    assert step(status, "one")["log"]["pod"] == step(status, "one")["job"] + "-x"
    raw = where.objects[("PipelineRun", "delay-7")]
    assert not run.settled(raw), "it is still looked at"
    finished = status["finishedAt"]
    where.now += 3
    where.logs = LogKept(9, True)
    status = look(where)
    assert (step(status, "one")["log"]["cut"], status["phase"], status["finishedAt"]) == (True, "Completed", finished)
    assert run.settled(raw)


def test_what_can_not_be_kept_is_given_up_after_a_time_and_says_so(where: LittleWorld) -> None:
    where.logs = AWAY
    succeed(where, "one")
    status = succeed(where, "two")
    where.now += logs.READING + 1
    status = look(where)
    assert log_of(status, "one") == {"attempt": 1, "problem": AWAY.message}
    assert run.settled(where.objects[("PipelineRun", "delay-7")])


def test_a_store_that_is_away_for_a_minute_costs_no_log(where: LittleWorld) -> None:
    where.logs = Failed("Unreachable", "the store does not answer")
    succeed(where, "one")
    for _ in range(12):
        where.now += 10
        look(where)
    where.logs = LogKept(7, False)
    assert step(look(where), "one")["log"]["uri"]


@pytest.mark.parametrize("reason", ["LogForbidden", "LogGone", "CredentialsForbidden"])
def test_what_no_patience_helps_is_said_at_once(where: LittleWorld, reason: str) -> None:
    where.logs = Failed(reason, "why")
    status = succeed(where, "one")
    assert log_of(status, "one") == {"attempt": 1, "problem": "why"}
    (condition,) = [one for one in status["conditions"] if one["type"] == "LogsKept"]
    assert (condition["status"], condition["message"]) == ("False", "step one, attempt 1: why")
    where.logs = LogKept(7, False)
    assert succeed(where, "two")["phase"] == "Completed"


def test_the_next_attempt_waits_for_the_log_of_the_failed_one_but_not_for_long(where: LittleWorld) -> None:
    where.logs = UNDERWAY
    status = fail(where, "one")
    assert step(status, "one")["log"]["attempt"] == 1
    where.now += 5
    status = look(where)
    assert step(status, "one")["attempt"] == 1, "its pause is over, and its log is not kept yet"
    assert live(where, "two"), "a sibling does not wait"
    where.now += logs.HOLD
    assert step(look(where), "one")["attempt"] == 2
    where.logs = LogKept(3, False)
    status = succeed(where, "one")
    assert step(status, "one")["log"]["uri"].endswith("/one/2/log.txt")


def test_once_it_is_kept_the_next_attempt_begins(where: LittleWorld) -> None:
    status = fail(where, "one")
    assert step(status, "one")["log"]["uri"].endswith("/one/1/log.txt")
    where.now += 1.1
    assert step(look(where), "one")["attempt"] == 2


def test_a_job_that_is_stopped_goes_when_its_log_is_kept_or_soon(where: LittleWorld) -> None:
    where.logs = UNDERWAY
    for name in ("one", "two"):
        where.pod(live(where, name), "Running", initContainerStatuses=[{"name": "step", "state": {"running": {}}}])
    look(where)
    where.objects[("PipelineRun", "delay-7")]["spec"]["cancel"] = "now"
    look(where)
    assert where.jobs(step="one"), "its pod would go with it"
    assert len(asked(where)) == 2
    where.now += logs.STOP - 0.4
    wait = where.look(run.SPEC, "delay-7").requeue_after
    assert wait == pytest.approx(0.4), "no event tells when its time is over"
    where.now -= logs.STOP - 0.4
    where.now += logs.STOP + 0.1
    look(where)
    assert not where.jobs(step="one")
    where.now += logs.READING
    status = look(where)
    assert (status["phase"], step(status, "one")["phase"]) == ("Aborted", "Aborted")


def test_a_pod_that_was_deleted_before_is_said(where: LittleWorld) -> None:
    job = live(where, "two")
    where.pod(job, "Running", initContainerStatuses=[{"name": "step", "state": {"running": {}}}])
    look(where)
    where.remove(POD, f"{job['metadata']['name']}-x")
    job["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
    where.now += 30
    assert log_of(look(where), "two") == {
        "attempt": 1, "problem": "the pod was gone before its log could be kept"
    }  # fmt: skip


def test_whoever_installs_it_may_leave_logs_where_they_are(where: LittleWorld) -> None:
    jobs = where.config.jobs.model_copy(update={"logs": False})
    where.config = where.config.model_copy(update={"jobs": jobs})
    where.pod(live(where, "one"), "Running", initContainerStatuses=[stopped("step")])
    assert asked(where) == []
    status = succeed(where, "one")
    assert step(status, "one").get("log") is None


def test_a_program_that_never_began_has_no_log(where: LittleWorld) -> None:
    where.pod(live(where, "two"), "Failed", reason="Evicted")
    status = look(where)
    assert step(status, "two").get("log") is None
    assert [one for one in asked(where) if not isinstance(one, ReadDocument)] == []
