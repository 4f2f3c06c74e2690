"""What a plan sees: the cache, frozen at the first look, so that `observe` and `plan` see the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fairlead.api.config import OperatorConfig
from fairlead.engine.cache import Cache
from fairlead.plan.core import Claim, Kind, Meta
from fairlead.plan.memo import Memo
from fairlead.plan.requests import Answer, Failed, Request

Json = dict[str, Any]


def meta_of(raw: Json) -> Meta:
    """The metadata that decisions need."""
    meta = raw["metadata"]
    created = meta.get("creationTimestamp")
    return Meta(
        name=meta["name"],
        namespace=meta.get("namespace", ""),
        uid=meta.get("uid", ""),
        generation=int(meta.get("generation", 0)),
        resource_version=meta.get("resourceVersion", ""),
        created=datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp() if created else 0.0,
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        deleting=bool(meta.get("deletionTimestamp")),
    )


@dataclass
class Snapshot:
    """`plan.core.World` over the cache, for one subject."""

    cache: Cache
    config: OperatorConfig
    namespace: str
    uid: str
    is_served: Callable[[Kind], bool]
    answers: Mapping[Request, Answer] = field(default_factory=dict)
    memo: Memo[Any] | None = None
    """Of all looks."""
    crowd: int = 0
    """How many subjects are looked at all the time (`Plan.steady`)."""
    shared: dict[Any, Any] = field(default_factory=dict)
    """What `observe` has found out and `plan` need not find out again."""
    _seen: dict[Any, Any] = field(default_factory=dict)

    def _once(self, key: Any, look: Callable[[], Any]) -> Any:
        if key not in self._seen:
            self._seen[key] = look()
        return self._seen[key]

    def get(self, kind: Kind, name: str) -> Json | None:
        """An object by name, or None."""
        found: Json | None = self._once(("get", kind, name), lambda: self.cache.get(kind, self.namespace, name))
        return found

    def select(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[Json]:
        """Objects with these labels, sorted by name."""
        key = ("select", kind, tuple(sorted((labels or {}).items())))
        return list(self._once(key, lambda: self.cache.select(kind, self.namespace, labels)))

    def indexed(self, kind: Kind, key: str) -> list[Json]:
        """Objects that have this key in their kind's index, sorted by name."""
        return list(self._once(("indexed", kind, key), lambda: self.cache.indexed(kind, self.namespace, key)))

    def owned(self, kind: Kind) -> list[Json]:
        """Objects whose controller is the subject, sorted by name."""
        return list(self._once(("owned", kind), lambda: self.cache.owned(kind, self.namespace, self.uid)))

    def served(self, kind: Kind) -> bool:
        """Whether the API server has this kind."""
        return bool(self._once(("served", kind), lambda: self.is_served(kind)))

    def claims(self, kind: Kind, near: Claim) -> tuple[Claim, ...]:
        """What objects of this kind claim that a claim may meet, in all namespaces that are watched."""
        found: tuple[Claim, ...] = self._once(("claims", kind, near), lambda: self.cache.claims(kind).near(near))
        return found

    def elsewhere(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """An object of any namespace that is watched, or None."""
        key = ("elsewhere", kind, namespace, name)
        found: Json | None = self._once(key, lambda: self.cache.get(kind, namespace, name))
        return found

    def answer(self, request: Request) -> Answer:
        """The answer to a request of `observe`."""
        return self.answers.get(request, Failed("NotAsked", "this was not asked for; an error in Fairlead"))
