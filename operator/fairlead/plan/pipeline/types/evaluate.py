"""A step that measures a model as its version will be evaluated: the server runs beside Fairlead's worker, which asks
it for the held-out rows. What was measured are the step's metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.api.component import Output
from fairlead.api.evaluating import DATA, FORMAT, MODEL, OUTPUT
from fairlead.api.modelversion import EvaluationTemplate
from fairlead.api.pipeline import PipelineSpec, Step
from fairlead.api.pipelinerun import StepEdit
from fairlead.api.server import Server
from fairlead.api.tasks import INPUTS, OUTPUTS, FetchItem, MeasureTask, Subject
from fairlead.api.units import seconds
from fairlead.manifests import evaluation as pods
from fairlead.manifests import limits, pod, presets, serverpod
from fairlead.manifests.job import STEP, Own
from fairlead.plan import accounts
from fairlead.plan.core import Invalid, Json
from fairlead.plan.pipeline import measuring, template
from fairlead.plan.pipeline.reading import SERVED, Reading
from fairlead.plan.pipeline.types import jobs
from fairlead.plan.pipeline.types.base import Order, StepType
from fairlead.plan.read import Lacking

_WITHOUT = {
    "image", "labels", "annotations", "image_pull_secrets", "spread", "priority_class", "metrics", "timeout", "stop",
    "warm_up", "tolerations", "resources",
}  # fmt: skip
"""Fields of a server that can't change what it answers, and those that are told elsewhere."""


class EvaluateStep(StepType):
    """A step with `evaluate`, as `measuring` has filled it in."""

    reading: Reading = SERVED

    def takes(self, step: Step) -> bool:
        """By its field."""
        return step.evaluate is not None

    def wants(self, _step: Step) -> Mapping[str, str]:
        """A model, and rows."""
        return {MODEL: "model", DATA: "dataset"}

    def outputs(self, _step: Step) -> Mapping[str, Output]:
        """The page."""
        return {OUTPUT: Output(type="preview")}

    def memory(self, _step: Step) -> str:
        """It has no program whose memory could be raised."""
        return ""

    def program(self, step: Step) -> str:
        """Which model it measures."""
        assert step.evaluate is not None
        return f"measures {step.evaluate.model}"

    def edited(self, step: Step, _edit: StepEdit) -> Step:
        """It is measured as the version will be, or not at all. Raises Invalid."""
        raise Invalid(
            "spec.edit", f"step {step.name} measures a model by what spec.produces of the Pipeline says; edit another "
            "step, or make a Pipeline with another entry",
        )  # fmt: skip

    def images(self, step: Step) -> Iterable[str]:
        """The server's."""
        return (step.image,) if step.image else ()

    def parts(self, step: Step, spec: PipelineSpec | None = None) -> Mapping[str, Any]:
        """How it is served and measured. Of its gates only gaps are: nothing is judged."""
        assert spec is not None  # a run that has none has pinned no server
        produced, evaluation = measuring.entry(spec, step)[1], measuring.evaluation(spec, step)
        server = produced.version.server.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude=_WITHOUT
        )  # fmt: skip
        gpu = produced.version.server.resources.gpu
        return {
            "measured": FORMAT, "model": produced.model, "server": server,
            **({} if gpu is None else {"gpu": gpu.model_dump(mode="json", by_alias=True, exclude_defaults=True)}),
            "task": evaluation.task, "target": evaluation.target, "features": evaluation.features,
            "metrics": sorted(evaluation.metrics), "batch": evaluation.batch,
            "gaps": [
                gate.model_dump(mode="json", by_alias=True, exclude_defaults=True)
                for gate in evaluation.gates if gate.by is not None
            ],
        }  # fmt: skip

    def job(self, order: Order) -> Json:
        """fetch → the model's server → Fairlead's worker → publish."""
        at, produced = measuring.entry(order.pipeline, order.step)
        server = produced.version.server.model_copy(
            update={"image": template.pinned(order.step.image, order.run.images)}
        )
        _may_run(order, server)
        config, evaluation = order.view.world.config, measuring.evaluation(order.pipeline, order.step)
        size = sum(jobs.bytes_of(order, source) for source in order.step.inputs.values())

        def own(brought: list[FetchItem]) -> Own:
            task = _task(order, at, evaluation, server, {one.dest: one.sha256 for one in brought})
            main = pod.worker(
                STEP, config.images.worker, "measure", task,
                mounts=[pod.mount("in", INPUTS, read_only=True), pod.mount("out", OUTPUTS)],
                limits=limits.reading(config.jobs, evaluation.resources, size, kept=True),
            )  # fmt: skip
            beside = pods.beside_step(server, produced.model, config)
            return Own(main, (beside,), serverpod.volumes(server), serverpod.fields(server))

        return jobs.own_job(order, own, order.step.inputs, self.outputs(order.step))


def _may_run(order: Order, server: Server) -> None:
    """Raises Lacking where pods may not run as the server's account."""
    account, view = server.service_account, order.view
    if account and (why := accounts.refused(view.world, view.namespace, account)):
        raise Lacking(*why)


def _task(
    order: Order, at: int, evaluation: EvaluationTemplate, server: Server, digests: Mapping[str, str]
) -> MeasureTask:  # fmt: skip
    """digests: of what is fetched, by where it goes."""
    _, produced = measuring.entry(order.pipeline, order.step)
    subject = Subject(
        subject="model", version=order.view.name, url=f"http://127.0.0.1:{presets.port(server)}", name=produced.model,
        sha256=digests[f"{INPUTS}/{MODEL}"], ready=server.ready,
    )  # fmt: skip
    return MeasureTask(
        version=order.view.name, task=evaluation.task, subjects=[subject], data=f"{INPUTS}/{DATA}",
        data_format=jobs.format_of(order, order.step.inputs[DATA]), data_sha256=digests[f"{INPUTS}/{DATA}"],
        features=evaluation.features, target=evaluation.target, batch=evaluation.batch, metrics=evaluation.metrics,
        gates=[gate for gate in evaluation.gates if gate.by is not None], ready_timeout=seconds(server.timeout),
        outputs=OUTPUTS, where=f"spec.produces[{at}].version.server",
    )  # fmt: skip
