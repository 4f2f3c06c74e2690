"""`python -P -m fairlead.worker.reporting`: the program of a step with `report`. Its log is the step's."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from fairlead.api.fetching import TASK_ENV
from fairlead.api.report import OUTPUT, ReportTask
from fairlead.worker.reporting.page import page


def main() -> int:
    """Make the page; 0 if it was made. What a page can't show it says itself, and is no failure."""
    try:
        task = ReportTask.model_validate_json(os.environ.get(TASK_ENV, ""))
        inputs, outputs = Path(os.environ["FAIRLEAD_IN"]), Path(os.environ["FAIRLEAD_OUT"])
    except (ValidationError, KeyError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{error} is not set"
        print(f"{TASK_ENV} is no report's task: {why}; use the operator's own worker image", file=sys.stderr)
        return 1
    target = outputs / f"{OUTPUT}.html"
    size = 0
    with target.open("w", encoding="utf-8", errors="replace") as file:
        for part in page(task, inputs, datetime.now(UTC)):
            size += file.write(part)
    print(f"{target.name}: {size:,} characters, {len(task.steps)} steps, {len(task.inputs)} inputs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
