"""What became of a Job's pod, read from the API's fields only; message texts are shown to people, never parsed.

A failure is somebody's: the step's own (it spends `retry`), the cluster's (a disruption, with a budget of its own), or
final, because trying again cannot help. What it costs, each kind of Job says (`attempt.Followed.budget`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from fairlead.api.tasks import TaskError, TaskResult
from fairlead.manifests.pod import GPU_PRODUCT_LABEL
from fairlead.plan.conditions import quoted
from fairlead.plan.core import JOB, POD, Json, World, epoch
from fairlead.plan.jobs import likeness, serverlog

PATIENCE = 20.0
"""Seconds a pod may take to be made, or to end, before somebody is told."""
MOUNTING = 10.0
"""Seconds it may take to mount its volumes."""
_PULL = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_CONFIG = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
QUEUED = "Queued"
"""Reason of a Job that waits in a queue."""
CANT_START = frozenset({"ImagePull", "Unschedulable", "NotMounted", "NoPod", QUEUED, *_CONFIG})
"""Reasons of pods that have not begun, and begin only when somebody repairs something."""
_ENVIRONMENT = {"BucketMissing", "AccessDenied", "Unreachable", "RepositoryMissing"}
"""A worker's errors that end when somebody repairs the surroundings."""


Fault = Literal["own", "unclear", "cluster", "unreadable", "outdated", "final"]
"""Whose fault a failure is: of what the Job does itself; perhaps of that; of its surroundings; nobody knows, for its
answer can't be read; of the operator that made it, which has another image now; and where trying again can't help."""


@dataclass(frozen=True)
class Waiting:
    """A pod that can't start, or can't end. It goes on by itself when the cause is gone."""

    reason: str
    message: str


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed."""

    reason: str
    message: str
    fault: Fault


@dataclass(frozen=True)
class Raise:
    """Which fields set the limits that a Job came to."""

    memory: str = "jobs.memory in the installation's values"
    """Of Fairlead's own containers."""
    scratch: str = "jobs.scratch in the installation's values"
    deadline: str = "jobs.deadline in the installation's values"


INSTALLATION = Raise()
STEP = Raise(deadline="timeout")
KILLED = 137
"""Exit code of what was ended by SIGKILL."""
LIMITS = ("OutOfMemory", "OutOfScratch", "DeadlineExceeded")
"""Reasons of attempts that came to a limit of their Job. Another one would, too, unless something is changed."""


def pods_of(world: World, labels: dict[str, str], job_uid: str) -> list[Json]:
    """The pods that claim to be of exactly this Job; `labels` narrow the search. Which one is: see `jobpods`."""
    return [pod for pod in world.select(POD, labels) if job_uid and controller(pod) == job_uid]


def controller(obj: Json) -> str:
    """The uid of the controlling owner, or an empty string."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((str(o["uid"]) for o in owners if o.get("controller")), "")


def own_job(world: World, name: str, owner_uid: str) -> Json | None:
    """A Job by name, if this owner controls it."""
    job = world.get(JOB, name)
    return job if job is not None and controller(job) == owner_uid else None


def has_condition(obj: Json, *types: str) -> bool:
    """Whether one of these conditions is True."""
    return any(c["type"] in types and c["status"] == "True" for c in _conditions(obj))


def ended(pod: Json) -> bool:
    """Whether all of a pod's containers have stopped for good."""
    return _phase(pod) in ("Succeeded", "Failed")


def started(pod: Json) -> bool:
    """Whether one of a pod's containers has run."""
    return any("running" in s["state"] or "terminated" in s["state"] for _, s in statuses(pod) if "state" in s)


def result(pod: Json, container: str) -> TaskResult | None:
    """What stands in a worker's message at its end, or None if there is nothing, or nothing readable."""
    stopped = terminated(pod, container)
    if stopped is None or not stopped.get("message"):
        return None
    try:
        return TaskResult.model_validate_json(stopped["message"])
    except ValidationError:
        return None


