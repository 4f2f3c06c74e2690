"""Whether Prometheus has loaded the alert rules that were made for a Deployment.

That a PrometheusRule is there says nothing: prometheus-operator leaves out one that it does not understand, or that its
`ruleSelector` does not select, and nobody is called then. So Prometheus itself is asked: soon after the rules have
changed, and once an hour afterwards.
"""

from __future__ import annotations

from fairlead.api.deploymentstatus import AlertsSeen, DeploymentStatus
from fairlead.manifests import alerts
from fairlead.manifests.meta import short_hash
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import Json, epoch
from fairlead.plan.deployment import children, versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.requests import Failed, ReadRules, RulesSeen

CONDITION = "AlertsLoaded"
SOON, AGAIN, RARELY = 20.0, 60.0, 3600.0
"""Seconds between questions: while rules may be on their way, while they are missing, and when they are there."""
ON_THE_WAY = 300.0
"""Seconds that rules may take: prometheus-operator writes them, the kubelet brings them, Prometheus reloads."""


def requests(look: Look, status: DeploymentStatus) -> list[ReadRules]:
    """The question, if it is due."""
    if asks_again(look, status) != 0.0:
        return []
    found = rules(look, status)
    return [_question(look, found)] if found else []


def _at_rest(look: Look, status: DeploymentStatus) -> bool:
    """Whether nothing that the rules are made from has changed and no question is due: most looks need no more."""
    seen, live = status.alerts, status.live
    return (
        _heard_of(look) and seen is not None and live is not None and seen.version == live.version
        and look.subject.body.status.observed_generation == look.subject.meta.generation
        and asks_again(look, status) != 0.0
    )  # fmt: skip


def rules(look: Look, status: DeploymentStatus) -> Json | None:
    """What Prometheus shall have; None without one to ask."""
    return children.alert_rules(look, status) if _heard_of(look) else None


def _heard_of(look: Look) -> bool:
    """Whether rules are made, and there is one to ask about them."""
    config = look.world.config.prometheus
    return bool(config.enabled and config.url)


def digest(found: Json) -> str:
    """Names the rules by what can be seen of them in Prometheus."""
    wanted = alerts.wanted(found)
    return short_hash(*(f"{group}/{one}" for group in sorted(wanted) for one in sorted(wanted[group])), length=16)


def _question(look: Look, found: Json) -> ReadRules:
    return ReadRules(str(look.world.config.prometheus.url), tuple(sorted(alerts.wanted(found))), look.namespace)


def asks_again(look: Look, status: DeploymentStatus) -> float | None:
    """Seconds until the next question; None where there is nothing to ask."""
    seen = status.alerts
    if seen is None:
        return None
    pause = RARELY if seen.loaded else SOON if look.now < epoch(seen.since) + ON_THE_WAY else AGAIN
    return max(0.0, epoch(seen.asked or seen.since) + pause - look.now)


def tell(look: Look, told: Conditions, status: DeploymentStatus) -> AlertsSeen | None:
    """Set the condition. Returns what is known, to be kept."""
    if _at_rest(look, status):
        return status.alerts
    found = rules(look, status)
    if found is None or status.live is None:
        told.drop(CONDITION)
        return None
    seen, mark = status.alerts, digest(found)
    if seen is None or seen.rules != mark:
        told.set(CONDITION, None, "NotLoadedYet", "the alert rules are new; Prometheus loads them within minutes")
        seen = AlertsSeen(rules=mark, since=look.stamp)
    seen = seen.model_copy(update={"version": status.live.version})
    answer = look.world.answer(_question(look, found))
    if isinstance(answer, RulesSeen):
        return _heard(look, told, seen, found, answer)
    if isinstance(answer, Failed) and answer.reason != "NotAsked":
        told.set(CONDITION, None, answer.reason, f"Prometheus does not say which rules it has: {answer.message}")
        return seen.model_copy(update={"asked": look.stamp})
    return seen


def _heard(look: Look, told: Conditions, seen: AlertsSeen, found: Json, answer: RulesSeen) -> AlertsSeen:
    wanted = {(group, one) for group, ones in alerts.wanted(found).items() for one in ones}
    missing = wanted - {(group, one) for group, one, _ in answer.rules}
    failing = next((error for group, one, error in answer.rules if error and (group, one) in wanted), "")
    name = found["metadata"]["name"]
    left_out = _left_out(look, seen.version)
    if missing and look.now < epoch(seen.since) + ON_THE_WAY:
        told.set(CONDITION, None, "NotLoadedYet", "the alert rules are new; Prometheus loads them within minutes")
    elif missing:
        told.set(CONDITION, False, "NotLoaded", _advice(look, name, len(missing), len(wanted)))
    elif failing:
        told.set(CONDITION, False, "Failing", f"Prometheus can't evaluate a rule of PrometheusRule {name}: {failing}")
    elif left_out:
        told.set(CONDITION, False, "BadSelector", left_out)
    else:
        told.set(CONDITION, True, "Loaded", f"Prometheus has all {len(wanted)} alert rules")
    return seen.model_copy(update={"asked": look.stamp, "loaded": not missing and not failing})


def _left_out(look: Look, version: str | None) -> str:
    """Which alert was not made, and why; empty if all were."""
    live = versions.read(look, version or "")
    why = alerts.unwritten(live.spec.server, look.grpc) if live else ""
    return why and (
        f"FairleadErrorBudgetBurn is not among the alert rules: {version}: {why}. Prometheus would refuse all rules "
        "with it; the next version can name its counters otherwise"
    )


def _advice(look: Look, name: str, missing: int, of: int) -> str:
    return (
        f"Prometheus at {look.world.config.prometheus.url} has not loaded {missing} of {of} alert rules, so nobody is "
        f"called. See whether prometheus-operator refused them (kubectl describe prometheusrule {name} -n "
        f"{look.namespace}, and its log), and whether Prometheus' ruleSelector selects them (prometheus.labels of the "
        "installation)"
    )
