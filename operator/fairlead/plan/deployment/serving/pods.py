"""The pods of a version, and why they do not answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import is_

from pydantic import ValidationError

from fairlead.api.tasks import TaskResult
from fairlead.manifests import presets, server
from fairlead.manifests.meta import labels
from fairlead.manifests.server import FETCH, SERVER
from fairlead.monitor import golden
from fairlead.plan.conditions import quoted
from fairlead.plan.core import POD, WORKLOAD, Json, epoch
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import gate, running, serverends, strangers
from fairlead.plan.jobs import failures, serverlog
from fairlead.plan.requests import AskReady, Failed, ReadySaid

FOREIGN = "ForeignPod"
"""Reason, and type of a condition: somebody's pod stands in for a version's."""
ENDING = 10.0
"""Seconds that a pod may take to end after it should have (`deletionTimestamp` has the time that it was given)."""
ASKED, OK = 3, 200
"""Pods of a version that are asked why they have not started; and the answer of a server that has."""


@dataclass(frozen=True)
class PodView:
    """A pod that has not ended and is not about to."""

    uid: str
    ip: str
    ready: bool
    restarts: int
    """Of the server."""
    started: float | None
    """When the server's process began (epoch seconds); None when it does not run."""
    raw: Json

    @property
    def source(self) -> str:
        """Names the counters of this process: after a restart they are others."""
        return f"{self.uid}/{self.restarts}"


@dataclass(frozen=True)
class Problem:
    """Why something does not go on, and what to do about it."""

    reason: str
    message: str
    arm: str = ""
    """Whose counters can't be read."""


def selector(look: Look, version: str) -> dict[str, str]:
    """The labels of a version's pods."""
    found = labels(deployment=look.name, version=version)
    return {key: value for key, value in found.items() if key.startswith("fairlead.dev/")}


@dataclass(frozen=True)
class _Seen:
    """The pods with a version's labels: its own, and in words those that are not."""

    own: list[PodView]
    leaving: list[PodView]
    strangers: list[str]


def of(look: Look, version: str) -> list[PodView]:
    """A version's own pods, sorted by uid."""
    return _seen(look, version).own


def leaving(look: Look, version: str) -> list[PodView]:
    """A version's own pods that have been told to go: they finish what they have begun, and go on counting it. None of
    them is ready, whatever it says, for none need answer."""
    return _seen(look, version).leaving


def still_answering(look: Look, version: str, other: str) -> list[PodView]:
    """Of the pods that leave, those whose address is theirs for certain: where a node is lost, or nobody tells of a
    pod's end, another pod may have it by now, and what that one counts would be counted for both."""
    taken = {pod.ip for name in (version, other) if name for pod in of(look, name)}
    return [
        pod for pod in leaving(look, version)
        if pod.ip and pod.ip not in taken and look.now < epoch(pod.raw["metadata"]["deletionTimestamp"]) + ENDING
    ]  # fmt: skip


def foreign(look: Look, *names: str) -> Problem | None:
    """Pods that only have the labels of these versions, if there are any."""
    found = [(name, _seen(look, name).strangers) for name in names if name]
    told = [f"{', '.join(pods[:3])} has the labels of {name}, gets its requests and is not Fairlead's"
            for name, pods in found if pods]  # fmt: skip
    if not told:
        return None
    return Problem(
        FOREIGN, f"{'; '.join(told)[:700]}: delete it, and see who made it. Versions are not judged while it is there"
    )


def _seen(look: Look, version: str) -> _Seen:
    return look.once(("pods", version), lambda: _find(look, version))


def _find(look: Look, version: str) -> _Seen:
    raws = look.world.select(POD, selector(look, version)) if version else []
    if not raws:
        return _Seen([], [], [])
    made = strangers.makers(look.world, look.child(version), selector(look, version))
    memo = look.world.memo
    ground: list[object] = [*raws, *made.sets, made.workload]

    def same(known: list[object]) -> bool:
        return len(known) == len(ground) and all(map(is_, known, ground))

    def make() -> tuple[list[object], _Seen]:
        return ground, _split(look, made, raws)

    fresh = any(look.now < epoch(raw["metadata"]["creationTimestamp"]) + 2 * failures.PATIENCE for raw in raws)
    if memo is None or fresh:  # what is new may become a stranger without anything having changed
        return _split(look, made, raws)
    found: _Seen = memo.find(("pods", look.subject.meta.uid, version), same, make)
    return found


def _split(look: Look, made: strangers.Makers, raws: list[Json]) -> _Seen:
    alive = [raw for raw in raws if not failures.ended(raw)]
    own, others = strangers.split(made, [raw for raw in alive if not _goes(raw)], look.now)
    going, _ = strangers.split(made, [raw for raw in alive if _goes(raw)], look.now)
    return _Seen(_views(own), [replace(pod, ready=False) for pod in _views(going)], others)


def _goes(raw: Json) -> bool:
    return bool(raw["metadata"].get("deletionTimestamp"))


def _views(raws: list[Json]) -> list[PodView]:
    return sorted(map(_view, raws), key=lambda pod: pod.uid)


def _view(raw: Json) -> PodView:
    server = _container(raw, SERVER)
    started = server.get("state", {}).get("running", {}).get("startedAt")
    status = raw.get("status") or {}
    return PodView(
        uid=raw["metadata"]["uid"],
        ip=status.get("podIP") or "",
        ready=failures.has_condition(raw, "Ready") and bool(status.get("podIP")),
        restarts=int(server.get("restartCount", 0)),
        started=epoch(started) if started else None,
        raw=raw,
    )


def _container(raw: Json, name: str) -> Json:
    status = raw.get("status") or {}
    every = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    found: Json = next((one for one in every if one["name"] == name), {})
    return found


