"""What a step written in Python leaves and logs is what is kept of it, to the last line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.unit.worker.bucket import NAME, Memory

from fairlead.api import logged
from fairlead.api.tasks import Place, PublishItem, PublishResult, PublishTask
from fairlead.sdk import log, run
from fairlead.worker import publish as publishing
from fairlead.worker import result

STEP = '''
import fairlead
from fairlead import File, Out, Preview

class Figure:
    """As much of matplotlib's as is used."""
    def savefig(self, path, format):
        path.write_bytes(b"\\x89PNG\\r\\n\\x1a\\n")

@fairlead.step
def tell(note: Out[File], plot: Out[Preview]) -> None:
    """Log whatever there is."""
    note.write_text("a note")
    plot.with_suffix(".svg").write_text("<svg/>")
    for number in (0.1, 1e300, 5e-324, -0.0, 123456789.123456789, 2**53, -1, True, 1 / 3, 2**1000):
        fairlead.log_metric("number", number)
    for epoch in range(3):
        fairlead.log_metric("loss", 1.5 - epoch, step=epoch)
    fairlead.log_metric("late", 1, step=2**53 - 1)
    fairlead.log_artifact(b"a,b", "deep/er/table.csv")
    fairlead.log_artifact(__file__)
    fairlead.log_figure(Figure(), "roc")

@fairlead.pipeline(image="x")
def whole() -> None:
    tell()
'''


@pytest.fixture
def ended(tmp_path, monkeypatch) -> tuple[PublishResult, Memory]:
    """The step has run as in its pod, and its outputs by the exported manifest are published."""
    out, store = tmp_path / "out", Memory(NAME)
    (tmp_path / "kept_flow.py").write_text(STEP)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FAIRLEAD_OUT", str(out))
    monkeypatch.setenv("FAIRLEAD_METRICS", str(out / logged.FOLDER / logged.METRICS))
    monkeypatch.setattr(publishing, "place", lambda _: store)
    monkeypatch.setattr(result, "place", lambda _: store)
    assert run.main(["kept_flow:tell"]) == 0
    from kept_flow import whole  # type: ignore[import-not-found]

    (step,) = yaml.safe_load(yaml.safe_dump(whole.manifest()))["spec"]["steps"]
    items = [PublishItem(name=name, path=str(out / name), **one) for name, one in step["outputs"].items()]
    task = PublishTask(store=Place(bucket=NAME, prefix="a"), attempt=1, outputs=items, logged=str(out / logged.FOLDER))
    return publishing.publish(task), store


def test_nothing_of_it_is_left_out(ended):
    found, _ = ended
    assert found.left_out == []
    assert {one.name: (one.type, Path(one.uri).name) for one in found.outputs} == {
        "note": ("file", "note"), "plot": ("preview", "plot.svg"),
    }  # fmt: skip
    assert {one.name: one.media for one in found.artifacts} == {
        "deep/er/table.csv": "text/csv", "kept_flow.py": "text/plain", "roc.png": "image/png",
    }  # fmt: skip
    last = {"number": 2.0**1000, "loss": -0.5, "late": 1}
    assert {name: float(value) for name, value in found.metrics.items()} == last
    assert found.values == 10 + 3 + 1


def test_its_limits_are_those_of_what_is_kept():
    assert (log.METRICS_BYTES, log.ARTIFACT_BYTES, log.ALL_BYTES, log.ARTIFACTS) == (
        logged.BYTES, logged.FILE_BYTES, logged.ALL_BYTES, logged.FILES,
    )  # fmt: skip
    assert Path("/fairlead/out", logged.FOLDER, logged.METRICS) == Path(log.METRICS)
