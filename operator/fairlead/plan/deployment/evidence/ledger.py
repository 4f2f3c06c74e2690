"""The evidence ledger of a rollout: what is written into it, and how it gets into the store.

Lines follow from how the status has changed in one look, and are written with it: evidence and its record are one.
They are in the form of `verdict.trace`, so what was decided can be replayed anywhere. Thirty lines make a segment. A
segment is sealed in the status first, and then written to a key of its own, once; so a crash in between, or a second
leader, writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import inf

from fairlead.api.candidate import Candidate, RolloutRecord
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.ledger import Ledger
from fairlead.manifests.meta import short_hash
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import backlog, judgements, pairs
from fairlead.plan.requests import NOT_YET, UNDERWAY, Failed, Saved, SaveDocument
from fairlead.plan.store import Location, ledger_folder
from fairlead.verdict.guards import Arm, Window, decode, encode
from fairlead.verdict.pairs import Pairs
from fairlead.verdict.trace import ANSWERS, ERRORS, Line, write, write_pairs

SEGMENT = 30
"""Lines of a segment."""
KEPT = 120
"""Lines that are kept where nothing takes them."""
NOT_SET_UP = ("CredentialsForbidden", "CredentialsMissing")
"""Nobody has allowed Fairlead to write to the store: then the last lines are all there is, and nothing waits."""
RARELY = 60.0
"""Seconds between tries where nobody has allowed it."""
PACES = ((140, 60.0), (100, 10.0), (60, 3.0))
"""From so many unsaved lines on, windows are at least so many seconds long."""
MOST = 200
"""Lines that wait for a store that does not take them. Then the oldest ones are dropped: harm is still looked for."""


# --- what is written -----------------------------------------------------------------------------------------------


def recorded(look: Look, candidate: Candidate) -> Candidate:
    """The candidate with the lines of what this look has changed."""
    before = look.subject.body.status.candidate
    if before is None or before.version != candidate.version or before.since != candidate.since:
        before = None
    book = candidate.ledger if candidate.ledger.name else _opened(look, candidate)
    rules = look.fixed("rules", lambda: short_hash(look.spec.rollout.model_dump_json()))
    fresh = [*_rules(look, candidate, book.rules == rules), *_lines(look, before, candidate)]
    return candidate.model_copy(update={"ledger": _appended(book, fresh).model_copy(update={"rules": rules})})


def ended(look: Look, candidate: Candidate, record: RolloutRecord) -> Ledger:
    """The ledger with its last line."""
    book = recorded(look, candidate).ledger
    told = {"t": look.now, "end": record.result, "reason": record.reason, "message": record.message}
    return _appended(book, [_json(told)])


def _opened(look: Look, candidate: Candidate) -> Ledger:
    name = name_of(candidate.version, candidate.since)
    folder = _folder(look, name)
    return Ledger(name=name, uri=folder.uri() if folder else "")


def name_of(version: str, since: str) -> str:
    """Of a rollout: its version and when it began."""
    return f"{version}-{since.replace(':', '').replace('-', '')}"


def _appended(book: Ledger, fresh: list[str]) -> Ledger:
    return appended(book, fresh, KEPT, MOST)


def appended(book: Ledger, fresh: Sequence[str], alone: int, waiting: int) -> Ledger:
    """The ledger with more lines, and only its last ones: so many where nothing will ever take them (`alone`), or while
    they wait for a store that will (`waiting`)."""
    return backlog.appended(book, fresh, alone if not book.uri or book.failing in NOT_SET_UP else waiting)


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
    yield from map(_json, judgements.lines(look, before, after))
    yield from _pairs(look, after, then)
    window = _window(look, before, after, then)
    if window:
        yield window
    if after.step != (before.step if before else -1):
        copies = {"shadow": after.shadow} if after.shadow else {}
        yield _json({"t": look.now, "step": after.step, "weight": after.weight, **copies})
    if after.waived and after.waived != (before.waived if before else None):
        yield _json({"t": look.now, "waived": after.waived.message})
    if before and after.verdict != before.verdict:
        yield _json({"t": look.now, "now": after.verdict})


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
            old = judgements.anew(guard)
        if guard.guard.endswith("/errors"):
            continue
        # one that begins may have counted in the same look
        stable, candidate = (old.stable, old.candidate) if old else (ArmCounts(), ArmCounts())
        if (guard.stable, guard.candidate) != (stable, candidate):
            windows[guard.guard] = Window(_since(stable, guard.stable), _since(candidate, guard.candidate))
    if after.step == before.step and after.answering != before.answering:
        old_, new_ = before.answering, after.answering
        windows[ANSWERS] = Window(_since(old_.stable, new_.stable), _since(old_.candidate, new_.candidate))
    values = _values(after, then)
    if not values and not any(window.stable.requests or window.candidate.requests for window in windows.values()):
        return None
    found = {guard.guard: encode(decode(guard.log_evidence)) for guard in after.guards if guard.odds or guard.values}
    split = {} if after.split != before.split else {"split": None}
    return write(Line(look.now, before.weight, windows, values=values), logEvidence=found, **split)


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


# --- how it gets into the store ------------------------------------------------------------------------------------


def _folder(look: Look, name: str) -> Location | None:
    return ledger_folder(look.world.config, look.namespace, look.name, name)


def request(look: Look, book: Ledger) -> SaveDocument | None:
    """What is to be written now, or None."""
    if not book.sealed or not book.uri or (book.failing in NOT_SET_UP and look.now % RARELY > 2 * look.window):
        return None
    folder = _folder(look, book.name)
    body = "".join(f"{line}\n" for line in book.lines[: book.sealed])
    return folder.saving(look.namespace, f"{book.segment:05}.jsonl", body) if folder else None


def books(status: DeploymentStatus) -> list[Ledger]:
    """All of a Deployment's ledgers that the store does not have yet, whole."""
    arms = status.experiment.arms if status.experiment else []
    running = [one.ledger for one in (status.candidate, status.watch, *arms) if one]
    return [*status.unsaved, *running]


