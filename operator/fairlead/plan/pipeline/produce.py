"""The ModelVersions that a run makes. They outlive it: no owner, only a note of who made them."""

from __future__ import annotations

from fairlead.api.common import Artifact, SecretRef
from fairlead.api.modelversion import (
    Baseline,
    BaselineTemplate,
    Evaluation,
    EvaluationData,
    EvaluationDataTemplate,
    EvaluationTemplate,
    Golden,
    Lineage,
    ModelVersionSpec,
)
from fairlead.api.pipeline import PipelineSpec, Produces
from fairlead.api.pipelinerun import OutputRecord, PipelineRunStatus, UsedComponent
from fairlead.manifests.meta import child_name, labels
from fairlead.plan import store
from fairlead.plan.core import MODEL_VERSION, Json
from fairlead.plan.model import identity
from fairlead.plan.pipeline import dag, steps
from fairlead.plan.pipeline.refs import output
from fairlead.plan.pipeline.steps import View

CREATED_BY = "fairlead.dev/created-by-uid"
_NAME_LIMIT = 63


def names(view: View, run: PipelineRunStatus, spec: PipelineSpec) -> list[str]:
    """The versions' names, in the order of `produces`, without those that are not made; one that was recorded and made
    is kept."""
    found = []
    for index, produced in enumerate(_made_of(run, spec)):
        recorded, wanted = run.models[index] if index < len(run.models) else "", _body(view, run, spec, produced)
        found.append(recorded if recorded and _mine(view, recorded, wanted) else _free(view, wanted))
    return found


def _made_of(run: PipelineRunStatus, spec: PipelineSpec) -> list[Produces]:
    """What a run makes of which all is there: steps that were skipped left nothing."""
    there = {s.name for s in run.steps if steps.ran(s)}
    return [one for one in spec.produces if dag.makes(one) <= there]


def lacking(run: PipelineRunStatus, spec: PipelineSpec) -> list[str]:
    """Which versions are not made, and why."""
    there = {s.name for s in run.steps if steps.ran(s)}
    return [
        f"{one.model}, for step {', '.join(absent)} was skipped"
        for one in spec.produces
        if (absent := sorted(dag.makes(one) - there))
    ]


def _free(view: View, wanted: ModelVersionSpec) -> str:
    """`<model>-<number of the run>`; if that is somebody else's, a name that nobody else makes."""
    number = view.name.removeprefix(f"{view.subject.body.spec.pipeline}-")
    plain = f"{wanted.model}-{number}"
    taken = view.world.get(MODEL_VERSION, plain) is not None and not _mine(view, plain, wanted)
    return child_name(plain, view.uid, wanted.model) if taken or len(plain) > _NAME_LIMIT else plain


def _mine(view: View, name: str, wanted: ModelVersionSpec) -> bool:
    """Whether a ModelVersion is the one that the run makes. The note of who made it can be written by anybody, and the
    name known beforehand; so it must say the same, but for what people add to it."""
    raw = view.world.get(MODEL_VERSION, name)
    found = identity.parse(raw) if raw and made_by(raw) == view.uid else None
    return found is not None and _made(found.spec) == _made(wanted)


def _made(spec: ModelVersionSpec) -> Json:
    return spec.model_dump(mode="json", exclude={"approvals", "revoked"})


def made_by(version: Json | None) -> str:
    """The uid of the run that made a ModelVersion, or an empty string."""
    return str((version or {}).get("metadata", {}).get("annotations", {}).get(CREATED_BY, ""))


def missing(view: View, run: PipelineRunStatus, spec: PipelineSpec) -> list[Json]:
    """Manifests of the recorded versions that are not there yet."""
    wanted = [(name, _body(view, run, spec, one)) for name, one in zip(run.models, _made_of(run, spec), strict=True)]
    return [_manifest(view, name, body) for name, body in wanted if not _mine(view, name, body)]


def _body(view: View, run: PipelineRunStatus, spec: PipelineSpec, produced: Produces) -> ModelVersionSpec:
    made = produced.version
    return ModelVersionSpec(
        model=produced.model,
        author=_author(view, spec),
        artifact=_artifact(view, spec, output(run, produced.from_)),
        server=made.server,
        lineage=_lineage(view, run),
        evaluation=_evaluation(view, run, spec, made.evaluation) if made.evaluation else None,
        approval=made.approval,
        golden=Golden(**made.golden.model_dump(exclude_unset=True)) if made.golden else None,
    )


def _manifest(view: View, name: str, body: ModelVersionSpec) -> Json:
    return {
        "apiVersion": MODEL_VERSION.api_version,
        "kind": MODEL_VERSION.kind,
        "metadata": {
            "name": name,
            "namespace": view.subject.meta.namespace,
            "labels": labels(run=view.name, pipeline=view.subject.body.spec.pipeline, model=body.model),
            "annotations": {CREATED_BY: view.uid},
        },
        "spec": body.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }


def _artifact(view: View, spec: PipelineSpec, record: OutputRecord) -> Artifact:
    """The bytes with the access that wrote them: the model stays readable when defaults change."""
    reach = store.store(spec.store, view.world.config, view.subject.meta.namespace).reach
    return Artifact(
        uri=record.uri, sha256=record.sha256, endpoint=reach.endpoint, region=reach.region,
        credentials=SecretRef(name=reach.credentials) if reach.credentials else None,
    )  # fmt: skip


def _author(view: View, spec: PipelineSpec) -> str | None:
    """Who started the run; None unless it is known whose work all of it is, the Pipeline's text included."""
    return view.subject.body.spec.author if spec.author else None


def named(used: UsedComponent) -> str:
    """A Component and its version, in words."""
    name = f"{used.namespace}/{used.name}" if used.namespace else used.name
    return f"{'builtin ' if used.builtin else ''}{name} {used.version}"


def _lineage(view: View, run: PipelineRunStatus) -> Lineage:
    writer = run.template.author if run.template else None
    later = {step.name for step in run.template.steps if dag.is_last(step)} if run.template else set()
    return Lineage(
        run=view.name,
        run_uid=view.uid,
        pipeline=view.subject.body.spec.pipeline,
        datasets={d.name: d.version for d in run.datasets},
        after={f"{a.run}/{a.output}": a.artifact.sha256 for a in run.after},
        images={s.name: s.image for s in run.steps if s.image and s.name not in later},  # these run beside it
        components={one.step: named(one) for one in run.components if one.step not in later},
        commit=run.commit or None,
        repository=run.template.code.git.url if run.commit and run.template and run.template.code else None,
        params=run.params,
        reused={
            s.name: f"{s.cache.run}/{s.cache.attempt}"
            for s in run.steps
            if s.cache and s.cache.outcome in ("Hit", "Resumed")
        },
        author=writer if writer != view.subject.body.spec.author else None,
    )


def _evaluation(view: View, run: PipelineRunStatus, spec: PipelineSpec, template: EvaluationTemplate) -> Evaluation:
    def data(wanted: EvaluationDataTemplate) -> EvaluationData:
        if wanted.output:
            return EvaluationData(artifact=_artifact(view, spec, output(run, wanted.output)))
        return EvaluationData(dataset=wanted.dataset)

    def baseline(wanted: BaselineTemplate) -> Baseline:
        return Baseline(by=wanted.by, reference=data(wanted.reference))

    common = template.model_dump(exclude={"data", "baseline"})
    return Evaluation(
        **common, data=data(template.data), baseline=baseline(template.baseline) if template.baseline else None
    )
