"""Every type that a column of Parquet may have, with what goes to a model server: used by tests of the code and of the
worker's image."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

Json = dict[str, Any]
ZONED = pa.timestamp("us", "Europe/Zurich")


def carried(datatype: str, data: list[Any], shape: list[int] | None = None, content: str = "") -> Json:
    """The tensor, without its name."""
    found = {"datatype": datatype, "shape": shape or [len(data), 1], "data": data}
    return {**found, "parameters": {"content_type": content}} if content else found


CARRIED: dict[str, tuple[pa.Array, Json]] = {
    "bool": (pa.array([True, False]), carried("BOOL", [True, False])),
    "bool with gaps": (pa.array([True, None]), carried("FP64", [1.0, None])),
    **{str(t): (pa.array([1, 100], t), carried("INT64", [1, 100]))
       for t in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32())},
    "int64's end": (pa.array([2**63 - 1, -(2**63)]), carried("INT64", [2**63 - 1, -(2**63)])),
    "int with gaps": (pa.array([1, None]), carried("FP64", [1.0, None])),
    "uint64": (pa.array([1, 2**64 - 1], pa.uint64()), carried("UINT64", [1, 2**64 - 1])),
    "float16": (pa.array(np.array([1.5, 0.5], np.float16)), carried("FP64", [1.5, 0.5])),
    "float32": (pa.array([0.5, float("nan")], pa.float32()), carried("FP64", [0.5, None])),
    "float64": (pa.array([0.1, None]), carried("FP64", [0.1, None])),
    "decimal": (pa.array([Decimal("0.10"), None], pa.decimal128(10, 2)), carried("FP64", [0.1, None])),
    "wide decimal": (pa.array([Decimal("0.1")], pa.decimal128(38, 10)), carried("FP64", [0.1])),
    "string": (pa.array(["007", None]), carried("BYTES", ["007", None], content="str")),
    "large string": (pa.array(["a"], pa.large_string()), carried("BYTES", ["a"], content="str")),
    "dictionary": (pa.array(["a", "b"]).dictionary_encode(), carried("BYTES", ["a", "b"], content="str")),
    "bytes": (pa.array([b"\x89PNG", None]), carried("BYTES", ["iVBORw==", None], content="base64")),
    "fixed bytes": (pa.array([b"ab"], pa.binary(2)), carried("BYTES", ["YWI="], content="base64")),
    "date": (pa.array([date(2024, 2, 29)]), carried("BYTES", ["2024-02-29"], content="str")),
    "time": (pa.array([time(1, 2, 3)]), carried("BYTES", ["01:02:03"], content="str")),
    "time in ns": (pa.array([1], pa.time64("ns")), carried("BYTES", ["00:00:00.000000001"], content="str")),
    "timestamp": (pa.array([datetime(2024, 1, 1, 0, 0, 0, 500000)]),
                  carried("BYTES", ["2024-01-01T00:00:00.500000"], content="str")),
    "timestamp in ms": (pa.array([0], pa.timestamp("ms")), carried("BYTES", ["1970-01-01T00:00:00"], content="str")),
    "timestamp in ns": (pa.array([-1], pa.timestamp("ns")),
                        carried("BYTES", ["1969-12-31T23:59:59.999999999"], content="str")),
    "timestamp with a zone": (pa.array([datetime(2024, 7, 1, 12, tzinfo=UTC), None], ZONED),
                              carried("BYTES", ["2024-07-01T12:00:00", None], content="str")),
    "list of timestamps with a zone": (pa.array([[datetime(2024, 7, 1, tzinfo=UTC)]], pa.list_(ZONED)),
                                       carried("BYTES", ["2024-07-01T00:00:00+00:00"], content="str")),
    "uuid": (pa.array([b"\0" * 15 + b"\1"], pa.uuid()),
             carried("BYTES", ["00000000-0000-0000-0000-000000000001"], content="str")),
    "null": (pa.nulls(2), carried("FP64", [None, None])),
    "list": (pa.array([[0.5, 1.0], [2.0, None]]), carried("FP64", [0.5, 1.0, 2.0, None], [2, 2], "np")),
    "fixed list": (pa.array([[1, 2, 3]], pa.list_(pa.int64(), 3)), carried("INT64", [1, 2, 3], [1, 3], "np")),
    "lists of lists": (pa.array([[[1, 2], [3, 4], [5, 6]]] * 2),
                       carried("INT64", [1, 2, 3, 4, 5, 6] * 2, [2, 3, 2], "np")),
    "list of uint64": (pa.array([[2**64 - 1]], pa.list_(pa.uint64())), carried("UINT64", [2**64 - 1], [1, 1], "np")),
    "list of strings": (pa.array([["a", "b"]]), carried("BYTES", ["a", "b"], [1, 2], "str")),
}  # fmt: skip
"""The tensor by the type's name."""

REFUSED: dict[str, tuple[pa.Array, str]] = {
    "struct": (pa.array([{"a": 1}]), r"column f is STRUCT\(a BIGINT\): the protocol can't carry it; flatten it"),
    "list of structs": (pa.array([[{"a": 1}]]), "the protocol can't carry it; flatten it"),
    "map": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "column f is MAP.*flatten it"),
    "duration": (pa.array([1], pa.duration("us")), "column f is a duration: .* write it as a number"),
    "list of durations": (pa.array([[1]], pa.list_(pa.duration("us"))), "column f is a list<duration>: the protocol"),
    "ragged": (pa.array([[1.0, 2.0], [1.0]]), "column f: row 1 has 1 values in a list where the rows before have 2"),
    "ragged within": (pa.array([[[1], [2]], [[1], [2, 3]]]), "row 1 has 2 values in a list where .* have 1"),
    "empty": (pa.array([[1.0], []]), "row 1 has an empty list"),
    "all empty": (pa.array([[], []], pa.list_(pa.float64())), "row 0 has an empty list"),
    "no list": (pa.array([[1.0], None]), "row 1 is null"),
    "no list within": (pa.array([[[1.0]], [None]]), "row 1 .* has a null list in it"),
    "infinite": (pa.array([1.0, float("inf")]), "column f has infinite values"),
    "infinite in a list": (pa.array([[1.0, float("-inf")]]), "column f has infinite values"),
    "gaps beside what no float is": (pa.array([2**53 + 1, None]), "no float is 9007199254740993"),
    "the end of time": (pa.array([2**58], pa.timestamp("us")), "outside of the years 1 to 9999"),
}
"""What the message says, as a regular expression."""
