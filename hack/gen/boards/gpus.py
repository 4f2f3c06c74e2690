"""GPUs: how much of them a Deployment holds and uses, and what a prediction costs by that. From NVIDIA's dcgm-exporter.

Its series name the pod that holds a GPU: as `pod`, or as `exported_pod` where Prometheus keeps that name for the
exporter's own. Whose pod it is, the `up` of Fairlead's pods says. A GPU, or an instance of one (MIG), counts as its
part of that GPU's memory; so what Deployments hold and what nobody holds add up to the GPUs that there are.
"""

from __future__ import annotations

from hack.gen.boards import predictions
from hack.gen.boards.queries import HERE, WHO
from hack.gen.panels import Panel

DCGM = "DCGM"
PRICE = "price"
METRICS = (
    "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_POWER_USAGE",
)  # fmt: skip
"""Those of the exporter's default list that are asked for."""
LABELS = ("UUID", "GPU_I_ID", "pod", "exported_pod", "exported_namespace")
BY = f"{WHO}, version"
_OWN = f"group by (namespace, pod, {BY.removeprefix('namespace, ')}) (up{{{HERE}}})"


def _held(expression: str) -> str:
    """Of the pods of the Deployment."""
    named = expression
    for label in ("pod", "namespace"):
        named = f'label_replace({named}, "{label}", "$1", "exported_{label}", "(.+)")'
    return f"{named} * on (namespace, pod) group_left (deployment, version) {_OWN}"


_MEMORY = "DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE"
SHARE = f"({_MEMORY}) / on (UUID) group_left () sum by (UUID) ({_MEMORY})"
"""Of a GPU, by GPU or instance."""
_BUSY = "(DCGM_FI_DEV_GPU_UTIL or on (UUID, GPU_I_ID) 100 * DCGM_FI_PROF_GR_ENGINE_ACTIVE)"
"""In percent. An instance has no GPU_UTIL."""
_PREDICTIONS = f"(sum by ({WHO}) ({predictions.rate()}) > 0)"
_COSTS = f"sum by ({WHO}) ({_held(SHARE)}) * on () group_left () (vector(${PRICE}) > 0)"
"""An hour, without a price: nothing."""

PANELS = (
    Panel("Use of GPUs", "How busy the GPUs are that its pods hold, by version.",
          ((f"avg by ({BY}) ({_held(_BUSY)})", "{{version}}"),), unit="percent", most=100, width=8, needs=DCGM),
    Panel("Memory of GPUs", "In use on the GPUs that its pods hold, by version.",
          ((f"sum by ({BY}) ({_held('DCGM_FI_DEV_FB_USED')})", "{{version}}"),), unit="mbytes", width=8, needs=DCGM),
    Panel("GPUs held", "By version, busy or not. An instance (MIG) counts as its part of a GPU's memory.",
          ((f"sum by ({BY}) ({_held(SHARE)})", "{{version}}"),), width=8, needs=DCGM),
    Panel("Cost per 1,000 predictions",
          "GPUs held (all versions, busy or not) times the price of a GPU and hour at the top, over the predictions. "
          "No data without a price: metrics.dashboards.gpuHour of the chart. In the price's currency.",
          ((f"1000 * {_COSTS} / 3600 / {_PREDICTIONS}", "{{deployment}}"),), width=8, needs=DCGM),
    Panel("Cost per hour", "GPUs held times the price of a GPU and hour at the top. In the price's currency.",
          ((_COSTS, "{{deployment}}"),), width=8, needs=DCGM),
    Panel("Energy per 1,000 predictions", "By the power that the GPUs which its pods hold draw; not that of the node.",
          ((f"1000 * sum by ({WHO}) ({_held('DCGM_FI_DEV_POWER_USAGE')}) / 3600 / {_PREDICTIONS}", "{{deployment}}"),),
          unit="watth", width=8, needs=DCGM),
)  # fmt: skip

_ALL = _OWN.replace(HERE, 'deployment!=""')
FLEET = (
    Panel("GPUs of Deployments and of nobody",
          "Nobody: no pod of Fairlead's that the exporter names holds them. With time slicing it names none.",
          ((f"sum by ({WHO}) ({_held(SHARE)})", "{{namespace}}/{{deployment}}"),
           (f"sum({SHARE}) - (sum({_held(SHARE).replace(_OWN, _ALL)}) or vector(0))", "nobody")), width=24, needs=DCGM),
)  # fmt: skip
