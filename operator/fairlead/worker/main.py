"""`fairlead worker <task>`: read the task, do it, write the answer where the operator finds it."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from fairlead.api.fetching import RESULT_PATH, TASK_ENV, FetchTask, Said, TaskError
from fairlead.store.errors import StoreError
from fairlead.worker import disk
from fairlead.worker.errors import TaskFailed
from fairlead.worker.logs import configure
from fairlead.worker.result import encode, keep

log = logging.getLogger("fairlead.worker")


# Each imports what it needs when it runs: a fetch must not wait for DuckDB to load, nor for types that it does not use.
def _snapshot(task: str) -> Said:
    from fairlead.api.tasks import SnapshotTask, TaskResult
    from fairlead.worker.snapshot import snapshot

    asked = SnapshotTask.model_validate_json(task)
    return keep("snapshot", asked, asked.store, TaskResult(snapshot=snapshot(asked)))


def _fetch(task: str) -> Said:
    from fairlead.worker.fetch import fetch

    return Said(fetched=fetch(FetchTask.model_validate_json(task)))


def _publish(task: str) -> Said:
    from fairlead.api.tasks import PublishTask, TaskResult
    from fairlead.worker.publish import INDEX_ENV, commits, publish

    asked = PublishTask.model_validate_json(task)
    if not commits(asked, os.environ.get(INDEX_ENV)):
        log.info("nothing is committed", extra={"worker": os.environ[INDEX_ENV], "workers": asked.workers})
        return Said()
    return keep("publish", asked, asked.store, TaskResult(publish=publish(asked)))


def _evaluate(task: str) -> Said:
    from fairlead.api.tasks import EvaluateTask
    from fairlead.worker.evaluate import evaluate

    return Said(answer=evaluate(EvaluateTask.model_validate_json(task)).digest)  # the report is the answer


def _measure(task: str) -> Said:
    from fairlead.api.tasks import MeasureTask
    from fairlead.worker.measure import measure

    return Said(answer=measure(MeasureTask.model_validate_json(task)))


def _record(task: str) -> Said:
    """Becomes another program, which does without most of this one's modules: it runs beside each model server."""
    from fairlead.api.tasks import RecordTask

    RecordTask.model_validate_json(task)
    # glibc gives each thread a heap of its own otherwise, and numpy starts a thread a core of the node
    environment = os.environ | {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
    os.execve(sys.executable, [sys.executable, "-m", "fairlead.worker.record"], environment)


def _join(task: str) -> Said:
    from fairlead.api.tasks import JoinTask, TaskResult
    from fairlead.worker.join import join

    asked = JoinTask.model_validate_json(task)
    return keep("join", asked, asked.store, TaskResult(join=join(asked)))


def _explain(task: str) -> Said:
    from fairlead.api.tasks import ExplainTask, TaskResult
    from fairlead.worker.explain import explain

    asked = ExplainTask.model_validate_json(task)
    return keep("explain", asked, asked.store, TaskResult(explain=explain(asked)))


def _items(task: str) -> Said:
    from fairlead.api.tasks import ItemsTask, TaskResult
    from fairlead.worker.items import items

    asked = ItemsTask.model_validate_json(task)
    return keep("items", asked, asked.store, TaskResult(items=items(asked)))


def _observe(task: str) -> Said:
    from fairlead.api.tasks import ObserveTask, TaskResult
    from fairlead.worker.observe import observe

    asked = ObserveTask.model_validate_json(task)
    return keep("observe", asked, asked.store, TaskResult(observe=observe(asked)))


def _resolve(task: str) -> Said:
    from fairlead.api.tasks import ResolveTask, TaskResult
    from fairlead.worker.code import resolve

    asked = ResolveTask.model_validate_json(task)
    return keep("resolve", asked, asked.store, TaskResult(resolve=resolve(asked)))


TASKS: dict[str, Callable[[str], Said]] = {
    "snapshot": _snapshot, "fetch": _fetch, "publish": _publish, "evaluate": _evaluate, "join": _join,
    "observe": _observe, "explain": _explain, "items": _items, "record": _record, "resolve": _resolve,
    "measure": _measure,
}  # fmt: skip


def run(name: str, result_path: str = RESULT_PATH) -> int:
    """Do the task that the environment describes; 0 if it was done, 1 if the answer is an error."""
    configure()
    began = time.monotonic()
    result = attempt(name, os.environ.get(TASK_ENV, ""))
    Path(result_path).write_bytes(encode(result))
    log.info("ended", extra={"task": name, "seconds": round(time.monotonic() - began, 3), "ok": result.error is None})
    return 0 if result.error is None else 1


def attempt(name: str, task: str) -> Said:
    """Do a task given as JSON; errors become part of the result."""

    def work() -> Said:
        if name not in TASKS:
            raise TaskFailed("BadTask", f"there is no task {name!r}; there are {', '.join(TASKS)}")
        return TASKS[name](task)

    return guarded(name, work)


def guarded(name: str, work: Callable[[], Said]) -> Said:
    """What a task's work comes to; errors become part of the result."""
    try:
        return work()
    except TaskFailed as error:
        return _failed(error.error)
    except StoreError as error:
        return _failed(TaskError(reason=error.reason, message=error.message, transient=error.transient))
    except ValidationError as error:
        text = f"{TASK_ENV} is not a task for {name}: {error.errors()[0]['msg']}; use the operator's own worker image"
        return _failed(TaskError(reason="BadTask", message=text))
    except OSError as error:
        log.exception("input or output failed")
        return _failed(disk.failed(error))
    except Exception as error:
        log.exception("failed by a bug")
        text = f"{type(error).__name__}: {error}; see the pod's log, and report it"
        return _failed(TaskError(reason="Bug", message=text[:1000]))


def _failed(error: TaskError) -> Said:
    log.error(error.message, extra={"reason": error.reason, "transient": error.transient})
    return Said(error=error)
