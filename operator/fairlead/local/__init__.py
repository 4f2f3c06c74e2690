"""A Pipeline on this machine, without a cluster.

The operator's own plans decide what happens next, and the worker's own programs fetch, check and publish; only what a
cluster would be is of this package: objects in memory (`world`), Jobs that run as processes or containers (`jobs`), and
a folder in the place of the store.
"""
