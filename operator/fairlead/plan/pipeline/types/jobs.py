"""What Jobs of steps have in common, whatever the step's type: whose they are, what they fetch and publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fairlead.api.common import Container
from fairlead.api.component import Output
from fairlead.api.dataset import Dataset
from fairlead.api.formats import ARTIFACT, FormatName
from fairlead.api.items import text_of
from fairlead.api.pipeline import Input
from fairlead.api.pipelinerun import PinnedDataset
from fairlead.api.tasks import (
    INPUTS,
    LOGGED,
    OUTPUTS,
    FetchItem,
    FetchTask,
    Outcomes,
    PublishEntry,
    PublishItem,
    PublishTask,
)
from fairlead.manifests import job, limits
from fairlead.manifests.meta import labels, owner_reference
from fairlead.manifests.workers import Together, service_name
from fairlead.plan import store
from fairlead.plan.core import DATASET, LOCAL_QUEUE, PIPELINE_RUN, Json
from fairlead.plan.dataset.fetching import fetched
from fairlead.plan.pipeline import code, items, refs, template
from fairlead.plan.pipeline.steps import View, is_recall
from fairlead.plan.pipeline.types.base import Order
from fairlead.plan.read import Lacking, read

OUTCOMES = "outcomes"
"""Folder below a step's with what each of its items has committed."""


def program_job(
    order: Order, program: Container, inputs: Mapping[str, Input], outputs: Mapping[str, Output], *,
    with_code: bool = True,
) -> Json:  # fmt: skip
    """fetch (if there are inputs, or code) → a program → publish. program: with its parameters' values in place;
    with_code: the Pipeline's, if it has one in git.

    Raises NotReadable for a Dataset that can't be read, and where there is no Kueue."""
    brought = _brought(order, inputs)
    git = code.git_of(order.pipeline) if with_code else None
    secrets = [secret for _, several in brought for secret in several]
    parts = job.StepPod(
        program=_with_memory(program, order.status.memory),
        env=job.step_env(order.view.name, order.step.name, order.status.attempt, order.run.params, order.values)
        | (code.env(order.run.commit) if git else {}),
        fetch=FetchTask(items=[item for item, _ in brought], code=code.item(git, order.run.commit) if git else None),
        fetch_credentials=(*secrets, git.credentials.name if git and git.credentials else None),
        publish=_publishing(order, outputs),
        claims=tuple(order.step.claims),
        priority_class=order.step.priority_class,
        queue=_queue(order),
        together=_together(order),
    )
    return job.step_job(_identity(order), parts)


def _together(order: Order) -> Together | None:
    """Of a step with several workers. A process can use one part of a GPU only, however many its pod has."""
    asked, gpu = order.step.workers, order.step.resources.gpu
    if asked is None:
        return None
    processes = gpu.count if gpu is not None and gpu.mig is None else 1
    return Together(asked.count, service_name(order.status.job), processes)


def own_job(
    order: Order, own: Callable[[list[FetchItem]], job.Own], inputs: Mapping[str, Input],
    outputs: Mapping[str, Output],
) -> Json:  # fmt: skip
    """fetch → a program of Fairlead's own → publish. own: its container, by what is fetched; it sees neither the run's
    parameters nor its code. Raises as `program_job`."""
    brought = _brought(order, inputs)
    items = [item for item, _ in brought]
    parts = job.StepPod(
        program=order.step, env={}, fetch=FetchTask(items=items),
        fetch_credentials=tuple(secret for _, several in brought for secret in several),
        publish=_publishing(order, outputs), priority_class=order.step.priority_class, queue=_queue(order),
        own=own(items),
    )  # fmt: skip
    return job.step_job(_identity(order), parts)


def _brought(order: Order, inputs: Mapping[str, Input]) -> list[tuple[FetchItem, tuple[str | None, ...]]]:
    return [_fetch(order, name, source) for name, source in inputs.items()]


def bytes_of(order: Order, source: Input) -> int:
    """Bytes of an input, as far as the run knows."""
    if not source.output or order.item is not None or source.item is not None:
        return 0
    return refs.output(order.run, source.output).bytes


def format_of(order: Order, source: Input) -> FormatName:
    """How an input's rows are read. Raises NotReadable."""
    if not source.dataset:
        return ARTIFACT
    raw = order.view.world.get(DATASET, source.dataset)
    if raw is None:
        text = f"there is no Dataset {source.dataset} in this namespace any more; create it, or cancel the run"
        raise Lacking("DatasetMissing", text)
    return read(Dataset, DATASET, raw, "spec").spec.format


def _with_memory(program: Container, raised: str) -> Container:
    """raised: what the attempt may use, if it is more than at first."""
    if not raised:
        return program
    return program.model_copy(update={"resources": program.resources.model_copy(update={"memory": raised})})


def _queue(order: Order) -> str | None:
    """Where its Job waits. Raises Lacking where nothing would ever let it begin."""
    name, world = order.step.queue, order.view.world
    if name and not world.served(LOCAL_QUEUE):
        raise Lacking("KueueMissing", f"its queue is {name}, and there is no Kueue in this cluster "
                      "(kueue.x-k8s.io/v1beta2); install it, or cancel the run and take queue away")  # fmt: skip
    if name and world.get(LOCAL_QUEUE, name) is None:
        text = f"there is no LocalQueue {name} in this namespace; create it, or cancel the run and correct queue"
        raise Lacking("QueueMissing", text)
    return name


