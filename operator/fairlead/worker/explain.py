"""explain: why did this version answer requests as it did? Asked is its own server, in the same pod."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import erf, exp, pi, sqrt

import numpy as np

from fairlead.api.explain import SHOWN, Contribution, Reference
from fairlead.api.tasks import ExplainResult, ExplainTask, Moved
from fairlead.monitor.attributions import LEAST
from fairlead.monitor.profile import SIZE, BadProfile, Profile, parse
from fairlead.store.errors import StoreError
from fairlead.store.s3 import Bucket
from fairlead.verdict import bounded
from fairlead.worker import oip
from fairlead.worker.access import located, place
from fairlead.worker.errors import TaskFailed
from fairlead.worker.explaining import asking, bodies, keep, reference, sample, shapley
from fairlead.worker.explaining.bodies import Form
from fairlead.worker.explaining.keep import Row
from fairlead.worker.explaining.reference import Background
from fairlead.worker.explaining.sample import Drawn, Request
from fairlead.worker.explaining.shapley import Floats
from fairlead.worker.formats.words import line
from fairlead.worker.record.rows import Wanted

log = logging.getLogger(__name__)
CELLS = 100_000_000
"""Values that the server is sent: of wide rows fewer are explained."""
REFUSED = 20
"""Rows in a row that the server refuses, after which it is asked no more."""
ENOUGH = 50
"""Requests that are needed to make a reference of."""


def explain(task: ExplainTask) -> ExplainResult:
    """Draw, ask, keep. Raises TaskFailed or StoreError."""
    work = Explaining(task, place(task.log), place(task.store))
    found = work.explained()
    log.info("explained", extra={"rows": found.rows, "asked": found.asked, "calls": found.calls})
    return found


@dataclass
class Counts:
    """Of requests that were drawn."""

    unread: Counter[str] = field(default_factory=Counter)
    late: int = 0


@dataclass(frozen=True)
class Ready:
    """All that is needed to explain a row."""

    model: asking.Model
    background: Background
    base: asking.Told
    """Answers to the background."""

    @property
    def pairs(self) -> int:
        """Background rows."""
        return len(self.background.rows)


class Explaining:
    """One task under way."""

    def __init__(self, task: ExplainTask, answers: Bucket, store: Bucket) -> None:
        self.task, self.answers, self.store = task, answers, store
        self.counts = Counts()
        self._ends = time.monotonic() + task.seconds
        self._drawn = Drawn()

    def explained(self) -> ExplainResult:
        """What came of it."""
        task = self.task
        many = task.rows if task.made else reference.MOST + min(reference.MANY, reference.TIMES * task.rows)
        since, until = (datetime.fromisoformat(at.replace("Z", "+00:00")) for at in (task.since, task.until))
        self._drawn = sample.draw(self.answers, task.log.prefix, since, until, many, f"{task.version}/{task.until}")
        known = reference.read(self.store, task.store.prefix, task.made) if task.made else None
        requests, form = self._alike(known.form if known else None)
        if form is None:
            return self._result(None, [], None)
        if known and task.made:
            return self._window(self._ready(Background(form, known.rows)), requests, task.made)
        return self._first(form, requests)

    def _alike(self, form: Form | None) -> tuple[list[Request], Form | None]:
        """The requests of one form, with datatypes that all of them fit; None: there are none."""
        self.counts.unread += self._drawn.reasons
        readable = [one for one in self._drawn.requests if one.body is not None]
        own = bodies.common([one.body for one in readable if one.body])
        form = form or own
        if form is None:
            return [], None
        found = []
        for one in readable:
            assert one.body is not None
            if one.body.form.key != form.key:
                self.counts.unread["unlike"] += 1
                continue
            row = form.ordered(one.body.form, one.values)
            if bodies.fits(form, row):
                found.append(Request(one.id, one.time, one.row, bodies.Body(form, [row])))
            else:
                self.counts.unread["unlike"] += 1
        return found, bodies.wide_enough(form, [one.values for one in found]) if found else None

    # --- the reference -----------------------------------------------------------------------------------------------

    def _first(self, form: Form, requests: list[Request]) -> ExplainResult:
        """The reference is made, and requests are explained against it."""
        task, width = self.task, len(form.features)
        pairs = reference.pairs(width)
        many = min(reference.MANY, reference.TIMES * task.rows, self._affordable(width, pairs))
        rows = reference.evaluation_rows(task, form, pairs + many)
        own = isinstance(rows, str) or len(rows) < pairs + LEAST
        if own:
            note = rows if isinstance(rows, str) else "the evaluation has too few rows"
            if len(requests) < ENOUGH:
                return self._result(None, [], None)
            rows, requests = [one.values for one in requests[:pairs]], requests[pairs : pairs + many]
        assert not isinstance(rows, str)
        form = bodies.wide_enough(form, rows)
        ready = self._ready(Background(form, rows[:pairs]), fresh=True)
        if own:
            explained = self._each(ready, requests)
            made = self._made(ready, "requests", note, explained)
            return self._result(ready, explained, made)
        of = [Request("", _NEVER, 0, bodies.Body(form, [row])) for row in rows[pairs:]]
        made = self._made(ready, "evaluation", "", self._each(ready, of, part=0.6, counted=False))
        if made is None:
            return self._result(ready, [], None)
        return self._window(ready, requests[: task.rows], made)

    def _affordable(self, width: int, pairs: int) -> int:
        return max(LEAST, CELLS // max(1, width * shapley.most_asked(width, pairs)))

    def _made(self, ready: Ready, of: str, note: str, rows: Sequence[Row]) -> Reference | None:
        """None: too few rows could be explained."""
        if len(rows) < LEAST:
            return None
        names = ready.background.form.features
        key, digest = reference.kept(self.store, self.task.store.prefix, ready.background)
        return Reference(
            key=key, sha256=digest, of=of, rows=len(rows), pairs=ready.pairs, note=note[:512],
            watched=reference.watched(names, np.array([one.values for one in rows])),
        )  # fmt: skip

    # --- the server --------------------------------------------------------------------------------------------------

    def _ready(self, background: Background, fresh: bool = False) -> Ready:
        """fresh: background rows that the server refuses are left out; later it must answer all of them."""
        task, form = self.task, background.form
        server = oip.Server(task.version, task.url, task.model, task.ready_timeout, task.ready)
        model = asking.Model(server, form, *self._learnt())
        rows = bodies.table(background.rows, len(form.features))
        try:
            model.begin(rows[0])
            kept = [at for at in range(len(rows)) if self._answers(model, rows[at : at + 1])] if fresh else None
            if kept is not None and len(kept) < min(reference.LEAST, len(rows)):
                raise TaskFailed("BadData", f"the server refuses {len(rows) - len(kept)} of {len(rows)} rows that "
                                 "answers would be explained against: see what its clients send")  # fmt: skip
            rows = rows if kept is None else rows[kept]
            told = model.tell(rows)
        except oip.Refused as why:
            raise TaskFailed("BadData", f"the server refuses rows like those of its clients: {line(str(why), 300)}"
                             ) from None  # fmt: skip
        return Ready(model, Background(form, rows.tolist()), told)

    def _answers(self, model: asking.Model, row: shapley.Values) -> bool:
        try:
            told = model.tell(row)
            model.numbers(told, model.target(told))
        except (oip.Refused, asking.NoNumber):
            return False
        return True

    def _learnt(self) -> tuple[str, str, bool]:
        """The task, and of two classes the positive one and whether it is the first, as far as the evaluation or the
        profile says them."""
        profile = self._profile() if self.task.profile else None
        if profile is None:
            return self.task.task, "", False
        classes = Wanted.of(profile).classes
        first = len(classes) == 2 and profile.positive == classes[0]
        return self.task.task or profile.task, profile.positive, first

    def _profile(self) -> Profile | None:
        assert self.task.profile is not None
        bucket, key = located(self.task.profile.uri, self.task.profile.access)
        try:
            return parse(bucket.read(key, SIZE), self.task.profile.sha256)
        except (BadProfile, StoreError) as why:
            log.warning("without the profile", extra={"why": line(str(why))})
            return None

    # --- rows --------------------------------------------------------------------------------------------------------

    def _window(self, ready: Ready, requests: list[Request], made: Reference) -> ExplainResult:
        width = len(ready.background.form.features)
        most = self._affordable(width, ready.pairs)
        self.counts.late += max(0, len(requests) - most)
        rows = self._each(ready, requests[:most])
        names, moved = ready.background.form.features, list[Moved]()
        if rows:
            wanted = [one.name for one in made.watched]
            found = reference.columns(names, np.array([one.values for one in rows]), wanted)
            moved = [Moved(name=name, share=_sums(share), way=_sums(way)) for name, (share, way) in found.items()]
        return self._result(ready, rows, made, moved)

    def _each(self, ready: Ready, requests: Sequence[Request], part: float = 1.0, counted: bool = True) -> list[Row]:
        """The rows that could be explained within this part of the time that is left."""
        ends = time.monotonic() + part * (self._ends - time.monotonic())
        background = bodies.table(ready.background.rows, len(ready.background.form.features))
        found, refused = list[Row](), 0
        for at, one in enumerate(requests):
            if time.monotonic() > ends or refused >= REFUSED:
                left = len(requests) - at
                if counted and refused < REFUSED:
                    self.counts.late += left
                elif counted:
                    self.counts.unread["refused"] += left
                break
            try:
                found.append(self._one(ready, background, one))
                refused = 0
            except (oip.Refused, asking.NoNumber):
                refused += 1
                self.counts.unread["refused"] += counted
        return found

    def _one(self, ready: Ready, background: shapley.Values, request: Request) -> Row:
        model = ready.model
        row = bodies.table([request.values], len(request.values))[0]
        told = model.tell(row[None])
        target = model.target(told)
        answer, base = float(model.numbers(told, target)[0]), model.numbers(ready.base, target)
        seed = hashlib.sha256(f"{self.task.version}/{self.task.until}/{request.id}/{request.values}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(seed[:8]))
        found = shapley.contributions(
            lambda rows: model.numbers(model.tell(rows), target), row, background, base, answer, random
        )
        return Row(request, answer, float(base.mean()), found.values, found.errors)

    def _result(
        self, ready: Ready | None, rows: Sequence[Row], made: Reference | None, moved: Sequence[Moved] = ()
    ) -> ExplainResult:
        drawn, task = self._drawn, self.task
        several = sum(one.rows > 1 for one in drawn.requests)
        found = ExplainResult(
            rows=len(rows), answered=drawn.answered, without=drawn.without, late=self.counts.late,
            unread={reason: n for reason, n in sorted(self.counts.unread.items()) if n}, several=several,
            corrupt=drawn.corrupt, reference=made, sums=list(moved),
        )  # fmt: skip
        if ready is None:
            return found
        model, names = ready.model, ready.background.form.features
        varies = self._varies(ready, rows) if rows else 0.0
        asked = {"asked": model.asked, "calls": model.calls, "explains": model.explains}
        if not rows:
            return found.model_copy(update=asked)
        until = datetime.fromisoformat(task.until.replace("Z", "+00:00"))
        key = keep.key(until, task.name)
        keep.keep(self.store, f"{task.store.prefix}{key}", task.version, model.explains, names, ready.pairs, rows)
        return found.model_copy(update={
            **asked, "key": key, "varies": varies, "features": most(names, rows),
            "base": f"{np.mean([one.base for one in rows]):.4g}",
        })  # fmt: skip

    def _varies(self, ready: Ready, rows: Sequence[Row]) -> float:
        """How far the server's answers to the background lie from what they were at first, beside what contributions
        add up to."""
        model, form = ready.model, ready.background.form
        target = model.target(ready.base)
        try:
            again = model.numbers(model.tell(bodies.table(ready.background.rows, len(form.features))), target)
        except (oip.Refused, asking.NoNumber):
            return 1.0
        apart = float(np.abs(again - model.numbers(ready.base, target)).max())
        size = float(np.mean([np.abs(one.values).sum() for one in rows]))
        return apart / size if size else (0.0 if apart == 0 else 1.0)


_NEVER = datetime.fromtimestamp(0, UTC)


def most(names: Sequence[str], rows: Sequence[Row]) -> list[Contribution]:
    """The features that contribute most: the mean of |contribution| with its standard error.

    The error has two parts: that these rows are a sample, and that |estimate| is larger in the mean than
    |contribution|, by s·2(pdf(t) - t(1 - cdf(t))) for an estimate t standard errors s from 0.
    """
    values = np.abs(np.array([one.values for one in rows]))
    errors = np.array([one.errors for one in rows])
    means = values.mean(axis=0)
    spread = values.std(axis=0, ddof=1) / sqrt(len(rows)) if len(rows) > 1 else np.full(len(means), np.inf)
    total, found = float(means.sum()), []
    for at in np.argsort(-means, kind="stable")[:SHOWN]:
        bias = float(np.mean([_bias(v, s) for v, s in zip(values[:, at], errors[:, at], strict=True)]))
        found.append(Contribution(
            feature=names[at], mean=f"{means[at]:.4g}", error=f"{sqrt(spread[at] ** 2 + bias**2):.2g}",
            share=f"{means[at] / total if total else 0.0:.1%}",
        ))  # fmt: skip
    return found


def _bias(value: float, error: float) -> float:
    if not 0 < error < np.inf:
        return 0.0
    t = value / error
    return error * 2 * (exp(-t * t / 2) / sqrt(2 * pi) - t * (1 - erf(t / sqrt(2))) / 2)


def _sums(values: Floats) -> list[float]:
    found = bounded.sums(values.tolist())
    return [found.n, found.total, found.squares]
