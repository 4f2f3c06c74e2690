local os = require("os")

local candidate = obj.status ~= nil and obj.status.candidate or nil
if candidate == nil then
  error("no version is on its way")
end
obj.spec.override = {
  action = "Promote",
  version = candidate.version,
  reason = "decided in Argo CD",
  at = os.date("!%Y-%m-%dT%H:%M:%SZ")
}
return obj
