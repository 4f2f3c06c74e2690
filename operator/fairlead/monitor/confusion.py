"""How often a yes-or-no prediction was right and wrong, and the shares that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fairlead.monitor import bounds


@dataclass(frozen=True)
class Confusion:
    """Rows by prediction and label. Raises ValueError for counts that can't be."""

    tp: int = 0
    """Predicted positive, and positive."""
    fp: int = 0
    """Predicted positive, but negative."""
    fn: int = 0
    """Predicted negative, but positive."""
    tn: int = 0
    """Predicted negative, and negative."""

    def __post_init__(self) -> None:
        bounds.counts(tp=self.tp, fp=self.fp, fn=self.fn, tn=self.tn)

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def n(self) -> int:
        return self.tp + self.fp + self.fn + self.tn

    def share(self, name: str) -> tuple[int, int]:
        """(rows that count, of how many) of the share of this name in SHARES. Raises ValueError for another name."""
        if name not in SHARES:
            raise ValueError(f"there is no share {name!r}; there are {', '.join(SHARES)}")
        counting, among = SHARES[name]
        return sum(getattr(self, one) for one in counting), sum(getattr(self, one) for one in among)


_ALL = ("tp", "fp", "fn", "tn")
SHARES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType({
    "accuracy": (("tp", "tn"), _ALL),
    "error": (("fp", "fn"), _ALL),
    "precision": (("tp",), ("tp", "fp")),
    "recall": (("tp",), ("tp", "fn")),
    "tpr": (("tp",), ("tp", "fn")),
    "fpr": (("fp",), ("fp", "tn")),
    "fnr": (("fn",), ("tp", "fn")),
    "tnr": (("tn",), ("fp", "tn")),
    "ppv": (("tp",), ("tp", "fp")),
    "npv": (("tn",), ("fn", "tn")),
    "selection_rate": (("tp", "fp"), _ALL),
    "base_rate": (("tp", "fn"), _ALL),
})  # fmt: skip
"""By name: which rows count, among which. `recall` and `tpr` are one, as `precision` and `ppv` are."""
AMONG: Mapping[tuple[str, ...], str] = MappingProxyType({
    _ALL: "rows", ("tp", "fp"): "rows predicted positive", ("tp", "fn"): "positive rows", ("fp", "tn"): "negative rows",
    ("fn", "tn"): "rows predicted negative",
})  # fmt: skip
"""What a share is a share of, in words."""
