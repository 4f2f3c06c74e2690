"""`python -m fairlead.worker.record.learnt FILE`: bring the profile of the task to FILE, verified.

A process of its own, which ends: the S3 client is large.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from fairlead.api.tasks import TASK_ENV, ProfileAt, RecordTask
from fairlead.monitor.profile import SIZE
from fairlead.store.errors import StoreError
from fairlead.worker.access import located
from fairlead.worker.errors import TaskFailed


def bring(wanted: ProfileAt, to: Path) -> None:
    """Write it to a file, whole or not at all. Raises StoreError and TaskFailed."""
    body = read(wanted, SIZE)
    half = to.with_suffix(".half")
    half.write_bytes(body)
    half.replace(to)


def read(wanted: ProfileAt, limit: int) -> bytes:
    """A document of the store, of so many bytes at most. Raises StoreError, and TaskFailed where it was changed."""
    bucket, key = located(wanted.uri, wanted.access)
    body = bucket.read(key, limit)
    found = hashlib.sha256(body).hexdigest()
    if found != wanted.sha256:
        raise TaskFailed("DigestMismatch", f"{wanted.uri} has digest {found}, not {wanted.sha256}: it was changed")
    return body


def main(arguments: list[str]) -> int:
    """0; or 1, and why not on stdout as JSON."""
    task = RecordTask.model_validate_json(os.environ[TASK_ENV])
    try:
        if task.profile is None:
            raise TaskFailed("BadTask", "the task names no profile")
        bring(task.profile, Path(arguments[0]))
    except StoreError as error:
        print(json.dumps({"reason": error.reason, "message": error.message}))
        return 1
    except TaskFailed as failed:
        print(json.dumps({"reason": failed.error.reason, "message": failed.error.message}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