def requests(look: Look, status: DeploymentStatus) -> list[SaveDocument]:
    """What is to be written for all of them."""
    return [asked for book in books(status) if (asked := request(look, book))]


def moved_on(look: Look, book: Ledger, whole: bool) -> Ledger:
    """The ledger after the store's answer; with the next segment sealed, if there is one. `whole`: no line follows."""
    asked = request(look, book)
    answer = look.world.answer(asked) if asked else None
    if isinstance(answer, Saved):
        rest = book.lines[book.sealed :]
        book = book.model_copy(
            update={"lines": rest, "segment": book.segment + 1, "sealed": 0, "failing": "", "message": ""}
        )
    elif isinstance(answer, Failed) and answer.reason == UNDERWAY:
        book = backlog.unanswered(book)
    elif isinstance(answer, Failed) and answer.reason not in NOT_YET:
        book = book.model_copy(update={"failing": answer.reason, "message": answer.message[:1024]})
    many = len(book.lines) >= SEGMENT or backlog.size(book.lines) >= backlog.SEALED
    asked_for = whole or book.awaited > book.segment or many
    ready = book.uri and not book.sealed and book.lines and asked_for
    return book.model_copy(update={"sealed": min(len(book.lines), 8 * SEGMENT)}) if ready else book


def awaiting(book: Ledger) -> Ledger | None:
    """A step is left when the evidence for that is saved: the ledger that waits for it, or None if it is."""
    if not book.uri or book.failing in NOT_SET_UP or not (book.lines or book.awaited):
        return None
    if not book.awaited:
        return book.model_copy(update={"awaited": book.segment + (2 if book.sealed else 1)})
    return None if book.segment >= book.awaited else book


def settled(look: Look, state: State) -> State:
    """The state after the store's answers."""
    status, candidate = state.status, state.candidate
    if candidate is not None:
        book = moved_on(look, candidate.ledger, whole=False)
        state = state.having(candidate=candidate.model_copy(update={"ledger": book}))
    if status.watch is not None and status.watch.ledger.name:
        book = moved_on(look, status.watch.ledger, whole=False)
        state = state.having(watch=status.watch.model_copy(update={"ledger": book}))
    return state.having(unsaved=tails(look, status)) if status.unsaved else state


def tails(look: Look, status: DeploymentStatus) -> list[Ledger]:
    """The ended rollouts whose last lines wait for the store. Of those that nobody may save, nothing is kept."""
    moved = [moved_on(look, book, whole=True) for book in status.unsaved]
    return [book for book in moved if book.lines and book.uri and book.failing not in NOT_SET_UP]


def stuck(book: Ledger) -> bool:
    """Whether evidence can't be saved at the moment, though it should be: then a rollout goes no further."""
    return bool(book.failing) and book.failing not in NOT_SET_UP


def full(book: Ledger) -> bool:
    """Whether each further line costs an older one: what can wait should."""
    return stuck(book) and (len(book.lines) >= MOST or backlog.size(book.lines) > 3 * backlog.BYTES // 4)


def pace(book: Ledger) -> float:
    """Seconds that a window takes at least, so that unsaved lines stay few."""
    if not stuck(book):
        return 0.0
    return next((pause for many, pause in PACES if len(book.lines) >= many), 0.0)
