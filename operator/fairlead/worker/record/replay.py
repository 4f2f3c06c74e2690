"""`python -m fairlead.worker.record.replay`: ask the server beside it for the task's golden rows, and print what came.

A process of its own, which ends; its word is JSON.

The rows go straight to the server's own port on loopback. Past the proxy nothing counts them: neither its counters nor
the recorder.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairlead.api import foreign
from fairlead.api.tasks import TASK_ENV, GoldenTask, RecordTask
from fairlead.monitor import golden
from fairlead.monitor.golden import BadGolden, Difference, Exchange
from fairlead.store.errors import StoreError
from fairlead.worker.errors import TaskFailed
from fairlead.worker.record import learnt

LIMIT = 45.0
"""Seconds for all rows: what was answered by then is compared. The gate waits somewhat longer."""
ANSWER, LEAST = 20.0, 5.0
"""Seconds for one at most; and what is left to one that is asked for at the end."""
TRIES, PAUSE = 5, 1.0
BUSY = (429, 502, 503, 504)
"""Statuses of a server that is not quite there yet: it is asked again, a second later."""
LARGEST = 4 << 20
"""Bytes of an answer."""
Said = dict[str, str]


class NotAsked(Exception):  # noqa: N818 - the house's names of errors
    """Nothing can be compared: reason and message."""


def replay(task: GoldenTask) -> Said:
    """What came of it: `Ok`, `Skew` or `Unknown`."""
    try:
        exchanges = golden.parse(_document(task))
        return _compared(task, exchanges)
    except NotAsked as why:
        return _unknown(*map(str, why.args))
    except BadGolden as bad:
        return _unknown("BadGoldenRows", f"the golden rows can't be compared: {bad}")
    except StoreError as error:
        return _unknown("GoldenRowsUnread", f"the golden rows can't be read: {error.message}")
    except TaskFailed as failed:
        return _unknown("GoldenRowsUnread", f"the golden rows can't be read: {failed.error.message}")


def _unknown(reason: str, message: str) -> Said:
    return {"state": "Unknown", "reason": reason, "message": message}


def _document(task: GoldenTask) -> bytes:
    if task.at is not None:
        return learnt.read(task.at, golden.SIZE)
    path = Path(task.file)
    try:
        if path.is_symlink() or not path.is_file():
            raise NotAsked("NoGoldenRows", f"the model's artifact has no file {path.name}")
        with path.open("rb") as file:
            return file.read(golden.SIZE + 1)
    except OSError as error:
        raise NotAsked("GoldenRowsUnread", f"{path.name} can't be read: {error.strerror}") from error


def _compared(task: GoldenTask, exchanges: list[Exchange]) -> Said:
    total, scale = sum(one.rows for one in exchanges), golden.scales(exchanges)
    found: list[Difference] = []
    rows, until = 0, time.monotonic() + LIMIT
    for exchange in exchanges:
        if rows and time.monotonic() > until:
            break
        try:
            answers = _answers(task, exchange.request, rows + 1, until)
            found += golden.differences(exchange, answers, rows + 1, task.tolerance, scale)
        except (NotAsked, BadGolden):
            if not found:
                raise
            break  # what differs does so, whatever comes of the others
        rows += exchange.rows
    if found:
        return {"state": "Skew", "reason": "Skew", "message": _told(task, found, rows)}
    rest = f"; the other {total - rows} were not asked for within {LIMIT:g} s" if rows < total else ""
    many = f"{rows} golden rows are" if rows != 1 else "one golden row is"
    words = f"{many} answered as {_when(task)}{rest}"
    return {"state": "Ok", "reason": "AsProven" if task.proven else "AsMade", "message": words}


def _told(task: GoldenTask, found: list[Difference], rows: int) -> str:
    one = found[0]
    more = f"; {len(found)} of {rows} rows differ" if len(found) > 1 else f"; the others of {rows} rows do not differ"
    output = f"output {one.output}" if one.output else "the output"
    return (
        f"golden row {one.row}: {output} is {one.answered}, and was {one.expected} {_when(task)} "
        f"({task.tolerance:.4g} of its size is tolerated){more}"
    )


def _when(task: GoldenTask) -> str:
    return "when the version was proven" if task.proven else "in training"


def _answers(task: GoldenTask, request: Mapping[str, Any], row: int, until: float) -> tuple[golden.Output, ...]:
    body = json.dumps(request, separators=(",", ":"))
    status, answer = 0, b""
    for left in reversed(range(TRIES)):
        try:
            status, answer = _post(task, body, min(ANSWER, max(LEAST, until - time.monotonic())))
        except (OSError, http.client.HTTPException) as error:
            status, answer = 0, f"{type(error).__name__}: {error}".encode()
        if status not in (0, *BUSY) or not left or time.monotonic() > until:
            break
        time.sleep(PAUSE)
    if not status and time.monotonic() > until:
        raise NotAsked("TooSlow", f"golden row {row} was not answered within {LIMIT:g} s of the first one's question")
    if status != 200:
        words = " ".join(answer[:200].decode(errors="replace").split())
        raise NotAsked("Refused", f"golden row {row} is answered {status or 'by nothing'} {words!r}: are its features "
                       "called otherwise?")  # fmt: skip
    try:
        return golden.answered(foreign.parse(answer, length=LARGEST, finite=False))
    except foreign.Unreadable as bad:
        raise NotAsked("AnswerUnread", f"the answer to golden row {row} can't be read: {bad}") from bad


def _post(task: GoldenTask, body: str, timeout: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", task.server, timeout=timeout)
    try:
        connection.request("POST", task.infer, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(LARGEST + 1)
    finally:
        connection.close()


def main() -> int:
    """0, whatever came of it."""
    task = RecordTask.model_validate_json(os.environ[TASK_ENV]).golden
    said = replay(task) if task else _unknown("NotAsked", "the task names no golden rows")
    print(json.dumps({key: text[:500] for key, text in said.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
