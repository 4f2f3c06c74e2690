"""The recorder: keeps the answers that the proxy beside it hands over.

It runs in a process of its own (`python -m fairlead.worker.record`) that imports neither pydantic nor pyarrow, so that
it stays small beside each model server; Parquet is written by a child that ends.
"""
