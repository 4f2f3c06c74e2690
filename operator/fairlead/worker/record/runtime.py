"""How the recorder tells the proxy which share to hand over: runtime settings of Envoy, as files.

Envoy looks again when the symbolic link that it was given is replaced. One setting of SHARES is 100, the others 0: see
`manifests.proxy`.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from fairlead.worker.record.names import PARTS, SETTING, SHARES

CURRENT, LAYER = "settings", "fairlead"
log = logging.getLogger(__name__)


class Runtime:
    """The settings of one proxy, in a folder that both see. What can't be written is tried again at the next change."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._link = self._folder / CURRENT
        self._share = self._read()

    @property
    def chance(self) -> float:
        """The share that is set."""
        return self._share / PARTS

    def steer(self, chance: float) -> None:
        """Have at least this share handed over, and little more."""
        share = min(one for one in SHARES if one >= min(1.0, chance) * PARTS)
        if share == self._share:
            return
        try:
            self._write(share)
        except OSError as error:
            log.warning("the proxy's share can't be set", extra={"error": str(error)})
            return
        self._share = share

    def _read(self) -> int:
        for share in SHARES:
            try:
                if (self._link / LAYER / SETTING.format(share)).read_text() == "100":
                    return share
            except OSError:
                continue
        return PARTS

    def _write(self, share: int) -> None:
        """A folder of its own for each state: what the link names is whole at any time."""
        made, before = self._folder / f"share-{share}", self._read()
        shutil.rmtree(made, ignore_errors=True)
        (made / LAYER).mkdir(parents=True)
        for one in SHARES:
            (made / LAYER / SETTING.format(one)).write_text("100" if one == share else "0")
        new = self._folder / "new"
        new.unlink(missing_ok=True)
        new.symlink_to(made.name)
        os.replace(new, self._link)
        if before != share:
            shutil.rmtree(self._folder / f"share-{before}", ignore_errors=True)
