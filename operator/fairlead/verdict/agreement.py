"""Do two versions give the same answer to the same request? One rule per type of output.

The live version's answer says what an answer is: if it isn't one of the declared type, the pair is `incomparable`,
which is neither agreement nor disagreement and must be counted by itself. If it is and the candidate's isn't, they
disagree.
NaN and infinity equal nothing, not even themselves: a model that gives them is not one that agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, isfinite
from sys import float_info
from typing import Literal, TypeGuard

Answer = Literal["agree", "disagree", "incomparable"]


def classes(stable: object, candidate: object) -> Answer:
    """Labels: a string, a boolean or a whole number, compared exactly; `true` is not 1, and "1" is not 1."""
    if not isinstance(stable, str | int):
        return "incomparable"
    alike = isinstance(candidate, str | int) and isinstance(stable, bool) == isinstance(candidate, bool)
    return _answer(alike and stable == candidate)


def numbers(stable: object, candidate: object, absolute: float = 0.0, relative: float = 0.0) -> Answer:
    """Numbers that differ by at most the larger of `absolute` and `relative` times the live version's size."""
    _tolerances(absolute, relative)
    if not _is_number(stable):
        return "incomparable"
    return _answer(_close(stable, candidate, absolute, relative))


def vectors(stable: object, candidate: object, absolute: float = 0.0, relative: float = 0.0) -> Answer:
    """Sequences of numbers of the same length, each pair as by `numbers`."""
    _tolerances(absolute, relative)
    if not _is_vector(stable):
        return "incomparable"
    if not _is_vector(candidate) or len(candidate) != len(stable):
        return "disagree"
    return _answer(all(_close(a, b, absolute, relative) for a, b in zip(stable, candidate, strict=True)))


def embeddings(stable: object, candidate: object, cosine: float) -> Answer:
    """Sequences of numbers of the same length whose cosine is at least `cosine`, in [-1, 1].

    Two vectors of zeros agree; one alone has no direction and disagrees.
    """
    if not -1 <= cosine <= 1:
        raise ValueError(f"a cosine lies in [-1, 1], not at {cosine}")
    if not _is_vector(stable):
        return "incomparable"
    if not _is_vector(candidate) or len(candidate) != len(stable):
        return "disagree"
    a, b = _direction(stable), _direction(candidate)
    if a is None or b is None:
        return "disagree"
    if not any(a) or not any(b):
        return _answer(not any(a) and not any(b))
    return _answer(fsum(x * y for x, y in zip(a, b, strict=True)) >= cosine - 1e-12)


def texts(stable: object, candidate: object, exact: bool = False) -> Answer:
    """Texts that are the same, up to the amount of white space unless `exact`."""
    if not isinstance(stable, str):
        return "incomparable"
    if not isinstance(candidate, str):
        return "disagree"
    return _answer(stable == candidate if exact else stable.split() == candidate.split())


def _answer(alike: bool) -> Answer:
    return "agree" if alike else "disagree"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: float) -> bool:
    """Also false for a whole number that is larger than any float."""
    return abs(value) <= float_info.max


def _is_vector(value: object) -> TypeGuard[Sequence[float]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and all(_is_number(x) for x in value)


def _close(stable: float, candidate: object, absolute: float, relative: float) -> bool:
    if not _is_number(candidate) or not _finite(stable) or not _finite(candidate):
        return False
    return abs(candidate - stable) <= max(absolute, relative * abs(stable))


def _direction(vector: Sequence[float]) -> list[float] | None:
    """Of length 1, or zeros; None where a number isn't finite. Scaled first, so that no square overflows."""
    if not all(_finite(value) for value in vector):
        return None
    largest = max((abs(value) for value in vector), default=0)
    if not largest:
        return [0.0] * len(vector)
    scaled = [value / largest for value in vector]
    length = fsum(value * value for value in scaled) ** 0.5
    return [value / length for value in scaled]


def _tolerances(absolute: float, relative: float) -> None:
    if not (isfinite(absolute) and isfinite(relative) and absolute >= 0 and relative >= 0):
        raise ValueError(f"a tolerance is a finite number of at least 0, not {absolute} and {relative}")
