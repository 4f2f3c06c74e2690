"""Argo CD's interpreter of health checks and actions, as far as a script can tell: Lua 5.1 with the libraries that it
gives to scripts from its settings (base, table, and of `os` the time), so no `string` and no `math`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lupa import lua51

Json = dict[str, Any]
SCRIPTS = Path(__file__).resolve().parents[3] / "charts/fairlead/argocd/resource_customizations"
STATUSES = ("Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing")
_SAFE = """
for _, name in ipairs({"string", "math", "io", "debug", "coroutine", "package", "dofile", "loadfile", "python"}) do
  _G[name] = nil
end
os = {time = os.time, date = os.date}
local known = {os = os}
function require(name)
  return known[name] or error("no module " .. name)
end
"""


def run(script: str, obj: Json) -> Any:
    """What a script returns for an object, as JSON has it: an empty table is [], as Argo CD takes it."""
    lua = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    lua.execute("debug.setmetatable('', nil)")
    lua.execute(_SAFE)
    lua.globals().obj = _to_lua(lua, obj)
    return _from_lua(lua.execute(script))


def health(kind: str, obj: Json) -> Json:
    """The health of an object. Raises ValueError for one that Argo CD would not understand."""
    found = run((SCRIPTS / "fairlead.dev" / kind / "health.lua").read_text(encoding="utf-8"), obj)
    if found.get("status") not in STATUSES or not isinstance(found.get("message", ""), str):
        raise ValueError(f"invalid health: {found}")
    return {"message": "", **found}


def discovered(kind: str, obj: Json) -> dict[str, Json]:
    """The actions that are offered, by name."""
    found = run((SCRIPTS / "fairlead.dev" / kind / "actions/discovery.lua").read_text(encoding="utf-8"), obj)
    return {name: {"name": name, "disabled": False, **(dict(said) if said else {})} for name, said in found.items()}


def act(kind: str, name: str, obj: Json) -> list[tuple[str, Json]]:
    """What an action does: (operation, object). The first form of its answer is the object itself, to be patched."""
    script = (SCRIPTS / "fairlead.dev" / kind / "actions" / name / "action.lua").read_text(encoding="utf-8")
    found = run(script, json.loads(json.dumps(obj)))
    if isinstance(found, list):
        return [(one["operation"], one["resource"]) for one in found]
    return [("patch", _kept_empty(found, obj))]


def _to_lua(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: _to_lua(lua, one) for key, one in value.items() if one is not None})
    if isinstance(value, list):
        return lua.table_from([_to_lua(lua, one) for one in value])
    return value


def _from_lua(value: Any) -> Any:
    if lua51.lua_type(value) != "table":
        return int(value) if isinstance(value, float) and value.is_integer() else value
    items = list(value.items())
    if all(isinstance(key, int) for key, _ in items):
        return [_from_lua(one) for _, one in items]
    return {key: _from_lua(one) for key, one in items}


def _kept_empty(new: Any, old: Any) -> Any:
    """Lua can't tell an empty map from an empty list; Argo CD then goes by what was there."""
    if isinstance(old, dict) and new == []:
        return {}
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _kept_empty(one, old.get(key)) for key, one in new.items()}
    if isinstance(old, list) and isinstance(new, list):
        return [_kept_empty(one, old[i] if i < len(old) else None) for i, one in enumerate(new)]
    return new
