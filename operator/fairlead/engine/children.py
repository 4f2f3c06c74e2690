"""The children of a plan: each is tried, whatever becomes of the others.

One that can't be written is tried again later and later. Looks that come meanwhile for other reasons leave it alone for
a while, unless it is wanted otherwise now, or has changed: a rollout is looked at each second, and goes on.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fairlead.cluster import errors as api
from fairlead.engine.cache import version_of
from fairlead.engine.compare import digest
from fairlead.engine.errors import BACKOFFS, ChildError, classify
from fairlead.engine.write import Freshness, Writer
from fairlead.plan.core import Kind, Meta, Plan

Json = dict[str, Any]

HOLD = 10.0
"""Seconds for which looks that come anyway leave a child alone, at most."""


class Child(NamedTuple):
    """Names a child among those of a subject."""

    api_version: str
    kind: str
    name: str


@dataclass
class Result:
    """What has become of the children of a plan."""

    wrote: bool = False
    failures: list[Exception] = field(default_factory=list)
    """Why some could not be written, in the plan's order; NameTaken, ChildError, or an error in Fairlead."""
    fresh: list[Exception] = field(default_factory=list)
    """Those of them that were tried in this look."""
    due: float | None = None
    """When these are to be tried again, by the event loop's clock."""


@dataclass
class _Held:
    wish: str
    seen: int
    """The object's resource version; 0: not there."""
    until: float
    due: float
    failures: int
    error: Exception


@dataclass
class _Try:
    child: Child
    wish: Callable[[], str]
    write: Callable[[], Awaitable[bool]]


@dataclass
class Children:
    """Writes the children of plans. `clock`: the event loop's."""

    writer: Writer
    clock: Callable[[], float]
    rng: random.Random = field(default_factory=random.Random)
    _held: dict[str, dict[Child, _Held]] = field(default_factory=dict)
    """By the subject's uid."""

    def forget(self, uid: str) -> None:
        """The subject is gone."""
        self._held.pop(uid, None)

    async def write(self, subject: Meta, plan: Plan, fresh: Freshness) -> Result:
        """All of them. What only one of them is in the way of is written; a deletion waits for what it names.

        Raises what concerns them all: Conflict where the subject was planned on a stale view, NotLeading, and errors of
        reading the subject. Without any answer of the API server the rest is not tried."""
        result, failed = Result(), dict[Child, _Held]()
        for one in self._tries(subject, plan, fresh):
            if not await self._written(subject, one, result, failed):
                return self._kept(subject, result, failed)
        for gone in plan.delete:
            if any(_named(*needed) in failed for needed in gone.after):
                continue
            deletion = _Try(
                _named(gone.kind, gone.name), lambda gone=gone: gone.uid,  # type: ignore[misc]
                lambda gone=gone: self.writer.delete(subject, gone, fresh),  # type: ignore[misc]
            )  # fmt: skip
            if not await self._written(subject, deletion, result, failed):
                break
        return self._kept(subject, result, failed)

    def _tries(self, subject: Meta, plan: Plan, fresh: Freshness) -> list[_Try]:
        made = [(self.writer.apply, obj) for obj in plan.apply] + [(self.writer.create, obj) for obj in plan.create]
        return [
            _Try(
                Child(obj["apiVersion"], obj["kind"], obj["metadata"]["name"]), lambda obj=obj: digest(obj),  # type: ignore[misc]
                lambda write=write, obj=obj: write(subject, obj, fresh),  # type: ignore[misc]
            )
            for write, obj in made
        ]  # fmt: skip

    async def _written(self, subject: Meta, one: _Try, result: Result, failed: dict[Child, _Held]) -> bool:
        """Try one, unless it is left alone for now. False if there is no use in trying the others."""
        known = self._held.get(subject.uid, {}).get(one.child)
        if known and self.clock() < known.until and self._same(subject, one, known):
            result.failures.append(known.error)
            failed[one.child] = known
            self._look_again(result, known.until)
            return True
        try:
            result.wrote |= await one.write()
        except (api.ApiError, api.NotLeading):
            raise
        except Exception as error:  # noqa: BLE001 - the wall between one child and all others
            held = failed[one.child] = self._hold(subject, one, error, known)
            result.failures.append(error)
            result.fresh.append(error)
            self._look_again(result, held.due)
            return not _unanswered(error)
        return True

    def _same(self, subject: Meta, one: _Try, known: _Held) -> bool:
        return known.seen == self._version(subject, one.child) and known.wish == one.wish()

    def _version(self, subject: Meta, child: Child) -> int:
        kind = self.writer.kinds.get((child.api_version, child.kind))
        seen = self.writer.cache.peek(kind, subject.namespace, child.name) if kind else None
        return version_of(seen) if seen else 0

    def _hold(self, subject: Meta, one: _Try, error: Exception, known: _Held | None) -> _Held:
        found, failures = classify(error), (known.failures if known else 0) + 1
        delay = max(found.retry_after, BACKOFFS[found.word].delay(failures, self.rng))
        now = self.clock()
        return _Held(
            one.wish(), self._version(subject, one.child), now + min(delay, HOLD), now + delay, failures, error
        )  # fmt: skip

    @staticmethod
    def _look_again(result: Result, at: float) -> None:
        result.due = at if result.due is None else min(result.due, at)

    def _kept(self, subject: Meta, result: Result, failed: dict[Child, _Held]) -> Result:
        self._held.pop(subject.uid, None)
        if failed:
            self._held[subject.uid] = failed
        return result


def _named(kind: Kind, name: str) -> Child:
    return Child(kind.api_version, kind.kind, name)


def _unanswered(error: Exception) -> bool:
    """Whether the API server did not answer at all: the other children would only wait for it, too."""
    return isinstance(error, ChildError) and isinstance(error.cause, api.Unavailable) and not error.cause.status
