#!/usr/bin/env python3
"""Writes subjects.parquet and subjects.zstd.parquet: the same eight subjects, in the types that tools write.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install pyarrow
    /tmp/venv/bin/python parquet.py
"""

import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table({
    "unused": pa.array([[1], [2], None, [4], [5], [6], [7], [8]]),
    "spent": pa.array([1.5, None, 0.1, 4.0, 2.25, 3.0, 1e-3, 7.0], pa.float64()),
    "user": pa.array([9007199254740993 + n for n in range(8)], pa.int64()),
    "arm": pa.array(["control", "green"] * 4).dictionary_encode(),
    "bought": pa.array([True, False, False, True, True, True, False, True]),
    "clicks": pa.array([0, 1, 2, 3, 4, 5, 6, 7], pa.uint8()),
    "plan": pa.array(["free", "pro", "free", "free", "pro", "pro", None, "free"]),
})
pq.write_table(table, "subjects.parquet", compression="snappy", row_group_size=3)
pq.write_table(table, "subjects.zstd.parquet", compression="zstd")