def recall_job(order: Order, outputs: Mapping[str, Output]) -> Json:
    """Asks the store what the attempt has committed."""
    return job.recall_job(_identity(order), _publishing(order, outputs))


def _identity(order: Order) -> job.Identity:
    view, status = order.view, order.status
    meta = view.subject.meta
    mine = {"item": order.item.id} if order.item is not None else {}
    return job.Identity(
        name=status.job,
        namespace=meta.namespace,
        owner=owner_reference(PIPELINE_RUN.api_version, PIPELINE_RUN.kind, meta.name, meta.uid),
        labels=labels(
            run=meta.name,
            pipeline=view.subject.body.spec.pipeline,
            step=status.name,
            attempt=str(status.attempt),
            **mine,
        ),
    )


def _folder(order: Order, step: str) -> store.Location:
    """Where a step's outputs are kept."""
    view = order.view
    return store.step_folder(
        order.pipeline.store, view.world.config, view.subject.meta.namespace, view.subject.body.spec.pipeline,
        view.uid, step,
    )  # fmt: skip


def _publishing(order: Order, outputs: Mapping[str, Output]) -> job.Publishing:
    config, folder = order.view.world.config, _folder(order, order.step.name)
    published = [PublishItem(name=name, type=output.type, path=f"{OUTPUTS}/{name}") for name, output in outputs.items()]
    return job.Publishing(
        worker_image=config.images.worker,
        task=_committing(order, folder, published),
        credentials=folder.reach.credentials,
        limits=limits.streaming(config.jobs),
        # the longest that its clocks allow, and as long for its outputs as for its inputs; `clocks` is exact
        deadline=limits.deadline(config.jobs, order.step.timeout, *(order.step.start_timeout,) * 2),
    )


def _left_for_others(order: Order) -> PublishEntry | None:
    """What it leaves for later runs, if it was found out before it began that it may."""
    status, view = order.status, order.view
    cache = status.cache
    if cache is None or not cache.entry:
        return None
    pipeline = view.subject.body.spec.pipeline
    where = store.cache_folder(order.pipeline.store, view.world.config, view.namespace, pipeline, status.key)
    return PublishEntry(
        store=where.place(), number=cache.entry, key=status.key, run=view.name, run_uid=view.uid, step=status.name,
        at=status.started_at or "", image=template.pinned(order.step.image, order.run.images),
        expected=cache.expected if cache.outcome == "Audit" else None,
    )  # fmt: skip


def _committing(order: Order, folder: store.Location, outputs: list[PublishItem]) -> PublishTask:
    attempt, item = order.status.attempt, order.item
    if item is None:
        left, workers = _left_for_others(order), order.step.workers
        return PublishTask(
            store=folder.place(), attempt=attempt, outputs=outputs, logged=LOGGED, cache=left,
            workers=workers.count if workers is not None and not is_recall(order.view, order.status) else None,
        )  # fmt: skip
    return PublishTask(
        store=folder.folder("items", item.id).place(), attempt=attempt, outputs=outputs, logged=LOGGED,
        item=dict(item.values),
        outcome=f"{folder.folder(OUTCOMES).prefix}{item.id}.json",
    )  # fmt: skip


def _fetch(order: Order, name: str, source: Input) -> tuple[FetchItem, tuple[str | None, ...]]:
    """What brings an input, and the Secrets that it needs."""
    dest, run = f"{INPUTS}/{name}", order.run
    if source.dataset:
        pinned = next(d for d in run.datasets if d.name == source.dataset)
        return fetch_dataset(order.view, pinned, dest)
    if source.after:
        taken = next(a for a in run.after if (a.pipeline, a.output) == (source.after.pipeline, source.after.output))
        item, secret = store.artifact(taken.artifact, order.view.world.config, dest)
        return item, (secret,)
    reach = _folder(order, order.step.name).reach
    outcomes = _of_items(order, source, dest)
    if outcomes is not None:
        return outcomes, (reach.credentials,)
    found = refs.output(run, source.output or "")
    return FetchItem(access=reach.access(), uri=found.uri, sha256=found.sha256, dest=dest), (reach.credentials,)


def _of_items(order: Order, source: Input, dest: str) -> FetchItem | None:
    """What brings outputs of a step with `each`; None: it is another one's."""
    steps = {one.name: one for one in order.pipeline.steps}
    name, output = refs.split(source.output or "")
    if steps[name].each is None:
        return None
    folder = _folder(order, name).folder(OUTCOMES)
    status = next(one for one in order.run.steps if one.name == name).items
    assert status is not None
    if items.is_own(steps, order.step, source):
        assert order.item is not None
        wanted, digest = Outcomes(output=output, only=order.item.id), ""
    elif source.item is not None:
        wanted, digest = Outcomes(output=output, values=dict(source.item)), ""
    else:
        wanted = Outcomes(output=output, count=status.completed, without=text_of(items.not_completed(status)))
        digest = status.digest
    return FetchItem(access=folder.reach.access(), uri=folder.uri(), sha256=digest, dest=dest, outcomes=wanted)


def fetch_dataset(view: View, pinned: PinnedDataset, dest: str) -> tuple[FetchItem, tuple[str | None, ...]]:
    """What brings a version that a run has pinned. Raises NotReadable for a Dataset that can't be read."""
    raw = view.world.get(DATASET, pinned.name)
    spec = read(Dataset, DATASET, raw, "spec").spec if raw is not None else None  # deleted since the run started
    return fetched(spec, view.world.config, view.subject.meta.namespace, pinned.manifest, pinned.digest, dest)
