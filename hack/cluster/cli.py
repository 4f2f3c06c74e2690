"""The command line: `python3 hack/cluster up|down|check|status|logs|load-image|images|build|env`."""

import argparse
import shutil
import sys
from collections.abc import Callable

from hack.cluster import builds, foreign, imagebuild, images, info, loading, node, onnodes, owners
from hack.cluster.components import BY_NAME as COMPONENTS
from hack.cluster.lock import exclusive
from hack.cluster.progress import Progress
from hack.cluster.recipes import BY_NAME as RECIPES
from hack.cluster.settings import Paths, existing_kubeconfig, flavour, paths
from hack.cluster.shell import ClusterError
from hack.cluster.up import up

Command = Callable[[argparse.Namespace, Paths, Progress], None]


def _up(_: argparse.Namespace, where: Paths, progress: Progress) -> None:
    up(where, progress)
    progress.say('the cluster is up: eval "$(python3 hack/cluster env)" to use it from this shell')


def _down(arguments: argparse.Namespace, where: Paths, progress: Progress) -> None:
    with exclusive(where.state / "lock"):
        if existing_kubeconfig() or flavour() == "kind":
            foreign.down(where, progress)
        else:
            owners.refuse_other(where.state)
            node.stop(where, progress)
            node.delete_run_state(where)
    if arguments.all:
        with progress.step("delete builds and caches", 5):
            for folder in (where.cache, where.logs, where.bin):
                shutil.rmtree(folder, ignore_errors=True)


def _check(_: argparse.Namespace, where: Paths, progress: Progress) -> None:
    foreign.check(where, progress)
    progress.say("the cluster has what Fairlead and its demo use")


def _status(_: argparse.Namespace, where: Paths, _progress: Progress) -> None:
    text, ready = info.status(where)
    print(text)
    if not ready:
        raise SystemExit(1)


def _logs(arguments: argparse.Namespace, where: Paths, _progress: Progress) -> None:
    info.logs(where, arguments.component, follow=arguments.follow, lines=arguments.lines)


def _load(arguments: argparse.Namespace, where: Paths, progress: Progress) -> None:
    if arguments.build_only:
        loading.build_only(where, request(arguments), progress)
    else:
        print(loading.load(where, request(arguments), progress))


def request(arguments: argparse.Namespace) -> imagebuild.Request:
    """What `load-image` is asked for."""
    return imagebuild.Request(
        arguments.source, arguments.name, arguments.file, arguments.target, tuple(arguments.build_arg)
    )


def _images(_: argparse.Namespace, where: Paths, _progress: Progress) -> None:
    if existing_kubeconfig():
        for name in sorted(onnodes.everywhere(info.kube(where).get("nodes") or {})):
            if name.startswith(f"{images.REGISTRY}/"):
                print(name)
        return
    for name, digest in sorted(images.present().items()):
        if name.startswith(f"{images.REGISTRY}/"):
            print(f"{name}\t{digest}")


def _build(arguments: argparse.Namespace, where: Paths, progress: Progress) -> None:
    where.cache.mkdir(parents=True, exist_ok=True)
    recipes = [RECIPES[name] for name in arguments.recipe]
    builds.build_all(where, recipes, progress)
    for recipe in recipes:
        for program in recipe.programs:
            print(builds.folder(where, recipe) / program)


def _env(_: argparse.Namespace, where: Paths, _progress: Progress) -> None:
    print(info.exports(where))


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = argparse.ArgumentParser(prog="python3 hack/cluster", description="A real Kubernetes on this machine.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: Command, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        return command

    add("up", _up, "build what is missing, start or repair the cluster, install the stack")
    down = add("down", _down, "stop the cluster and delete its state; builds and caches stay")
    down.add_argument("--all", action="store_true", help="delete builds and caches too")
    add("check", _check, "whether a cluster of your own has what Fairlead and its demo use; changes nothing")
    add("status", _status, "what runs, since when, and whether it is ready")
    logs = add("logs", _logs, "the log of one of the node's processes")
    logs.add_argument("component", choices=sorted(COMPONENTS))
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("-n", "--lines", type=int, default=200)
    load = add("load-image", _load, "build a Dockerfile's folder, or take an OCI archive, and load it into the cluster")
    load.add_argument("source", help="a folder with a Dockerfile, or an OCI archive")
    load.add_argument("name", help="NAME[:TAG]; without a registry it becomes fairlead.local/NAME:TAG")
    load.add_argument("--file", help="the Dockerfile, when it is not SOURCE/Dockerfile")
    load.add_argument("--target", help="the Dockerfile's stage to stop at")
    load.add_argument("--build-arg", action="append", default=[], metavar="KEY=VALUE")
    load.add_argument("--build-only", action="store_true", help="build into the cache; no cluster is needed")
    add("images", _images, "images that the cluster has from here")
    build = add("build", _build, "build programs into the cache, without starting anything")
    build.add_argument("recipe", nargs="+", choices=sorted(RECIPES))
    add("env", _env, "shell exports: KUBECONFIG, PATH, addresses")
    return top


def main(argv: list[str]) -> int:
    """Run one command; errors meant for a person are shown without a traceback."""
    arguments = parser().parse_args(argv)
    where = paths()
    progress = Progress(where.cache / "durations.json")
    try:
        arguments.function(arguments, where, progress)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"error: {error}; run it as root", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    return 0
