"""Labelled answers, counted by version and stretch of time, and by pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fairlead.api.tasks import JoinResult
from fairlead.worker import truth
from fairlead.worker.truth import Rule

COUNTS_LIMIT = 4096
"""Bytes that the counts of a join may take: they wait in the Deployment's status until they are judged."""


@dataclass
class Cell:
    """A version's answers in a stretch of time."""

    answered: int = 0
    labelled: int = 0
    alone: int = 0
    wrong: int = 0

    def row(self) -> list[int]:
        """As the result has it."""
        return [self.answered, self.labelled, self.alone, self.wrong]


@dataclass
class Counted:
    """What came of all labels."""

    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    """By (stretch, arm)."""
    pairs: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    unjudgeable: int = 0

    def cell(self, stretch: int, arm: int) -> Cell:
        """The cell, made if need be."""
        return self.cells.setdefault((stretch, arm), Cell())

    def rows(self) -> list[list[int]]:
        """As the result has them: only where something was labelled."""
        found = []
        for stretch in sorted({stretch for stretch, _ in self.cells}):
            both = [self.cells.get((stretch, arm), Cell()) for arm in (0, 1)]
            if any(cell.labelled for cell in both):
                found.append([stretch, *both[0].row(), *both[1].row()])
        return found


def judge(counted: Counted, request_id: str, label: str, answers: Sequence[object], rule: Rule) -> None:
    """answers: output and stretch of the live version's, then of the candidate's; no stretch: an answer to a copy."""
    bad: list[bool | None] = [None, None]
    for arm in (0, 1):
        output, stretch = answers[2 * arm], answers[2 * arm + 1]
        if output is None:
            continue
        if isinstance(stretch, int):
            counted.cell(stretch, arm).labelled += 1
        bad[arm] = truth.wrong(str(output), label, rule, request_id)
        counted.unjudgeable += bad[arm] is None
    stable, candidate = bad
    if stable is not None and candidate is not None:
        counted.pairs[2 * stable + candidate] += 1
        return
    for arm, found in enumerate(bad):
        stretch = answers[2 * arm + 1]
        if found is not None and isinstance(stretch, int) and answers[2 * (1 - arm)] is None:
            counted.cell(stretch, arm).alone += 1
            counted.cell(stretch, arm).wrong += found


def fitting(result: JoinResult, cuts: Sequence[int], limit: int = COUNTS_LIMIT) -> JoinResult:
    """The result with so few stretches that it is at most so many bytes long, if that can be. Neighbours become one, as
    long as no cut (in seconds, as the stretches) lies between them: a longer stretch says less, but nothing wrong."""
    while len(result.model_dump_json(by_alias=True, exclude_defaults=True)) > limit:
        fewer = _coarser(result.cells, cuts)
        if len(fewer) == len(result.cells):
            break
        result = result.model_copy(update={"cells": fewer})
    return result


def _coarser(cells: list[list[int]], cuts: Sequence[int]) -> list[list[int]]:
    found: list[list[int]] = []
    merged = True
    for cell in cells:
        if not merged and not any(found[-1][0] < at <= cell[0] for at in cuts):
            found[-1] = [found[-1][0], *(a + b for a, b in zip(found[-1][1:], cell[1:], strict=True))]
            merged = True
        else:
            found.append(cell)
            merged = False
    return found
