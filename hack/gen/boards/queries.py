"""What several dashboards ask Prometheus for."""

from __future__ import annotations

HERE = 'namespace=~"$namespace",deployment=~"$deployment"'
WHO = "namespace, deployment"
SPACE = 'namespace=~"$namespace"'


def latest(metric: str, by: str = WHO, where: str = HERE) -> str:
    """One value an object: with two replicas, after a change of the leader, the old one's may still be there."""
    return f"max by ({by}) ({metric}{{{where}}})"


def against(metric: str) -> str:
    """Evidence as a share of its bound."""
    by = f"{WHO}, version, guard"
    return f"clamp_min({latest(metric, by)} / {latest(f'{metric}_bound', by)}, 0)"
