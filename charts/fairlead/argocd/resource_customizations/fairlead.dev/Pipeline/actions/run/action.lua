local os = require("os")

-- What `kubectl fairlead run` creates. The name ends with the time, so that models made by it sort after earlier ones.
local run = {
  apiVersion = obj.apiVersion,
  kind = "PipelineRun",
  metadata = {
    name = obj.metadata.name .. "-" .. os.date("!%Y%m%d%H%M%S"),
    namespace = obj.metadata.namespace,
    labels = {["fairlead.dev/pipeline"] = obj.metadata.name}
  },
  spec = {
    pipeline = obj.metadata.name,
    reason = "started in Argo CD"
  }
}
return {{operation = "create", resource = run}}