def ended_since(pod: PodView, since: float) -> bool:
    """Whether the server's process has ended at some time since then."""
    server = _container(pod.raw, SERVER)
    ends = [server.get(key, {}).get("terminated", {}).get("finishedAt") for key in ("state", "lastState")]
    return any(epoch(end) >= since for end in ends if end)


def restarted(look: Look, version: str, since: float, before: int) -> int:
    """How often a version's servers have restarted since then. before: how often its pods had at that time. One that
    has left takes its restarts along: they are not taken for fewer of those that have come since."""
    later = {
        pod.uid: pod.restarts for pod in of(look, version) if epoch(pod.raw["metadata"]["creationTimestamp"]) > since
    }
    known = sum(pod.restarts for pod in of(look, version) if pod.uid not in later)
    return max(0, known - before) + sum(later.values())


def problem(look: Look, version: str) -> Problem | None:
    """Why a version's pods don't become ready, or None if nothing speaks against it yet."""
    refused = _unservable(look, version) or _not_made(look, version)
    if refused:
        return refused
    for pod in of(look, version):
        if pod.ready:
            continue
        differs = tried(look, pod)
        if differs and differs.differs:
            return Problem(gate.SKEW, gate.told(version, differs))
        waiting = failures.waiting(pod.raw, look.now)
        if waiting:
            return Problem(waiting.reason, waiting.message)
        stopped = _fetching(pod.raw) or _serving(look, pod)
        if stopped:
            return stopped
    return None


def _unservable(look: Look, version: str) -> Problem | None:
    known = versions.read(look, version)
    if known is None:
        return None
    try:
        server.check(known.spec.server, look.spec.recorded is not None, look.world.config)
    except presets.Unservable as missing:
        return Problem(missing.reason, str(missing))
    why = running.refused(look, version, known)
    return Problem(*why) if why else None


def _not_made(look: Look, version: str) -> Problem | None:
    """The cluster refuses to make pods (quota, admission)."""
    workload = look.world.get(WORKLOAD, look.child(version))
    for condition in ((workload or {}).get("status") or {}).get("conditions") or []:
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            said = quoted(str(condition.get("message", "")), 500)
            return Problem("NoPod", f"the cluster refuses to make pods of {version}: {said}. They are made by "
                           "themselves when the quota or the policy allows it")  # fmt: skip
    return None


def asks(look: Look, version: str) -> list[AskReady]:
    """What the first servers of a version that have not started yet are asked, for people to see; and what came of
    golden rows."""
    waiting = [pod for pod in of(look, version) if not pod.ready][:ASKED]
    return [found for pod in waiting for found in (_asks(look, pod), asks_of(look, pod)) if found is not None]


def asks_of(look: Look, pod: PodView) -> AskReady | None:
    """The question what came of golden rows; None: the pod is not asked for any."""
    asked = bool(pod.ip) and gate.is_asked(pod.raw)
    return AskReady(f"{base(pod, presets.GOLDEN_PORT)}{golden.PATH}", look.namespace) if asked else None


def tried(look: Look, pod: PodView) -> gate.Tried | None:
    """What came of golden rows, as far as the pod has been asked by now."""
    asked = asks_of(look, pod)
    return gate.read(look.world.answer(asked)) if asked else None


def _asks(look: Look, pod: PodView) -> AskReady | None:
    server = _container(pod.raw, SERVER)
    probe = serverlog.probe(pod.raw, SERVER)
    if probe is None or not pod.ip or server.get("started") or "running" not in server.get("state", {}):
        return None
    return AskReady(f"{base(pod, probe.port)}{probe.path}", look.namespace)


def base(pod: PodView, port: int) -> str:
    """Where a pod's port is reached."""
    host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
    return f"http://{host}:{port}"


def can_answer(look: Look, pod: PodView) -> bool:
    """Whether a server that has not started yet says that it can answer."""
    request = _asks(look, pod)
    said = look.world.answer(request) if request else None
    return isinstance(said, ReadySaid) and said.status == OK


def answers(look: Look, pod: PodView) -> str:
    """What a server that has not started yet answers, in words; empty where nothing does, or nobody has asked."""
    request = _asks(look, pod)
    said = look.world.answer(request) if request else None
    if isinstance(said, ReadySaid) and said.status != OK:
        return f"is answered {said.status}" + (f" {quoted(serverlog.steady(said.text), 120)!r}" if said.text else "")
    late = isinstance(said, Failed) and said.reason == "Timeout"
    return "gets no answer" if late else ""


def fetched(pod: PodView) -> TaskResult | None:
    """What `fetch` has said of the model's bytes when it ended last; None if it has not, or said nothing readable."""
    end = serverlog.last_end(_container(pod.raw, FETCH))
    if end is None:
        return None
    try:
        said = TaskResult.model_validate_json(end.get("message") or "{}")
    except ValidationError:
        return None
    return said if said.error is not None or end["exitCode"] == 0 else None


def _fetching(raw: Json) -> Problem | None:
    end = serverlog.last_end(_container(raw, FETCH))
    if end is None or end["exitCode"] == 0:
        return None
    try:
        error = TaskResult.model_validate_json(end.get("message") or "{}").error
    except ValidationError:
        error = None
    if error:
        return Problem(error.reason, f"the model can't be fetched: {error.message}")
    code = end["exitCode"]
    return Problem(
        "FetchFailed", f"the model can't be fetched: exit code {code}; {serverends.logs(raw, FETCH)}"
    )  # fmt: skip


def _serving(look: Look, pod: PodView) -> Problem | None:
    ended = serverends.told(pod.raw, SERVER, _container(pod.raw, SERVER), answers(look, pod))
    return Problem(ended.reason, ended.message) if ended else None
