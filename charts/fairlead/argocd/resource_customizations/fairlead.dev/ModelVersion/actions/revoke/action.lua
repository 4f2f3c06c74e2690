obj.spec.revoked = "revoked in Argo CD"
return obj