def image_ran(pod: Json, container: str) -> str:
    """The image of a container with its digest, as the node reports it; without one if the node doesn't say."""
    for name, status in statuses(pod):
        if name == container:
            image, digest = status.get("image", ""), status.get("imageID", "")
            if "@" in digest:
                return str(digest).removeprefix("docker-pullable://")
            return f"{image}@{digest}" if digest.startswith("sha256:") and "@" not in image else str(image)
    return ""


def gone(job: Json | None) -> bool:
    """Whether a Job will never have a running pod again."""
    return job is None or has_condition(job, "Complete", "Failed")


def ended_since(job: Json | None, now: float) -> float | None:
    """Seconds since a Job has ended; None if it has not, or is not there."""
    for condition in _conditions(job) if job is not None else ():
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            at = condition.get("lastTransitionTime")
            return now - epoch(at) if at else PATIENCE
    return None


def without_pod(job: Json, now: float) -> Waiting | None:
    """Why a Job has no pod: the cluster refuses it (quota, admission), which no status says."""
    if now - epoch(job["metadata"]["creationTimestamp"]) < PATIENCE:
        return None
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    return Waiting(
        "NoPod", f"Job {name} got no pod: a quota or an admission policy may refuse it; "
        f"see kubectl describe job -n {namespace} {name}. It starts by itself when it may",
    )  # fmt: skip


def waiting(pod: Json, now: float, template: Json | None = None) -> Waiting | None:
    """Why a pod that is not over can't go on, or None. `template`: what was asked for, a pod's spec."""
    if ended(pod):
        return None
    looks: tuple[Callable[[Json, float], Waiting | None], ...] = (_leaving, _unschedulable)
    found = next((found for look in looks if (found := look(pod, now))), None)
    return found or _containers(pod, template or {}) or _mounting(pod, now)


def _leaving(pod: Json, now: float) -> Waiting | None:
    deadline = pod["metadata"].get("deletionTimestamp")
    if not deadline or now < epoch(deadline) + PATIENCE:
        return None
    node = pod["spec"].get("nodeName", "")
    return Waiting(
        "NodeLost", f"node {node} does not confirm that the pod has ended, so it may still run; it is not replaced "
        f"until the node answers, or is removed: kubectl delete node {node}",
    )  # fmt: skip


def _unschedulable(pod: Json, _now: float) -> Waiting | None:
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return Waiting(
                "Unschedulable", f"no node has room for {_wants(pod)}: {quoted(condition.get('message', ''), 400)} "
                "Add or free a node that fits; it starts by itself",
            )  # fmt: skip
    return None


def _wants(pod: Json) -> str:
    """What a pod asks of a node, in words."""
    spec = pod["spec"]
    asked: dict[str, str] = {}
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        asked |= container.get("resources", {}).get("requests", {})
    selector = spec.get("nodeSelector") or {}
    words = [f"{amount} {name}" for name, amount in sorted(asked.items(), key=lambda kv: "/" not in kv[0])]
    words += [f"{key}={value}" for key, value in selector.items() if key != GPU_PRODUCT_LABEL]
    if GPU_PRODUCT_LABEL in selector:
        words.insert(1, f"of product {selector[GPU_PRODUCT_LABEL]}")
    return ", ".join(words).replace(", of product", " of product") or "the pod"


def _containers(pod: Json, template: Json) -> Waiting | None:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    for container, status in statuses(pod):
        state = status.get("state", {}).get("waiting", {})
        # the texts alternate between the pull's error and the back-off; a status that repeated them would never rest
        if state.get("reason") in _PULL:
            image, changed = _image(pod, template, container, status)
            return Waiting(
                "ImagePull", f"image {image} of container {container} can't be pulled{changed}: check its name, and "
                f"that the node may pull it; kubectl describe pod -n {namespace} {name} shows the registry's answer. "
                "It starts by itself when the image is there",
            )  # fmt: skip
        if state.get("reason") in _CONFIG:
            said = quoted(serverlog.without_ids(state.get("message", "")), 400)
            return Waiting(
                state["reason"], f"container {container} can't be made: {said}; it starts by itself when that is "
                "repaired",
            )  # fmt: skip
    return None


