"""Contributions of features: how near to the exact ones, at what cost, and how soon a drift of them is found."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from fairlead.monitor import attributions
from fairlead.monitor.attributions import Interval, Learnt, Rules, Seen
from fairlead.monitor.standing import Standing
from fairlead.verdict import bounded
from fairlead.worker import oip
from fairlead.worker.explaining import asking, reference, shapley
from fairlead.worker.explaining.bodies import Form, Part, table
from fairlead.worker.explaining.shapley import Floats, Values
from hack.bench.report import keep, quantile
from hack.bench.report import table as show

DAYS = 365
ROWS, REFERENCE = 100, 400
"""A window's, and the reference's."""
RULES = Rules(86400.0, 1.0, 0.03)
FEATURES = 8
"""As many as can be reckoned exactly."""

Row = list[object]
Rng = np.random.Generator
Ask = Callable[[Values], Floats]


def drawn(rng: Rng, many: int, features: int) -> Values:
    """Rows of independent normal features, as objects."""
    return rng.normal(size=(many, features)).astype(object)


def models(rng: Rng) -> list[tuple[str, Ask]]:
    """Of FEATURES features with interactions, some of which are not heeded."""
    x = drawn(rng, 2000, FEATURES).astype(float)
    score = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + np.where(x[:, 3] > 0, x[:, 4], -0.5 * x[:, 5])
    y = score + rng.normal(size=len(x)) / 2 > 0
    logistic = LogisticRegression().fit(x, y)
    forest = RandomForestClassifier(50, max_depth=8, random_state=0).fit(x, y)
    boosted = GradientBoostingRegressor(n_estimators=100, max_depth=4, random_state=0).fit(x, score)
    weights = rng.normal(size=FEATURES)
    return [
        ("linear", lambda m: m.astype(float) @ weights),
        ("logistic, its probability", lambda m: logistic.predict_proba(m.astype(float))[:, 1]),
        ("boosted trees of depth 4", lambda m: boosted.predict(m.astype(float))),
        ("a forest's probability", lambda m: forest.predict_proba(m.astype(float))[:, 1]),
    ]


def exact(ask: Ask, row: Values, background: Values) -> Floats:
    """Shapley values by their definition: over all 2^d sets of features."""
    d = len(row)
    sets = [one for size in range(d + 1) for one in itertools.combinations(range(d), size)]
    mixed = np.repeat(background[None], len(sets), axis=0)
    for at, one in enumerate(sets):
        mixed[at][:, list(one)] = row[list(one)]
    worth = dict(zip(sets, ask(mixed.reshape(-1, d)).reshape(len(sets), -1).mean(axis=1), strict=True))
    found = np.zeros(d)
    for one, value in worth.items():
        for other in set(range(d)) - set(one):
            more = worth[tuple(sorted((*one, other)))]
            found[other] += (more - value) / (d * math.comb(d - 1, len(one)))
    return found


def errors(rng: Rng, runs: int) -> tuple[list[Row], bool]:
    """Beside the exact contributions against the same background."""
    rows: list[Row] = []
    good = True
    for words, ask in models(rng):
        background = drawn(rng, reference.MOST, FEATURES)
        base, apart, size, held, added = ask(background), list[float](), list[float](), list[bool](), 0.0
        for _ in range(runs):
            row = drawn(rng, 1, FEATURES)[0]
            answer = float(ask(row[None])[0])
            found = shapley.contributions(ask, row, background, base, answer, rng)
            wanted = exact(ask, row, background)
            apart += list((found.values - wanted) ** 2)
            size += list(wanted**2)
            held += list(np.abs(found.values - wanted) <= 2 * found.errors + 1e-12)
            added = max(added, abs(float(found.values.sum()) - (answer - float(base.mean()))))
        share = math.sqrt(sum(apart) / sum(size))
        rows.append([words, runs, f"{share:.1%}", f"{np.mean(held):.1%}", f"{added:.0e}"])
        good &= share < 0.1 and np.mean(held) >= 0.95 and added < 1e-9
    return rows, good


class Instant:
    """A server that answers at once: by the mean of each row's values."""

    def wait(self, _body: bytes) -> None:
        """It is there."""

    def infer(self, body: bytes, rows: int) -> Any:
        """As `oip.Server`: the request is read, the answer written and read."""
        inputs = json.loads(body)["inputs"]
        found = np.array([one["data"] for one in inputs]).mean(axis=0).tolist()
        output = {"name": "predict", "shape": [rows, 1], "datatype": "FP64", "data": found}
        return oip.answers(json.dumps({"outputs": [output]}).encode(), rows)


