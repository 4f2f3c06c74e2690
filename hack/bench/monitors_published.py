"""Public data, and what others have published of them, beside what the monitors say."""

from __future__ import annotations

import argparse

import numpy as np

from fairlead.monitor import estimate, fairness, realised
from fairlead.monitor.calibration import calibrated
from fairlead.monitor.estimate import Estimate, Figure
from fairlead.monitor.unknown import Unknown
from hack.bench import published, retrained
from hack.bench.report import keep, quantile, table

RACES = ("African-American", "Caucasian")
COMPAS = {"fpr": (0.4485, 0.2345), "fnr": (0.2799, 0.4772), "ppv": (0.6297, 0.5913), "selection_rate": (0.5882, 0.3480)}
"""By metric: ProPublica's figures, for RACES."""
HOUSING = {"2022-03": (0.829077, False), "2022-04": (0.910661, False), "2022-05": (0.939883, False)}
"""By month: NannyML's estimated AUC, and whether it is an alert."""
LAST_CLASS, BAYES = 0.853303, 0.728741
"""Accuracies on Elec2 by the library `river`, which has no prediction for the first row."""
CHANGE = 3000
"""Rows between two changes of the interchanging RBF."""
RBF = retrained.Rule(train=100, evaluate=200, worse_by=0.05, alpha=1e-5)
SEA = retrained.Rule(train=1000, evaluate=2000, worse_by=0.01, alpha=1 / 500, window=100)
"""One false alarm is tolerated in 500 windows: the stream's length."""

Row = list[object]


def compas() -> tuple[list[Row], bool]:
    """Rates by group, and the gap between them."""
    slices = {name: one for name, one in published.compas().items() if name in RACES}
    rows: list[Row] = []
    for metric, told in COMPAS.items():
        shares = [slices[race].share(metric) for race in RACES]
        ours = [k / n for k, n in shares]
        found = fairness.gap(slices, metric)
        assert not isinstance(found, Unknown)
        rows.append([
            metric, *(f"{100 * one:.2f}" for one in ours), *(f"{100 * one:.2f}" for one in told),
            f"{found.value:.4f} ({found.interval.low:.4f} … {found.interval.high:.4f})",
        ])  # fmt: skip
    return rows, all(row[1:3] == row[3:5] for row in rows)


class Months:
    """California housing, month by month."""

    def __init__(self, bins: int = 64) -> None:
        self.data = published.Housing()
        self.edges = published.edges(self.data.reference_scores, bins)
        self.knots = published.isotonic(self.data.reference_scores, self.data.reference_labels)
        data = self.data
        self.reference = published.counted(data.reference_scores, self.edges)
        self.rates = calibrated(
            published.counted(data.reference_scores, self.edges, data.reference_labels == 1), self.reference
        )
        self.own = self._estimated(data.reference_scores, data.reference_predicted)
        months = data.reference_months
        self.windows = [
            self._estimated(data.reference_scores[months == month], data.reference_predicted[months == month])
            for month in sorted(set(months))
        ]

    def _estimated(self, scores: published.Floats, predicted: published.Floats) -> Estimate:
        found = estimate.classification(
            published.counted(scores, self.edges), published.counted(scores, self.edges, predicted == 1),
            self.rates, self.reference,
        )  # fmt: skip
        assert not isinstance(found, Unknown)
        return found

    def month(self, name: str) -> tuple[Estimate, tuple[float, float], float]:
        """(the estimate from counts, (accuracy, AUC) estimated from rows, the AUC that labels give)."""
        data, chosen = self.data, self.data.months == name
        scores, predicted, labels = data.scores[chosen], data.predicted[chosen], data.labels[chosen]
        raw = published.raw_estimate(scores, predicted, np.interp(scores, *self.knots))
        real = realised.auc(
            published.counted(scores, self.edges, labels == 1), published.counted(scores, self.edges, labels == 0)
        )
        assert not isinstance(real, Unknown)
        return self._estimated(scores, predicted), raw, real.value


def figure(of: Estimate, name: str) -> Figure:
    """A metric that is known."""
    found = of.figures[name]
    assert not isinstance(found, Unknown)
    return found


