"""Signals: what the outside says when a decision needs it. Pods' own counters, Prometheus, a model server's readiness.

A signal that can't be had is a `SignalError`, with a reason and what to do.
"""
