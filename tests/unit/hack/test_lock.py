"""The images install what the lock files name, and these fit to what is asked for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

import pytest
from hack.lock import FOLDER, ROOT, SOURCES
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fairlead.cli import extras

IMPORTS = {"botocore": "boto3", "yaml": "PyYAML", "grpc": "grpcio", "envoy": "xds-protos"}
"""By the name that is imported: the package, where it is called otherwise."""
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^ ;\\]+)(?P<rest>.*)$")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    name: [one for one in asked if not one.startswith("fairlead[")]
    for name, asked in PROJECT["optional-dependencies"].items()
}


def pins(image: str) -> dict[str, tuple[str, int]]:
    """Version and number of digests by package."""
    found: dict[str, tuple[str, int]] = {}
    name = ""
    for line in (FOLDER / f"{image}.txt").read_text().splitlines():
        if pin := PIN.match(line):
            name = canonicalize_name(pin["name"])
            found[name] = (pin["version"], 0)
        elif re.match(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$", line):
            found[name] = (found[name][0], found[name][1] + 1)
        else:
            assert line.lstrip().startswith("#"), line
    return found


def asked(image: str) -> Iterable[str]:
    if image == "operator":
        return EXTRAS["operator"]
    if image == "worker":
        return [*EXTRAS["operator"], *EXTRAS["worker"]]
    return [line for line in (FOLDER / f"{image}.in").read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("image", SOURCES)
def test_every_package_has_one_version_and_its_digests(image: str) -> None:
    assert [name for name, (_, digests) in pins(image).items() if digests == 0] == []


@pytest.mark.parametrize("image", SOURCES)
def test_what_is_asked_for_is_locked_in_a_version_that_fits(image: str) -> None:
    locked = pins(image)
    for one in map(Requirement, asked(image)):
        version, _ = locked[canonicalize_name(one.name)]
        assert one.specifier.contains(version, prereleases=True), f"{one} is locked as {version}; run make lock"


def test_the_package_alone_needs_nothing_and_its_extras_bring_what_is_imported_by_their_commands() -> None:
    assert PROJECT["dependencies"] == []
    for extra, imported in (("operator", extras.OPERATOR), ("worker", extras.WORKER)):
        named = {canonicalize_name(IMPORTS.get(one, one)) for one in imported}
        asked = {canonicalize_name(Requirement(one).name) for one in EXTRAS[extra]}
        assert named == asked
    assert {one for one in PROJECT["optional-dependencies"]["dev"] if one.startswith("fairlead[")} == {
        "fairlead[cli,operator,train,worker]"
    }


def test_the_worker_stands_on_the_operators_packages() -> None:
    worker = pins("worker")
    assert {name: worker[name][0] for name in pins("operator")} == {n: v for n, (v, _) in pins("operator").items()}


def test_the_images_install_nothing_else() -> None:
    installs = re.findall(r"pip [^&\n]*install [^&\n]*", (ROOT / "operator" / "Dockerfile").read_text())
    assert len(installs) == 6
    assert [one for one in installs if "--require-hashes" not in one and "--no-index" not in one] == []