def _image(pod: Json, template: Json, container: str, status: Json) -> tuple[str, str]:
    """The image that a container of the pod really has, and in words whether that is another than was asked for."""
    mine, asked = likeness.named(pod["spec"]).get(container, {}), likeness.named(template).get(container, {})
    image, wanted = status.get("image") or mine.get("image", ""), asked.get("image", "")
    if template and not asked:
        return image, " (something in the cluster has added this container to the pod)"
    return image, f" (something in the cluster has rewritten it from {wanted})" if wanted not in ("", image) else ""


def _mounting(pod: Json, now: float) -> Waiting | None:
    since = _not_mounted_since(pod)
    if since is None or now - since < MOUNTING:
        return None
    name, namespace, found = pod["metadata"]["name"], pod["metadata"]["namespace"], ", ".join(needed(pod))
    needs = f"check that these exist in namespace {namespace}: {found}" if found else "see why"
    return Waiting(
        "NotMounted", f"the pod's volumes or network are not ready: {needs}; kubectl describe pod -n {namespace} "
        f"{name} shows the cause. It starts by itself",
    )  # fmt: skip


def needed(pod: Json) -> list[str]:
    """What of the namespace a pod's volumes need: `Secret a`, `ConfigMap b`."""
    volumes = pod["spec"].get("volumes") or []
    secrets = {v["secret"]["secretName"] for v in volumes if "secret" in v}
    maps = {v["configMap"]["name"] for v in volumes if "configMap" in v}
    return [*(f"Secret {name}" for name in sorted(secrets)), *(f"ConfigMap {name}" for name in sorted(maps))]


def _not_mounted_since(pod: Json) -> float | None:
    if not pod["spec"].get("nodeName") or _phase(pod) != "Pending":
        return None
    for condition in _conditions(pod):
        if condition["type"] == "PodReadyToStartContainers" and condition["status"] == "False":
            return epoch(condition["lastTransitionTime"])
    return None


def look_again(job: Json, pod: Json | None, now: float) -> float | None:
    """Seconds after which something that no event announces may have to be said; None: an event will come."""
    patience = PATIENCE
    if pod is None:
        since: float | None = epoch(job["metadata"]["creationTimestamp"])
    elif pod["metadata"].get("deletionTimestamp"):
        since = epoch(pod["metadata"]["deletionTimestamp"])
    else:
        since, patience = _not_mounted_since(pod), MOUNTING
    return since + patience - now + 0.1 if since is not None and now < since + patience else None


def failure(pod: Json, program: str | None, template: Json | None = None, limits: Raise = STEP) -> Failure:
    """Why a failed pod failed. `program`: the container that runs a user's code, if there is one. `template`: what was
    asked for, a pod's spec; how containers end that others have added decides nothing. `limits`: what to raise."""
    mine = [name for name, _ in statuses(pod) if template is None or name in likeness.named(template)]
    # the main container first: sidecars are killed when it has ended, and that is no cause
    mains = [one["name"] for one in pod["status"].get("containerStatuses") or []]
    mine.sort(key=lambda name: name not in mains)
    return (
        _by_cluster(pod, template or {}, limits) or _by_memory(pod, program, mine, limits.memory)
        or _by_program(pod, program) or _by_worker(pod, mine, limits.memory) or _by_others(pod, mine)
    )  # fmt: skip


def _by_cluster(pod: Json, template: Json, limits: Raise) -> Failure | None:
    reason = pod["status"].get("reason", "")
    if reason == "DeadlineExceeded":
        text = f"the attempt ran longer than {limits.deadline} allows; raise it or do less"
        return Failure("DeadlineExceeded", text, "own")
    for condition in _conditions(pod):
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            why = condition.get("reason", "")
            return Failure("Disrupted", f"the cluster ended the pod ({why})", "cluster")
    if pod["metadata"].get("deletionTimestamp"):
        return Failure("Disrupted", "the pod was deleted", "cluster")
    room = _scratch(template)
    if reason == "Evicted" and room:  # where the node itself has no room, the pod is a DisruptionTarget
        text = f"the pod wrote more than {room} to its node's disk; raise {limits.scratch}"
        return Failure("OutOfScratch", text, "cluster")
    if reason:  # the kubelet refused or removed the pod: Evicted, NodeAffinity, UnexpectedAdmissionError …
        return Failure("Disrupted", f"the node refused the pod ({reason})", "cluster")
    return None


