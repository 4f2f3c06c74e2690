local ended = {Completed = true, Failed = true, Aborted = true}
local phase = obj.status ~= nil and obj.status.phase or "Pending"
local actions = {}
actions["cancel"] = {
  ["disabled"] = ended[phase] == true or obj.spec.cancel == "now",
  ["iconClass"] = "fa fa-fw fa-stop"
}
return actions
