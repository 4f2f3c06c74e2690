"""The recorder: keeps the answers that the proxy beside it hands over.

`python -m fairlead.worker.record` watches over the recorder's own process, so that its end is never the end of the
container, which would take the pod out of service. Neither imports pydantic or pyarrow, so that they stay small beside
each model server; Parquet is written by a child that ends. Where requests are counted by a profile, its own process has
pydantic and numpy, and the profile is brought by a child.
"""
