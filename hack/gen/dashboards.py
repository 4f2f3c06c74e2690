"""Grafana dashboards of the operator's metrics: `charts/fairlead/dashboards/*.json`."""

from __future__ import annotations

import json

from hack.gen.boards import deployment, models, operator
from hack.gen.panels import dashboard

FOLDER = "charts/fairlead/dashboards"
BOARDS = {"deployment": deployment.BOARD, "models": models.BOARD, "operator": operator.BOARD}


def files() -> dict[str, str]:
    """Text by path."""
    return {
        f"{FOLDER}/{name}.json": json.dumps(dashboard(board), indent=1, ensure_ascii=False) + "\n"
        for name, board in BOARDS.items()
    }
