"""A registry of the user's (FAIRLEAD_REGISTRY), from which the nodes of a cluster of theirs pull what is built here."""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import imagebuild
from hack.cluster.progress import Progress
from hack.cluster.settings import Paths
from hack.cluster.shell import ClusterError, CommandError, Logged, Word, run

VARIABLE, INSECURE = "FAIRLEAD_REGISTRY", "FAIRLEAD_REGISTRY_INSECURE"
SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
TAG_DIGITS = 12


@dataclass(frozen=True)
class Registry:
    """Where to push."""

    prefix: str
    insecure: bool = False

    @property
    def host(self) -> str:
        """The registry without the folder in it."""
        return self.prefix.partition("/")[0]

    def repository(self, reference: str) -> str:
        """`fairlead.local/operator:dev` is `PREFIX/operator` there."""
        path = reference.rpartition(":")[0]
        first, _, rest = path.partition("/")
        return f"{self.prefix}/{rest if '.' in first or ':' in first else path}"

    def tag(self, reference: str, digest: str) -> str:
        """The tag says which content it is: what pods still use is not left without a tag by the next push."""
        return f"{reference.rpartition(':')[2]}-{digest.partition(':')[2][:TAG_DIGITS]}"

    def serves(self, found: str, reference: str) -> bool:
        """Whether what the nodes have is under the image's own name, or was pulled from here, not from elsewhere."""
        return found.startswith((reference, f"{self.repository(reference)}@"))

    def push_options(self) -> list[str]:
        """Plain http, or a certificate that nobody vouches for, only when that is asked for."""
        return ["--tls-verify=false"] if self.insecure else []


def named(environ: Mapping[str, str] | None = None) -> Registry | None:
    """The registry that the environment names, if any."""
    env = os.environ if environ is None else environ
    value = env.get(VARIABLE, "").rstrip("/")
    if not value:
        return None
    if not SHAPE.fullmatch(value):
        raise ClusterError(f"{VARIABLE}={value} is no registry: write HOST[:PORT][/FOLDER], without https:// and tag")
    return Registry(value, env.get(INSECURE, "") not in ("", "0"))


def push(where: Paths, target: Registry, archive: Path, reference: str, digest: str, progress: Progress) -> str:
    """Push an archive's image; its reference in the registry, with the digest that it has there."""
    repository = target.repository(reference)
    destination = f"docker://{repository}:{target.tag(reference, digest)}"
    with progress.step(f"push {repository}", 15), tempfile.TemporaryDirectory() as scratch:
        pulled = run([*imagebuild.buildah(where), "pull", "--quiet", f"oci-archive:{archive}"]).stdout.split()[-1]
        told = Path(scratch) / "digest"
        words: list[Word] = ["push", "--digestfile", told, *target.push_options(), pulled, destination]
        try:
            Logged().run([*imagebuild.buildah(where), *words], where.logs / "push.log")
        except CommandError as error:
            raise ClusterError(
                f"{error}\n  log in with `buildah login {target.host}` (or name an auth file in REGISTRY_AUTH_FILE); "
                f"{INSECURE}=1 is for a registry without https"
            ) from None
        return f"{repository}@{told.read_text().strip()}"
