module fairlead.dev/hack/pause

go 1.25.0
