"""What happens in the demo, and how it is recognised. Pure: reads a World, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from hack.demo.kube import Json
from hack.demo.world import World, spec, status

DATASET, PIPELINE, DEPLOYMENT = "flights", "delay", "delay"
ENDED = ("Completed", "Failed", "Aborted")


@dataclass(frozen=True)
class Chapter:
    """One version of the model on its way, and how it must end."""

    key: str
    title: str
    months: tuple[int, ...]
    """Months of data that are in the bucket then."""
    ends: str
    """`Live` or `RolledBack`."""
    model: str = "boosted"
    manifest: str = ""
    """The PipelineRun that an author makes; empty: new data starts the run."""
    guard: str = ""
    """The guard that must have seen the harm."""
    cause: str = ""
    """The Deployment's condition that starts the run by itself."""
    since: str = ""
    """The day from which time passes in the application; empty: it stands still."""
    expected: float = 90.0
    """Seconds, until a run on this machine has shown it."""
    deadline: float = 900.0


CHAPTERS = (
    Chapter(
        "first", "August arrives: the first version is trained, proven against the average, and goes live",
        (8,), "Live", expected=45,
    ),
    Chapter(
        "errors", "An author tries a linear model: it passes every gate, fails when a plane's age is unknown",
        (8,), "RolledBack", "linear-age", "run-linear-age.yaml", "errors", expected=65,
    ),
    Chapter(
        "second", "September arrives: a second version beats the first, gets 10 %, then 50 %, and is promoted",
        (8, 9), "Live", expected=85,
    ),
    Chapter(
        "outcomes", "Another author reads the future: it passes every gate, answers everything, and is wrong",
        (8, 9), "RolledBack", "leaky", "run-leaky.yaml", "outcomes", expected=70,
    ),
    Chapter(
        "third", "October arrives: a good version takes over",
        (8, 9, 10), "Live", expected=95,
    ),
    Chapter(
        "world", "December comes, with snow: live and former version are wrong alike, and a run starts by itself",
        (8, 9, 10), "Live", cause="WorldChanged", since="2013-12-08", expected=210, deadline=600,
    ),
)  # fmt: skip


def runs(world: World, chapter: Chapter) -> list[Json]:
    """The runs that belong to a chapter, oldest first."""
    return [run for run in world.all("PipelineRun") if belongs(world, chapter, run)]


def belongs(world: World, chapter: Chapter, run: Json) -> bool:
    """Same cause, same idea of the author, same amount of data."""
    reason = spec(run).get("reason") or ""
    if chapter.cause != next((c.cause for c in CHAPTERS if c.cause and c.cause in reason), ""):
        return False
    if spec(run).get("params", {}).get("model", "boosted") != chapter.model:
        return False
    return bool(chapter.manifest) or files_read(world, run) == len(chapter.months)


def files_read(world: World, run: Json) -> int:
    """How many months the run's version of the data has; 0 while it isn't known."""
    versions = {v["version"]: v.get("files", 0) for v in status(world.get("Dataset", DATASET)).get("versions", [])}
    pinned = {d["name"]: d["version"] for d in status(run).get("datasets", [])}
    return int(versions.get(pinned.get(DATASET, ""), 0))


def version(world: World, chapter: Chapter) -> str:
    """The ModelVersion of the chapter's newest run; empty until it is made."""
    for run in reversed(runs(world, chapter)):
        if status(run).get("models"):
            return str(status(run)["models"][0])
    return ""


def record(world: World, chapter: Chapter) -> Json:
    """How the chapter's rollout ended; empty until it has."""
    history = status(world.get("Deployment", DEPLOYMENT)).get("history", [])
    name = version(world, chapter)
    return next((dict(r) for r in history if name and r["version"] == name), {})


def done(world: World, chapter: Chapter) -> bool:
    """Whether the chapter has ended as it must."""
    return record(world, chapter).get("result") == chapter.ends


def lost(world: World, chapter: Chapter) -> str:
    """Why the chapter can't end as it must any more; empty while it can."""
    newest = (runs(world, chapter) or [{}])[-1]
    if status(newest).get("phase") in ("Failed", "Aborted"):
        return (
            f"run {newest['metadata']['name']} {status(newest)['phase'].lower()}: {status(newest).get('message', '')}"
        )
    name = version(world, chapter)
    model = world.get("ModelVersion", name) if name else {}
    if status(model).get("phase") in ("Rejected", "Revoked"):
        return f"model {name} was {status(model)['phase'].lower()}: {status(model).get('message', '')}"
    found = record(world, chapter)
    if found and found["result"] != chapter.ends:
        return f"{name} should have ended as {chapter.ends}, but ended as {found['result']}: {found.get('message', '')}"
    return ""


def must_start_again(world: World, chapter: Chapter) -> bool:
    """Whether the chapter's run failed in an earlier attempt of the demo."""
    newest = (runs(world, chapter) or [{}])[-1]
    return status(newest).get("phase") in ("Failed", "Aborted")


def where(world: World, chapter: Chapter) -> str:
    """How far the chapter has come, in a few words."""
    run = (runs(world, chapter) or [{}])[-1]
    if not run and chapter.cause:
        return monitored(world)
    if not run:
        return "data" if not chapter.manifest else "run"
    if status(run).get("phase") not in ENDED:
        active = [s["name"] for s in status(run).get("steps", []) if s["phase"] == "Running"]
        return f"run {run['metadata']['name']}: {', '.join(active) or 'starting'}"
    name = version(world, chapter)
    model = status(world.get("ModelVersion", name)) if name else {}
    if model.get("phase") != "Approved":
        return f"model {name}: {model.get('phase', 'waiting').lower()}"
    return rollout(world) or f"model {name}: approved"


def lines(world: World) -> dict[str, str]:
    """What each monitor of the live version says, in a word; empty while that is another version's."""
    served = status(world.get("Deployment", DEPLOYMENT))
    kept = served.get("monitors") or {}
    if kept.get("version") != (served.get("live") or {}).get("version"):
        return {}
    return {str(line["monitor"]): str(line["state"]) for line in kept.get("lines", [])}


def monitored(world: World) -> str:
    """The same in a line: `data Ok, drift Drifting, quality Harmed, 412 labels; asked delay-3: 310 pairs`."""
    kept = status(world.get("Deployment", DEPLOYMENT)).get("monitors") or {}
    said = ", ".join(f"{monitor} {state}" for monitor, state in lines(world).items()) or "no window yet"
    asked = kept.get("question") or {}
    more = f"; {asked.get('against')} is asked: {asked.get('pairs', 0)} pairs" if asked else ""
    return f"{said}, {(kept.get('labels') or {}).get('labelled', 0)} labels{more}"


def rollout(world: World) -> str:
    """The running rollout: `delay-2 at 50 %: 213 requests, 0 failed; live delay-1: 214, 0`."""
    candidate = status(world.get("Deployment", DEPLOYMENT)).get("candidate")
    if not candidate:
        return ""
    text = f"{candidate['version']} at {candidate.get('weight', 0)} %"
    parts = []
    for guard in candidate.get("guards", []):
        own, live = guard.get("candidate", {}), guard.get("stable", {})
        parts.append(
            f"{guard['guard'].partition('/')[2]} {own.get('failures', 0)}/{own.get('requests', 0)} "
            f"(live {live.get('failures', 0)}/{live.get('requests', 0)})"
        )
    return f"{text}: {', '.join(parts)}" if parts else f"{text}: {candidate.get('verdict', '').lower()}"
