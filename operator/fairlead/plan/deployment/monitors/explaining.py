"""Requests that the live version has answered are explained, by a Job each `every`: its name, its manifest, and what
became of it.

It is recorded in the status before it is made, and what it found is recorded before it is deleted. An attempt whose
answer nobody heard is made again from the same record and draws the same requests, so each window is judged once.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.common import API_VERSION
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.explain import Explain, Explained, ExplainJob
from fairlead.api.modelversion import ModelVersion
from fairlead.api.monitors import Monitored, Monitors
from fairlead.api.tasks import MODEL, ExplainResult, ExplainTask, FetchItem, FetchTask, TaskResult
from fairlead.api.units import seconds
from fairlead.manifests import explanation, limits, marks, presets, serverpod
from fairlead.manifests import job as jobs
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.manifests.server import server_container
from fairlead.plan import store
from fairlead.plan.core import JOB, LABEL_PREFIX, Delete, Json, epoch, rfc3339
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors import budget, contributions
from fairlead.plan.deployment.serving import recording, running
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.jobs import attempt
from fairlead.plan.jobs.attempt import Broken, Counting, Paused, Running
from fairlead.plan.jobs.backoff import USUAL
from fairlead.plan.jobs.failures import INSTALLATION, Failure
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.jobs.record import Budget
from fairlead.plan.model import proof
from fairlead.plan.requests import ReadDocument

FIRST = 600.0
"""Seconds after which requests are explained for the first time, if `every` is not shorter."""
BACK = 86400.0
"""Seconds before, from which requests are drawn then."""
LONGEST = 7 * 86400.0
"""Seconds from which requests are drawn where nothing was explained for long."""
AGAIN = 60.0
"""Seconds between looks while something stands in the way."""
TRIES = 3
"""Attempts that may fail by the model's own fault, in one window."""
BARE = 3
"""From this attempt on the evaluation's rows are not fetched: perhaps they are what is wrong."""
PART = 0.5
"""Of the pod's deadline, that explaining may take: bytes are fetched and the model is loaded before."""
_OWN = ("BadData", "ServerFailed", "Bug")
_LOST = ("ObjectMissing", "DigestMismatch", "CorruptFile")
"""Errors of a reference that is not there any more as it was: another one is made."""


@dataclass(frozen=True)
class Explaining(Counting[ExplainResult]):
    """The recorded attempt."""

    label = "explain"
    lost = "the pod that explained answers is gone, and its answer with it"

    context: Look
    wanted: Explain
    version: str
    explained: Explained

    @property
    def recorded(self) -> ExplainJob:
        """The attempt."""
        assert self.explained.job is not None
        return self.explained.job

    @property
    def main(self) -> str:
        """The container that answers."""
        return explanation.EXPLAIN

    def manifest(self) -> Json | None:
        """The Job as it is made; None if its version, or its rows, are gone."""
        return _manifest(self)

    def answer(self, said: TaskResult) -> ExplainResult | None:
        """What was explained."""
        return said.explain

    def failure(self, found: Found, said: TaskResult | None) -> Failure:  # noqa: ARG002
        """What the model does wrong is its own fault; the rest is the surroundings'."""
        failed = found.failure(None, INSTALLATION)
        return Failure(failed.reason, failed.message, "own" if failed.reason in _OWN else "cluster")

    def budget(self, failure: Failure) -> Budget:
        """An answer that can't be read, and what the model does wrong, is tried a few times a window."""
        job = self.recorded
        if failure.fault == "own":
            return Budget(USUAL.after(job.attempt), "failures", job.failures + 1, TRIES)
        return super().budget(failure)


LABEL = LABEL_PREFIX + Explaining.label
"""Label of Jobs and pods: the Deployment whose answers are explained."""


# --- one look ------------------------------------------------------------------------------------------------------


def go_on(look: Look, spec: Monitors, kept: Monitored) -> Monitored:
    """After what became of the Job, or with the next one."""
    wanted = spec.explain
    if wanted is None:
        return kept if kept.explained is None else kept.model_copy(update={"explained": None})
    explained = kept.explained or _first(look, wanted)
    return kept.model_copy(update={"explained": _advanced(look, spec, wanted, kept.version, explained)})


def _first(look: Look, wanted: Explain) -> Explained:
    return Explained(next_at=rfc3339(look.now + min(FIRST, seconds(wanted.every))))


def _advanced(look: Look, spec: Monitors, wanted: Explain, version: str, explained: Explained) -> Explained:
    mine = Explaining(look, wanted, version, explained)
    if explained.job is None:
        return explained if _left(look, wanted, explained) > 0 else _begun(mine, spec)
    seen = attempt.look(mine)
    if isinstance(seen, Paused):
        return explained if seen.left > 0 else _again(mine)
    if isinstance(seen, Running):
        return _running(mine, seen)
    if isinstance(seen, Broken):
        return _failed(mine, seen.failure)
    done, part = _ended(look, wanted, explained), budget.told(mine.recorded.part)
    return contributions.taken(look, spec, wanted, done, seen.answer, _folder(look, version), part)


