"""The names of the columns."""

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["weekday", "hour", "distance", "sched_minutes", "dep_delay", "plane_year"]
FEATURES = CATEGORIES + NUMBERS
"""What is sent with each request. The prediction is made when the plane leaves the gate: `dep_delay` is known then."""

TARGET = "arr_delay"

REQUEST_ID = "request_id"
"""Of the feed of landed flights: the header `x-request-id` of the answer that predicted the delay."""
