"""What a build may see of this machine and an image must not keep: certificate authorities and pip's configuration."""

import configparser
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

CERTIFICATES = Path("/etc/ssl/certs")
PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
NOT_OPTIONS = {"PIP_CONFIG_FILE", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_USER", "PIP_PREFIX"}


def pip_config(texts: Iterable[str], environ: Mapping[str, str]) -> str:
    """One pip.conf with what the files say and, over it, what PIP_… variables say."""
    config = configparser.RawConfigParser()
    for text in texts:
        config.read_string(text)
    if not config.has_section("global"):
        config.add_section("global")
    for name, value in environ.items():
        if name.startswith("PIP_") and name not in NOT_OPTIONS and value:
            config.set("global", name.removeprefix("PIP_").lower().replace("_", "-"), value)
    out = io.StringIO()
    config.write(out)
    return out.getvalue()


def local_folders(text: str) -> list[Path]:
    """Folders of this machine that a pip configuration takes packages from."""
    config = configparser.RawConfigParser()
    config.read_string(text)
    words = config.get("global", "find-links", fallback="").split()
    return [Path(word) for word in words if word.startswith("/") and Path(word).is_dir()]


def volumes(scratch: Path) -> list[str]:
    """Volumes for `buildah bud`: read-only, present during the build only."""
    named = os.environ.get("PIP_CONFIG_FILE")
    candidates = [Path(name).expanduser() for name in (*PIP_FILES, *([named] if named else []))]
    text = pip_config([path.read_text() for path in candidates if path.is_file()], os.environ)
    config = scratch / "pip.conf"
    config.write_text(text)
    shared = [(config, Path("/etc/pip.conf"))]
    if CERTIFICATES.is_dir():
        shared.append((CERTIFICATES, CERTIFICATES))
    shared += [(folder, folder) for folder in local_folders(text)]
    return [f"{outside}:{inside}:ro" for outside, inside in shared]
