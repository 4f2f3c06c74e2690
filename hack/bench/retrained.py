"""A model that is watched by its losses, and trained anew after each alarm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairlead.monitor import risk
from fairlead.verdict import detector
from fairlead.verdict.bounded import Sums
from hack.bench.published import Bayes, Floats, Ints


@dataclass(frozen=True)
class Rule:
    """How it is watched."""

    train: int
    """Rows that nothing is said of, while the model is new."""
    evaluate: int
    """Rows after these that say what is usual."""
    worse_by: float
    alpha: float
    window: int = 1
    """Rows a look."""
    beta: float = 0.05
    """The chance that what is usual was found too low by chance."""


@dataclass(frozen=True)
class Found:
    """What came of it."""

    alarms: list[int]
    """The row after which each was given."""
    accuracy: float


def learning(x: Floats, labels: Ints, rule: Rule) -> Found:
    """The model learns from every row, right after it has predicted it."""
    classes = int(labels.max()) + 1
    model, age, wrong, right = Bayes(classes, x.shape[1]), 0, 0, 0
    watch, most, alarms = risk.Watch(), 1.0, []
    for place, (row, label) in enumerate(zip(x, labels, strict=True), 1):
        loss = int(model.predict(row) != label)
        model.learn(row, int(label))
        right, age = right + 1 - loss, age + 1
        if age <= rule.train:
            continue
        if age <= rule.train + rule.evaluate:
            wrong += loss
            most = _most(wrong, age - rule.train, rule) if age == rule.train + rule.evaluate else most
            continue
        watch, alarmed = risk.look(watch, Sums(1, loss, loss), most, rule.alpha)
        if alarmed:
            alarms.append(place)
            model, age, wrong = Bayes(classes, x.shape[1]), 0, 0
    return Found(alarms, right / len(labels))


def frozen(x: Floats, labels: Ints, rule: Rule) -> Found:
    """The model learns from the first rows only, as one in production does, until an alarm."""
    place, alarms, wrongs, judged = 0, [], 0, 0
    while place + rule.train + rule.evaluate + rule.window <= len(labels):
        model = Bayes(int(labels.max()) + 1, x.shape[1])
        for row, label in zip(x[place : place + rule.train], labels[place : place + rule.train], strict=True):
            model.learn(row, int(label))
        place += rule.train
        losses = np.array([model.predict(row) for row in x[place:]]) != labels[place:]
        most = _most(int(losses[: rule.evaluate].sum()), rule.evaluate, rule)
        watch, at, alarmed = risk.Watch(), rule.evaluate, False
        while not alarmed and at + rule.window <= len(losses):
            wrong = int(losses[at : at + rule.window].sum())
            watch, alarmed = risk.look(watch, Sums(rule.window, wrong, wrong), most, rule.alpha)
            at, wrongs, judged = at + rule.window, wrongs + wrong, judged + rule.window
        place += at
        if not alarmed:
            break
        alarms.append(place)
    return Found(alarms, 1 - wrongs / max(1, judged))


def _most(wrong: int, rows: int, rule: Rule) -> float:
    return detector.tolerated(wrong, rows, rule.worse_by, rule.beta)


def matched(alarms: list[int], changes: list[int], end: int) -> tuple[list[int], int]:
    """(delays of the changes that were found before the next one, alarms that were no such)."""
    delays = []
    for start, stop in zip(changes, [*changes[1:], end], strict=True):
        first = next((at for at in alarms if start < at <= stop), None)
        if first is not None:
            delays.append(first - start)
    return delays, len(alarms) - len(delays)
