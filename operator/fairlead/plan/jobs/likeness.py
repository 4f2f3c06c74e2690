"""Whether a pod is what its template says: on that rests whether its word counts.

Clusters change pods on their way in: meshes add containers, clouds add volumes and variables, mirrors rewrite the host
of an image. All that is allowed. What decides which program runs over which bytes is not: image, command, arguments,
what the program was told, its mounts, and everything that could run another program in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from fairlead.api.tasks import TASK_ENV
from fairlead.plan.core import Json

OURS = "FAIRLEAD_"
"""Prefix of variables that only Fairlead sets."""
_FOLDERS = ("/fairlead", "/dev/termination-log", "/tmp")
"""Where nobody else may mount anything into Fairlead's containers."""
_PROGRAM = (
    "/app", "/bin", "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/local/bin",
    "/usr/local/lib",
)  # fmt: skip
"""Where Fairlead's own program and its interpreter are."""
_LOADS = ("PYTHON", "PATH")
"""How variables begin by which another program would run in the place of Fairlead's own: the image sets them, so what
a pod says replaces that. What comes by `envFrom` is not seen at all."""
_HOOKS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_SHARED = ("hostPID", "hostIPC", "hostNetwork", "shareProcessNamespace")


def difference(found: Json, wanted: Json) -> str:
    """The first thing in which a pod's spec is not as a template's says; empty if there is none.

    Both as the API server keeps them, or `wanted` as a manifest without its defaults."""
    return next(_differences(found, wanted), "")


def named(spec: Json) -> dict[str, Json]:
    """All containers of a spec by name."""
    return {one["name"]: one for one in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]}


def same_image(found: str, wanted: str) -> bool:
    """Whether an image is the wanted one, perhaps from a mirror: with the digest that was asked for, if one was; else
    under the same last name, with the same tag or a digest in its place."""
    if found == wanted:
        return True
    name, _, digest = found.partition("@")
    wanted_name, _, wanted_digest = wanted.partition("@")
    if wanted_digest:
        return digest == wanted_digest
    mine, asked = _tagged(name), _tagged(wanted_name)
    return mine[0] == asked[0] and (mine[1] == asked[1] or (bool(digest) and not mine[1]))


def _tagged(image: str) -> tuple[str, str]:
    """(last part of the name, tag)."""
    name, _, tag = image.rpartition("/")[2].partition(":")
    return name, tag


def _differences(found: Json, wanted: Json) -> Iterator[str]:
    for key in ("initContainers", "containers"):
        mine = {one["name"]: one for one in found.get(key) or []}
        for one in wanted.get(key) or []:
            name = one["name"]
            yield from _of_container(mine[name], one) if name in mine else [f"it has no container {name}"]
    order, asked = list(named(found)), list(named(wanted))
    if [name for name in order if name in asked] != asked:
        yield "its containers come in another order"
    yield from _of_pod(found, wanted)
    yield from _injected(found, wanted)


def _of_container(found: Json, wanted: Json) -> Iterator[str]:
    name = wanted["name"]
    if not same_image(found.get("image", ""), wanted.get("image", "")):
        yield f"container {name} has image {found.get('image')} instead of {wanted.get('image')}"
    for key in ("command", "args", "workingDir", "restartPolicy"):
        if (found.get(key) or None) != (wanted.get(key) or None):
            yield f"container {name} has another {key}"
    own = any(one["name"] == TASK_ENV for one in wanted.get("env") or [])  # it runs a program of Fairlead's
    yield from _env(name, found.get("env") or [], wanted.get("env") or [], (OURS, *_LOADS) if own else (OURS,))
    if own and (found.get("envFrom") or []) != (wanted.get("envFrom") or []):
        yield f"container {name} takes variables from elsewhere (envFrom)"
    mounts = found.get("volumeMounts") or [], wanted.get("volumeMounts") or []
    yield from _mounts(name, *mounts, (*_FOLDERS, *_PROGRAM) if own else _FOLDERS)
    for key in _HOOKS:
        if _runs(found.get(key)) and found.get(key) != wanted.get(key):
            yield f"container {name} has a {key} that runs a command"


def _env(name: str, found: list[Json], wanted: list[Json], kept: tuple[str, ...]) -> Iterator[str]:
    asked = {one["name"]: one for one in wanted}
    given: dict[str, list[Json]] = {}
    for one in found:
        given.setdefault(one["name"], []).append(one)
    for key, one in asked.items():
        if key not in given or any(not covers(each, one) for each in given[key]):
            yield f"container {name} has another value of {key}"
    for key in given:
        if key.startswith(kept) and key not in asked:
            yield f"container {name} has a variable {key}"


def _mounts(name: str, found: list[Json], wanted: list[Json], kept: tuple[str, ...]) -> Iterator[str]:
    paths = {one["mountPath"]: one for one in wanted}
    for path, one in paths.items():
        if not any(covers(each, one) for each in found if each["mountPath"] == path):
            yield f"container {name} has not the volume {one['name']} at {path}"
    for one in found:
        path = one["mountPath"]
        if path not in paths and any(_overlap(path, other) for other in (*paths, *kept)):
            yield f"container {name} has something mounted at {path}"


def _overlap(one: str, other: str) -> bool:
    a, b = _folder(one), _folder(other)
    return a.startswith(b) or b.startswith(a)


def _folder(path: str) -> str:
    """As a node understands it: `/x/../app`, `//app` and `app` are all `/app`."""
    return normpath("/" + path.lstrip("/")).rstrip("/") + "/"


def _runs(hook: object) -> bool:
    """Whether a hook or a probe runs a command in the container."""
    if isinstance(hook, dict):
        return "exec" in hook or any(map(_runs, hook.values()))
    return False


def _of_pod(found: Json, wanted: Json) -> Iterator[str]:
    for key in _SHARED:
        if found.get(key) and not wanted.get(key):
            yield f"it has {key}"
    if found.get("ephemeralContainers"):
        yield "somebody has attached a container to it (kubectl debug)"
    if "restartPolicy" in wanted and found.get("restartPolicy") != wanted["restartPolicy"]:
        yield "it has another restartPolicy"
    account = wanted.get("serviceAccountName") or "default"
    if (found.get("serviceAccountName") or "default") != account:
        yield f"it runs as ServiceAccount {found.get('serviceAccountName')}"
    volumes = {one["name"]: one for one in found.get("volumes") or []}
    for one in wanted.get("volumes") or []:
        mine = volumes.get(one["name"], {})
        if not (one.keys() <= mine.keys() and covers(mine, one)):  # an empty emptyDir is another than none
            yield f"its volume {one['name']} is another one"


def _injected(found: Json, wanted: Json) -> Iterator[str]:
    """A container that somebody has added must not reach what Fairlead's hand to one another."""
    ours, volumes = named(wanted), {one["name"] for one in wanted.get("volumes") or []}
    for name, one in named(found).items():
        taken = {mount["name"] for mount in one.get("volumeMounts") or []} & volumes if name not in ours else set()
        if taken:
            yield f"container {name}, which is not Fairlead's, mounts {', '.join(sorted(taken))}"


def covers(found: object, wanted: object) -> bool:
    """Whether everything in `wanted` is so in `found`, which may say more, as the API server's defaults do."""
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return not wanted
        return all(covers(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(covers, found, wanted))
    return bool(found == wanted) or (found is None and wanted in ("", 0, False))
