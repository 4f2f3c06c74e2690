"""Plays the story's chapters: does what people would do, waits for what Fairlead does."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

from hack.demo import feed, setup, story
from hack.demo.kube import Json, Kube
from hack.demo.numbers import Numbers
from hack.demo.story import CHAPTERS, Chapter
from hack.demo.view import View
from hack.demo.world import World, spec, status

APP_DEADLINE = 90.0
ALERT_DEADLINE = 90.0
ROLLBACK_ALERT = "FairleadRolledBack"
QUIET_DEADLINE = 180.0
WATCHED = ("data", "drift", "outliers", "quality")
"""Monitors that must be ok before the world changes."""


class Lost(Exception):  # noqa: N818 - the house's names of errors
    """The story can't go on; the message says why."""


class Stage:
    """Everything that a chapter needs."""

    def __init__(self, cluster: Kube, view: View, world: World, image: str) -> None:
        self.cluster, self.view, self.world = cluster, view, world
        self._image = image

    def play(self) -> None:
        """All chapters that have not ended yet."""
        with feed.store(self.cluster) as client:
            fed = feed.there(client)
        for number, chapter in enumerate(CHAPTERS):
            if story.done(self.world, chapter) and all(feed.key(month) in fed for month in chapter.months):
                self.view.skip(chapter.key, f"{story.version(self.world, chapter)} has been there")
            else:
                with self.view.part(chapter.key, partial(story.where, self.world, chapter)):
                    self._play(chapter, number == 0)
                    if chapter.ends == "RolledBack":
                        self._alerted(story.version(self.world, chapter))
            if number == 0:
                self._traffic()

    def _play(self, chapter: Chapter, first: bool) -> None:
        self._feed(chapter)
        if first:
            for name in ("dataset.yaml", "landed.yaml", "pipeline.yaml", "deployment.yaml"):
                self.cluster.apply(*map(self._placed, setup.manifests(name, self._image)))
                self.view.say(f"kubectl apply -f docs/examples/flights/{name}")
        if chapter.since:
            self._time_passes(chapter)
        if chapter.manifest:
            self._run_by_hand(chapter)
        elif story.must_start_again(self.world, chapter):
            self._again(chapter)
        self._await(chapter)

    def _feed(self, chapter: Chapter) -> None:
        with feed.store(self.cluster) as client:
            for month in chapter.months:
                written = feed.feed(client, month)
                if written:
                    self.view.say(f"the airline's export writes {written}")
            feed.begin(client)

    def _placed(self, item: Json) -> Json:
        """In a cluster of the user's own, which may have no such GPUs, the training goes without."""
        if item["kind"] != "Pipeline" or not setup.existing():
            return item
        changed, without = setup.placed(item, setup.nodes(self.cluster))
        if without:
            self.view.say(f"no node has the GPU that {', '.join(without)} asks for: it runs without one")
        return changed

    def _run_by_hand(self, chapter: Chapter) -> None:
        """Make the author's run, unless it is there and has not failed."""
        (run,) = setup.manifests(chapter.manifest, self._image)
        if story.must_start_again(self.world, chapter):
            run["metadata"]["name"] += f"-{int(time.time())}"
        elif story.runs(self.world, chapter):
            return
        self.cluster.apply(run)
        self.view.say(f"kubectl apply -f docs/examples/flights/{chapter.manifest} ({spec(run)['params']})")
        name = run["metadata"]["name"]
        self._wait(lambda: bool(self.world.get("PipelineRun", name)), 30, f"PipelineRun {name} was not seen")

    def _again(self, chapter: Chapter) -> None:
        """Repeat a run that failed in an earlier attempt."""
        name = f"again-{int(time.time())}"
        self.cluster.apply(run_manifest(name, f"{chapter.cause or 'new data'}, for the last run failed"))
        self.view.say(f"the last run failed in an earlier attempt; started {name}")
        self._wait(lambda: bool(self.world.get("PipelineRun", name)), 30, f"PipelineRun {name} was not seen")

    def _await(self, chapter: Chapter) -> None:
        def decided() -> bool:
            return story.done(self.world, chapter) or bool(story.lost(self.world, chapter))

        ended = self.world.wait(decided, chapter.deadline)
        why = story.lost(self.world, chapter)
        if why:
            raise Lost(why)
        if not ended:
            raise Lost(f"not there after {chapter.deadline:.0f} s; it stands at: {story.where(self.world, chapter)}")

    def _wait(self, fulfilled: Any, seconds: float, message: str) -> None:
        if not self.world.wait(fulfilled, seconds):
            raise Lost(f"{message} within {seconds:.0f} s")

    def _alerted(self, version: str) -> None:
        """Wait until Alertmanager has the alert of a rollback."""
        source = Numbers(self.cluster, setup.NAMESPACE)

        def there() -> bool:
            return any(
                alert["alertname"] == ROLLBACK_ALERT and alert.get("version") == version
                for alert in source.at_alertmanager()
            )

        if not self.world.wait(there, ALERT_DEADLINE):
            raise Lost(f"Alertmanager has no alert {ROLLBACK_ALERT} of {version} after {ALERT_DEADLINE:.0f} s")
        self.view.say(f"Alertmanager has {ROLLBACK_ALERT} of {version}")

    def _traffic(self) -> None:
        """The airline's application, at the Deployment's address."""
        address = status(self.world.get("Deployment", story.DEPLOYMENT)).get("address", "")
        if not address:
            raise Lost("the Deployment is live but names no address (status.address)")
        self.cluster.apply(config_map(address, self._since()), *setup.manifests("app.yaml", self._image))
        self._app_runs()
        self.view.say(f"the application replays flights of November at {address}")

    def _since(self) -> str:
        """The day from which time passes for the application; empty: it stands still."""
        known = self.cluster.get("configmap", "app", setup.NAMESPACE) or {}
        return str(known.get("data", {}).get("since", ""))

    def _time_passes(self, chapter: Chapter) -> None:
        """When all monitors say that all is well, the application goes on to another time of the year."""
        if self._since() == chapter.since:
            return

        def quiet() -> bool:
            found = story.lines(self.world)
            return all(found.get(monitor) == "Ok" for monitor in WATCHED)

        if not self.world.wait(quiet, QUIET_DEADLINE):
            raise Lost(f"the monitors are not ok after {QUIET_DEADLINE:.0f} s: {story.monitored(self.world)}")
        self.view.say(f"the monitors are ok: {story.monitored(self.world)}")
        patch = {"data": {"since": chapter.since}}
        self.cluster.call("-n", setup.NAMESPACE, "patch", "configmap", "app", "--type=merge", "-p", json.dumps(patch))
        self.cluster.call("-n", setup.NAMESPACE, "rollout", "restart", "deployment.apps/app")
        self._app_runs()
        self.view.say(f"for the application it is {chapter.since} now; from here on nobody does anything")

    def _app_runs(self) -> None:
        self.cluster.call(
            "-n", setup.NAMESPACE, "rollout", "status", "deployment.apps/app", f"--timeout={APP_DEADLINE:.0f}s",
            "--request-timeout=0",
        )  # fmt: skip


def run_manifest(name: str, reason: str) -> Json:
    """A run of the pipeline on the current data, as it stands in git."""
    return {
        "apiVersion": "fairlead.dev/v1alpha1", "kind": "PipelineRun",
        "metadata": {"name": name, "namespace": setup.NAMESPACE},
        "spec": {"pipeline": story.PIPELINE, "reason": reason},
    }  # fmt: skip


def config_map(address: str, since: str) -> Json:
    """Tells the application where the model is, and what time it is."""
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", "namespace": setup.NAMESPACE},
        "data": {"url": address, "since": since},
    }  # fmt: skip
