"""The end: what happened when, what it cost, where what is live comes from, how to look around."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairlead.api.modelversion import ModelVersion
from fairlead.cli import request
from hack.demo import setup, story
from hack.demo.kube import Json
from hack.demo.narrate import scores, seconds
from hack.demo.numbers import Users
from hack.demo.setup import NAMESPACE
from hack.demo.story import CHAPTERS, Chapter
from hack.demo.world import World, spec, status


def show(
    console: Console, world: World, users: dict[str, Users], checks: list[tuple[bool, str]], links: dict[str, str]
) -> None:
    """All of it."""
    console.print(timeline(world, users))
    console.print(lineage(world))
    table = Table(title="Checked", box=None, show_header=False, title_justify="left", title_style="bold")
    for good, text in checks:
        table.add_row("[green]✓[/]" if good else "[red]✗[/]", text)
    console.print(table)
    console.print(Text("Ask the model", style="bold"))
    for line in asking(world):
        console.print(Text(line), soft_wrap=True)  # to be copied: lines are not broken
    console.print(around(links))


def asking(world: World) -> list[str]:
    """How the live version is asked, by a command and by a request that works."""
    served = status(world.get("Deployment", story.DEPLOYMENT))
    raw = world.get("ModelVersion", (served.get("live") or {}).get("version", ""))
    if not raw:
        return []  # it is gone again
    return request.shown(story.DEPLOYMENT, NAMESPACE, served.get("address", ""), ModelVersion.model_validate(raw))


def timeline(world: World, users: dict[str, Users]) -> Table:
    """A row for each version."""
    table = Table(title="What happened", box=None, title_justify="left", title_style="bold", padding=(0, 1))
    for heading in ("at", "version", "model", "proof (held-out rows)", "training", "rollout", "ended", "users saw"):
        table.add_column(heading, overflow="fold")
    for chapter in CHAPTERS:
        name = story.version(world, chapter)
        if name:
            table.add_row(*row(world, chapter, name, users.get(name, Users())))
    return table


def row(world: World, chapter: Chapter, name: str, seen: Users) -> tuple[str, ...]:
    """One version's line."""
    run, record = story.runs(world, chapter)[-1], story.record(world, chapter)
    evidence = status(world.get("ModelVersion", name)).get("evidence") or {}
    outcomes = seen.right + seen.wrong
    right = f", {100 * seen.right / outcomes:.0f} % right" if outcomes else ""
    return (
        hour(status(run).get("startedAt")), name, chapter.model, scores(evidence),
        between(status(run).get("startedAt"), status(run).get("finishedAt")),
        between(record.get("startedAt"), record.get("endedAt")), record.get("result", "?"),
        f"{seen.requests:,} answers, {seen.failed} failed{right}",
    )  # fmt: skip


def lineage(world: World) -> Table:
    """From the live version back to the data."""
    live = (status(world.get("Deployment", story.DEPLOYMENT)).get("live") or {}).get("version", "")
    version = world.get("ModelVersion", live)
    made = spec(version).get("lineage", {})
    artifact = spec(version).get("artifact", {})
    table = Table(
        title=f"Where {live} comes from", box=None, show_header=False, title_justify="left", title_style="bold"
    )
    rows = [
        ("artifact", f"{artifact.get('uri')}  sha256 {artifact.get('sha256', '')[:16]}…"),
        ("run", f"{made.get('run')} of pipeline {made.get('pipeline')}"),
        *((f"data {name}", describe(world, name, wanted)) for name, wanted in made.get("datasets", {}).items()),
        *((f"image of {step}", image) for step, image in made.get("images", {}).items()),
        ("params", ", ".join(f"{k}={v}" for k, v in made.get("params", {}).items())),
        ("proof", scores(status(version).get("evidence") or {})),
        ("report", (status(version).get("evidence") or {}).get("report", "")),
    ]
    for left, right in rows:
        table.add_row(left, right)
    return table


def describe(world: World, name: str, wanted: str) -> str:
    """A version of a dataset with its size."""
    known: list[Json] = status(world.get("Dataset", name)).get("versions", [])
    found = next((v for v in known if wanted.startswith(v["version"])), {})
    return f"version {wanted[:16]}" + (f", {found['rows']:,} rows in {found['files']} files" if found else "")


def around(links: dict[str, str]) -> Table:
    """Addresses and commands."""
    table = Table(title="Look around", box=None, show_header=False, title_justify="left", title_style="bold")
    for what, where in links.items():
        table.add_row(what, where)
    table.add_row("a shell", 'eval "$(python3 hack/cluster env)"')
    table.add_row("all of it", f"kubectl get fairlead -n {NAMESPACE}")
    table.add_row("why", f"kubectl describe mdeploy {story.DEPLOYMENT} -n {NAMESPACE}")
    table.add_row("again", "make demo   (anew: .venv/bin/python -m hack.demo --fresh)")
    table.add_row("remove", f"kubectl delete namespace {NAMESPACE}" if setup.existing() else "make down")
    return table


def hour(timestamp: str | None) -> str:
    """`09:41:07` in UTC."""
    return datetime.fromtimestamp(seconds(timestamp), UTC).strftime("%H:%M:%S") if timestamp else "?"


def between(start: str | None, end: str | None) -> str:
    """`42 s`."""
    return f"{seconds(end) - seconds(start):.0f} s" if start and end else "?"
