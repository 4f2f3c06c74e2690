local os = require("os")

local status = obj.status or {}
local arms = status.experiment ~= nil and status.experiment.arms ~= nil and #status.experiment.arms > 0
-- Back to the live version if another one is on its way, else to the one before it.
local target = status.previous
if (status.candidate ~= nil or arms) and status.live ~= nil then
  target = status.live.version
end
if target == nil then
  error("no good version is known to go back to")
end
obj.spec.override = {
  action = "Rollback",
  version = target,
  reason = "decided in Argo CD",
  at = os.date("!%Y-%m-%dT%H:%M:%SZ")
}
return obj
