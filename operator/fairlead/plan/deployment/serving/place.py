"""Whether a Deployment may have its route where its spec says. Where it may not, it keeps what it had, or has none."""

from __future__ import annotations

from fairlead.api.deployment import Route
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.plan.core import DEPLOYMENT, Claim
from fairlead.plan.deployment import claims
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.serving.pods import Problem


def claim(look: Look, state: State) -> tuple[State, Problem | None]:
    """Hold what the spec wants; with why that can't be."""
    mine, kept = claims.of_body(look.subject.raw, look.subject.body), state.status.claimed
    wanted = mine[-1]
    problem = _refused(look, wanted)
    if problem is None:
        if kept and claims.is_for(kept, look.spec.route, look.namespace, look.name):
            return state, None
        since = wanted.since if wanted.held else look.now
        return state.having(claimed=claims.claimed(look.spec.route, look.namespace, look.name, since)), None
    had = mine[0] if len(mine) > 1 else None
    if had and not _refused(look, had):
        return state, Problem(problem.reason, f"{problem.message}; until then its route stays at {_where(had)}")
    return state.having(claimed=None), Problem(problem.reason, f"{problem.message}; until then it has no route")


def route_of(look: Look, status: DeploymentStatus) -> Route | None:
    """The route that it may have; None: none, or not yet: a protocol that has just been granted begins at the next
    look."""
    kept = status.claimed
    if kept is None or (kept.protocol == "GRPC") != look.grpc:
        return None
    if claims.is_for(kept, look.spec.route, look.namespace, look.name):
        return look.spec.route
    return claims.route_of(kept)


def _refused(look: Look, wanted: Claim) -> Problem | None:
    rules, others = look.world.config.routes, look.world.claims(DEPLOYMENT, wanted)

    def find() -> Problem | None:
        why = claims.not_allowed(wanted, rules)
        if why:
            return Problem("PathNotAllowed", why)
        first = claims.in_the_way(wanted, others, rules)
        if first is None:
            return None
        return Problem(
            "RouteConflict",
            f"spec.route: {_where(wanted)} takes requests of Deployment {first.namespace}/{first.name}, which "
            "has had them longer; choose another path or host, or take that one away",
        )  # fmt: skip

    memo = look.world.memo
    found: Problem | None = memo.of(("claim", look.subject.meta.uid, wanted), others, find) if memo else find()
    return found


def _where(one: Claim) -> str:
    return f"{one.host}{one.path}" if one.host else one.path
