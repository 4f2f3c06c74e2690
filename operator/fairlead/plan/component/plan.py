"""A Component: it is checked against itself. It has no children, and nothing of it runs before a Pipeline uses it."""

from __future__ import annotations

from fairlead.api.component import Component
from fairlead.api.kinds import KINDS
from fairlead.plan import standing, terse
from fairlead.plan.component.check import check
from fairlead.plan.component.digest import digest
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import COMPONENT, KindSpec, Plan, Subject, World


def plan(subject: Subject[Component], _world: World, now: float) -> Plan:
    """What is said of it. Raises Invalid for one that makes no sense; Pipelines don't use it then."""
    spec = subject.body.spec
    check(spec)
    conditions = Conditions(subject.body.status.conditions, now, subject.meta.generation)
    message = f"version {spec.version} can be used {_by(spec.allowed_namespaces)}"
    standing.tell(conditions, standing.ready("Valid", message))
    status = subject.body.status.model_copy(
        update={
            "phase": "Ready", "message": message[:1024], "digest": digest(spec), "version": spec.version,
            "observed_generation": subject.meta.generation, **conditions.said(),
        }
    )  # fmt: skip
    return Plan(status)


def _by(namespaces: list[str]) -> str:
    if "*" in namespaces:
        return "in all namespaces"
    return f"in this namespace and in {', '.join(sorted(namespaces))}" if namespaces else "in this namespace"


SPEC: KindSpec[Component] = KindSpec(
    kind=COMPONENT,
    info=next(info for info in KINDS if info.model is Component),
    plan=plan,
    smaller=terse.forms,
)