def _left(look: Look, wanted: Explain, explained: Explained) -> float:
    """Seconds until the next Job: at once where less time lies between them now."""
    left = epoch(explained.next_at) - look.now if explained.next_at else 0.0
    return 0.0 if left > seconds(wanted.every) + 1 else left


def _begun(mine: Explaining, spec: Monitors) -> Explained:
    look, explained = mine.context, mine.explained
    why = problem(look, mine.version)
    if why is not None:
        return explained.model_copy(update={"reason": why.reason, "message": why.message[:1024]})
    earliest = look.now - (LONGEST if explained.until else max(BACK, seconds(mine.wanted.every)))
    since = max(epoch(explained.until), earliest) if explained.until else earliest
    job = ExplainJob(name="", since=rfc3339(since), until=look.stamp, part=budget.part(look, spec))
    return explained.model_copy(update={"job": _named(mine, job)})


def _again(mine: Explaining) -> Explained:
    job = mine.recorded
    fresh = job.model_copy(update={"uid": "", "attempt": job.attempt + 1, "not_before": None})
    return mine.explained.model_copy(update={"job": _named(mine, fresh)})


def _named(mine: Explaining, job: ExplainJob) -> ExplainJob:
    """With a name of its own for each version, window and attempt."""
    meta = mine.context.subject.meta
    name = child_name(f"{meta.name}-explain", meta.uid, mine.version, job.until, str(job.attempt))
    bare = job.attempt >= BARE or mine.explained.reference is not None or _rows(mine.context, mine.version) is None
    return job.model_copy(update={"name": name, "bare": bare})


def _running(mine: Explaining, seen: Running) -> Explained:
    explained, job = mine.explained, mine.recorded
    if not seen.uid and _manifest(mine) is None:  # its version or its rows are gone since
        return explained.model_copy(update={"job": None})
    why = seen.waiting
    known = {"reason": why.reason, "message": why.message[:1024]} if why else {}
    return explained.model_copy(update={"job": job.model_copy(update={"uid": seen.uid}), **known})


def _failed(mine: Explaining, failure: Failure) -> Explained:
    job, settled = mine.recorded, attempt.settle(mine, failure)
    why = {"reason": failure.reason, "message": failure.message[:1024]}
    explained = mine.explained.model_copy(update=why)
    if failure.reason in _LOST and explained.reference is not None:
        explained = explained.model_copy(update={"reference": None, "state": ""})
    if settled.pause is None:
        return _ended(mine.context, mine.wanted, explained)
    return explained.model_copy(update={"job": job.model_copy(update=settled.changes)})


def _ended(look: Look, wanted: Explain, explained: Explained) -> Explained:
    """The window is over, whatever came of it."""
    assert explained.job is not None
    until = explained.job.until
    after = max(epoch(until) + seconds(wanted.every), look.now)
    return explained.model_copy(update={"job": None, "until": until, "next_at": rfc3339(after)})


def problem(look: Look, version: str) -> Problem | None:
    """Why nothing can be explained, and what to do about it."""
    if look.world.config.store is None:
        return Problem("NoStore", "answers are explained that are kept in the store: set `store` in the installation's "
                       "values")  # fmt: skip
    recorded = look.spec.recorded
    if recorded is None or not recorded.inputs:
        return Problem("InputsNotKept", "requests' bodies are not kept, for spec.record does not ask for them: set "
                       "spec.record.inputs, or leave spec.record out")  # fmt: skip
    found = versions.read(look, version)
    if found is None:
        return Problem(*versions.gone(look, version))
    server = found.spec.server
    if server.protocol != "oip" or look.grpc:
        spoken = "gRPC, of which no bodies are kept" if look.grpc else server.protocol
        return Problem("OtherProtocol", f"{version} is asked by {spoken}: only JSON requests of the Open Inference "
                       "Protocol are explained")  # fmt: skip
    if refused := running.refused(look, version, found):
        return Problem(*refused)
    try:
        presets.image(server, look.world.config.images)
        marks.check(server, look.world.config)
    except presets.Unservable as why:
        return Problem(why.reason, str(why))
    return None


# --- the Job -------------------------------------------------------------------------------------------------------


