"""What a library that trains is to the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import joblib
import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.preprocessing import LabelEncoder

from fairlead.components.training.asked import Asked
from fairlead.components.training.prepare import Form, Matrix
from fairlead.components.training.rows import Vector
from fairlead.components.words import Refused


@dataclass(frozen=True)
class Fitted:
    """A model that has learned."""

    estimator: Any
    rounds: int | None
    """That it has. None: it has none."""


class Library(ABC):
    """A library that trains. `check` is called first, then `fit`."""

    name: ClassVar[str]
    models: ClassVar[Sequence[str]] = ()
    """Values of the parameter `model`; empty: there is no such parameter."""

    def form(self, asked: Asked) -> Form:  # noqa: ARG002 - one form for all
        """What the estimator is given."""
        return "codes"

    def most(self, asked: Asked) -> int | None:  # noqa: ARG002 - all, whatever is asked
        """Categories of a column that it tells apart; None: all."""
        return None

    @abstractmethod
    def check(self, asked: Asked) -> None:
        """Raises Refused for options and parameters that the estimator does not take."""

    @abstractmethod
    def fit(self, asked: Asked, train: Matrix, validation: Matrix | None) -> Fitted:
        """Learn. What it returns asks for one thread: a server has others to do. Raises Refused."""


class Names:
    """Names of classes, for libraries that know classes 0, 1 … only: XGBoost does not take others, LightGBM not where
    rows for validation are given."""

    def __init__(self, target: Vector) -> None:
        self._encoder = LabelEncoder().fit(target)

    def numbers(self, target: Vector) -> Vector:
        """Of each row."""
        found: Vector = self._encoder.transform(target)
        return found

    def given(self, estimator: Any) -> Any:
        """An estimator that answers names: the given one, where they are its numbers; else an ensemble of
        scikit-learn that has it alone."""
        classes = self._encoder.classes_
        if np.array_equal(classes, np.arange(len(classes))):
            return estimator
        found = VotingClassifier([("model", estimator)], voting="soft")
        found.estimators_, found.le_, found.classes_ = [estimator], self._encoder, classes
        return found


def cores() -> int:
    """That this container may use."""
    return int(joblib.cpu_count())


def needs_validation(asked: Asked, validation: object | None) -> None:
    """Raises Refused where training is to end by rows that aren't there."""
    if asked.early_stopping and validation is None:
        raise Refused("params.early_stopping needs rows in the input validation; give it, for example split.validation "
                      'with validation: 10%, or give early_stopping: "0"')  # fmt: skip
