"""What the Deployment's Gateway can do of what its spec asks for, and what is done instead.

What the Gateway's class says is asked at the start of each rollout and kept in status, so that all decisions of a
rollout rest on the same answer. A step that asks for the impossible is not begun; everything else goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fairlead.api.deploymentstatus import DeploymentStatus, GatewayState
from fairlead.manifests.route import path_of
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import implementations
from fairlead.plan.deployment.serving.implementations import Ability
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Failed, GatewaySeen, ReadGateway

CONDITION = "GatewayAble"
AGAIN = 60.0
"""Seconds after which a Gateway that can't do what is asked for, or that could not be read, is asked again."""
Mirror = Literal["Route", "Proxy", "None"]


@dataclass(frozen=True)
class Shortfall:
    """Something that the spec asks for and the Gateway can't do."""

    what: str
    """What it can't."""
    instead: str = ""
    """What is done instead; empty: nothing, so that it can't be done."""
    remedy: str = ""
    """What a person can do about it."""


# --- what is known -------------------------------------------------------------------------------------------------


def gateway(look: Look) -> ReadGateway:
    """Where the Deployment's Gateway listens."""
    wanted = look.spec.route.gateway
    return ReadGateway(wanted.namespace or look.namespace, wanted.name)


def known(look: Look) -> GatewayState | None:
    """What the Gateway says of itself: this look's answer, or what an earlier one has kept; None: not asked yet."""
    state: GatewayState | None = look.once("gateway", lambda: _known(look))
    return state


def _known(look: Look) -> GatewayState | None:
    kept, found = look.subject.body.status.gateway, _answered(look)
    if kept and found and not due(look) and found == kept.model_copy(update={"at": found.at}):
        return kept  # asked for its address only: no news, else each look would write the time
    return found


def _answered(look: Look) -> GatewayState | None:
    kept, answer = look.subject.body.status.gateway, look.world.answer(gateway(look))
    if isinstance(answer, GatewaySeen):
        features = implementations.relevant(answer.features) if answer.features else None
        return GatewayState(
            name=_name(look), class_=answer.class_name, controller=answer.controller or _of_route(look),
            features=features, at=look.stamp,
        )  # fmt: skip
    mine = kept is not None and kept.name == _name(look)
    if isinstance(answer, Failed) and answer.reason != "NotAsked":
        return kept.model_copy(update={"at": look.stamp}) if kept and mine else _unread(look)
    return kept if mine else None


def _unread(look: Look) -> GatewayState:
    return GatewayState(name=_name(look), controller=_of_route(look), at=look.stamp)


def _name(look: Look) -> str:
    wanted = gateway(look)
    return f"{wanted.namespace}/{wanted.name}"


def _of_route(look: Look) -> str:
    """The controller that has said something about the route: for an operator that may not read Gateways."""
    wanted = gateway(look)
    for parent in (look.route.get("status") or {}).get("parents") or []:
        ref = parent.get("parentRef", {})
        if (ref.get("namespace", look.namespace), ref.get("name")) == (wanted.namespace, wanted.name):
            return str(parent.get("controllerName", ""))
    return ""


def due(look: Look) -> bool:
    """Whether the Gateway is to be asked: nothing is known, a rollout has begun since, or it fell short."""
    status = look.subject.body.status
    if status.live is None and status.candidate is None:
        return False
    state = status.gateway
    if state is None or state.name != _name(look):
        return True
    if status.candidate and epoch(state.at) < epoch(status.candidate.since):
        return True
    return asks_again(look, status) == 0.0


def asks_again(look: Look, status: DeploymentStatus) -> float | None:
    """Seconds until a Gateway in a rollout's way is asked again; None where there is no need."""
    state = status.gateway
    if status.candidate is None or state is None:
        return None
    short = not state.class_ or any(not one.instead for one in _short(look, state))
    return max(0.0, epoch(state.at) + AGAIN - look.now) if short else None


# --- what can be done ----------------------------------------------------------------------------------------------


def can(look: Look, ability: Ability) -> bool:
    """Whether the Gateway can do something. Of one that is not known, only what every Gateway can is counted on."""
    state = known(look)
    return ability in (_abilities(look, state) if state else implementations.CORE)


def surely_lacks(look: Look, *wanted: Ability) -> Ability | None:
    """The first of these that the Gateway is known not to have."""
    state = known(look)
    if state is None or not implementations.is_known(state.controller, state.features):
        return None
    return next((one for one in wanted if one not in _abilities(look, state)), None)


