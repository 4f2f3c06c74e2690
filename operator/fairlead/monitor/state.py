"""What is kept between two windows: small, of one profile, and in its order, so it needs no names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from math import inf, isfinite
from typing import Any

from fairlead.monitor import drift, fairness
from fairlead.monitor.bounds import LARGEST
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.drift import Memory
from fairlead.monitor.pairs import CUT, Moments
from fairlead.monitor.profile import Profile
from fairlead.monitor.standing import Standing

_MOST_BETS = 12


class BadState(ValueError):  # noqa: N818 - the house's names of errors
    """What is no state; the message says so."""


@dataclass(frozen=True)
class StreamState:
    """Of one vector."""

    standing: Standing = field(default_factory=Standing)
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True)
class PairState:
    """Of one pair: the evidence that its correlation rose, that it fell."""

    above: Standing = field(default_factory=Standing)
    below: Standing = field(default_factory=Standing)
    before: Moments = field(default_factory=Moments)


@dataclass(frozen=True)
class GapState:
    """Of one rule of fairness."""

    standing: Standing = field(default_factory=Standing)
    slices: Mapping[str, Confusion] = field(default_factory=dict)
    """Rows with labels that have been gathered and not been looked at: they are too few yet."""


@dataclass(frozen=True)
class State:
    """All that is kept between two windows, in the order of the profile: it doesn't grow."""

    profile: str = ""
    """Its digest; empty: nothing yet."""
    until: float = -inf
    """End of the last window that was taken in, in seconds since 1970."""
    windows: int = 0
    quiet: int = 0
    """Windows in a row without a request,"""
    longest: int = 0
    """and the most there were before these."""
    streams: tuple[StreamState, ...] = ()
    pairs: tuple[PairState, ...] = ()
    checks: tuple[Standing, ...] = ()
    outliers: Standing = field(default_factory=Standing)
    estimated: Standing = field(default_factory=Standing)
    realised: Standing = field(default_factory=Standing)
    fairness: tuple[GapState, ...] = ()

    def dumped(self) -> dict[str, Any]:
        """As JSON has it: no names, as the profile has them. Less than 16 KiB for 50 features."""
        return {
            "profile": self.profile, "until": self.until if isfinite(self.until) else None, "windows": self.windows,
            "quiet": self.quiet, "longest": self.longest,
            "streams": [[_dumped(one.standing), [one.memory.rows, *one.memory.excess]] for one in self.streams],
            "pairs": [[_dumped(one.above), _dumped(one.below), [int(v) for v in one.before.values]]
                      for one in self.pairs],
            "checks": [_dumped(one) for one in self.checks],
            "outliers": _dumped(self.outliers),
            "quality": [_dumped(self.estimated), _dumped(self.realised)],
            "fairness": [_gap_dumped(one) for one in self.fairness],
        }  # fmt: skip

    @classmethod
    def parsed(cls, given: Any, profile: Profile) -> State:
        """What `dumped` gave. Of another profile: a new one's. Raises BadState for what is none."""
        try:
            if given["profile"] != profile.digest:
                return cls(profile.digest)
            until = given["until"]
            return cls(
                profile.digest, -inf if until is None else _finite(until),
                _count(given["windows"]), _count(given["quiet"]), _count(given["longest"]),
                tuple(StreamState(_standing(one), _memory(memory)) for one, memory in given["streams"]),
                tuple(PairState(_standing(a), _standing(b), _moments(m)) for a, b, m in given["pairs"]),
                tuple(map(_standing, given["checks"])), _standing(given["outliers"]),
                _standing(given["quality"][0]), _standing(given["quality"][1]),
                tuple(map(_gap, given["fairness"])),
            )  # fmt: skip
        except (LookupError, TypeError, ValueError, OverflowError) as bad:
            raise BadState(f"not a monitor's state: {type(bad).__name__}; it begins anew") from None


def _dumped(one: Standing) -> Any:
    if one == Standing():
        return 0
    return [int(one.alarmed), one.calm, *(value if isfinite(value) else None for value in one.log_r)]


def _standing(given: Any) -> Standing:
    if given == 0:
        return Standing()
    alarmed, calm, *log_r = given
    if len(log_r) > _MOST_BETS:
        raise ValueError("too many bets")
    return Standing(tuple(-inf if v is None else _finite(v) for v in log_r), bool(alarmed), _count(calm))


def _gap_dumped(one: GapState) -> Any:
    if not one.slices:
        return _dumped(one.standing)
    slices = {name: list(astuple(counts)) for name, counts in one.slices.items()}
    return {"standing": _dumped(one.standing), "slices": slices}


def _gap(given: Any) -> GapState:
    if not isinstance(given, dict):
        return GapState(_standing(given))
    if len(given["slices"]) > fairness.MOST_SLICES:
        raise ValueError("too many slices")
    slices = {str(name): Confusion(*map(_count, counts)) for name, counts in given["slices"].items()}
    return GapState(_standing(given["standing"]), slices)


def _memory(given: Any) -> Memory:
    rows, *excess = (int(_finite(value)) for value in given)
    if len(excess) > drift.GROUPS or any(abs(more) > LARGEST for more in excess):
        raise ValueError("no memory")
    return Memory(tuple(excess), _count(rows))


def _moments(given: Any) -> Moments:
    found = Moments(*map(_finite, given))
    if not 0 <= found.n <= LARGEST or any(abs(value) > CUT * CUT * (found.n + 1) for value in found.values):
        raise ValueError("no moments")
    return found


def _finite(given: Any) -> float:
    value = float(given)
    if not isfinite(value):
        raise ValueError("not a number")
    return value


def _count(given: Any) -> int:
    if not isinstance(given, int) or not 0 <= given <= LARGEST:
        raise ValueError("not a count")
    return given
