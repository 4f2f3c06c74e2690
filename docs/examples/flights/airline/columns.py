"""The names of the columns."""

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["weekday", "hour", "distance", "sched_minutes", "dep_delay", "plane_year", "air_time"]
FEATURES = CATEGORIES + NUMBERS
"""What is sent with each request. The prediction is made when the plane leaves the gate: `dep_delay` is known then,
`air_time` is not."""

TARGET = "arr_delay"
