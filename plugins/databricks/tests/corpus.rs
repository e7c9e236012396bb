//! Replays recordings of this provider, and the adapter's own ones.

use weir_adapter_databricks::Databricks;

/// What differs on purpose.
const EXCUSED: &[(&str, &str)] = &[];

weir_corpus::replay!(Databricks, "databricks", EXCUSED);
