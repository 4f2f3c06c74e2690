"""How users stay with their version in an experiment: the rules of a route that read and set a cookie.

The shared rule assigns a user by its weights, and each of its backends sets the cookie. For each place there is a rule
that the cookie leads to. All rules have the same path, and a rule with more header matches takes precedence (Gateway
API, HTTPRouteRule), so a known user never comes to the shared rule. A version that is taken out has no rule any more:
its users are assigned anew. Weights may change meanwhile: they matter to new users only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fairlead.manifests.meta import Json
from fairlead.manifests.places import Backend

USER_HEADER = "x-fairlead-user"
"""A server is told of each request whether it comes from a `new` user, a `known` one, or one that `asked` for a
version."""


@dataclass(frozen=True)
class Sticky:
    """The cookie of an experiment."""

    cookie: str
    """Its name, of letters, digits, `-` and `_`."""
    key: str
    """Part of its value: cookies of another experiment are none. Empty: no version has a cookie at present."""
    seconds: int
    """How long it is valid."""
    path: str
    """Below which it is sent."""


def rules(assigned: Json, asked: Sequence[Json], sticky: Sticky, prefix: Json, shared: Sequence[Backend]) -> list[Json]:
    """All rules of a route with sticky users.

    assigned: the shared rule, whose backends are in the order of `shared`; asked: those that are reached by asking;
    prefix: the match that all have."""
    known = [_rule(assigned, place, sticky, prefix, backend) for place, backend in enumerate(shared)]
    if not sticky.key:
        return [assigned, *asked, *known]
    refs = [_setting(ref, sticky, backend) for ref, backend in zip(assigned["backendRefs"], shared, strict=True)]
    first = assigned | {"backendRefs": refs}
    return [_told(first, "new"), *(_told(one, "asked") for one in asked), *(_told(one, "known") for one in known)]


def value(sticky: Sticky, version: str) -> str:
    """The cookie's value for a version."""
    return f"{version}.{sticky.key}"


def pattern(sticky: Sticky, version: str) -> str:
    """A regular expression (RE2) for a whole Cookie header with this version's cookie among others. Without a key one
    that no Cookie header matches."""
    if not sticky.key:
        return "^fairlead-no-cookie$"
    pair = f"{sticky.cookie}={re.escape(value(sticky, version)).replace(chr(92) + '-', '-')}"
    return rf"^(.*;\s*)?{pair}(\s*;.*)?$"


def _rule(assigned: Json, place: int, sticky: Sticky, prefix: Json, backend: Backend) -> Json:
    """The rule that a version's cookie leads to: without setting it again."""
    header = {"type": "RegularExpression", "name": "Cookie", "value": pattern(sticky, backend.version)}
    return assigned | {
        "matches": [prefix | {"headers": [header]}],
        "backendRefs": [assigned["backendRefs"][place] | {"weight": 1}],
    }


def _setting(ref: Json, sticky: Sticky, backend: Backend) -> Json:
    """A backend that sets the cookie beside what the server itself sets. It ends by Max-Age, for gateways take a comma
    (as in Expires) for the end of a value."""
    told = f"{sticky.cookie}={value(sticky, backend.version)}; Max-Age={sticky.seconds}; Path={sticky.path}"
    cookie = {"name": "Set-Cookie", "value": f"{told}; HttpOnly; SameSite=Lax"}
    (own, *others) = ref["filters"]
    headers = own["responseHeaderModifier"] | {"add": [cookie]}
    return ref | {"filters": [own | {"responseHeaderModifier": headers}, *others]}


def _told(rule: Json, user: str) -> Json:
    header = {"set": [{"name": USER_HEADER, "value": user}]}
    return rule | {
        "filters": [*rule.get("filters", []), {"type": "RequestHeaderModifier", "requestHeaderModifier": header}]
    }
