"""Experiments: several versions side by side, each held against the live one, and all compared by what they are for.

`machine` is the way of an experiment from its first pod to its end. Each candidate is an arm that is looked after like
a rollout's candidate that stays in its only step (`arms`); `reward` reads what the versions are compared by, `users`
whether they are divided as asked, `shares` says who gets how much, `traffic` what the route makes of it.
"""
