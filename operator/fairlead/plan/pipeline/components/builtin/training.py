"""What the components that train have in common."""

from __future__ import annotations

from collections.abc import Sequence

from fairlead.plan.core import Json
from fairlead.plan.pipeline.components.builtin.base import Builtin

PARAMS: Json = {
    "target": {"description": "The column that the model is to tell."},
    "task": {"in": ["regression", "classification"], "description": "A number, or one of some classes."},
    "features": {
        "default": "",
        "description": "Columns that it learns from, with commas: numbers, booleans, texts. Default: all but target.",
    },
    "weight": {"default": "", "description": "A column that says how much each row counts in training."},
    "rounds": {
        "type": "integer", "default": "100", "min": "1", "max": "10000",
        "description": "Trees, or rounds of boosting, at most.",
    },
    "early_stopping": {
        "type": "integer", "default": "0", "min": "0", "max": "10000",
        "description": "End after so many rounds that are no better on the input validation; keep the best. 0: never.",
    },
    "seed": {
        "type": "integer", "default": "0", "min": "0", "max": "2147483647", "description": "Of all that is chance.",
    },
}  # fmt: skip
_INPUTS: Json = {
    "data": {"type": "dataset", "description": "The rows to learn from."},
    "validation": {
        "type": "dataset", "optional": True,
        "description": "Rows that it does not learn from: it is measured on them, and early_stopping goes by them.",
    },
}  # fmt: skip
_OUTPUTS: Json = {
    "model": {"type": "model", "description": "`model.joblib`, a Pipeline of scikit-learn for the runtime sklearn."},
    "importance": {
        "type": "preview",
        "description": "By how much the error grows when a column is shuffled: a table and a chart.",
    },
}


def trainer(name: str, description: str, options: str, models: Sequence[str] = ()) -> Builtin:
    """A component that trains, by the program `fairlead.components.<name>`.

    Args:
        name: `train-…`.
        description: What it trains.
        options: Whose parameters `options` has.
        models: What it has to choose from, the default first.
    """
    params: Json = {
        **PARAMS,
        "options": {"default": "{}", "description": f"A JSON object with parameters of {options}."},
    }
    if models:
        params["model"] = {"default": models[0], "in": list(models), "description": "Which of its models."}
    return Builtin(
        name=name,
        trains=True,
        said={
            "version": "1",
            "description": description,
            "params": params,
            "inputs": _INPUTS,
            "outputs": _OUTPUTS,
            "command": ["python", "-m", f"fairlead.components.{name.replace('-', '_')}"],
            "args": [f"--{one}={{{{params.{one}}}}}" for one in params],
            # threads that wait in a loop take what those of other pods could use, and are slower for it themselves
            "env": [{"name": "OMP_WAIT_POLICY", "value": "PASSIVE"}],
        },
    )
