"""What a step with `report` is told of its run: facts that fit into a Job, whatever the run is like."""

from __future__ import annotations

from fairlead.api.each import FailedItem
from fairlead.api.schema import Model

OUTPUT = "report"
"""Name of the output that the page is."""
LIMIT = 32 << 10
"""Bytes of a task as JSON: it is a part of a Job, and whoever lists Jobs reads it."""


class ItemFacts(Model):
    """Where the items of a step with `each` stand."""

    total: int | None = None
    """None: it was not found out which there are."""
    completed: int = 0
    failed: int = 0
    stopped: int = 0
    left_out: int = 0
    """Not completed by the step whose items these are."""
    why: list[FailedItem] = []
    """Of the first that have failed."""


class StepFacts(Model):
    """A step that is over."""

    name: str
    runs: str = ""
    """What it is, in a word for people: an image, a component."""
    after: list[str] = []
    """Steps that it has waited for."""
    phase: str = ""
    reason: str = ""
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    attempts: int = 0
    failures: int = 0
    disruptions: int = 0
    cache: str = ""
    """Of one whose outputs are an earlier run's: whose."""
    gpu_seconds: int = 0
    metrics: dict[str, str] = {}
    items: ItemFacts | None = None


class Earlier(Model):
    """The newest run of the same Pipeline that was made before this one and has completed."""

    run: str
    started_at: str = ""
    """For people."""
    metrics: dict[str, dict[str, str]] = {}
    """By step and name."""


class InputFacts(Model):
    """Something that the report reads."""

    name: str
    source: str
    """In words: a version, an output."""
    missing: str = ""
    """Why it is not there; empty: it is, at `/fairlead/in/<name>`."""


class Fact(Model):
    """A line about the run."""

    label: str
    text: str


class ReportTask(Model):
    """Make a page of a run."""

    title: str
    run: str
    namespace: str
    pipeline: str
    facts: list[Fact] = []
    """Why and when it started, what it read, in the order in which they are shown."""
    params: dict[str, str] = {}
    verdict: Fact | None = None
    """How the run went, if that is known: the phase, and why."""
    started_at: str = ""
    steps: list[StepFacts] = []
    """Those that are over in any case when the report begins."""
    others: list[str] = []
    """The other ones, which may be under way."""
    earlier: Earlier | None = None
    inputs: list[InputFacts] = []
    left_out: list[str] = []
    """What is not told here for want of room, in words."""