def _abilities(look: Look, state: GatewayState) -> frozenset[Ability]:
    return implementations.abilities(state.controller, state.features, look.grpc)


def mirrors(look: Look) -> Mirror:
    """Who copies requests in a step with `shadow`: a filter of the route, or the proxy beside the live version's
    server, or nobody: then such a step can't begin."""
    state = known(look)
    return _mirrors(look, state) if state else "None"


def _mirrors(look: Look, state: GatewayState) -> Mirror:
    has = _abilities(look, state)
    whole = all(step.shadow == "100%" for step in look.spec.rollout.steps if step.shadow)
    if Ability.MIRROR_SHARE in has or (whole and Ability.MIRROR in has):
        return "Route"
    return "Proxy" if Ability.MARK in has and look.spec.recorded is not None else "None"


def in_the_way(look: Look, step: int) -> Problem | None:
    """Why a step can't begin."""
    shadow = look.spec.rollout.steps[step].shadow
    state = known(look)
    if state is None:
        return Problem("GatewayUnknown", f"Gateway {_name(look)} has not been asked yet whether it mirrors requests") \
            if shadow else None  # fmt: skip
    missing = [*_missing_always(look, state), *([] if not shadow else _missing_copies(look, state))]
    lost = next((one for one in missing if not one.instead), None)
    return Problem("GatewayUnable", _sentence(state, lost)) if lost else None


# --- what falls short ----------------------------------------------------------------------------------------------


def _short(look: Look, state: GatewayState) -> list[Shortfall]:
    """All that the spec asks for and the Gateway can't."""
    shadow = any(step.shadow for step in look.spec.rollout.steps)
    return [*_missing_always(look, state), *(_missing_copies(look, state) if shadow else [])]


def _missing_always(look: Look, state: GatewayState) -> list[Shortfall]:
    """What each route needs. Of a Gateway that says nothing of itself, its answer to the route tells."""
    if not implementations.is_known(state.controller, state.features):
        return []
    has, found = _abilities(look, state), []
    if look.grpc and Ability.GRPC not in has:
        found.append(Shortfall(Ability.GRPC, remedy="set spec.route.protocol: HTTP, or name another Gateway"))
    if not look.grpc and Ability.REWRITE not in has and path_of(look.spec.route, look.namespace, look.name) != "/":
        found.append(Shortfall(
            Ability.REWRITE, remedy="give the Deployment a host of its own, with spec.route.path: /",
        ))  # fmt: skip
    if Ability.ANSWER_HEADERS not in has:
        found.append(Shortfall(Ability.ANSWER_HEADERS, "answers don't say which version they are from"))
    return found


def _missing_copies(look: Look, state: GatewayState) -> list[Shortfall]:
    how = _mirrors(look, state)
    if how == "Route":
        return []
    what = Ability.MIRROR_SHARE if Ability.MIRROR in _abilities(look, state) else Ability.MIRROR
    if how == "Proxy":
        return [Shortfall(what, "the proxy beside the live version's server makes the copies")]
    if look.spec.recorded is None and Ability.MARK in _abilities(look, state):
        remedy = "set spec.record: then the proxy beside the live version's server makes the copies"
    else:
        remedy = "take the steps with shadow out, or name another Gateway in spec.route.gateway"
    return [Shortfall(what, remedy=remedy)]


def _sentence(state: GatewayState, short: Shortfall) -> str:
    then = f": {short.instead}" if short.instead else f", and nothing can stand in for it; {short.remedy}"
    return f"{_who(state)} can't {short.what}{then}"


def _who(state: GatewayState) -> str:
    return f"Gateway {state.name}" + (f" (class {state.class_})" if state.class_ else "")


def tell(look: Look, told: Conditions, status: DeploymentStatus) -> GatewayState | None:
    """Set the condition. Returns what is known of the Gateway, to be kept."""
    state = known(look)
    if (status.live is None and status.candidate is None) or state is None:
        told.drop(CONDITION)
        return state
    found = _short(look, state)
    words = "; ".join(_sentence(state, short) for short in found)
    if any(not short.instead for short in found):
        told.set(CONDITION, False, "Unable", words)
    elif found:
        told.set(CONDITION, True, "Replaced", words)
    elif not implementations.is_known(state.controller, state.features):
        told.set(CONDITION, None, "NotListed", f"{_who(state)} does not say what it can do: no more than weights and "
                 "header matches is counted on")  # fmt: skip
    else:
        told.set(CONDITION, True, "Able", f"{_who(state)} can do all that is asked for")
    return state
