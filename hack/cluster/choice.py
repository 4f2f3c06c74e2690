"""Which cluster `make demo` uses when nobody says so: the fast way where there is one. It asks nothing, and says what
it does and what else could be had."""

from dataclasses import dataclass
from pathlib import Path

from hack.cluster.progress import clock

KIND_S, OWN_S = 240.0, 120.0
"""Seconds until the stack is installed in a new cluster of kind, and in a cluster of the user's own."""
OWN = "FAIRLEAD_KUBECONFIG=… make demo"


@dataclass(frozen=True)
class Choice:
    """The kind of cluster (`own`, `kind`, `local`), and the line that says so."""

    kind: str
    text: str


def choose(*, own: Path | None, named: str, recorded: str, kind: bool, local_s: float) -> Choice:
    """`own`: the kubeconfig of FAIRLEAD_KUBECONFIG; `named`: what CLUSTER says; `recorded`: the kind of the cluster
    that was made before; `kind`: whether Docker and kind can be used; `local_s`: seconds that the local one takes."""
    if own:
        return Choice("own", f"the cluster of {own}: nothing is built but images")
    local = f"CLUSTER=local make demo builds a Kubernetes from source, about {clock(local_s)}"
    if named == "kind" or (not named and recorded == "kind"):
        return Choice("kind", f"kind's cluster, as {'CLUSTER says' if named else 'before'}")
    if not named and not recorded and kind:
        return Choice("kind", f"Docker and kind are here: a cluster of kind's, about {clock(KIND_S)} ({local})")
    others = [f"a cluster of your own, about {clock(OWN_S)}: {OWN}"]
    if kind:
        others.insert(0, f"kind, about {clock(KIND_S)}: CLUSTER=kind make demo")
    return Choice("local", f"a Kubernetes of its own on this machine, about {clock(local_s)} (or {'; '.join(others)})")