def housing() -> tuple[list[Row], bool]:
    """By month: AUC estimated from counts, from rows, published; whether it is an alert; and the real one."""
    months, rows, good = Months(), [], True
    band = estimate.band_of([figure(one, "auc") for one in months.windows])
    assert not isinstance(band, Unknown)
    off = []
    for name in sorted(set(months.data.months)):
        found, (accuracy, auc), real = months.month(name)
        own = figure(found, "auc")
        off += [abs(figure(found, "accuracy").value - accuracy), abs(own.value - auc)]
        alert, told = not band.low <= own.value <= band.high, HOUSING.get(name)
        rows.append([
            name, found.n, f"{own.value:.4f} ± {own.error:.4f}", f"{auc:.6f}", f"{told[0]:.6f}" if told else "",
            alert, real,
        ])  # fmt: skip
        if told:
            good &= abs(own.value - told[0]) < 0.01 and alert == told[1]
    mean = float(np.mean(off))
    rows.append(["from counts against from rows: mean difference", "", mean, "", "", "", ""])
    return rows, good and mean <= 0.002


def elec() -> tuple[list[Row], bool]:
    """Accuracies on Elec2."""
    x, labels = published.elec()
    last = float(np.mean(labels[1:] == labels[:-1]))
    told = list(published.tested(x, labels, published.Bayes(2, x.shape[1])))
    bayes = float(np.mean([said == label for said, label in told[1:]]))
    rows: list[Row] = [
        ["the last class", f"{last:.6f}", f"{LAST_CLASS:.6f}"],
        ["Gaussian naive Bayes", f"{bayes:.6f}", f"{BAYES:.6f}"],
    ]
    return rows, round(last, 6) == LAST_CLASS and round(bayes, 6) == BAYES


def interchanging(changes: int = 66) -> tuple[list[int], int, float]:
    """(delays, extra alarms, accuracy) at the last so many changes of the interchanging RBF; there are 66."""
    x, labels = published.interchanging()
    begin = len(labels) - len(labels) % CHANGE - CHANGE * changes
    found = retrained.learning(x[begin:], labels[begin:], RBF)
    end = len(labels) - begin
    return *retrained.matched(found.alarms, list(range(CHANGE, end, CHANGE)), end), found.accuracy


def streams(seeds: int) -> tuple[list[Row], bool]:
    """Streams whose concept changes: how many changes were found, and what else was."""
    delays, extra, accuracy = interchanging()
    half = quantile(delays, 0.5)
    rows: list[Row] = [["interchanging RBF", 1, 66, len(delays), extra, half, f"{accuracy:.4f}"]]
    good = len(delays) >= 65 and not extra and half <= 12
    late: list[int] = []
    more = 0
    for seed in range(seeds):
        x, labels = published.sea_concepts(seed)
        found, others = retrained.matched(
            retrained.frozen(x, labels, SEA).alarms, [12_500, 25_000, 37_500], len(labels)
        )  # fmt: skip
        late, more = late + found, more + others
    rows.append(["SEA, by its definition", seeds, 3 * seeds, len(late), more, quantile(late, 0.5), ""])
    silent = retrained.frozen(*published.sea(), SEA).alarms
    rows.append(["SEA, the file, which has one concept", 1, 0, 0, len(silent), "", ""])
    return rows, good and len(late) >= 0.9 * 3 * seeds and more <= seeds and not silent


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="monitors published", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args(arguments)
    try:
        published.place()
    except FileNotFoundError as missing:
        print(missing)
        return 2
    parts = [
        ("COMPAS, in per cent", compas(), ["metric", *RACES, *(f"{one}, published" for one in RACES), "gap"]),
        ("California housing, AUC", housing(),
         ["month", "rows", "from counts", "from rows", "published", "alert", "with labels"]),
        ("Elec2, accuracy", elec(), ["model", "ours", "published"]),
        ("Streams", streams(options.seeds),
         ["stream", "streams", "changes", "found", "extra", "median delay, rows", "accuracy"]),
    ]  # fmt: skip
    for title, (rows, _), head in parts:
        table(title, rows, head)
    keep("monitors-published", {title: rows for title, (rows, _), _ in parts})
    met = all(good for _, (_, good), _ in parts)
    print(f"targets {'met' if met else 'MISSED'}")
    return 0 if met else 1
