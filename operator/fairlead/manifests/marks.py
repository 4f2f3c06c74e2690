"""Which labels and annotations a server's pods may have besides Fairlead's own.

NetworkPolicies and Services select by labels, and what clusters inject into pods follows labels and annotations: with
a cloud's role, another network or another sidecar a pod is more than the restricted one that a ModelVersion may ask
for. So keys with a domain are allowed by name; the installation adds those that are harmless there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fairlead.api.config import OperatorConfig
from fairlead.api.server import Server
from fairlead.manifests.presets import Unservable

LABELS = (
    "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/component",
    "app.kubernetes.io/part-of", "sidecar.istio.io/inject",
)  # fmt: skip
"""Labels with a domain that every installation allows."""
ANNOTATIONS = (
    "prometheus.io/", "sidecar.istio.io/inject", "linkerd.io/inject", "karpenter.sh/do-not-disrupt",
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
)  # fmt: skip
"""Annotations with a domain that every installation allows. With a slash at the end: all of that domain."""


class NotAllowed(Unservable):
    """A label or an annotation that the installation does not allow."""

    reason = "NotAllowed"


def check(server: Server, config: OperatorConfig) -> None:
    """Raises NotAllowed."""
    for what, wanted, allowed in (
        ("labels", server.labels, (*LABELS, *config.pods.labels.allowed)),
        ("annotations", server.annotations, (*ANNOTATIONS, *config.pods.annotations.allowed)),
    ):
        refused = sorted(_refused(wanted, allowed))
        if refused:
            raise NotAllowed(
                f"spec.server.{what} has {', '.join(refused[:3])}, which this installation does not allow: leave it "
                f"out in a new ModelVersion, or have it added to pods.{what}.allowed of the installation's values"
            )


def _refused(wanted: Mapping[str, str], allowed: Iterable[str]) -> Iterable[str]:
    entries = tuple(allowed)
    for key in wanted:
        if "/" in key and not any(key == one or (one.endswith("/") and key.startswith(one)) for one in entries):
            yield key
