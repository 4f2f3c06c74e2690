"""Structured logs: one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_FIELDS = ("kind", "namespace", "name", "result", "seconds", "wrote", "word", "reason", "retry_in")
LONGEST = 16_384
"""Characters of a message, and of a trace's end: errors quote what somebody else has written."""


class JsonFormatter(logging.Formatter):
    """Time, level, message, and what the call put into `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:LONGEST],
        }
        line |= {key: getattr(record, f"of_{key}") for key in _FIELDS if hasattr(record, f"of_{key}")}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-LONGEST:]
        return json.dumps(line, ensure_ascii=False, default=str)


def fields(**found: Any) -> dict[str, Any]:
    """The `extra` of a log call. (`name` and others are taken by the logging module: hence the prefix.)"""
    return {f"of_{key}": value for key, value in found.items()}


def setup(level: str) -> None:
    """Write to standard error as JSON. `level`: debug, info, warning or error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("kopf", "kubernetes", "aiohttp", "botocore", "boto3", "urllib3", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    # it warns that signals are ignored in its thread, which is what we want
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
