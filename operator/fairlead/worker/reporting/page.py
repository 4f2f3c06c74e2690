"""A run as one page: how it went, its steps in time, metrics beside those of an earlier run, what its inputs hold.

Whatever stands in it is a tenant's, and is shown as text, as a picture, or in a frame that runs no program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from fairlead.api.report import Fact, ItemFacts, ReportTask, StepFacts
from fairlead.api.units import human
from fairlead.worker import html
from fairlead.worker.html import text
from fairlead.worker.reporting import chart, inputs

STYLE = """
h3{font-size:1em;margin:1.6em 0 .4em}h4{font-size:.9em;font-weight:600;margin:1em 0 .3em}
.wide{overflow-x:auto;max-width:100%}td,th{overflow-wrap:anywhere;min-width:3em}
.wide td{white-space:pre-wrap;max-width:24em}
pre{background:#f6f8fa;border-radius:6px;padding:.7em;overflow:auto;max-height:32em;white-space:pre-wrap}
img{max-width:100%;max-height:36em;background:#fff}
iframe{width:100%;height:32em;border:1px solid #d0d7de;border-radius:6px;background:#fff}
svg.bar{height:1em;width:16em;display:inline-block}.bar rect{fill:#2f6fb3}
.Completed{color:#1a7f37}.Failed{color:#cf222e}.Aborted{color:#57606a}
rect.Failed{fill:#cf222e}rect.Aborted{fill:#8c959f}rect.Completed{fill:#2f6fb3}rect.none{fill:#8c959f33}
p.missing{border-left:3px solid #9a6700;padding-left:.7em}
@media(prefers-color-scheme:dark){pre{background:#161b22}iframe{border-color:#30363d}
.Completed{color:#3fb950}.Failed{color:#f85149}.Aborted{color:#8d96a0}}
"""
SKIPPED = "Skipped"
_FAILED_HEADS = ["Step", "Item", "Reason", ""]


def page(task: ReportTask, folder: Path, now: datetime) -> Iterator[str]:
    """The whole page, part by part. folder: where the inputs are, each below its name."""
    yield html.opening(task.title, STYLE)
    yield _summary(task, now)
    yield html.table("Parameters", [[name, value] for name, value in sorted(task.params.items())])
    yield from _steps(task)
    yield _items(task.steps)
    yield from _metrics(task)
    yield from _inputs(task, folder)
    yield _left_out(task)
    yield html.END


def _summary(task: ReportTask, now: datetime) -> str:
    how = _verdict(task.verdict) if task.verdict else ""
    facts = [Fact(label="Pipeline", text=f"{task.pipeline} in namespace {task.namespace}"), *task.facts]
    rows = "".join(f"<tr><th>{text(one.label)}</th><td>{text(one.text)}</td></tr>" for one in facts)
    made = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    name = f"<p><b>{text(task.run)}</b>{how}</p>"
    return f"{name}<table>{rows}<tr><th>Page made</th><td>{made}</td></tr></table>"


def _verdict(verdict: Fact) -> str:
    return f": <b class={_word(verdict.label)}>{text(verdict.label)}</b> <small>{text(verdict.text)}</small>"


def _word(phase: str) -> str:
    """A class of the style sheet."""
    return phase if phase in ("Completed", "Failed", "Aborted") else "none"


# --- steps ---------------------------------------------------------------------------------------------------------


def _steps(task: ReportTask) -> Iterator[str]:
    yield "<h2>Steps</h2>"
    if task.steps:
        axis = chart.axis([task.started_at, *(t for one in task.steps for t in (one.started_at, one.finished_at))])
        heads = "".join(f"<th>{one}</th>" for one in ("Step", "State", "Took", axis.head(), "Attempts", "After", ""))
        rows = "".join(_step(one, axis) for one in task.steps)
        yield f"<div class=wide><table><tr>{heads}</tr>{rows}</table></div>"
    else:
        yield "<p>No step was over when the report began.</p>"
    if task.others:
        told = ", ".join(task.others)
        yield f"<p><small>Not waited for, so nothing is told of it here: {text(told)}</small></p>"


def _step(step: StepFacts, axis: chart.Axis) -> str:
    skipped = step.reason == SKIPPED
    state = SKIPPED if skipped else step.phase
    shown = f"<span class={_word('' if skipped else step.phase)}>{text(state)}</span>"
    bar = axis.bar(step.started_at, step.finished_at, _word(step.phase))
    cells = [f"<b>{text(step.name)}</b><br><small>{text(step.runs)}</small>", shown, text(_took(step)), bar,
             text(_attempts(step)), text(", ".join(step.after)), f"<small>{text(_why(step))}</small>"]  # fmt: skip
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _took(step: StepFacts) -> str:
    seconds = chart.between(step.started_at, step.finished_at)
    return human(seconds) if seconds is not None else "-"


def _attempts(step: StepFacts) -> str:
    parts = [str(step.attempts)] if step.attempts else ["-"]
    parts += [f"{step.failures} failed"] if step.failures else []
    parts += [f"{step.disruptions} lost to the cluster"] if step.disruptions else []
    return ", ".join(parts)


def _why(step: StepFacts) -> str:
    reason = "" if step.reason == SKIPPED else step.reason
    said = [": ".join(one for one in (reason, step.message) if one)]
    said += [f"from the cache: {step.cache}"] if step.cache else []
    said += [f"{step.gpu_seconds / 3600:.2f} GPU hours"] if step.gpu_seconds else []
    return "; ".join(one for one in said if one)


def _items(steps: Sequence[StepFacts]) -> str:
    mine = [(one.name, one.items) for one in steps if one.items is not None]
    counts = [[name, _of(found), *map(str, (found.completed, found.failed, found.stopped, found.left_out))]
              for name, found in mine]  # fmt: skip
    heads = ["Step", "Items", "Completed", "Failed", "Stopped", "Left out"]
    rows = [[name, f"{why.item} {why.values}", why.reason, why.message] for name, found in mine for why in found.why]
    hidden = sum(found.failed - len(found.why) for _, found in mine)
    more = f"<p><small>{hidden:,} more have failed</small></p>" if hidden > 0 else ""
    return html.table("Items", counts, heads) + html.table("Items that failed", rows, _FAILED_HEADS) + more


def _of(found: ItemFacts) -> str:
    return str(found.total) if found.total is not None else "not known"


# --- metrics -------------------------------------------------------------------------------------------------------


def _metrics(task: ReportTask) -> Iterator[str]:
    before = task.earlier.metrics if task.earlier is not None else {}
    over = {one.name: one.metrics for one in task.steps}
    rows = [_metric(name, key, found.get(key, ""), before.get(name, {}).get(key, ""))
            for name, found in over.items() for key in dict.fromkeys([*found, *before.get(name, {})])]  # fmt: skip
    if task.earlier is None:
        yield html.table("Metrics", [row[:3] for row in rows], ["Step", "Metric", "Value"])
        yield "<p><small>No run of this Pipeline has completed before.</small></p>" if rows else ""
        return
    since = f" of {task.earlier.started_at}" if task.earlier.started_at else ""
    beside = f"{task.earlier.run}{since}"
    yield html.table("Metrics", rows, ["Step", "Metric", "Value", beside, "Difference"])
    told = f"Beside them those of {beside}, the newest run before this one that has completed."
    yield f"<p><small>{text(told)}</small></p>" if rows else ""


def _metric(step: str, name: str, value: str, before: str) -> list[str]:
    return [step, name, value or "–", before or "–", difference(value, before)]


def difference(value: str, before: str) -> str:
    """From one number to another, and in per cent; a dash where one of them is not there."""
    try:
        new, old = Decimal(value), Decimal(before)
        moved = new - old
        part = f" ({moved / abs(old):+.1%})" if old and abs(moved / old) < 1000 else ""
    except ArithmeticError:
        return "–"
    return f"{moved:+.5g}{part}" if moved else "0"


# --- inputs --------------------------------------------------------------------------------------------------------


def _inputs(task: ReportTask, folder: Path) -> Iterator[str]:
    if task.inputs:
        yield "<h2>Inputs</h2>"
    room = inputs.Room()
    for one in task.inputs:
        yield f"<h3>{text(one.name)} <small>{text(one.source)}</small></h3>"
        if one.missing:
            yield f"<p class=missing>Missing: {text(one.missing)}</p>"
        else:
            yield from inputs.shown(folder / one.name, room)


def _left_out(task: ReportTask) -> str:
    if not task.left_out:
        return ""
    lines = "".join(f"<li>{text(one)}</li>" for one in task.left_out)
    return f"<h2>Not shown</h2><p>What is told of a run has a limit here:</p><ul>{lines}</ul>"
