"""A manifest as YAML that every reader reads alike: the same bytes for the same manifest."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

_PLAIN = re.compile(r"[A-Za-z][-A-Za-z0-9._/]*(:[-A-Za-z0-9._/]+)*")
_WORDS: Final = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


class _Dumper(yaml.SafeDumper):
    """Texts are in quotes where some reader could take them for something else (`1e3`, `on`, `2024-01-01`), and nothing
    is written as a reference to what stands elsewhere."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    quoted = value.lower() in _WORDS or not _PLAIN.fullmatch(value)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if quoted else None)


_Dumper.add_representer(str, _text)


def dumped(manifest: Any) -> str:
    """The text. Keys stand in the manifest's order."""
    return str(
        yaml.dump(
            manifest, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1 << 20
        )
    )
