"""The version before as a server beside a join, to be asked once more. It runs as in an evaluation: its bytes are
verified before they are loaded, and it sees its own secrets only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fairlead.api.modelversion import ModelVersion
from fairlead.api.tasks import MODEL, FetchTask, Subject
from fairlead.api.units import seconds
from fairlead.manifests import evaluation, limits, pod, presets, server, serverpod
from fairlead.manifests.meta import Json
from fairlead.plan import store
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.model import identity

NAME = "before"
PORT = 8080
"""Where a server listens that is told where."""


@dataclass(frozen=True)
class Beside:
    """What a pod has besides its worker."""

    subject: Subject
    """As the worker is told of it."""
    ready_timeout: float
    init: list[Json]
    """`fetch`, and the server."""
    volumes: list[Json]
    more: dict[str, Any] = field(default_factory=dict)
    """What it asks of the pod: arguments of `pod.pod_spec`."""


def of(look: Look, version: str) -> Beside | None:
    """A version's server; None: nobody can have a pod of it now."""
    found = versions.read(look, version)
    if found is None:
        return None
    try:
        return _made(look, version, found)
    except presets.Unservable:
        return None


def _made(look: Look, version: str, found: ModelVersion) -> Beside:
    config, own = look.world.config, found.spec.server
    server.check(own, False, config)
    port = own.port or PORT
    fetch, volumes = _fetch(look, found)
    made = server.server_container(
        own, found.spec.model, port, port + 2, config, name=NAME, volume=NAME if fetch else None
    )  # fmt: skip
    subject = Subject(
        subject="before", version=version, url=f"http://127.0.0.1:{port}", name=found.spec.model, ready=own.ready,
        sha256=identity.model_digest(found.spec),
    )  # fmt: skip
    more = {"placement": own, "gpu": own.resources.gpu, **serverpod.fields(own)}
    timeout = seconds(own.timeout)
    return Beside(
        subject, timeout, [*fetch, evaluation.sidecar(made)], [*volumes, *serverpod.volumes(own)], more
    )  # fmt: skip


def _fetch(look: Look, found: ModelVersion) -> tuple[list[Json], list[Json]]:
    """The container that brings the model, and the volumes for it; nothing where the image is the model."""
    artifact, config = found.spec.artifact, look.world.config
    if artifact is None:
        return [], []
    item, secret = store.artifact(artifact, config, MODEL)
    made = pod.worker(
        evaluation.FETCH, config.images.worker, "fetch", FetchTask(items=[item]), credentials=[secret],
        mounts=[pod.mount(NAME, MODEL)], limits=limits.reading(config.jobs),
    )  # fmt: skip
    secrets = [pod.credentials_volume(secret)] if secret else []
    return [made], [pod.empty_dir(NAME), *secrets]
