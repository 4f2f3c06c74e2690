"""Object storage: sources, versions, artifacts."""
