"""`python -m hack.demo [--fresh]`: everything from the cluster to the summary; may be run again at any point."""

from __future__ import annotations

import argparse
import subprocess
import sys

from botocore.exceptions import BotoCoreError, ClientError

from hack import preflight
from hack.cluster.settings import paths
from hack.demo import diagnose, feed, numbers, pictures, setup, story, summary, verify
from hack.demo.durations import Durations
from hack.demo.kube import Json, Kube, KubeError
from hack.demo.narrate import narrate
from hack.demo.play import Lost, Stage
from hack.demo.story import CHAPTERS
from hack.demo.view import View
from hack.demo.world import World, status

PARTS = [
    ("cluster", "A real Kubernetes on this machine", 60.0),
    ("images", "Images of Fairlead and of the airline", 30.0),
    ("install", "Fairlead, by Helm", 30.0),
]
OWN = [PARTS[1], ("cluster", "The cluster of FAIRLEAD_KUBECONFIG", 60.0), PARTS[2]]
"""In a cluster of the user's own nothing is changed before it is known that the images can be had."""
ROLLED_BACK = "ROLLED BACK"
EVIDENCE_DEADLINE = 60.0
"""Seconds until the last alert and the last counters have reached Prometheus."""


def main() -> int:
    """0 when the story has happened as it must."""
    parser = argparse.ArgumentParser(prog="python -m hack.demo", description=__doc__)
    parser.add_argument(
        "--fresh", action="store_true", help="take away what an earlier demo has made, and play it anew"
    )
    given = parser.parse_args()
    view = View(Durations())
    view.say(preflight.choose(paths()).text)
    view.plan((OWN if setup.existing() else PARTS) + [(c.key, c.title, c.expected) for c in CHAPTERS])
    view.expect(setup.expected())
    try:
        return demo(view, fresh=given.fresh)
    except subprocess.CalledProcessError as error:
        view.say(
            f"✗ {' '.join(map(str, error.cmd[:3]))} … failed with {error.returncode}; its output is above", "bold red"
        )
        return 1
    except (KubeError, RuntimeError, BotoCoreError, ClientError) as error:
        view.say(f"✗ {error}", "bold red")
        return 1
    except KeyboardInterrupt:
        view.say("interrupted; run it again to go on")
        return 130


def demo(view: View, *, fresh: bool) -> int:
    """Set up, play, verify, sum up."""
    references = prepare(view)
    with view.part("install"):
        setup.install(references)
    cluster = setup.kube()
    if fresh:
        view.say("--fresh: what an earlier demo has made is taken away")
        setup.start_over(cluster)
    setup.namespace(cluster)
    world = World(lambda kind, before, now: tell(view, kind, before, now))
    try:
        return watched(view, cluster, world, references["airline"])
    finally:
        world.close()


def prepare(view: View) -> dict[str, str]:
    """The cluster and the images; the images' references."""
    if setup.existing():
        with view.part("images"):
            references = setup.images()
            setup.require_streams(setup.kube())
        with view.part("cluster"):
            setup.cluster_up()
        return references
    with view.part("cluster"), setup.images_beside():
        setup.cluster_up()
    with view.part("images"):
        return setup.images()


def tell(view: View, kind: str, before: Json | None, now: Json | None) -> None:
    """Put a change into words."""
    if before is None and now is not None and status(now):
        return  # it was there when the watch began
    for line in narrate(kind, before, now):
        view.say(line)
        if ROLLED_BACK in line:
            view.reached("the first rollback")


def watched(view: View, cluster: Kube, world: World, image: str) -> int:
    """Play the story while all changes are told; the exit status."""
    world.follow(cluster, setup.NAMESPACE)
    if not world.wait(world.complete, 30):
        raise RuntimeError("Fairlead's kinds can't be watched; is the chart installed? kubectl get crd")
    with feed.store(cluster) as client:
        setup.buckets(client)
    try:
        with view.live():
            Stage(cluster, view, world, image).play()
    except (Lost, KubeError, BotoCoreError, ClientError) as error:
        view.say(f"✗ {error}", "bold red")
        view.console.print(diagnose.report(cluster, world, setup.NAMESPACE), markup=False)
        view.say("when the cause is gone, run it again: it goes on where it stopped; or play it anew with --fresh")
        return 1
    return finish(view, cluster, world)


def finish(view: View, cluster: Kube, world: World) -> int:
    """Check all claims against the cluster and show the summary."""
    source = numbers.Numbers(cluster, setup.NAMESPACE)
    shown = pictures.Pictures(source)
    found = verify.facts(world, source, shown)

    def complete() -> bool:
        nonlocal found
        found = verify.facts(world, source, shown)
        return all(good for good, _ in verify.checks(found))

    world.wait(complete, EVIDENCE_DEADLINE)
    checked = verify.checks(found)
    summary.show(view.console, world, found.users, checked, links(cluster, world))
    failed = [text for good, text in checked if not good]
    if failed:
        view.say(f"✗ {len(failed)} of {len(checked)} claims do not hold: {'; '.join(failed)}", "bold red")
        return 1
    view.say("✓ the story has happened as it must", "bold green")
    return 0


def links(cluster: Kube, world: World) -> dict[str, str]:
    """Where to look."""
    found = {"the model": status(world.get("Deployment", story.DEPLOYMENT)).get("address", "")}
    for what, namespace, service in (
        ("Prometheus", "monitoring", "prometheus"),
        ("Alertmanager", "monitoring", "alertmanager"),
        ("the application", setup.NAMESPACE, "app"),
    ):
        item = cluster.get("service", service, namespace)
        if item:
            port = item["spec"]["ports"][0]["port"]
            path = "/stats" if service == "app" else ""
            found[what] = (
                f"http://{item['spec']['clusterIP']}:{port}{path}   (elsewhere: kubectl port-forward -n {namespace} "
                f"svc/{service} {port})"
            )
    return found


if __name__ == "__main__":
    sys.exit(main())
