"""Whether a live model is still right: pure, exact, replayable. Nothing here knows of Kubernetes.

Every function is a function of its arguments alone: counts and sums go in, which merge by addition over pods and time.
"""
