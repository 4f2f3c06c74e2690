"""Columns and types of the files that the airline writes."""

from __future__ import annotations

import pyarrow as pa

from airline.columns import REQUEST_ID

SCHEMA = pa.schema(
    [
        ("year", pa.int64()), ("month", pa.int64()), ("day", pa.int64()),
        ("sched_dep_time", pa.int64()), ("dep_time", pa.float64()), ("dep_delay", pa.float64()),
        ("sched_arr_time", pa.int64()), ("arr_time", pa.float64()), ("arr_delay", pa.float64()),
        ("carrier", pa.string()), ("flight", pa.int64()), ("tailnum", pa.string()),
        ("origin", pa.string()), ("dest", pa.string()), ("air_time", pa.float64()), ("distance", pa.float64()),
        ("hour", pa.int64()), ("minute", pa.int64()), ("time_hour", pa.timestamp("us", tz="UTC")),
        ("plane_year", pa.float64()),
    ]
)  # fmt: skip


LANDED = SCHEMA.append(pa.field(REQUEST_ID, pa.string()))
"""Of the feed of flights that have landed: with the request that asked for their delay, if one did."""
REPLAY = SCHEMA.append(pa.field("weekday", pa.float64())).append(pa.field("sched_minutes", pa.float64()))
