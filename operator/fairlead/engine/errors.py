"""What went wrong, in the house's five words. The one place that decides what an error means.

- Invalid: a person must act. A condition says what to do.
- Waiting: normal; plans say so themselves.
- Transient: the world will be better later; back-off up to half a minute.
- Conflict: somebody was faster; look again at once.
- Bug: everything else. A condition, a metric and a long back-off, for this object alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import ValidationError

from fairlead.cluster import errors as api
from fairlead.engine.queue import Backoff
from fairlead.plan.core import Invalid, Kind

Word = Literal["Invalid", "Transient", "Conflict", "Bug"]

UNSETTLED = Backoff(first=1.0, cap=15.0)
"""Of a plan that does not settle: a rollout among them must still be taken back, soon."""
BACKOFFS: dict[Word, Backoff] = {
    "Invalid": Backoff(first=5.0, cap=300.0),
    "Transient": Backoff(first=0.5, cap=30.0),
    "Conflict": Backoff(first=0.1, cap=5.0),
    "Bug": Backoff(first=1.0, cap=300.0),
}


@dataclass(frozen=True)
class Trouble:
    """An error in our own words. With a `reason` it becomes the condition `Ready=False`."""

    word: Word
    message: str
    reason: str = ""
    retry_after: float = 0.0
    final: bool = False
    """Nothing but a change can help: no retry."""


class NameTaken(Exception):  # noqa: N818 - the house's names of errors
    """An object of this name is there and belongs to somebody else."""


class ChildError(Exception):
    """A write of a child failed; `__cause__` is the API server's error."""

    def __init__(self, kind: Kind, name: str, cause: api.ApiError) -> None:
        super().__init__(f"{kind.kind} {name}: {cause.message}")
        self.kind, self.name, self.cause = kind, name, cause


class StatusRefused(Exception):  # noqa: N818 - the house's names of errors
    """The API server does not take a status: the plan or the installed definitions are wrong."""

    def __init__(self, cause: api.Refused) -> None:
        super().__init__(f"the API server refuses the status: {cause.message}")
        self.cause = cause


class BeingDeleted(Exception):  # noqa: N818 - the house's names of errors
    """A child is on its way out, and somebody's finalizer holds it."""


def classify_all(errors: Sequence[Exception]) -> Trouble:
    """What several children that could not be written mean together, in the order of their importance. All are named;
    what may pass by itself decides when to try again."""
    found = [classify(error) for error in errors]
    named = [one for one in found if one.reason] or found[:1]
    passing = next((one for one in found if one.word in ("Conflict", "Transient")), named[0])
    message = "; ".join(dict.fromkeys(one.message for one in named))
    return replace(passing, message=message, reason=named[0].reason)


def classify(error: Exception) -> Trouble:
    """What an error that came out of looking at an object means."""
    if isinstance(error, Invalid):
        return Trouble("Invalid", str(error), "Invalid", final=True)
    if isinstance(error, ValidationError):
        return Trouble("Invalid", fields(error), "Invalid", final=True)
    if isinstance(error, NameTaken):
        return Trouble("Invalid", str(error), "NameTaken")
    if isinstance(error, BeingDeleted):
        return Trouble("Transient", str(error), "BeingDeleted")
    if isinstance(error, ChildError):
        return _child(error)
    if isinstance(error, StatusRefused) and isinstance(error.cause, api.TooLarge):
        return Trouble("Bug", too_large(error), "StatusTooLarge")
    if isinstance(error, api.NotLeading):
        return Trouble("Transient", str(error))
    if isinstance(error, api.ApiError):
        return _api(error)
    return Trouble("Bug", bug_message(error), "InternalError")


def bug_message(error: Exception) -> str:
    """What a condition says of an error that should not happen."""
    return f"{type(error).__name__}: {error}; this is an error in Fairlead, its log has the details"[:1000]


def too_large(error: StatusRefused) -> str:
    """What a condition says of a status that nobody can write."""
    words = "what is to be done can't be recorded, so it is not begun; this is an error in Fairlead"
    return f"the status is too large for the API server: {error.cause.message[:600]}; {words}"


def _child(error: ChildError) -> Trouble:
    """A child that can't be written is the subject's trouble: its condition names the child."""
    cause, what = error.cause, f"{error.kind.kind} {error.name}"
    if isinstance(cause, api.Refused):
        return Trouble("Invalid", f"the API server refuses {what}: {cause.message}", "Refused")
    if isinstance(cause, api.Forbidden):
        return Trouble("Invalid", f"Fairlead may not write {what}: {cause.message}", "Forbidden", retry_after=10.0)
    if isinstance(cause, (api.NotFound, api.NotServed)):
        hint = f"{what} can't be written: {cause.message}; is {error.kind.plural} ({error.kind.api_version}) installed?"
        return Trouble("Invalid", hint, "KindMissing")
    return _api(cause)


def _api(error: api.ApiError) -> Trouble:
    match error:
        case api.Conflict() | api.AlreadyExists():
            return Trouble("Conflict", error.message)
        case api.NotFound():
            return Trouble("Conflict", error.message)
        case api.Refused():
            return Trouble("Bug", bug_message(error), "InternalError")
        case _:
            return Trouble("Transient", error.message, retry_after=error.retry_after or 0.0)


def fields(error: ValidationError) -> str:
    """The fields that a manifest got wrong, and how."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found[:5]]
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return "; ".join(lines) + more
