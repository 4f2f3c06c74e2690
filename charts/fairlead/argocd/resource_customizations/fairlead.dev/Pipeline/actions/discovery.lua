local actions = {}
-- The run's name ends with the time, and names have at most 63 characters.
actions["run"] = {
  ["disabled"] = #obj.metadata.name > 48,
  ["displayName"] = "Start a run",
  ["iconClass"] = "fa fa-fw fa-plus"
}
if obj.spec.suspend == true then
  actions["resume"] = {["iconClass"] = "fa fa-fw fa-play"}
else
  actions["suspend"] = {["iconClass"] = "fa fa-fw fa-pause"}
end
return actions
