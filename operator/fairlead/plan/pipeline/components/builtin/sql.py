"""`sql`: one query over the inputs. Its program is `fairlead/components/sql.py`."""

from __future__ import annotations

from fairlead.plan.pipeline.components.builtin.base import Builtin

BUILTIN = Builtin(
    name="sql",
    said={
        "version": "1",
        "description": "A query of DuckDB's SQL over Datasets and outputs; its result is an output.",
        "params": {
            "query": {
                "description": "One SELECT. Each input is a table by its name; nothing else is read, nothing changed.",
            },
        },
        "moreInputs": True,
        "outputs": {"data": {"type": "dataset", "description": "The query's rows: data.parquet."}},
        "command": ["python", "-m", "fairlead.components.sql"],
        "args": ["--query={{params.query}}"],
    },
)
