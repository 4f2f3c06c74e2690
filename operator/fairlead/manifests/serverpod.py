"""What a model server asks of its pod, in production and in an evaluation: variables, files, rights, placement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairlead.api.ownserver import ConfigFiles, Spread
from fairlead.api.server import Server
from fairlead.api.units import seconds
from fairlead.manifests import pod, presets
from fairlead.manifests.meta import Json, short_hash

GRACE = 30
"""Seconds that a server has to finish what it has begun, unless it says otherwise."""
HOSTNAME = "kubernetes.io/hostname"


def env(server: Server, told: Mapping[str, str]) -> dict[str, str]:
    """A server's variables. told: what Fairlead tells it, its port among them; nobody overrides that.

    Kubernetes expands `$(NAME)` in a value from the variables before it. So what is told comes first where a value asks
    for one, and each of its own after those that are written before it; where none does the order has no meaning, and
    stays as it was: pods must not be made anew for it.
    """
    defaults = dict(presets.preset(server).defaults)
    own = {variable.name: variable.value for variable in server.env}
    if any("$(" in value for value in own.values()):
        first = {name: value for name, value in defaults.items() if name not in own}
        return dict(told) | first | {name: value for name, value in own.items() if name not in told}
    return defaults | own | dict(told)


def mounts(server: Server) -> list[Json]:
    """Of Secrets and ConfigMaps, in the server's container."""
    secrets = [pod.secret_mount(name) for name in server.secrets]
    return [*secrets, *(pod.mount(_volume_name(one), one.path, read_only=True) for one in server.files)]


def volumes(server: Server) -> list[Json]:
    """The volumes of `mounts`."""
    files = [
        {"name": _volume_name(one), "configMap": {"name": one.config_map, "defaultMode": 0o440}} for one in server.files
    ]
    return [*map(pod.secret_volume, server.secrets), *files]


def _volume_name(files: ConfigFiles) -> str:
    return f"files-{short_hash(files.config_map)}"


def fields(server: Server) -> Json:
    """Fields of the pod's spec: as whom it runs, in what, and with which Secrets its images are pulled."""
    found: Json = {}
    if server.service_account:
        found |= {"serviceAccountName": server.service_account, "automountServiceAccountToken": True}
    if server.runtime_class:
        found["runtimeClassName"] = server.runtime_class
    return found | pull_secrets([server])


def priority(server: Server) -> Json:
    """How important its pods are in production. Evaluations put nobody out."""
    return {"priorityClassName": server.priority_class} if server.priority_class else {}


def pull_secrets(servers: Sequence[Server]) -> Json:
    """The Secrets that the images of all of them are pulled with."""
    names = dict.fromkeys(name for server in servers for name in server.image_pull_secrets)
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def grace(server: Server) -> int:
    """Seconds that it has to finish what it has begun."""
    return round(seconds(server.stop.after)) if server.stop else GRACE


def spread(server: Server, selector: Mapping[str, str]) -> list[Json]:
    """Over what the pods with these labels are spread."""
    wanted = server.spread or [Spread(topology_key=HOSTNAME)]
    return [
        {
            "maxSkew": one.max_skew or 1, "topologyKey": one.topology_key,
            "whenUnsatisfiable": one.when_unsatisfiable or "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(selector)},
        }
        for one in wanted
    ]  # fmt: skip
