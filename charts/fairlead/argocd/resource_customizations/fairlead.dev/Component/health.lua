local hs = {}

-- What is said of an older spec says nothing of this one.
if obj.status == nil or obj.status.observedGeneration == nil
    or tonumber(obj.status.observedGeneration) < obj.metadata.generation then
  hs.status = "Progressing"
  hs.message = "Waiting for Fairlead to look at it"
  return hs
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready, stalled, reconciling = conditions["Ready"], conditions["Stalled"], conditions["Reconciling"]

local function text(condition)
  if condition == nil then
    return obj.status.message
  end
  if condition.message == nil or condition.message == "" then
    return condition.reason
  end
  return condition.message
end

if stalled ~= nil and stalled.status == "True" then
  hs.status = "Degraded"
  hs.message = text(stalled)
  return hs
end

if ready ~= nil and ready.status == "True" then
  hs.status = "Healthy"
  hs.message = text(ready)
  return hs
end

hs.status = "Progressing"
hs.message = text(reconciling or ready)
return hs
