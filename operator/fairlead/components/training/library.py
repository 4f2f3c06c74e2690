"""What a library that trains is to the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import joblib

from fairlead.components.training.asked import Asked
from fairlead.components.training.prepare import Form, Matrix
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

    def form(self, asked: Asked) -> Form:
        """What the estimator is given."""
        return "codes"

    def most(self, asked: Asked) -> int | None:
        """Categories of a column that it tells apart; None: all."""
        return None

    @abstractmethod
    def check(self, asked: Asked) -> None:
        """Raises Refused for options and parameters that the estimator does not take."""

    @abstractmethod
    def fit(self, asked: Asked, train: Matrix, validation: Matrix | None) -> Fitted:
        """Learn. What it returns asks for one thread: a server has others to do. Raises Refused."""


def cores() -> int:
    """That this container may use."""
    return int(joblib.cpu_count())


def needs_validation(asked: Asked, validation: object | None) -> None:
    """Raises Refused where training is to end by rows that aren't there."""
    if asked.early_stopping and validation is None:
        raise Refused("params.early_stopping needs rows in the input validation; give it, for example split.validation "
                      'with validation: 10%, or give early_stopping: "0"')  # fmt: skip
