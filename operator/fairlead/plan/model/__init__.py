"""ModelVersions."""
