"""Whether something is already as it should be: in steady state nothing is written."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from typing import Any

Json = dict[str, Any]

APPLIED = "fairlead.dev/applied"
_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$")
_FACTOR = {
    None: Decimal(1), "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "P": Decimal(10**15), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
    "Ti": Decimal(2**40), "Pi": Decimal(2**50),
}  # fmt: skip


def digest(value: Any) -> str:
    """A short hash of canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_none(value: Any) -> Any:
    """The same JSON without null members: absent is how Kubernetes says null."""
    if isinstance(value, dict):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_none(v) for v in value]
    return value


def says(found: Any, wanted: Any) -> bool:
    """Whether `found` without its null members is `wanted`, which has none. Stops at the first difference."""
    if found == wanted:
        return True
    if isinstance(found, dict) and isinstance(wanted, dict):
        if len(found) < len(wanted) or any(k not in wanted for k, v in found.items() if v is not None):
            return False
        return all(key in found and says(found[key], value) for key, value in wanted.items())
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(says, found, wanted))
    return False


def stamped(obj: Json) -> Json:
    """The object with the hash of itself in an annotation."""
    meta = obj["metadata"]
    annotations = {**(meta.get("annotations") or {}), APPLIED: digest(obj)}
    return {**obj, "metadata": {**meta, "annotations": annotations}}


def as_wanted(wanted: Json, live: Json) -> bool:
    """Whether a live object is what was last applied: same hash, and nobody has changed a field that we set."""
    hashes = [obj["metadata"].get("annotations", {}).get(APPLIED) for obj in (wanted, live)]
    return hashes[0] == hashes[1] and covers(live, wanted)


def covers(live: Any, wanted: Any) -> bool:
    """Whether everything in `wanted` is so in `live`, which may say more (defaults, other managers' fields)."""
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return not wanted and live is None
        return all(covers(live.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return _covers_list(live, wanted)
    if live is None and wanted in ("", 0, False):
        return True  # the API server leaves out what says nothing
    return bool(live == wanted) or _same_quantity(live, wanted)


def _covers_list(live: Any, wanted: list[Any]) -> bool:
    if not isinstance(live, list):
        return not wanted and live is None
    if len(live) == len(wanted):
        return all(covers(a, b) for a, b in zip(live, wanted, strict=True))
    # a list that the API server merges by name may have others' members
    named = {item["name"]: item for item in live if isinstance(item, dict) and "name" in item}
    return bool(wanted) and all(
        isinstance(item, dict) and "name" in item and covers(named.get(item["name"]), item) for item in wanted
    )


def _same_quantity(a: Any, b: Any) -> bool:
    """`1000m` and `1` are the same; the API server rewrites the one as the other."""
    first, second = _quantity(a), _quantity(b)
    return first is not None and first == second


def _quantity(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    found = _QUANTITY.match(str(value))
    return Decimal(found[1]) * _FACTOR[found[2]] if found else None
