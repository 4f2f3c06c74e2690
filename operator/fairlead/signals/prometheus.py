"""Instant queries to Prometheus."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import aiohttp

from fairlead.manifests.alerts import fingerprint
from fairlead.manifests.meta import short_hash
from fairlead.plan.core import PromQuery, ReadRules, RulesSeen, Vector
from fairlead.signals.counts import is_count
from fairlead.signals.errors import SignalError
from fairlead.signals.http import Reply, fetch

QUERY_SECONDS = 2.0
"""Short: other guards of the same rollout wait for it."""
QUERY_LIMIT = 8 * 1024 * 1024
_ANEW = {"Connection": "close"}
"""A connection that is kept would stay with whoever had the Service's address when it was made: after a restart of
Prometheus that may be nobody, or somebody else."""
_REMEDY = "name a metric, with labels in braces"
_REMEDIES = {
    "matrix": "write it without a [range]",
    "scalar": f"a number belongs to no version; {_REMEDY}",
    "string": f"a text belongs to no version; {_REMEDY}",
}


async def query(session: aiohttp.ClientSession, request: PromQuery) -> Vector:
    """The series of an instant vector now. Raises SignalError."""
    url = request.url.rstrip("/") + "/api/v1/query"
    reply = await fetch(
        session, "POST", url, seconds=QUERY_SECONDS, limit=QUERY_LIMIT, data={"query": request.expression},
        headers=_ANEW,
    )  # fmt: skip
    data = _data(url, reply, request.expression)
    kind = data.get("resultType")
    if kind != "vector":
        raise SignalError(
            "BadQuery",
            f"{request.expression!r} gives a {kind}, not an instant vector: {_REMEDIES.get(str(kind), _REMEDY)}.",
        )
    return _vector(data.get("result"), url, request.signed)


async def rules(session: aiohttp.ClientSession, request: ReadRules) -> RulesSeen:
    """The alert rules that are loaded in some groups. Raises SignalError."""
    url = request.url.rstrip("/") + "/api/v1/rules"
    asked = [("type", "alert"), *(("rule_group[]", group) for group in request.groups)]
    reply = await fetch(session, "GET", url, seconds=QUERY_SECONDS, limit=QUERY_LIMIT, params=asked, headers=_ANEW)
    groups = _data(url, reply, "the rules").get("groups")
    try:
        return RulesSeen(tuple(
            (group["name"], fingerprint(rule["name"], rule.get("labels") or {}, rule.get("annotations") or {}),
             str(rule.get("lastError") or "")[:300])
            for group in groups or [] if group["name"] in request.groups for rule in group["rules"]
        ))  # fmt: skip
    except (TypeError, KeyError, AttributeError) as error:
        raise SignalError("NotPrometheus", f"{url} answered a malformed list of rules.") from error


def _data(url: str, reply: Reply, expression: str) -> dict[str, Any]:
    """`data` of a successful answer."""
    try:
        body = json.loads(reply.text)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or "status" not in body:
        raise SignalError(
            "NotPrometheus",
            f"{url} answered {reply.status}, and not as Prometheus does. Check prometheus.url of the installation.",
        )
    if body["status"] != "success":
        words = str(body.get("error", ""))[:300]
        if body.get("errorType") in ("bad_data", "execution"):
            raise SignalError("BadQuery", f"Prometheus refused {expression!r}: {words}. Correct the guard's promql.")
        raise SignalError("HttpStatus", f"Prometheus failed ({reply.status}): {words}. Look at its log and its load.")
    data = body.get("data")
    return data if isinstance(data, dict) else {}


def _vector(result: Any, url: str, signed: bool) -> Vector:
    series: list[tuple[str, float]] = []
    unusable = 0
    for entry in result if isinstance(result, list) else []:
        try:
            labels, value = entry["metric"], float(entry["value"][1])
            key = short_hash(*(f"{name}={labels[name]}" for name in sorted(labels)), length=16)
        except (TypeError, KeyError, IndexError, ValueError, OverflowError) as error:
            raise SignalError("NotPrometheus", f"{url} answered a malformed series: {str(entry)[:80]}.") from error
        if isfinite(value) if signed else is_count(value):
            series.append((key, value))
        else:
            unusable += 1
    return Vector(tuple(sorted(series)), unusable)
