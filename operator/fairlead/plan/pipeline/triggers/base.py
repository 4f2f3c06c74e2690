"""What a trigger is. Whether it is due is decided by comparing what is with the key that was handled last: events only
wake the decision, so losing one, or getting it twice, changes nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, NamedTuple

from fairlead.api.code import GitCode
from fairlead.api.pipeline import Pipeline, Seen
from fairlead.manifests.meta import short_hash
from fairlead.plan.core import Context, Json, Kind, M, look_of
from fairlead.plan.requests import Request

_NAME_LIMIT = 128
WORDS = 256
"""Characters that are kept of what others say: a status has up to twenty decisions with them."""


@dataclass(frozen=True)
class Due:
    """What a trigger asks a run for."""

    key: str
    """What it saw. It is handled when a run has been recorded for it."""
    reason: str
    """For people."""


class Reference(NamedTuple):
    """An object of the namespace."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Heed:
    """Objects that wake a Pipeline, for one of its triggers goes by them."""

    kind: Kind
    matters: Callable[[Json, Json], bool]
    """(what the trigger's field says, an object as JSON): whether the trigger goes by it. For every change and every
    Pipeline of the namespace, so it must be cheap; what it gets may be malformed."""
    of: Callable[[Json], Any] | None = None
    """What of the object it goes by, where that changes more rarely than the object; None: any change wakes."""
    counts: Callable[[Json], bool] = lambda _: True
    """Whether any trigger may go by an object as it is; asked once for each change, before all Pipelines are."""


class Trigger(ABC, Generic[M]):
    """An entry of `spec.triggers`. Pure: neither clock nor I/O."""

    field: ClassVar[str]
    """The field of an entry that makes it a trigger of this type."""
    heeds: ClassVar[tuple[Heed, ...]] = ()

    def __init__(self, spec: M) -> None:
        self.spec = spec

    @property
    def name(self) -> str:
        """What it is called in `status.handled` and in decisions: `dataset/flights`. Must never change."""
        full = f"{self.field}/{self.label()}"
        return full if len(full) <= _NAME_LIMIT else f"{full[: _NAME_LIMIT - 11]}-{short_hash(full)}"

    @abstractmethod
    def label(self) -> str:
        """What tells it from other triggers of its type."""

    def check(self, path: str) -> None:
        """Raises Invalid for what the CRD's schema can't check. path: of the trigger's field."""

    def references(self) -> Iterable[Reference]:
        """Fairlead's objects without which it can't ask. Of those that are missing or unreadable the Pipeline's
        conditions speak; `due` just sees nothing in them."""
        return ()

    def begin(self, _now: float) -> str | None:
        """The key that counts as handled when the trigger is new; None: whatever it sees first asks for a run."""
        return None

    def resume(self, key: str, _now: float) -> str:
        """The key that counts as handled when the Pipeline was suspended and goes on. This one: what has come
        meanwhile asks for a run."""
        return key

    def requests(self, _context: Context[Pipeline]) -> Iterable[Request]:
        """What has to be asked of the outside before `due`."""
        return ()

    def private(self, _context: Context[Pipeline]) -> Private | None:
        """What a Job has to ask before `due`. The answer is in `status.code`."""
        return None

    @abstractmethod
    def due(self, handled: str | None, context: Context[Pipeline]) -> Due | None:
        """What it asks a run for, if that isn't the key that was handled. However much was missed, that is one."""

    def next_time(self, _context: Context[Pipeline]) -> float | None:
        """Seconds, more than 0, until it is to be asked again, if no event says so."""
        return None

    def outlook(self, _now: float) -> str:
        """What it waits for next, for people."""
        return "what it goes by changes"

    def pins(self, _handled: str) -> Mapping[str, str]:
        """Versions of Datasets, by name, that a run reads because of this key."""
        return {}

    def follows(self, _key: str) -> Mapping[str, str]:
        """Runs of other Pipelines, by the Pipeline's name, whose outputs a run reads because of this key."""
        return {}

    def commit(self, _key: str) -> str:
        """The commit of its code that a run has because of this key; empty: what its ref stands for when it starts."""
        return ""


@dataclass(frozen=True)
class Private:
    """A private repository that a Job is to ask, for the operator does not read its Secret."""

    git: GitCode
    every: float
    """Seconds between two answers, at least."""
    asked: str
    """What tells this question from others. An answer to another one does not count."""


# --- what can be seen, or not --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sight:
    """What a trigger sees that may also see nothing, or that goes by what is the case."""

    state: Literal["Quiet", "Holding", "Asks", "Unknown"]
    """`Holding`: it is the case, and has not been so for long enough. `Unknown`: nobody knows; no run."""
    message: str
    reason: str = ""
    """Of `Unknown`: a CamelCase word."""
    key: str = ""
    """Of `Asks`. One for each time that it has become the case."""
    begun: str = ""
    """Since when it is the case, if it is: RFC 3339. The same as long as it goes on."""
    again: float | None = None
    """Seconds, more than 0, until it is to be looked at again, if no event says so."""
    at: str = ""
    """What it remembers: the last look that it has counted (RFC 3339),"""
    held: int = 0
    """and the seconds for which it has seen it so. Each change of these is a write."""
    flickers: bool = True
    """Whether it is the same case still if it is one again after a short time; False: an approved version ends it."""
    exact: bool = False
    """Whether its words change with what it sees only, and not with each look: then they are written down anew."""


class Seeing(Trigger[M]):
    """A trigger that says what it sees, for nobody may know: then it starts no run, and people are told."""

    @abstractmethod
    def sight(self, context: Context[Pipeline]) -> Sight | None:
        """What it sees; None: it has not been asked for."""

    def due(self, handled: str | None, context: Context[Pipeline]) -> Due | None:
        """What is the case, unless a run has been started for it."""
        found = self.sight(context)
        asks = found is not None and found.state == "Asks" and found.key != handled
        return Due(found.key, found.message[:WORDS]) if found and asks else None

    def next_time(self, context: Context[Pipeline]) -> float | None:
        """As it says itself."""
        found = self.sight(context)
        return found.again if found else None


class Standing(Seeing[M]):
    """A trigger that goes by what is the case, and not by what happens. Its run may change nothing; when it may ask
    once more is decided for all of them alike (`plan/pipeline/tries.py`)."""

    def before(self, context: Context[Pipeline]) -> Seen | None:
        """What is written down of what it saw."""
        return next((one for one in context.subject.body.status.seen if one.trigger == self.name), None)


def look(context: Context[Pipeline]) -> str:
    """What tells the looks apart that somebody has asked for."""
    return look_of(context.subject.meta)


def unknown(reason: str, message: str, again: float | None = None) -> Sight:
    """Nobody knows. message: with what to do about it."""
    return Sight("Unknown", message, reason, again=again)
