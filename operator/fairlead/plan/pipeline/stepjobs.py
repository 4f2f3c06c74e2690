"""The Job of a step's recorded attempt."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead.api.dataset import Dataset
from fairlead.api.pipeline import Input, PipelineSpec, Step
from fairlead.api.pipelinerun import OutputRecord, PinnedDataset, PipelineRunStatus, StepStatus
from fairlead.api.tasks import INPUTS, OUTPUTS, FetchItem, FetchTask, PublishItem, PublishTask
from fairlead.manifests import job as jobs
from fairlead.manifests import limits
from fairlead.manifests.meta import labels, owner_reference
from fairlead.plan import store
from fairlead.plan.core import DATASET, PIPELINE_RUN, Json
from fairlead.plan.dataset.fetching import fetched
from fairlead.plan.pipeline import dag, template
from fairlead.plan.pipeline.steps import View, is_recall
from fairlead.plan.read import read


def manifest(view: View, run: PipelineRunStatus, spec: PipelineSpec, step: Step, status: StepStatus) -> Json:
    """The Job that the attempt recorded in `status` needs. Raises NotReadable for a Dataset that can't be read."""
    who, pod = _identity(view, status), _pod(view, run, spec, step, status)
    return jobs.recall_job(who, pod) if is_recall(view, status) else jobs.step_job(who, pod)


def _identity(view: View, status: StepStatus) -> jobs.Identity:
    meta = view.subject.meta
    return jobs.Identity(
        name=status.job,
        namespace=meta.namespace,
        owner=owner_reference(PIPELINE_RUN.api_version, PIPELINE_RUN.kind, meta.name, meta.uid),
        labels=labels(
            run=meta.name, pipeline=view.subject.body.spec.pipeline, step=status.name, attempt=str(status.attempt)
        ),
    )


def _pod(view: View, run: PipelineRunStatus, spec: PipelineSpec, step: Step, status: StepStatus) -> jobs.StepPod:
    config, namespace = view.world.config, view.subject.meta.namespace
    folder = store.step_folder(spec.store, config, namespace, view.subject.body.spec.pipeline, view.uid, step.name)
    fetched = [_fetch(view, run, folder, name, source) for name, source in step.inputs.items()]
    outputs = [
        PublishItem(name=name, type=output.type, path=f"{OUTPUTS}/{name}") for name, output in step.outputs.items()
    ]
    return jobs.StepPod(
        step=rendered(step, run.params),
        env=jobs.step_env(view.name, step.name, status.attempt, run.params),
        worker_image=config.images.worker,
        fetch=FetchTask(items=[item for item, _ in fetched]),
        fetch_credentials=tuple(secret for _, secrets in fetched for secret in secrets),
        publish=PublishTask(store=folder.place(), attempt=status.attempt, outputs=outputs),
        publish_credentials=folder.reach.credentials,
        limits=limits.streaming(config.jobs),
        deadline=limits.deadline(config.jobs, step.timeout),
    )


def _fetch(
    view: View, run: PipelineRunStatus, folder: store.Location, name: str, source: Input
) -> tuple[FetchItem, tuple[str | None, ...]]:
    """What brings an input, and the Secrets that it needs."""
    dest = f"{INPUTS}/{name}"
    if source.dataset:
        pinned = next(d for d in run.datasets if d.name == source.dataset)
        return _fetch_dataset(view, pinned, dest)
    found = output(run, source.output or "")
    return FetchItem(access=folder.reach.access(), uri=found.uri, sha256=found.sha256, dest=dest), (
        folder.reach.credentials,
    )


def _fetch_dataset(view: View, pinned: PinnedDataset, dest: str) -> tuple[FetchItem, tuple[str | None, ...]]:
    raw = view.world.get(DATASET, pinned.name)
    spec = read(Dataset, DATASET, raw, "spec").spec if raw is not None else None  # deleted since the run started
    return fetched(spec, view.world.config, view.subject.meta.namespace, pinned.manifest, pinned.digest, dest)


def output(run: PipelineRunStatus, ref: str) -> OutputRecord:
    """What a completed step committed under `step.output`."""
    step, name = dag.split(ref)
    outputs = next(s.outputs for s in run.steps if s.name == step)
    return next(o for o in outputs if o.name == name)


def rendered(step: Step, params: Mapping[str, str]) -> Step:
    """The step with its parameters' values in place."""
    return step.model_copy(
        update={
            "command": [template.render(text, params) for text in step.command],
            "args": [template.render(text, params) for text in step.args],
            "env": [v.model_copy(update={"value": template.render(v.value, params)}) for v in step.env],
        }
    )
