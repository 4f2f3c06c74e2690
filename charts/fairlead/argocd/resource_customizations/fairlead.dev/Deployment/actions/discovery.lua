-- Which of a person's decisions there is something for. They are what `kubectl fairlead` writes, too.
local status = obj.status or {}
local candidate = status.candidate
local arms = status.experiment ~= nil and status.experiment.arms ~= nil and #status.experiment.arms > 0
local step = nil
if candidate ~= nil and candidate.step ~= nil and candidate.step >= 0
    and obj.spec.rollout ~= nil and obj.spec.rollout.steps ~= nil then
  step = obj.spec.rollout.steps[candidate.step + 1]
end

-- What shall be live after a rollback: the live version if another one is on its way, else the one before it.
local target = status.previous
if (candidate ~= nil or arms) and status.live ~= nil then
  target = status.live.version
end

-- What was taken back and may be tried once more: what the spec names, else the last one.
local refused = status.refused or {}
local again = refused[#refused]
if obj.spec.model.version ~= nil then
  again = nil
  for _, version in ipairs(refused) do
    if version == obj.spec.model.version then
      again = version
    end
  end
end
local asked = obj.metadata.annotations ~= nil and obj.metadata.annotations["fairlead.dev/retry"]

local actions = {}
actions["promote"] = {
  ["disabled"] = candidate == nil,
  ["displayName"] = "Promote without waiting for evidence",
  ["iconClass"] = "fa fa-fw fa-forward"
}
actions["continue"] = {
  ["disabled"] = step == nil or step.manual ~= true,
  ["displayName"] = "Let the manual step be left",
  ["iconClass"] = "fa fa-fw fa-step-forward"
}
actions["rollback"] = {
  ["disabled"] = target == nil,
  ["displayName"] = "Roll back",
  ["iconClass"] = "fa fa-fw fa-undo"
}
actions["retry"] = {
  ["disabled"] = again == nil or asked == again,
  ["displayName"] = "Try the refused version once more",
  ["iconClass"] = "fa fa-fw fa-redo"
}
if obj.spec.paused == true then
  actions["resume"] = {["iconClass"] = "fa fa-fw fa-play"}
else
  actions["pause"] = {["iconClass"] = "fa fa-fw fa-pause"}
end
return actions
