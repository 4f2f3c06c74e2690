"""Pods whose requests are counted by a profile, and whose share follows the traffic."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace

import pytest

from fairlead.api.config import Images
from fairlead.api.server import Server
from fairlead.api.tasks import Access, Place, ProfileAt, RecordTask
from fairlead.manifests import recorder
from fairlead.manifests.meta import Json
from fairlead.manifests.proxy import SHARES
from fairlead.manifests.recorder import ANNOTATION, Profiled, Recording

AT = ProfileAt(
    access=Access(endpoint="https://models", credentials="/fairlead/credentials/models-keys"),
    uri="s3://models/team/m-1/profile.json", sha256="ab" * 32,
)  # fmt: skip
PLAIN = Recording(
    deployment="web", version="m-1", parts=26, every=60.0, inputs=False, path=None,
    store=Place(bucket="b", prefix="p/"), credentials="keys",
)  # fmt: skip
COUNTED = replace(PLAIN, profile=Profiled(AT, "models-keys"))
STEERED = replace(COUNTED, steered=True)


def containers(recording: Recording) -> dict[str, Json]:
    server, images = Server(preset="sklearn"), Images(worker="w", proxy="p")
    return {one["name"]: one for one in recorder.sidecars(recording, server, "web", "w", images)}


def told(recording: Recording) -> RecordTask:
    env = {one["name"]: one.get("value") for one in containers(recording)["recorder"]["env"]}
    return RecordTask.model_validate_json(env["FAIRLEAD_TASK"])


def envoy(recording: Recording) -> Json:
    return dict(json.loads(containers(recording)["proxy"]["args"][1].replace("$$", "$")))


def test_what_recorded_before_is_not_made_anew() -> None:
    """The hash of those without a profile is the one that they had: another one would replace each pod."""
    assert PLAIN.annotations() == {ANNOTATION: "9f8d01764d"}
    assert told(PLAIN).profile is None
    assert "profile" not in json.dumps(containers(PLAIN))


def test_the_recorder_gets_the_profile_and_may_open_its_bucket() -> None:
    assert told(COUNTED).profile == AT
    volumes = {one["name"] for one in recorder.volumes(COUNTED)}
    mounts = {one["name"]: one["mountPath"] for one in containers(COUNTED)["recorder"]["volumeMounts"]}
    assert AT.access.credentials in mounts.values()
    assert {name for name in mounts if name.startswith("credentials")} <= volumes
    own = replace(COUNTED, profile=Profiled(AT, "keys"))
    assert len(containers(own)["recorder"]["volumeMounts"]) == len(mounts) - 1


def test_bodies_go_to_the_recorder_to_be_counted_and_are_not_kept() -> None:
    assert not told(COUNTED).inputs
    modes = [json.dumps(envoy(one)).count('"request_body_mode": "STREAMED"') for one in (PLAIN, COUNTED)]
    assert modes == [0, len(SHARES)]
    kept = replace(COUNTED, inputs=True)
    assert envoy(kept)["static_resources"]["listeners"][0] != envoy(COUNTED)["static_resources"]["listeners"][0]


@pytest.mark.parametrize("moved", [AT.model_copy(update={"uri": "s3://elsewhere/profile.json"})])
def test_a_profile_that_has_moved_makes_no_pod_anew(moved: ProfileAt) -> None:
    """The bytes are the same; running recorders have them already."""
    live = {"metadata": {"annotations": COUNTED.annotations()}, "spec": {"initContainers": _list(COUNTED)}}
    later = replace(COUNTED, profile=Profiled(moved, "models-keys"))
    template = {"metadata": {"annotations": later.annotations()}, "spec": {"initContainers": _list(later)}}
    assert template != live
    recorder.keep(template, deepcopy(live))
    assert template == live


@pytest.mark.parametrize(
    "other",
    [
        PLAIN, STEERED, replace(COUNTED, profile=Profiled(AT)),
        replace(COUNTED, profile=Profiled(AT.model_copy(update={"sha256": "cd" * 32}), "models-keys")),
    ],
)  # fmt: skip
def test_what_is_counted_otherwise_is_made_anew(other: Recording) -> None:
    assert other.annotations() != COUNTED.annotations()


def test_a_share_that_follows_the_traffic() -> None:
    """Both containers see the folder of the settings, and the proxy looks into what is its own mount: that is there
    before the recorder is."""
    task, config = told(STEERED), envoy(STEERED)
    assert task.steer == recorder.FOLDER
    assert task.probability == 1.0
    layer = config["layered_runtime"]["layers"][1]["disk_layer"]
    assert layer == {"symlink_root": "/fairlead/record/settings", "subdirectory": "fairlead"}
    assert {one["mountPath"] for one in containers(STEERED)["proxy"]["volumeMounts"]} == {"/tmp", recorder.FOLDER}
    assert len(containers(replace(STEERED, copies="m-2"))["proxy"]["args"][1]) < 40 << 10
    assert (task.sparing, told(COUNTED).sparing) == (True, None)
    assert envoy(COUNTED)["layered_runtime"] == config["layered_runtime"], "what is counted follows in any case"
    assert len(envoy(PLAIN)["layered_runtime"]["layers"]) == 1


def _list(recording: Recording) -> list[Json]:
    return list(containers(recording).values())
