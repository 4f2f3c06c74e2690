"""The custom resources: the single source of crds/, of the reference and of validation."""
