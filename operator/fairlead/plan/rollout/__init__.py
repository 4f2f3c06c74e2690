"""How a Deployment brings a version to its users: choose, start, warm, compare, advance or take back, retire.

Each module is one of these; `fairlead.plan.deployment` puts them in order. All of a rollout's memory is in
`status.candidate`, so that any look can be the first after a restart.
"""