def cost(rng: Rng, runs: int) -> tuple[list[Row], bool]:
    """Of the worker and of JSON on both sides, without the model: rows a second, predictions and calls a row."""
    rows: list[Row] = []
    for features in (5, 20, 100, 500):
        form = Form(tuple(Part(f"f{at}", "FP64", (1,)) for at in range(features)))
        pairs = reference.pairs(features)
        background = drawn(rng, pairs, features)
        model = asking.Model(Instant(), form, "regression")  # type: ignore[arg-type]
        base = model.numbers(model.tell(background), None)
        model.calls = model.asked = 0
        many, began = max(1, min(runs, 2000 // features)), time.process_time()
        for _ in range(many):
            row = table(drawn(rng, 1, features).tolist(), features)[0]
            shapley.contributions(lambda m, one=model: one.numbers(one.tell(m), None), row, background, base, 0.0, rng)
        took = time.process_time() - began
        rows.append([features, pairs, model.asked / many, model.calls / many, many / took, model.asked / took])
    return rows, True


# --- the drift of contributions ------------------------------------------------------------------------------------

WEIGHTS = (3.0, 2.0, 1.5, 1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05)


def contributions(rng: Rng, many: int, weights: Sequence[float] = WEIGHTS) -> Floats:
    """Of so many rows: those of a linear model."""
    found: Floats = rng.normal(size=(many, len(weights))) * np.array(weights)
    return found


def seen(values: Floats, wanted: Sequence[str]) -> dict[str, Seen]:
    """A window's sums."""
    found = reference.columns(names(values), values, wanted)
    return {
        name: Seen(bounded.sums(share.tolist()), bounded.sums(way.tolist())) for name, (share, way) in found.items()
    }


def names(values: Floats) -> list[str]:
    """Of the columns."""
    return [f"f{at}" for at in range(values.shape[1])]


def learnt(values: Floats) -> list[Learnt]:
    """From the reference's rows."""
    return [
        Learnt(one.name, Interval(*one.share.model_dump().values()), Interval(*one.way.model_dump().values()))
        for one in reference.watched(names(values), values)
    ]  # fmt: skip


class Watched:
    """A year, window by window."""

    def __init__(self, of: Sequence[Learnt]) -> None:
        self.of, self.before, self.alarms = of, dict[str, Standing](), 0

    def window(self, now: dict[str, Seen]) -> bool:
        """Whether an alarm began."""
        found = attributions.judged(self.of, now, self.before, RULES)
        fired = [one.standing.alarmed and not self.before.get(one.name, Standing()).alarmed for one in found]
        self.before = {one.name: one.standing for one in found}
        self.alarms += sum(fired)
        return any(fired)


def false_alarms(rng: Rng, years: int) -> tuple[list[Row], bool]:
    """Years without a drift, each with a reference of its own; and at the edge of what is tolerated."""
    plain, edge = 0, 0
    for _ in range(years):
        watch = Watched(learnt(contributions(rng, REFERENCE)))
        wanted = [one.name for one in watch.of]
        for _ in range(DAYS):
            watch.window(seen(contributions(rng, ROWS), wanted))
        plain += watch.alarms
        known = [Learnt(f"f{at}", Interval(0.2, 0.2, 0.2), Interval(0.5, 0.5, 0.5)) for at in range(11)]
        watch, worst = Watched(known), 0.2 + RULES.tolerance
        for _ in range(DAYS):
            shares = rng.beta(4 * worst, 4 * (1 - worst), (11, ROWS))
            watch.window({
                f"f{at}": Seen(bounded.sums(one.tolist()), bounded.sums([0.5] * ROWS))
                for at, one in enumerate(shares)
            })  # fmt: skip
        edge += watch.alarms
    budget = RULES.false_alarms_per_year * attributions.PART
    rows: list[Row] = [
        ["nothing changes", years, plain, plain / years, budget],
        ["all shares at the edge of what is tolerated, the reference known exactly", years, edge, edge / years, budget],
    ]
    return rows, max(plain, edge) / years <= budget


def delays(rng: Rng, runs: int) -> tuple[list[Row], bool]:
    """Days until it is found that the second feature contributes more, after a good month."""
    rows: list[Row] = []
    for times in (1.5, 2.0, 3.0, 5.0):
        moved = [WEIGHTS[0], times * WEIGHTS[1], *WEIGHTS[2:]]
        found, shares = list[float](), list[float]()
        for _ in range(runs):
            of = contributions(rng, REFERENCE)
            watch = Watched(learnt(of))
            wanted = [one.name for one in watch.of]
            for _ in range(30):
                watch.window(seen(contributions(rng, ROWS), wanted))
            found.append(next(
                (day for day in range(1, 91) if watch.window(seen(contributions(rng, ROWS, moved), wanted))), 91
            ))  # fmt: skip
            shares.append(float(reference.shares(contributions(rng, 1000, moved))[0][:, 1].mean()))
        before = float(reference.shares(contributions(rng, 5000))[0][:, 1].mean())
        half, most = quantile(found, 0.5), quantile(found, 0.95)
        rows.append(
            [f"{before:.0%} → {np.mean(shares):.0%}", runs, *("> 90" if one > 90 else one for one in (half, most))]
        )
    return rows, bool(rows[-1][2] != "> 90")


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="monitors explain", description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--years", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(arguments)
    rng, kept, good = np.random.default_rng(args.seed), {}, True
    parts: Sequence[tuple[str, Callable[[Rng, int], tuple[list[Row], bool]], int, list[str]]] = (
        ("Contributions beside the exact ones", errors, args.runs,
         ["model", "rows", "error", "within two standard errors", "sum off by"]),
        ("Cost of a row, without the model", cost, args.runs,
         ["features", "background", "predictions", "calls", "rows/s", "predictions/s"]),
        ("False alarms", false_alarms, args.years, ["rows", "years", "alarms", "a year", "budget"]),
        ("Days until a drift is found", delays, args.runs, ["share of a feature", "runs", "median", "95 %"]),
    )  # fmt: skip
    for title, measure, many, head in parts:
        rows, well = measure(rng, many)
        show(title, rows, head)
        kept[title], good = rows, good and well
    keep("monitors-explain", kept)
    return 0 if good else 1