def _manifest(mine: Explaining) -> Json | None:
    look, job, found = mine.context, mine.recorded, versions.read(mine.context, mine.version)
    if found is None or problem(look, mine.version) is not None:
        return None
    rows = None if job.bare else _rows(look, mine.version)
    if rows is None and not job.bare:
        return None
    config, server, folder = look.world.config, found.spec.server, _folder(look, mine.version)
    items, secrets = _model(look, found)
    if rows is not None:
        items, secrets = [*items, rows.item], [*secrets, *rows.secrets]
    port = presets.port(server)
    who = jobs.Identity(
        name=job.name, namespace=look.namespace,
        owner=owner_reference(API_VERSION, "Deployment", look.name, look.subject.meta.uid),
        labels=labels(explain=look.name, attempt=str(job.attempt)),
    )  # fmt: skip
    learnt = recording.profiled(look, mine.version)
    parts = explanation.ExplanationPod(
        image=config.images.worker, fetch=FetchTask(items=items), fetch_credentials=secrets,
        task=_task(mine, found, port, rows),
        credentials=[folder.reach.credentials, learnt.credentials if learnt else None],
        limits=limits.reading(config.jobs, data=rows.bytes if rows else 0, kept=True),
        deadline=limits.deadline(config.jobs), volumes=serverpod.volumes(server), fields=serverpod.fields(server),
        server=server_container(
            server, found.spec.model, port, port + 2, config,
            volume=explanation.VOLUME if found.spec.artifact else None,
        ), placement=server, gpu=server.resources.gpu,
    )  # fmt: skip
    return explanation.explanation_job(who, parts)


def _model(look: Look, found: ModelVersion) -> tuple[list[FetchItem], list[str | None]]:
    artifact = found.spec.artifact
    if artifact is None:
        return [], []
    item, secret = store.artifact(artifact, look.world.config, MODEL)
    return [item], [secret]


def _rows(look: Look, version: str) -> proof.Rows | None:
    """The held-out rows by which the version was proven; None: there are none that can be had."""
    found, raw = versions.read(look, version), versions.record(look, version)
    evidence = ((raw or {}).get("status") or {}).get("evidence") or {}
    if found is None or found.spec.evaluation is None or not evidence.get("data"):
        return None
    try:
        return proof.rows(look, found.spec.evaluation.data, explanation.ROWS, str(evidence["data"])[:NAMED])
    except proof.Missing:
        return None


NAMED = 16
"""Characters of a digest that a Dataset's version is called by."""


def _task(mine: Explaining, found: ModelVersion, port: int, rows: proof.Rows | None) -> ExplainTask:
    look, job, evaluation, learnt = mine.context, mine.recorded, found.spec.evaluation, None
    predictions = store.predictions_folder(look.world.config, look.namespace, look.name, mine.version)
    assert predictions is not None  # `problem` has said so
    learnt = recording.profiled(look, mine.version)
    rest = {"reference": explanation.ROWS, "reference_format": rows.form} if rows is not None else {}
    return ExplainTask.model_validate({
        "version": mine.version, "model": found.spec.model, "url": f"http://127.0.0.1:{port}",
        "ready": found.spec.server.ready, "ready_timeout": seconds(found.spec.server.timeout),
        "task": evaluation.task if evaluation else "", "target": evaluation.target if evaluation else "",
        "log": predictions.place(), "since": job.since, "until": job.until, "name": job.name,
        "rows": mine.wanted.rows, "seconds": PART * limits.deadline(look.world.config.jobs),
        "profile": learnt.at if learnt else None, "made": mine.explained.reference,
        "store": _folder(look, mine.version).place(), **rest,
    })  # fmt: skip


def _folder(look: Look, version: str) -> store.Location:
    """Where a version's explanations lie."""
    folder = store.store(None, look.world.config, look.namespace)
    return folder.folder("deployments", look.name, "explanations", f"version={version}")


# --- of a Deployment -----------------------------------------------------------------------------------------------


def _of(look: Look, status: DeploymentStatus) -> Explaining | None:
    """What is under way."""
    spec, kept = look.spec.monitors, status.monitors
    if spec is None or spec.explain is None or kept is None or kept.explained is None or kept.explained.job is None:
        return None
    return Explaining(look, spec.explain, kept.version, kept.explained)


def wanted(look: Look, status: DeploymentStatus) -> list[Json]:
    """The Job that is recorded and not made yet."""
    mine = _of(look, status)
    if mine is None or mine.recorded.uid or mine.recorded.not_before:
        return []
    found = mine.manifest()
    return [found] if found is not None else []


def requests(look: Look, status: DeploymentStatus) -> list[ReadDocument]:
    """The answer of a Job that has ended."""
    mine = _of(look, status)
    return attempt.requests(mine) if mine is not None else []


def unwanted(look: Look, status: DeploymentStatus) -> list[Delete]:
    """Jobs whose answer is recorded, or is not wanted any more."""
    mine = _of(look, status)
    kept = {mine.recorded.name} if mine is not None and not mine.recorded.not_before else set()
    return attempt.leftovers(look.world.owned(JOB), Explaining.label, kept)


def due(look: Look, status: DeploymentStatus) -> list[float]:
    """Seconds until something is due that no event announces."""
    spec, kept = look.spec.monitors, status.monitors
    if spec is None or spec.explain is None or kept is None or kept.explained is None:
        return []
    job = kept.explained.job
    if job is not None:
        return [attempt.next_look(job, look.now)]
    left = _left(look, spec.explain, kept.explained)
    return [left if left > 0 else AGAIN]
