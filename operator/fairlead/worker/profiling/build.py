"""The profile from both: the rows that the model learnt from, and what it answered to held-out ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from typing import Protocol, TypeVar

from pydantic import ValidationError

from fairlead.monitor.counts import Tally, feature_key, pair_key, total
from fairlead.monitor.profile import CATEGORIES, FEATURES, Category, Number, Pair, Profile
from fairlead.worker.binning import Binner
from fairlead.worker.errors import TaskFailed
from fairlead.worker.places import numbers
from fairlead.worker.profiling.answers import HeldOut, Task
from fairlead.worker.profiling.columns import Named, Real, kept, tidy
from fairlead.worker.profiling.edges import edges, strongest
from fairlead.worker.profiling.fit import fitted
from fairlead.worker.profiling.sample import Sample
from fairlead.worker.profiling.source import Batch, Columns, Rows, columns


@dataclass(frozen=True)
class Reference:
    """What a model learnt from, or what stands for it."""

    rows: int
    features: list[Number | Category]
    pairs: list[Pair] = field(default_factory=list)
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Columns that are not profiled, and why."""
    digest: str = ""


def reference(rows: Rows, wanted: Sequence[str]) -> Reference:
    """Goes over the rows twice. Raises TaskFailed (BadData): too many features, no rows, rows that can't be read."""
    found = columns(rows.types, wanted)
    known = len(found.numbers) + len(found.names)
    if known > FEATURES:
        raise TaskFailed("BadData", f"a profile has at most {FEATURES} features, not {known}: name fewer")
    first, second = _shared(rows.batches(found.numbers, found.names), (_First(found), _First(found)))
    first.merge(second)
    if not first.rows:
        raise TaskFailed("BadData", "there are no rows: a profile needs some")
    bare = Profile(task="regression", rows=0, features=first.features(rows, wanted), pairs=first.pairs())
    tally = _tally(bare, rows.batches(found.numbers, found.names)) if known else Tally(bare.digest)
    features = [_counted(one, tally.vectors[feature_key(one.name)]) for one in bare.features]
    return Reference(first.rows, features, _pairs(bare, tally), found.left_out, rows.digest)


def _tally(bare: Profile, batches: Iterator[Batch]) -> Tally:
    counted = _shared(batches, (_Second(bare), _Second(bare)))
    return total((one.binner.tally() for one in counted), bare.digest)


class _Reader(Protocol):
    def add(self, batch: Batch) -> None: ...


R = TypeVar("R", bound=_Reader)


def _shared(batches: Iterable[Batch], readers: tuple[R, ...]) -> tuple[R, ...]:
    """The readers, in turn, each in a thread of its own, while the next batches are read. Who gets which follows from
    their order alone."""
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(len(readers)) as pool:
        for reader, batch in zip(cycle(readers), batches):
            if len(waiting) == len(readers):  # the first is this reader's
                waiting.popleft().result()
            waiting.append(pool.submit(reader.add, batch))
        for one in waiting:
            one.result()
    return readers


class _Second:
    """The second time: into the bins."""

    def __init__(self, bare: Profile) -> None:
        self.binner = Binner(bare)

    def add(self, batch: Batch) -> None:
        self.binner.add(dict(zip(batch.schema.names, batch.columns, strict=True)))


class _First:
    """The first time: what bins follow from."""

    def __init__(self, found: Columns) -> None:
        self._found = found
        self.rows = 0
        self._reals = {name: Real() for name in found.numbers}
        self._names = {name: Named(len(found.names)) for name in found.names}
        self._sample = Sample(len(found.numbers))

    def add(self, batch: Batch) -> None:
        self.rows += batch.num_rows
        values = [numbers(batch.column(name)) for name in self._found.numbers]
        self._sample.add(values)
        for real, one in zip(self._reals.values(), values, strict=True):
            real.add(one)
        for name, column in self._names.items():
            column.add(batch.column(name))

    def merge(self, other: _First) -> None:
        """With what another one has read."""
        self.rows += other.rows
        self._sample.merge(other._sample)
        for name, real in self._reals.items():
            real.merge(other._reals[name])
        for name, column in self._names.items():
            column.merge(other._names[name])

    def features(self, rows: Rows, wanted: Sequence[str]) -> list[Number | Category]:
        """In the order that was asked for."""
        sampled, weights = self._sample.rows()
        found: dict[str, Number | Category] = {}
        for at, (name, real) in enumerate(self._reals.items()):
            bounds = edges(sampled[:, at], weights)
            low, high = real.ends
            found[name] = Number(kind="number", name=name, edges=bounds, counts=[0] * (len(bounds) + 1), low=low,
                                 high=high, mean=real.mean, sd=real.sd)  # fmt: skip
        for name, column in self._names.items():
            found[name] = _category(name, column, rows)
        return [found[name] for name in dict.fromkeys(wanted) if name in found]

    def pairs(self) -> list[Pair]:
        """Which; r is not known yet."""
        sampled, weights = self._sample.rows()
        return [Pair(a=a, b=b, n=0, r=0.0) for a, b in strongest(sampled, weights, self._found.numbers)]


def _category(name: str, column: Named, rows: Rows) -> Category:
    values, known, complete = kept(column)
    if column.too_many:
        found = rows.frequent(name) or []
        values, known = found[:CATEGORIES], found[CATEGORIES:]
    return Category(kind="category", name=name, values=values, counts=[0] * len(values), known=known, complete=complete)


def _counted(feature: Number | Category, vector: Sequence[int]) -> Number | Category:
    n = len(feature.counts)
    if isinstance(feature, Number):
        told = dict(zip(("missing", "unusable", "wrong"), vector[n + 2 :], strict=True))
        return feature.model_copy(update={"counts": list(vector[:n]), **told})
    told = {"other": vector[n], "missing": vector[n + 2], "wrong": vector[n + 3]}
    return feature.model_copy(update={"counts": list(vector[:n]), **told})


def _pairs(bare: Profile, tally: Tally) -> list[Pair]:
    """Pearson's r from the sums of cut values; a pair that is constant after all is left out."""
    found = []
    for pair in bare.pairs:
        n, x, y, xx, yy, xy = tally.sums[pair_key(pair.a, pair.b)]
        spread = (n * xx - x * x) * (n * yy - y * y)
        if n and spread > 0:
            r = min(1.0, max(-1.0, (n * xy - x * y) / spread**0.5))
            found.append(pair.model_copy(update={"n": int(n), "r": tidy(r, 1.0)}))
    return found


def profile(task: Task, learnt: Reference, answered: HeldOut | None = None, data: str = "") -> Profile:
    """The document. data: digest of the held-out rows. Raises TaskFailed (BadData) if it would be too large."""
    found = Profile(
        task=task, rows=learnt.rows, reference=learnt.digest, features=learnt.features, pairs=learnt.pairs
    )  # fmt: skip
    if answered is not None:
        found = found.model_copy(update={
            "held_out": answered.rows, "data": data, "prediction": answered.prediction, "positive": answered.positive,
            "scores": answered.scores, "losses": answered.losses, "slices": list(answered.slices),
            "quality": dict(answered.quality),
        })  # fmt: skip
    try:
        return Profile.model_validate(fitted(found).model_dump())  # its parts were changed since they were checked
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise TaskFailed("BadData", f"these rows have no profile: {where}: {first['msg']}") from error
