obj.spec.cancel = "now"
return obj
