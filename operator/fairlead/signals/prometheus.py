"""Instant queries to Prometheus."""

from __future__ import annotations

from math import isfinite
from typing import Any

from fairlead.api import foreign
from fairlead.manifests.alerts import fingerprint
from fairlead.manifests.meta import short_hash
from fairlead.plan.requests import PromQuery, ReadRules, RulesSeen, Vector
from fairlead.signals.budget import Budget
from fairlead.signals.counts import is_count
from fairlead.signals.errors import SignalError
from fairlead.signals.http import Outside, Reply, fetch

QUERY_SECONDS = 2.0
"""Short: other guards of the same rollout wait for it."""
QUERY_LIMIT = 8 * 1024 * 1024
_ANEW = {"Connection": "close"}
"""A connection that is kept would stay with whoever had the Service's address when it was made: after a restart of
Prometheus that may be nobody, or somebody else."""
_REMEDY = "name a metric, with labels in braces"
_REMEDIES = {
    "matrix": "write it without a [range]",
    "scalar": f"a number has no labels; {_REMEDY}",
    "string": f"a text is no value; {_REMEDY}",
}


async def query(outside: Outside, request: PromQuery) -> Vector:
    """The series of an instant vector now. Raises SignalError."""
    url = request.url.rstrip("/") + "/api/v1/query"

    def read(reply: Reply, budget: Budget) -> Vector:
        data = _data(url, reply, request.expression)
        kind = data.get("resultType")
        if kind != "vector":
            remedy = _REMEDIES.get(str(kind), _REMEDY)
            raise SignalError(
                "BadQuery", f"{request.expression!r} gives a {str(kind)[:40]}, not an instant vector: {remedy}."
            )
        return _vector(data.get("result"), url, request.signed, budget)

    return await fetch(
        outside, "POST", url, read, seconds=QUERY_SECONDS, limit=QUERY_LIMIT, data={"query": request.expression},
        headers=_ANEW,
    )  # fmt: skip


async def rules(outside: Outside, request: ReadRules) -> RulesSeen:
    """The alert rules that are loaded in some groups. Raises SignalError."""
    url = request.url.rstrip("/") + "/api/v1/rules"
    asked = [("type", "alert"), *(("rule_group[]", group) for group in request.groups)]

    def read(reply: Reply, _budget: Budget) -> RulesSeen:
        groups = _data(url, reply, "the rules").get("groups")
        try:
            return RulesSeen(tuple(
                (group["name"], fingerprint(rule["name"], rule.get("labels") or {}, rule.get("annotations") or {}),
                 str(rule.get("lastError") or "")[:300])
                for group in groups or [] if group["name"] in request.groups for rule in group["rules"]
            ))  # fmt: skip
        except (TypeError, KeyError, AttributeError) as error:
            raise SignalError("NotPrometheus", f"{url} answered a malformed list of rules.") from error

    return await fetch(
        outside, "GET", url, read, seconds=QUERY_SECONDS, limit=QUERY_LIMIT, params=asked, headers=_ANEW
    )  # fmt: skip


def _data(url: str, reply: Reply, expression: str) -> dict[str, Any]:
    """`data` of a successful answer."""
    try:
        body = foreign.parse(reply.body, length=QUERY_LIMIT)
    except ValueError:
        body = None
    if not isinstance(body, dict) or "status" not in body:
        raise SignalError(
            "NotPrometheus",
            f"{url} answered {reply.status}, and not as Prometheus does. Check prometheus.url of the installation.",
        )
    if body["status"] != "success":
        words = str(body.get("error", ""))[:300]
        if body.get("errorType") in ("bad_data", "execution"):
            raise SignalError("BadQuery", f"Prometheus refused {expression!r}: {words}. Correct the expression.")
        raise SignalError("HttpStatus", f"Prometheus failed ({reply.status}): {words}. Look at its log and its load.")
    data = body.get("data")
    return data if isinstance(data, dict) else {}


def _vector(result: Any, url: str, signed: bool, budget: Budget) -> Vector:
    series: list[tuple[str, float]] = []
    unusable = 0
    for entry in result if isinstance(result, list) else []:
        budget.check()
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
