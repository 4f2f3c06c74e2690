"""The lines of a rollout's ledger (`evidence.ledger`): they follow from how the status has changed in one look."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import inf

from fairlead.api.candidate import Candidate, RolloutRecord
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.ledger import Ledger
from fairlead.manifests.meta import short_hash
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import guards, ledger, pairs
from fairlead.plan.deployment.metrics.registry import METRICS, metric_of
from fairlead.verdict.guards import Arm, Window, decode, encode
from fairlead.verdict.pairs import Pairs
from fairlead.verdict.trace import ANSWERS, ERRORS, Line, write, write_pairs


def recorded(look: Look, candidate: Candidate) -> Candidate:
    """The candidate with the lines of what this look has changed."""
    before = look.subject.body.status.candidate
    if before is None or before.version != candidate.version or before.since != candidate.since:
        before = None
    book = candidate.ledger if candidate.ledger.name else _opened(look, candidate)
    rules = look.fixed("rules", lambda: short_hash(look.spec.rollout.model_dump_json()))
    if book.rules != rules and candidate.guards:  # also where nothing is counted: rules and guards change together
        candidate = candidate.model_copy(update={"guards": guards.all_of(look, candidate)})
    fresh = [*_rules(look, candidate, book.rules == rules), *_lines(look, before, candidate)]
    return candidate.model_copy(update={"ledger": _appended(book, fresh).model_copy(update={"rules": rules})})


def ended(look: Look, candidate: Candidate, record: RolloutRecord) -> Ledger:
    """The ledger with its last line."""
    book = recorded(look, candidate).ledger
    told = {"t": look.now, "end": record.result, "reason": record.reason, "message": record.message}
    return _appended(book, [_json(told)])


def _opened(look: Look, candidate: Candidate) -> Ledger:
    name = ledger.name_of(candidate.version, candidate.since)
    folder = ledger.folder(look, name)
    return Ledger(name=name, uri=folder.uri() if folder else "")


def _appended(book: Ledger, fresh: list[str]) -> Ledger:
    return ledger.appended(book, fresh, ledger.KEPT, ledger.MOST)


def _rules(look: Look, candidate: Candidate, same: bool) -> Iterator[str]:
    if not same:
        rules = look.spec.rollout.model_copy(update={"guard": look.spec.rollout.spelt_out})
        rollout = rules.model_dump(mode="json", by_alias=True, exclude_none=True)
        yield _json({
            "t": look.now, "deployment": f"{look.namespace}/{look.name}", "version": candidate.version,
            "against": candidate.against, "rollout": rollout,
        })  # fmt: skip


def _lines(look: Look, before: Candidate | None, after: Candidate) -> Iterator[str]:
    then = {guard.guard: guard for guard in before.guards} if before else {}
    if after.counting_since and not (before and before.counting_since):
        live = after.common.before
        yield _json({"t": look.now, "live": {"requests": live.requests, "failures": live.failures}})
    frozen = [guard for guard in after.guards if guard.odds and _new(then.get(guard.guard), guard)]
    if frozen:
        yield _json({"t": look.now, "margins": {guard.guard: _margin(guard) for guard in frozen}})
    for metric in METRICS.values():
        yield from map(_json, metric.lines(look, before, after))
    yield from _pairs(look, after, then)
    window = _window(look, before, after, then)
    if window:
        yield window
    if _moved(look, before, after):
        copies = {"shadow": after.shadow} if after.shadow else {}
        yield _json({"t": look.now, "step": after.step, "weight": after.weight, **copies})
    if after.waived and after.waived != (before.waived if before else None):
        yield _json({"t": look.now, "waived": after.waived.message})
    if before and after.verdict != before.verdict:
        yield _json({"t": look.now, "now": after.verdict})


def _moved(look: Look, before: Candidate | None, after: Candidate) -> bool:
    """Whether it gets another share. In an experiment these move often, and the weight of the windows tells."""
    was, now = ((one.step, one.shadow, one.weight if not look.side_by_side else 0) if one else (-1, "", 0)
                for one in (before, after))  # fmt: skip
    return was != now


def _new(old: GuardEvidence | None, guard: GuardEvidence) -> bool:
    return old is None or not old.odds or old.digest != guard.digest


def _margin(guard: GuardEvidence) -> dict[str, float | str]:
    proven = guard.proven
    known: dict[str, float | str] = {}
    if proven and proven.worse_by:
        known = {"rate": decode(proven.rate), "worseBy": decode(proven.worse_by)}
    odds = decode(guard.odds)
    if guard.beyond:
        known |= {"by": "difference", "rate": decode(guard.beyond.began), "worseBy": decode(guard.beyond.worse_by)}
    return {**({} if odds == inf else {"odds": odds}), "floor": decode(guard.floor), **known}


def _pairs(look: Look, after: Candidate, then: dict[str, GuardEvidence]) -> Iterator[str]:
    """Requests that both versions answered, whose truth has become known since the last look."""
    found, evidence = {}, {}
    for guard in after.guards:
        old = then.get(guard.guard)
        known = pairs.of(old) if old and old.digest == guard.digest else Pairs()
        if pairs.of(guard) != known:
            found[guard.guard] = pairs.of(guard).since(known)
            evidence[guard.guard] = encode(decode(guard.log_evidence))
    if found:
        yield write_pairs(look.now, found, logEvidence=evidence)


def _window(
    look: Look, before: Candidate | None, after: Candidate, then: dict[str, GuardEvidence]
) -> str | None:  # fmt: skip
    """What both arms have counted since the last look, by guard; None if it is nothing."""
    if before is None:
        return None
    windows = {}
    if after.last_window_at != before.last_window_at:
        windows[ERRORS] = Window(
            _since(before.live_answered, after.live_answered), _since(before.answered, after.answered)
        )
    for guard in after.guards:
        old = then.get(guard.guard)
        if old is None or old.digest != guard.digest:
            old = metric_of(guard.guard).anew(guard)
        if metric_of(guard.guard).all_requests:
            continue
        # one that begins may have counted in the same look
        stable, candidate = (old.stable, old.candidate) if old else (ArmCounts(), ArmCounts())
        if (guard.stable, guard.candidate) != (stable, candidate):
            windows[guard.guard] = Window(_since(stable, guard.stable), _since(candidate, guard.candidate))
    same = after.step >= 0 and after.step_since == before.step_since
    if same and after.answering != before.answering:
        old_, new_ = before.answering, after.answering
        windows[ANSWERS] = Window(_since(old_.stable, new_.stable), _since(old_.candidate, new_.candidate))
    shown = {one.guard for one in after.guards if _shown(then.get(one.guard), one)}
    for name in shown:
        if not metric_of(name).all_requests:
            windows.setdefault(name, Window(Arm(), Arm()))
    values, seen = _values(after, then), windows.values()
    if not values and not shown and not any(one.stable.requests or one.candidate.requests for one in seen):
        return None
    found = {guard.guard: encode(decode(guard.log_evidence)) for guard in after.guards if guard.odds or guard.values}
    more: dict[str, object] = {} if after.split != before.split else {"split": None}
    doubted = [guard.guard for guard in after.guards if _doubted(guard)]
    if doubted:
        more["doubted"] = doubted
    return write(Line(look.now, before.weight, windows, values=values), logEvidence=found, **more)


def _doubted(guard: GuardEvidence) -> bool:
    """Whether nothing follows from its evidence, though that is at the bound."""
    return guard.state != "Harm" and decode(guard.log_evidence) >= decode(guard.bound or "inf")


def _shown(old: GuardEvidence | None, guard: GuardEvidence) -> bool:
    """Whether it is harm by what had been counted before: a doubt is over, or another bound is asked for. It ends the
    rollout, and the ledger must tell of it though nothing has come."""
    if old is None or old.digest != guard.digest or old.state == "Harm":
        return False
    return guard.state == "Harm" and guard.log_evidence == old.log_evidence


def _values(after: Candidate, then: dict[str, GuardEvidence]) -> dict[str, tuple[float, float]]:
    """The pairs of values that have come, by guard."""
    found = {}
    for guard in after.guards:
        old = then.get(guard.guard)
        if guard.values and (old is None or old.digest != guard.digest or old.windows != guard.windows):
            stable, candidate = map(decode, guard.values.last)
            found[guard.guard] = stable, candidate
    return found


def _since(before: ArmCounts, after: ArmCounts) -> Arm:
    return Arm(after.requests - before.requests, after.failures - before.failures)


def _json(body: Mapping[str, object]) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)
