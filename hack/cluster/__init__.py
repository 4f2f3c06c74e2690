"""A real Kubernetes on one machine, built from source, with no container engine and no registry."""
