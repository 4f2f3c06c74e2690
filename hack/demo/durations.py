"""How long each part took the last time on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def folder() -> Path:
    """The ignored folder with the state of this clone."""
    return Path(os.environ.get("FAIRLEAD_STATE", ROOT / ".local"))


class Durations:
    """Seconds by name, kept in one small file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or folder() / "demo.json"
        try:
            self._known = {str(k): float(v) for k, v in json.loads(self._path.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            self._known = {}

    def expected(self, name: str, default: float) -> float:
        """The last duration, else the default."""
        return self._known.get(name, default)

    def remember(self, name: str, seconds: float) -> None:
        """Keep a duration."""
        self._known[name] = round(seconds, 1)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_suffix(".tmp")
        scratch.write_text(json.dumps(self._known, indent=1, sort_keys=True))
        scratch.replace(self._path)
