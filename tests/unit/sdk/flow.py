"""A pipeline as people write it, for the tests."""

from __future__ import annotations

from typing import Literal

import fairlead
from fairlead import Dataset, File, In, Model, Out


@fairlead.step(cpu=0.5, memory="1Gi", retry=2, env={"MODE": "a$(HOME)"})
def prepare(raw: In[Dataset], train: Out[Dataset], test: Out[Dataset], stats: Out[File], rows: int = 3) -> None:
    """Cut the rows in two."""
    lines = (raw / "rows.csv").read_text().splitlines()[:rows]
    (train / "rows.csv").write_text("\n".join(lines[:-1]))
    (test / "rows.csv").write_text(lines[-1])
    stats.write_text(str(len(lines)))
    fairlead.log_metric("rows", len(lines))


@fairlead.step(gpu=1, timeout="4h", nodeSelector={"disk": "ssd"})
def train(rows: In[Dataset], model: Out[Model], kind: Literal["boosted", "linear"], alpha: float = 0.1) -> None:
    """Fit."""
    if kind == "linear":
        raise RuntimeError("a linear model won't do")
    (model / "model.txt").write_text(f"{kind} {alpha!r} {(rows / 'rows.csv').read_text()}")


@fairlead.step(image="registry.example/report:1")
def report(model: In[Model], stats: In[File]) -> None:
    """Say how it went."""
    print(stats.read_text(), sorted(one.name for one in model.iterdir()))


@fairlead.step
def forgets(note: Out[File], table: Out[Dataset]) -> None:
    """Leave nothing."""
    note.write_text("a note")
    print(f"nothing into {table.name}")


@fairlead.pipeline(
    image="registry.example/flow:1", triggers=[Dataset("flights"), {"schedule": {"cron": "0 3 * * 1"}}], cooldown="1h"
)
def whole_flow(rows: int = 3, alpha: float = 1e-3) -> None:
    """Cut, fit, tell."""
    prepared = prepare(raw=Dataset("flights"), rows=rows)
    small = train(prepared.train, kind="boosted", alpha=alpha)
    large = train.options(name="train-large", memory="16Gi", gpu=2)(prepared.train, kind="boosted", alpha=0.5)
    report(model=small, stats=prepared.stats).after(large)
    evaluation = {"features": ["x"], "target": "y", "data": {"output": prepared.test}, "metrics": ["mae"]}
    fairlead.produces("delay", small.model, version={"server": {"runtime": "sklearn"}, "evaluation": evaluation})
