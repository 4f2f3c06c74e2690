"""`fairlead new sklearn|server|pipeline NAME`: commented manifests to start from."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from fairlead.cli.session import OK, USAGE, Problem, current_namespace, guarded, tell

KINDS = {
    "sklearn": "a scikit-learn model of your own: rows to prove it, a version, a Deployment",
    "server": "a server of your own as it is: an image, a port, a path; and a Deployment",
    "pipeline": "new data trains and proves new versions",
}
LONGEST = 40
"""Characters of a name: numbers and hashes follow in what is made of it."""
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_WORDS: Final = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
"""What YAML, or kubectl's reading of it, takes for something else than text."""
NEXT = "\n# Next:\n"
"""Before the commands at the end of a template."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    kinds = "; ".join(f"{kind}: {what}" for kind, what in KINDS.items())
    parser = subparsers.add_parser(
        "new", help="write commented manifests to start from",
        description=f"Write commented manifests to start from. {kinds}.",
    )  # fmt: skip
    parser.add_argument("kind", choices=KINDS, metavar="|".join(KINDS))
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-n", "--namespace", help="namespace (default: the kubeconfig's current one)")
    parser.add_argument("--kubeconfig", help="kubeconfig file (default: $KUBECONFIG or ~/.kube/config)")
    parser.add_argument("--bucket", default="my-bucket", help="where data and models lie")
    parser.add_argument("-o", "--output", metavar="DIR", help="write DIR/NAME.yaml (default: print it)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it, or write it and print what comes next. Returns the exit code."""
    return guarded(lambda: _write(args))


def _write(args: argparse.Namespace) -> int:
    text = manifests(args.kind, args.name, args.namespace or current_namespace(args.kubeconfig), args.bucket)
    if args.output is None:
        tell(text.rstrip())
        return OK
    path = Path(args.output) / f"{args.name}.yaml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Problem(f"{path} is there already; move it away, or take another name", USAGE) from None
    except OSError as failed:
        raise Problem(f"{path} can't be written: {failed}", USAGE) from None
    told = text.partition(NEXT)[2].replace("#   ", "  ").replace(f"{args.name}.yaml", shlex.quote(str(path)))
    tell(f"{path} is written: change what its comments name. Then:\n{told.rstrip()}")
    return OK


def manifests(kind: str, name: str, namespace: str, bucket: str = "my-bucket") -> str:
    """The manifests as YAML, with comments. Raises Problem for names that objects or buckets can't have."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise Problem(f"{name!r} can't be a name: at most {LONGEST} of a-z, 0-9 and -, beginning with a letter", USAGE)
    if not _NAMESPACE.fullmatch(namespace):
        raise Problem(f"{namespace!r} can't be a namespace: at most 63 of a-z, 0-9 and -", USAGE)
    if not _BUCKET.fullmatch(bucket):
        raise Problem(f"{bucket!r} can't be a bucket: 3 to 63 of a-z, 0-9, - and .", USAGE)
    template = (resources.files("fairlead.cli") / "templates" / f"{kind}.yaml").read_text(encoding="utf-8")
    values = {"name": name, "namespace": namespace, "bucket": bucket}
    whole = {key.upper(): _scalar(value) for key, value in values.items()}
    return Template(template).safe_substitute(values | whole)


def _scalar(text: str) -> str:
    """A text as a value of its own in YAML: in quotes where it would be a number, a date, true or false."""
    return text if _NAME.fullmatch(text) and text not in _WORDS else f'"{text}"'
