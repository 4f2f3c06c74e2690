"""The statistics of a rollout. Pure; knows nothing of Kubernetes."""
