"""Harm of a live model, by simulation: false alarms beside the declared budget, delays, few labels, and coverage."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

from fairlead.monitor import estimate, fairness, risk
from fairlead.monitor.calibration import calibrated
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.unknown import Unknown
from fairlead.verdict.bounded import Sums
from hack.bench.published import Floats
from hack.bench.report import keep, quantile, table

HOURS = 8766
"""A year's windows."""
LABELS = 100
"""Rows with a label in a window."""
BASE, WORSE_BY = 0.10, 0.02
"""A good model's share of wrong answers, and what is tolerated on top."""
BUDGET = 1.0
"""False alarms a year."""

Row = list[object]
Rng = np.random.Generator


def false_alarms(rng: Rng, years: int) -> tuple[list[Row], bool]:
    """Years without harm; "at the edge" is the worst that is no harm."""
    rows: list[Row] = []
    good = True
    alpha = risk.alpha(BUDGET, HOURS)
    for words, rate, long in (
        ("at the edge of what is tolerated", BASE + WORSE_BY, years),
        ("as it was when it was promoted", BASE, max(1, years // 10)),
    ):
        watch = risk.Watch()
        for _ in range(long):
            for wrong in rng.binomial(LABELS, rate, HOURS).tolist():
                watch, _ = risk.look(watch, Sums(LABELS, wrong, wrong), BASE + WORSE_BY, alpha)
        rows.append([words, long, watch.alarms, watch.alarms / long, BUDGET])
        good &= watch.alarms / long <= BUDGET
    return rows, good


def delays(rng: Rng, runs: int) -> tuple[list[Row], bool]:
    """Hours until a rise is found, after a good month."""
    alpha, rows, good = risk.alpha(BUDGET, HOURS), [], True
    for rise, most in ((0.03, 480), (0.05, 24), (0.10, 6), (0.20, 2)):
        found = [_delay(rng, BASE + rise, alpha) for _ in range(runs)]
        half = quantile(found, 0.5)
        rows.append([f"{BASE:.0%} → {BASE + rise:.0%}", runs, half, quantile(found, 0.95), most])
        good &= half <= most
    return rows, good


def _delay(rng: Rng, rate: float, alpha: float, limit: int = 5000) -> int:
    watch = risk.Watch()
    for hour in range(-720, limit):
        wrong = int(rng.binomial(LABELS, rate if hour >= 0 else BASE))
        watch, alarmed = risk.look(watch, Sums(LABELS, wrong, wrong), BASE + WORSE_BY, alpha)
        if alarmed and hour >= 0:
            return hour + 1
    return limit


def drawn(rng: Rng, n: int, spread: float) -> tuple[Floats, Floats]:
    """Losses of mean .2 and their calibrated estimates; their squared correlation is 1/(1 + spread)."""
    chance = rng.beta(0.2 * spread, 0.8 * spread, n)
    return (rng.random(n) < chance).astype(float), chance


def few_labels(rng: Rng, runs: int) -> tuple[list[Row], bool]:
    """Intervals from 100 labels and 5,000 estimates."""
    rows: list[Row] = []
    good = True
    for words, spread in (("good estimates", 0.5), ("fair ones", 2.0), ("poor ones", 8.0), ("none: noise", 0.0)):
        held, widths, alone = 0, [], []
        for _ in range(runs):
            loss, told = drawn(rng, 100, spread or 1.0)
            rest = drawn(rng, 5000, spread or 1.0)[1]
            if not spread:
                rng.shuffle(told)
            cells = [risk.Cell(1, float(f), float(x)) for x, f in zip(loss, told, strict=True)]
            found = risk.powered(risk.pairs(cells), Sums(5000, float(rest.sum()), float((rest**2).sum())))
            assert not isinstance(found, Unknown)
            held += found.interval.low <= 0.2 <= found.interval.high
            widths.append(found.interval.high - found.interval.low)
            alone.append(found.labels_alone.high - found.labels_alone.low)
        narrower = float(np.mean(widths) / np.mean(alone))
        rows.append([words, runs, held / runs, float(np.mean(widths)), narrower, 1 / narrower**2])
        good &= held / runs >= 0.93 and narrower <= 1.02
    return rows, good


def few_labels_over_time(rng: Rng, runs: int) -> tuple[list[Row], bool]:
    """Windows of 200 rows, 10 of them with a label, until 5 points of harm are found that no estimate sees."""
    rows: list[Row] = []
    alpha, means = 1e-3, {}
    for words, estimates in (("with estimates", True), ("labels alone", False)):
        found, false, windows = [], 0, 0
        for _ in range(runs):
            state = risk.PoweredWatch()
            for number in range(-200, 2000):
                cells = list(_window(rng, 0.05 * (number >= 0)))
                state, alarmed = risk.powered_step(state, cells if estimates else cells[:10], 0.2, 0.2, alpha)
                windows += number < 0
                false += alarmed and number < 0
                if alarmed and number >= 0:
                    found.append(number + 1)
                    break
            else:
                found.append(2000)
        means[words] = float(np.mean(found))
        rows.append([words, runs, false / windows, alpha, quantile(found, 0.5), means[words]])
    return rows, means["with estimates"] < means["labels alone"] and all(float(str(row[2])) <= alpha for row in rows)


def _window(rng: Rng, harm: float) -> Iterator[risk.Cell]:
    loss, told = drawn(rng, 200, 1.0)
    loss, told = np.maximum(loss, rng.random(200) < harm), np.round(told, 1)
    for x, f in zip(loss[:10], told[:10], strict=True):
        yield risk.Cell(1, float(f), float(x))
    for f in np.unique(told[10:]):
        yield risk.Cell(int((told[10:] == f).sum()), float(f))


EDGES = 1 / (1 + np.exp(-np.linspace(-2.5, 2.5, 63)))
"""Of 64 score bins."""


def _scores(rng: Rng, n: int, shift: float) -> tuple[Floats, Floats, list[int], list[int]]:
    """Scores, chances of a positive, and rows by bin: all of them, and those that are predicted positive."""
    z = rng.normal(shift, 1, n)
    scores, chance = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(-2 * z))
    return scores, chance, _counted(scores), _counted(scores[scores > 0.5])


def _counted(scores: Floats) -> list[int]:
    return [int(n) for n in np.bincount(np.searchsorted(EDGES, scores), minlength=len(EDGES) + 1)]


def coverage(rng: Rng, runs: int) -> tuple[list[Row], bool]:
    """How often the interval of an estimate without labels holds the truth: other rows, and another world."""
    rows: list[Row] = []
    good = True
    for words, shift, turned in (
        ("rows as in the reference", 0.0, 0.0), ("other rows (scores moved by .5 sd)", 0.5, 0.0),
        ("another world (a tenth of the labels turned)", 0.0, 0.1),
    ):  # fmt: skip
        scores, chance, *_ = _scores(rng, 1_000_000, shift)
        truth = float(np.where(scores > 0.5, chance, 1 - chance).mean()) * (1 - 2 * turned) + turned
        held, off = 0, []
        for _ in range(runs):
            then, likely, reference, _ = _scores(rng, 5000, 0.0)
            rates = calibrated(_counted(then[rng.random(5000) < likely]), reference)
            *_, totals, positive = _scores(rng, 2000, shift)
            found = estimate.classification(totals, positive, rates, reference, most_outside=1.0)
            assert not isinstance(found, Unknown)
            one = found.figures["accuracy"]
            assert not isinstance(one, Unknown)
            held += one.interval().low <= truth <= one.interval().high
            off.append(one.value - truth)
        rows.append([words, runs, truth, float(np.mean(off)), held / runs])
        good &= turned > 0 or held / runs >= 0.92
    return rows, good


def gaps(rng: Rng, runs: int) -> tuple[list[Row], bool]:
    """How often the interval of a gap between slices of unequal size holds the truth."""
    rows: list[Row] = []
    good = True
    for slices in (2, 4, 8):
        rates = np.linspace(0.2, 0.35, slices)
        sizes = [400 * 2 ** (k % 4) for k in range(slices)]
        held, widths = 0, []
        for _ in range(runs):
            counts = [int(k) for k in rng.binomial(sizes, rates)]
            found = fairness.gap(
                {str(k): Confusion(tp=one, tn=n - one) for k, (one, n) in enumerate(zip(counts, sizes, strict=True))},
                "selection_rate",
            )
            assert not isinstance(found, Unknown)
            held += found.interval.low <= rates[-1] - rates[0] <= found.interval.high
            widths.append(found.interval.high - found.interval.low)
        rows.append([slices, runs, held / runs, float(np.mean(widths))])
        good &= held / runs >= 0.94
    return rows, good


def main(arguments: list[str]) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="monitors risk", description=__doc__)
    parser.add_argument("--years", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    began, rng = time.monotonic(), np.random.default_rng(options.seed)
    few = max(1, options.runs // 10)
    parts = [
        (f"False alarms, hourly windows of {LABELS} labels", false_alarms, options.years,
         ["a model that is", "years", "alarms", "a year", "budget"]),
        ("Hours until harm is found", delays, few, ["wrong answers", "runs", "median", "p95", "at most"]),
        ("100 labels and 5,000 estimates: 95 % intervals", few_labels, options.runs,
         ["estimates", "runs", "coverage", "width", "beside labels alone", "labels worth"]),
        ("Few labels over time", few_labels_over_time, few,
         ["what is used", "runs", "false alarms a window", "at most", "median windows", "mean"]),
        ("Accuracy without labels: 95 % intervals", coverage, options.runs,
         ["today", "runs", "true accuracy", "mean error", "coverage"]),
        ("Gaps: 95 % intervals", gaps, options.runs, ["slices", "runs", "coverage", "width"]),
    ]  # fmt: skip
    kept, met = {}, True
    for title, simulate, size, head in parts:
        rows, good = simulate(rng, size)
        table(title, rows, head)
        kept[title], met = rows, met and good
    keep("monitors-risk", kept)
    print(f"targets {'met' if met else 'MISSED'} in {time.monotonic() - began:.0f} s")
    return 0 if met else 1
