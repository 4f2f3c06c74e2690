"""Would the version before have lost less? It is sent the labelled requests once more, and both losses are compared.

Of very many requests a sample is asked, by their ids alone; and where time or memory end, what is left out depends on
no answer either. So what is compared is a fair part of the labelled requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np

from fairlead.api.tasks import Compared, ObserveTask
from fairlead.monitor import question
from fairlead.monitor.profile import Profile
from fairlead.worker import truth as truths
from fairlead.worker.again import Again
from fairlead.worker.errors import TaskFailed
from fairlead.worker.past import truth
from fairlead.worker.past.labels import Labelled
from fairlead.worker.record.rows import Wanted
from fairlead.worker.said import Said, said

MOST = 10_000
"""Requests of one batch of labels."""
log = logging.getLogger(__name__)


class Comparing:
    """The version before, and what is known of it so far."""

    def __init__(self, task: ObserveTask, learnt: Profile, labelled: Callable[[Sequence[Said]], Labelled]) -> None:
        assert task.against is not None
        self._profile, self._wanted, self._labelled = learnt, Wanted.of(learnt), labelled
        self._again = Again(task.against, task.path, task.ready_timeout)
        self._margin = float(task.margin)
        self._differences: list[float] = []
        self._refused = self._unkept = 0
        self._trouble = ""

    def take(self, rows: Sequence[Said], of: int) -> None:
        """Some of the `of` labelled requests, with the live version's answers, which were understood."""
        share = Decimal(MOST) / max(of, 1)
        chosen = [one for one in rows if share >= 1 or truths.draw(one.id) < share]
        losses = truth.losses(self._profile, self._labelled(chosen))
        known = [(one, float(loss)) for one, loss in zip(chosen, losses, strict=True) if not np.isnan(loss)]
        asked = [(one, loss, one.body) for one, loss in known if one.body]
        self._unkept += len(known) - len(asked)
        outputs = self._outputs([body for _, _, body in asked])
        self._unkept += len(asked) - len(outputs)
        answered = [
            (said(self._profile, self._wanted, one.id, one.label, {"output": output, "input": body}, {}), loss)
            for (one, loss, body), output in zip(asked, outputs, strict=False) if output is not None
        ]  # fmt: skip
        read = [(one, loss) for one, loss in answered if one.read]
        theirs = truth.losses(self._profile, self._labelled([one for one, _ in read]))
        found = [loss - float(other) for (_, loss), other in zip(read, theirs, strict=True) if not np.isnan(other)]
        self._differences += found
        self._refused += len(outputs) - len(found)

    def _outputs(self, bodies: Sequence[str]) -> list[str | None]:
        """A version before that can't be asked keeps nobody from counting the labels."""
        found: list[str | None] = []
        if self._trouble:
            return found
        try:
            found.extend(self._again.outputs(bodies))
        except TaskFailed as failed:
            log.warning("the version before can't be asked", extra={"reason": str(failed)})
            self._trouble = str(failed)[:1000]
        return found

    def compared(self) -> Compared:
        """All of it."""
        found = question.gained(self._differences, self._margin)
        return Compared(
            n=found.n, total=found.total, refused=self._refused, unkept=self._unkept, better=list(found.better),
            not_better=list(found.not_better), trouble=self._trouble,
        )  # fmt: skip
