"""Golden rows: what each new server of a version must answer before its pod gets traffic, and which versions have
none."""

from __future__ import annotations

from fairlead.api.common import S3Access
from fairlead.api.modelversion import Golden as Wanted
from fairlead.api.modelversion import ModelVersion
from fairlead.api.tasks import MODEL, GoldenTask, ProfileAt
from fairlead.api.units import share
from fairlead.manifests import presets
from fairlead.manifests.recorder import Golden
from fairlead.plan import store
from fairlead.plan.conditions import quoted
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import gate, pods
from fairlead.plan.deployment.serving.pods import Problem


def of(look: Look, version: str) -> Golden | None:
    """What is asked for; None: nothing."""
    found = versions.read(look, version)
    if found is None or not is_wanted(look) or unasked(look, version) is not None:
        return None
    server, model, wanted = found.spec.server, found.spec.model, found.spec.golden or Wanted()
    at, credentials = _document(look, found, wanted)
    infer = presets.infer_path(server, model)
    assert infer
    task = GoldenTask(
        at=at, file=f"{MODEL}/{wanted.file}" if wanted.file else "", tolerance=share(wanted.tolerance),
        proven=not (wanted.file or wanted.uri), port=presets.GOLDEN_PORT, server=presets.port(server),
        ready=presets.ready_path(server, model), infer=infer,
    )  # fmt: skip
    return Golden(task, credentials)


def _document(look: Look, version: ModelVersion, wanted: Wanted) -> tuple[ProfileAt | None, str | None]:
    """Where they lie in a store, and the Secret that opens it."""
    proof = version.status.evidence
    kept = proof.golden if proof else None
    uri, digest = (wanted.uri, wanted.digest) if wanted.uri else (kept.uri, kept.digest) if kept else (None, None)
    if wanted.file or not (uri and digest):
        return None, None
    reach = store.reach(S3Access(), look.world.config)
    return ProfileAt(access=reach.access(), uri=uri, sha256=digest), reach.credentials


def is_wanted(look: Look) -> bool:
    """Whether the Deployment wants new pods to be asked."""
    return look.spec.monitors is not None and "skew" not in look.spec.monitors.without


def unasked(look: Look, version: str) -> Problem | None:
    """Why a version's pods are not asked for golden rows; None: they are."""
    found = versions.read(look, version)
    if found is None:
        return Problem("VersionMissing", f"nobody knows the golden rows of {version}: its ModelVersion is gone")
    server, wanted, proof = found.spec.server, found.spec.golden, found.status.evidence
    if look.grpc:
        return Problem("OnlyGrpc", "golden rows are asked for by HTTP, and requests come by gRPC")
    if server.protocol != "oip":
        return Problem("OtherProtocol", f"golden rows are asked for by the Open Inference Protocol; the server of "
                       f"{version} speaks {server.protocol}")  # fmt: skip
    if presets.port(server) == presets.GOLDEN_PORT:
        return Problem("PortTaken", f"the server of {version} listens on port {presets.GOLDEN_PORT}, where is asked "
                       "whether it answers golden rows: let it listen elsewhere")  # fmt: skip
    if (wanted and (wanted.file or wanted.uri)) or (proof and proof.golden):
        return None
    return Problem("NoGoldenRows", f"{version} has no golden rows{_why(look, version)}: an evaluation of a new "
                   "ModelVersion keeps some, or its spec.golden names some")  # fmt: skip


def _why(look: Look, version: str) -> str:
    """What its evaluation says of that."""
    status = (versions.record(look, version) or {}).get("status") or {}
    said = (status.get("evidence") or {}).get("noGolden")
    return f" ({quoted(str(said), 400)})" if said else ""


def skewed(look: Look, version: str) -> Problem | None:
    """A pod that does not answer as it should: it gets no traffic, and nor should another one of its kind."""
    found = (pods.tried(look, pod) for pod in pods.of(look, version) if not pod.ready)
    differs = next((one for one in found if one and one.differs), None)
    return Problem(gate.SKEW, gate.told(version, differs)) if differs else None
