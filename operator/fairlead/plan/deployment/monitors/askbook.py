"""A question's lines in the ledger of the monitors: what it goes by, each batch of pairs, and how it ended.

From these lines the same evidence can be had once more, to the last bit, and what was shown with it (`replayed`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.api import foreign
from fairlead.api.monitors import Monitored, Question
from fairlead.api.tasks import Compared
from fairlead.monitor import question as test
from fairlead.monitor.question import Asked, Gained
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ledger
from fairlead.plan.deployment.monitors.packing import digest
from fairlead.verdict.guards import decode, encode, encode_all

LOST = "dropped"
"""Member of the line that stands for lines that are lost."""
OPEN = ("Asking", "Blocked")
"""States of a question that is under way."""
MOST = 10
"""Lines at most where there is no store, as of the windows."""
SHOWN = {"Better": "better", "NotBetter": "not better"}
"""By how it ended, what must have been shown."""


def asked(look: Look, kept: Monitored) -> Monitored:
    """The monitors with the line of their question: what it goes by, and what is known of it."""
    said = kept.question
    assert said
    return _having(kept, {
        "t": look.now, "asked": said.number, "against": said.against, "bound": said.bound,
        "boundNotBetter": said.bound_not_better, "margin": said.margin, "designEffect": said.design_effect,
        "known": _dumped(state_of(said)),
    })  # fmt: skip


def heard(look: Look, kept: Monitored, compared: Compared) -> Monitored:
    """The monitors with the line of a batch of pairs."""
    said = kept.question
    assert said
    pairs, known = compared.model_dump(by_alias=True), digest(_dumped(state_of(said)))
    return _having(kept, {"t": look.now, "heard": said.number, "pairs": pairs, "known": known})


def answered(look: Look, kept: Monitored, result: str, message: str) -> Monitored:
    """The monitors with the line of how their question ended."""
    said = kept.question
    assert said
    return _having(kept, {"t": look.now, "answered": said.number, "result": result, "message": message[:1024]})


def _having(kept: Monitored, line: Mapping[str, Any]) -> Monitored:
    if not kept.ledger.name:
        return kept
    text = json.dumps(line, separators=(",", ":"), ensure_ascii=False)
    return kept.model_copy(update={"ledger": ledger.appended(kept.ledger, [text], MOST, ledger.KEPT)})


def state_of(asked: Question) -> Asked:
    """What is known, as the test uses it."""
    better, other = (tuple(map(decode, one)) for one in (asked.better, asked.not_better))
    return Asked(asked.pairs, decode(asked.total), asked.refused, better, other)


def gained(compared: Compared) -> Gained:
    """What a join has compared, as the test takes it."""
    nothing = list(test.NOTHING)
    return Gained(
        compared.n, compared.total, compared.refused, tuple(compared.better or nothing),
        tuple(compared.not_better or nothing),
    )  # fmt: skip


def _dumped(known: Asked) -> dict[str, Any]:
    return {
        "pairs": known.n, "total": encode(known.total), "refused": known.refused,
        "better": encode_all(known.better), "notBetter": encode_all(known.not_better),
    }  # fmt: skip


# --- once more -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """A batch of pairs, stepped once more; or the end."""

    at: float
    number: int
    against: str
    known: Asked
    result: str
    """How it ended; empty: it goes on."""
    same: bool
    """Whether what is known is what was written, bit by bit; at the end, whether it shows what is said."""


def replayed(lines: Iterable[str]) -> Iterator[Heard]:
    """The questions of a ledger, without those whose beginning is lost. Raises ValueError, KeyError or TypeError for
    lines that are none."""
    rule: dict[str, Any] | None = None
    known, lost = Asked(), False
    for line in lines:
        said = foreign.parse(line)
        if LOST in said:
            rule, lost = None, True
        if "asked" in said:
            rule, of = said, said["known"]
            both = (tuple(map(decode, of[name])) for name in ("better", "notBetter"))
            known = Asked(int(of["pairs"]), decode(of["total"]), int(of["refused"]), *both)
        elif "heard" in said or "answered" in said:
            if rule is None and lost:
                continue
            if rule is None:
                raise ValueError("the ledger has an answer to a question that it does not have")
            number = said.get("heard", said.get("answered"))
            if "heard" in said:
                batch = gained(Compared.model_validate(said["pairs"]))
                known = test.step(known, batch, decode(rule["designEffect"]))
                same = digest(_dumped(known)) == said["known"] and number == rule["asked"]
            else:
                same = _shows(rule, known, said["result"])
            yield Heard(said["t"], number, rule["against"] or "", known, said.get("result", ""), same)


def _shows(rule: Mapping[str, Any], known: Asked, result: str) -> bool:
    """Whether what is known is what an end says; without a version before, and of other ends, nothing is."""
    shown = test.decided(known, decode(rule["bound"]), decode(rule["boundNotBetter"]))
    return rule["against"] is None or shown == SHOWN.get(result, shown)
