"""How each monitored thing stands after a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fairlead.monitor.estimate import Estimate
from fairlead.monitor.fairness import Gap
from fairlead.monitor.realised import Values
from fairlead.monitor.risk import Powered
from fairlead.monitor.unknown import Unknown

Condition = Literal["Ok", "Watch", "Drifting", "Unknown"]


@dataclass(frozen=True)
class FeatureReport:
    """How one vector stands. Effect sizes are what is left beyond chance; None where there are too few rows."""

    psi: float | None
    tv: float | None
    ks: float | None
    log_evidence: float
    bound: float
    """The log evidence of an alarm."""
    state: Condition
    reason: str = ""
    """Why nothing is known; or what is to be known besides."""
    remedy: str = ""
    rows: int = 0
    """Those that the effect sizes are of: the window's, or, where these are too few, those of the last windows."""


@dataclass(frozen=True)
class PairReport:
    """How a correlation stands."""

    r: float | None
    """In this window; None: a constant, or no rows."""
    moved: float | None
    """Fisher's z of it, less the reference's."""
    log_evidence: float
    bound: float
    state: Condition
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class ShareReport:
    """How a share of rows stands."""

    share: float | None
    reference: float
    tolerated: float | None
    log_evidence: float
    bound: float
    state: Condition
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class FairnessReport:
    """How a gap between slices stands. Its evidence is all or nothing: the bound, where the interval lies above."""

    gap: Gap | Unknown
    most: float
    log_evidence: float
    bound: float
    state: Condition
    reason: str = ""
    remedy: str = ""
    labels: bool = False
    """It is by labels, of which most windows bring none."""


@dataclass(frozen=True)
class Alarm:
    """That begins with this window."""

    monitor: str
    """`quality`, `fairness`, `drift`, `data` or `outliers`."""
    what: str
    log_evidence: float
    bound: float


@dataclass(frozen=True)
class Report:
    """After one window."""

    until: float
    again: bool = False
    """The window was counted before: nothing is said of it."""
    rows: int = 0
    unknown: Unknown | None = None
    """Why this window says nothing at all."""
    drift: Mapping[str, FeatureReport] = field(default_factory=dict)
    """By feature,"""
    outputs: Mapping[str, FeatureReport] = field(default_factory=dict)
    """`answers` and `scores`,"""
    pairs: Mapping[str, PairReport] = field(default_factory=dict)
    """and by pair, `a*b`."""
    data: Mapping[str, ShareReport] = field(default_factory=dict)
    """`missing/…`, `wrong/…`, `range/…`, `unseen/…` by feature, and `unread`."""
    traffic: ShareReport | None = None
    """Whether requests come: `share` is that of windows in a row without any, over the longest silence before."""
    outliers: ShareReport | None = None
    estimated: Estimate | Unknown | None = None
    """Quality as the calibration expects it; None: not watched."""
    realised: Values | Unknown | None = None
    """Quality of the rows with labels, by metric; None: not watched."""
    powered: Powered | Unknown | None = None
    """The mean loss of few labels and all estimates together; None: no label came with its estimate."""
    losses: Mapping[str, ShareReport] = field(default_factory=dict)
    """`estimated` and `realised`: the mean loss in [0, 1], and its evidence. `Drifting`: harm."""
    fairness: Mapping[str, FairnessReport] = field(default_factory=dict)
    """By rule, `metric by column`."""
    alarms: tuple[Alarm, ...] = ()
