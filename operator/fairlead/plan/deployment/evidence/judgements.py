"""What people said of pairs of answers: each judgement counts once, and stands in the ledger with whose it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fairlead.api.candidate import Candidate
from fairlead.api.review import JUDGED, Judgement, Review
from fairlead.plan.deployment.context import Look


def heard(look: Look, candidate: Candidate, before: Review) -> Review:
    """The counts with the judgements that are new."""
    mine = [one for one in look.spec.judgements if one.version == candidate.version]
    known = {*before.judged, *before.offered}
    new = [one for one in mine if one.pair in before.offered and one.pair not in before.judged]
    new = new[: JUDGED - len(before.judged)]
    said, gone = Counter(one.better for one in new), {one.pair for one in new}
    return before.model_copy(update={
        "pairs": [pair for pair in before.pairs if pair.id not in gone],
        "offered": [pair for pair in before.offered if pair not in gone],
        "judged": [*before.judged, *(one.pair for one in new)],
        "unknown": [one.pair for one in mine if one.pair not in known],
        "better": before.better + said["Candidate"], "worse": before.worse + said["Live"],
        "same": before.same + said["Same"], "both_bad": before.both_bad + said["BothBad"],
    })  # fmt: skip


def lines(look: Look, before: Candidate | None, after: Candidate) -> Iterator[dict[str, object]]:
    """What was said by whom, for the ledger."""
    heard = set(before.review.judged) if before and before.review else set[str]()
    counted = set(after.review.judged if after.review else ()) - heard
    for one in look.spec.judgements:
        if one.pair in counted:
            yield {"t": look.now, "judgement": _told(one)}


def _told(one: Judgement) -> dict[str, str]:
    return {"pair": one.pair, "better": one.better, "by": one.by, "at": one.at}
