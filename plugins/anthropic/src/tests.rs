//! Tests of the whole adapter.
