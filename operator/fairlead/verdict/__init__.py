"""The statistics of a rollout: pure, exact, replayable. Nothing here knows of Kubernetes.

Every function is a function of its arguments alone, so the same windows give the same verdict bit for bit.
"""