def _scratch(template: Json) -> str:
    """Room on the node's disk that a pod may use; empty: as much as there is."""
    limits = [one.get("resources", {}).get("limits", {}) for one in likeness.named(template).values()]
    return next((str(one["ephemeral-storage"]) for one in limits if "ephemeral-storage" in one), "")


def _by_memory(pod: Json, program: str | None, ours: Collection[str], limit: str) -> Failure | None:
    for name in ours:
        if (terminated(pod, name) or {}).get("reason") == "OOMKilled":
            mine = name == program
            remedy = f"raise {'resources.memory' if mine else limit}"
            return Failure("OutOfMemory", f"container {name} ran out of memory; {remedy}", "own" if mine else "cluster")
    return None


def _by_program(pod: Json, program: str | None) -> Failure | None:
    stopped = terminated(pod, program) if program else None
    if not stopped or stopped["exitCode"] == 0:
        return None
    if stopped.get("reason") in ("StartError", "ContainerCannotRun"):
        said = quoted(stopped.get("message", ""), 300)
        return Failure("UserError", f"the command could not be started: {said}; correct command or image", "own")
    said = serverlog.last_words({"state": {"terminated": stopped}})
    words = f": {said}" if said else ""
    why = killed(stopped["exitCode"], "resources.memory")
    return Failure("UserError", f"the program ended with exit code {stopped['exitCode']}{why}{words}", "own")


def killed(code: int, limit: str) -> str:
    """What is to be thought of when something was killed and nobody says why: runtimes lose the news of a limit that
    was reached now and then (containerd's issue 8893). limit: the field that it has."""
    return f" (killed, perhaps at its limit of memory: see its log, or raise {limit})" if code == KILLED else ""


def _by_worker(pod: Json, ours: Collection[str], limit: str) -> Failure | None:
    for name in ours:
        stopped = terminated(pod, name)
        if stopped is None or stopped["exitCode"] == 0:
            continue
        said = result(pod, name)
        if said and said.error:
            return by_task(said.error)
        code = stopped["exitCode"]
        text = f"container {name} ended with exit code {code}{killed(code, limit)} and without an answer"
        return Failure("Disrupted", text, "cluster")
    return None


def _by_others(pod: Json, ours: Collection[str]) -> Failure:
    """What somebody has added to the pod ended it before Fairlead's own could begin."""
    for name, _ in statuses(pod):
        code = (terminated(pod, name) or {}).get("exitCode", 0)
        if name not in ours and code:
            return Failure(
                "Injected", f"container {name}, which something in the cluster has added to the pod, ended with exit "
                f"code {code} before Fairlead's had done its work; see its log, or exempt the namespace", "cluster",
            )  # fmt: skip
    return Failure("Disrupted", "the pod failed without saying why", "cluster")


def by_task(error: TaskError) -> Failure:
    """A worker's own word."""
    if error.transient or error.reason in _ENVIRONMENT:
        return Failure(error.reason, error.message, "cluster")
    # A program that forgot an output, or wrote what can't be taken, may do better the next time.
    return Failure(error.reason, error.message, "own" if error.reason in ("OutputMissing", "BadData") else "final")


def _phase(pod: Json) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def _conditions(obj: Json) -> list[Json]:
    return obj.get("status", {}).get("conditions") or []


def statuses(pod: Json) -> Iterator[tuple[str, Json]]:
    """The containers of a pod that have one, by name, in the order of their start."""
    status = pod.get("status", {})
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        yield one["name"], one


def terminated(pod: Json, container: str) -> Json | None:
    """How a container has ended; None if it has not."""
    for name, status in statuses(pod):
        if name == container:
            found: Json | None = status.get("state", {}).get("terminated")
            return found
    return None
