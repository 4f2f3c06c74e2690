"""A run on this machine, at its end: steps, digests of what was made, what differs from the run before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairlead.api.units import many
from fairlead.cli.blocks import Block, Lines, Table
from fairlead.cli.text import printable, size

if TYPE_CHECKING:
    from fairlead.local.dev import Prepared


def blocks(made: Prepared, earlier: tuple[int, dict[str, Any]] | None) -> list[Block]:
    """The view. earlier: number and record of the run before."""
    from fairlead.api.pipelinerun import PipelineRun
    from fairlead.cli import show_run
    from fairlead.local import changes

    status = made.run.status
    run = PipelineRun(spec=made.run.spec, status=status.model_copy(update={"conditions": [], "message": ""}))
    # what has failed says why in the tree
    shown = show_run.blocks(made.run.name, run, made.run.now())
    outputs = [
        [f"{step.name}.{one.name}", one.type, size(one.bytes), one.sha256]
        for step in status.steps for one in step.outputs
    ]  # fmt: skip
    if outputs:
        shown.append(Table(["OUTPUT", "TYPE", "SIZE", "SHA256"], outputs))
    if models := made.models():
        shown.append(Lines([line for one in models for line in _model(made, one)]))
    if earlier is not None:
        found = changes.between(earlier[1], made.record())
        shown.append(Lines([f"since run {earlier[0]}:", *(f"  {printable(line)}" for line in found)]))
    shown.append(Lines([f"logs and outputs: {made.folder}/steps/STEP/log, …/out", *made.failed_logs()]))
    return shown


def _model(made: Prepared, one: dict[str, Any]) -> list[str]:
    """A ModelVersion, and what only a cluster does with it."""
    from fairlead.api.modelversion import ModelVersionSpec

    spec, name = ModelVersionSpec.model_validate(one["spec"]), one["metadata"]["name"]
    assert spec.artifact is not None  # a run makes models of outputs
    lines = [f"model {name}: sha256 {spec.artifact.sha256}, in {made.folder}/models/{name}.json"]
    if spec.evaluation:
        gates = many(len(spec.evaluation.gates), "gate")
        lines.append(
            f"  not done here: its evaluation ({', '.join(spec.evaluation.metrics)}; {gates}) asks the model's server, "
            f"runtime {spec.server.runtime}, which runs in a cluster"
        )
    if spec.approval:
        lines.append("  not done here: its approval")
    return lines
