"""The evidence ledger of a rollout: how it gets into the store.

Lines follow from how the status has changed in one look (`rollout.lines`), and are written with it: evidence and its
record are one. They are in the form of `verdict.trace`, so what was decided can be replayed anywhere. Thirty lines make
a segment. A segment is sealed in the status first, and then written to a key of its own, once; so a crash in between,
or a second leader, writes the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.ledger import Ledger
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import backlog
from fairlead.plan.requests import NOT_YET, UNDERWAY, Failed, Saved, SaveDocument
from fairlead.plan.store import Location, ledger_folder

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


def name_of(version: str, since: str) -> str:
    """Of a rollout: its version and when it began."""
    return f"{version}-{since.replace(':', '').replace('-', '')}"


def appended(book: Ledger, fresh: Sequence[str], alone: int, waiting: int) -> Ledger:
    """The ledger with more lines, and only its last ones: so many where nothing will ever take them (`alone`), or while
    they wait for a store that will (`waiting`)."""
    return backlog.appended(book, fresh, alone if not lasting(book) else waiting)


def lasting(book: Ledger) -> bool:
    """Whether there is a store that will take its lines."""
    return bool(book.uri) and book.failing not in NOT_SET_UP


# --- how it gets into the store ------------------------------------------------------------------------------------


def folder(look: Look, name: str) -> Location | None:
    """Where a rollout's segments are kept; None without a store."""
    return ledger_folder(look.world.config, look.namespace, look.name, name)


def request(look: Look, book: Ledger) -> SaveDocument | None:
    """What is to be written now, or None."""
    if not book.sealed or not book.uri or (book.failing in NOT_SET_UP and look.now % RARELY > 2 * look.window):
        return None
    place = folder(look, book.name)
    body = "".join(f"{line}\n" for line in book.lines[: book.sealed])
    return place.saving(look.namespace, f"{book.segment:05}.jsonl", body) if place else None


def books(status: DeploymentStatus) -> list[Ledger]:
    """All of a Deployment's ledgers that the store does not have yet, whole."""
    arms = status.experiment.arms if status.experiment else []
    running = [one.ledger for one in (status.candidate, status.watch, status.monitors, *arms) if one]
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
    if not lasting(book) or not (book.lines or book.awaited):
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
    return [book for book in moved if book.lines and lasting(book)]


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
