"""What a step asks for, from its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from fairlead.api import foreign
from fairlead.components import words
from fairlead.components.words import Refused

Task = Literal["regression", "classification"]
TASKS: Sequence[Task] = ("regression", "classification")
ROUNDS, EARLY, SEED = 10_000, 10_000, 2**31 - 1
"""The most of each."""
DEFAULTS: Mapping[str, str | None] = {
    "target": None, "task": None, "features": "", "weight": "", "options": "{}", "rounds": "100", "early_stopping": "0",
    "seed": "0",
}  # fmt: skip
"""Parameters, and what they are when they aren't given. None: they must be."""


@dataclass(frozen=True)
class Asked:
    """What to train."""

    target: str
    task: Task
    features: Sequence[str]
    """Empty: all columns but the target and the weight."""
    weight: str | None
    model: str
    """Which of a library's models; empty where it has one."""
    options: Mapping[str, Any]
    """Of the estimator, not yet checked."""
    rounds: int
    """Trees, or rounds of boosting."""
    early_stopping: int
    """Rounds without a better result on the validation rows, after which no more are made. 0: all are made."""
    seed: int

    @property
    def classes(self) -> bool:
        """Whether it tells classes."""
        return self.task == "classification"


def asked(given: Sequence[str], models: Sequence[str]) -> Asked:
    """From the program's arguments. models: of the library; the first is the default. Raises Refused."""
    defaults = dict(DEFAULTS) | ({"model": models[0]} if models else {})
    texts = words.arguments(given, defaults)
    target, weight = (texts[name].strip() for name in ("target", "weight"))
    features = words.names("features", texts["features"])
    for name, column in (("target", target), ("weight", weight)):
        if column and column in features:
            raise Refused(f"params.features names {column}, which is the {name}; leave it out of the features")
    if weight == target:
        raise Refused(f"params.weight is {weight}, which is the target; name another column")
    return Asked(
        target=target, task=cast("Task", words.one_of("task", texts["task"], TASKS)), features=features,
        weight=weight or None, model=words.one_of("model", texts["model"], models) if models else "",
        options=_options(texts["options"]), rounds=words.whole("rounds", texts["rounds"], 1, ROUNDS),
        early_stopping=words.whole("early_stopping", texts["early_stopping"], 0, EARLY),
        seed=words.whole("seed", texts["seed"], 0, SEED),
    )  # fmt: skip


def _options(text: str) -> dict[str, Any]:
    example = """give a JSON object such as '{"learning_rate": 0.05}'"""
    try:
        found = foreign.parse(text)
    except foreign.Unreadable as error:
        raise Refused(f"params.options: {error}; {example}") from None
    if not isinstance(found, dict):
        raise Refused(f"params.options is {text[:60]!r}; {example}")
    return found
