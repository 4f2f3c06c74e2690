"""The version's own server, asked for one number a row: what is explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fairlead.worker import oip
from fairlead.worker.explaining.bodies import Form
from fairlead.worker.explaining.shapley import Floats, Values
from fairlead.worker.metrics import Labels

Mode = Literal["number", "probability", "answer"]
CELLS = 50_000
"""Values of a call, about: half a megabyte of JSON."""
MOST = 2_000
"""Rows of a call."""
LARGEST = 1e150
"""Of an answer: what is larger has no square, so nobody can say how far it lies from others."""


class NoNumber(Exception):  # noqa: N818 - the house's names of errors
    """The server answered a row with nothing that can be explained."""


@dataclass(frozen=True)
class Told:
    """Answers to rows."""

    labels: Labels
    table: Floats | None
    """Probabilities (n, classes)."""


class Model:
    """The server, and how it is asked. A batch that it refuses is asked about in halves: they were too many, or a
    single row is at fault, and then it is found."""

    def __init__(self, server: oip.Server, form: Form, task: str, positive: str = "", first: bool = False) -> None:
        """task: `regression`, `classification`, or empty if it isn't known; positive: of two classes, as the profile
        calls the one whose probability is explained; first: it is the first of both."""
        self._server, self._form, self._task, self._positive = server, form, task, positive
        self._first = first
        self._probabilities = task != "regression"
        self._size = max(1, min(MOST, CELLS // max(1, len(form.features))))
        self.mode: Mode = "number"
        self.classes = 0
        self.calls = 0
        self.asked = 0
        """Rows."""

    def begin(self, row: Values) -> None:
        """Wait until it answers, and find out what it answers. Raises TaskFailed, and oip.Refused."""
        self._server.wait(self._form.request(row[None], False))
        if self._probabilities:
            try:
                told = self._ask(row[None])
            except oip.Refused:
                self._probabilities = False
                told = self._ask(row[None])
        else:
            told = self._ask(row[None])
        if told.table is not None:
            self.mode, self.classes = "probability", told.table.shape[1]
        elif told.labels.dtype == object or self._task == "classification":
            self.mode = "answer"

    @property
    def explains(self) -> str:
        """What is explained, in words."""
        if self.mode == "number":
            return "the answer"
        if self.mode == "answer":
            return "that the answer is the class that it is (1 or 0: the server gives no probabilities)"
        if self.classes > 2:
            return "the probability of the class that is answered"
        return f"the probability of {self._positive}" if self._positive else "the probability of the second class"

    def tell(self, rows: Values) -> Told:
        """Its answers to rows (n, features). Raises oip.Refused for a row that it refuses alone, and TaskFailed."""
        parts, at, size = list[Told](), 0, self._size
        while at < len(rows):
            part = rows[at : at + size]
            try:
                parts.append(self._ask(part))
            except oip.Refused:
                if len(part) == 1:
                    raise
                size = max(1, len(part) // 2)
                continue
            at += len(part)
        self._size = size  # no row was at fault: it was too many of them
        tables = [one.table for one in parts if one.table is not None]
        whole = np.concatenate(tables) if len(tables) == len(parts) else None
        return Told(np.concatenate([one.labels for one in parts]), whole)

    def target(self, told: Told) -> Any:
        """What is explained of the first of these answers: the place of a class, a class, or None for the number."""
        if self.mode == "answer":
            return told.labels[0]
        if self.mode == "number" or told.table is None:
            return None
        width = told.table.shape[1]
        if width > 2:
            return int(np.argmax(told.table[0]))
        return 0 if self._first else width - 1

    def numbers(self, told: Told, target: Any) -> Floats:
        """Each answer as the number that is explained. Raises NoNumber."""
        if self.mode == "answer":
            found = np.asarray(told.labels == target, dtype=np.float64)
        elif self.mode == "probability":
            if told.table is None or told.table.shape[1] <= target:
                raise NoNumber
            found = told.table[:, target]
        else:
            if told.labels.dtype == object:
                raise NoNumber
            found = told.labels
        if not (np.abs(found) <= LARGEST).all():  # nor is NaN
            raise NoNumber
        return found

    def _ask(self, rows: Values) -> Told:
        self.calls += 1
        self.asked += len(rows)
        return Told(*self._server.infer(self._form.request(rows, self._probabilities), len(rows)))
