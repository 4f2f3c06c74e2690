-- Approving is not among them: an approval names the person who gives it, and here Argo CD would be that person.
local actions = {}
actions["revoke"] = {
  ["disabled"] = obj.spec.revoked ~= nil,
  ["displayName"] = "Revoke: it is not rolled out any more",
  ["iconClass"] = "fa fa-fw fa-ban"
}
return actions
