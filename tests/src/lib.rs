//! Tests of the whole suite; see `tests/`.
