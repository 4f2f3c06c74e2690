"""`split`: rows for training, testing and validation. Its program is `fairlead/components/split.py`."""

from __future__ import annotations

from fairlead.plan.pipeline.components.builtin.base import Builtin

_PARAMS = {
    "test": {"default": "20%", "description": "The share of the rows for testing: `20%` or `0.2`."},
    "validation": {"default": "0%", "description": "The share of the rows for validation."},
    "by": {
        "default": "random", "in": ["random", "time", "group", "hash"],
        "description": "`random`: in an order that nobody foresees, the same each time. `time`: the newest are tested. "
        "`group`: whole groups. `hash`: by a hash of a column alone, so what is tested stays so when more rows come.",
    },
    "column": {
        "default": "",
        "description": "Of the time (a timestamp, date or number), of the group or of the hash (these may be several).",
    },
    "stratify": {"default": "", "description": "With `random`: a column each of whose values has the same shares."},
    "key": {
        "default": "",
        "description": "Columns, divided by commas, that say of what a row is: on one side only. Default: all columns.",
    },
    "leaks": {
        "default": "fail", "in": ["fail", "drop"],
        "description": "If things are on two sides: fail, or leave their rows out of train, and say how many.",
    },
    "seed": {"type": "integer", "default": "0", "description": "Another one, another division."},
}  # fmt: skip

BUILTIN = Builtin(
    name="split",
    said={
        "version": "1",
        "description": "Divides rows for training, testing and validation, so that nothing is on two sides.",
        "params": _PARAMS,
        "inputs": {"data": {"type": "dataset", "description": "All rows."}},
        "outputs": {
            "train": {"type": "dataset", "description": "The rest."},
            "test": {"type": "dataset", "description": "The rows to test by."},
            "validation": {
                "type": "dataset",
                "description": "The rows to choose by; of 0%, none, with all columns.",
            },
        },
        "command": ["python", "-m", "fairlead.components.split"],
        "args": [f"--{name}={{{{params.{name}}}}}" for name in _PARAMS],
    },
)
