-- The version that the spec names, else the one that was taken back last.
local refused = obj.status ~= nil and obj.status.refused or {}
local version = obj.spec.model.version or refused[#refused]
if version == nil then
  error("no version was taken back here")
end
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["fairlead.dev/retry"] = version
return obj
