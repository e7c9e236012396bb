//! Replays recordings of this provider, and the adapter's own ones.

use weir_adapter_xai::Xai;

/// What differs on purpose.
const EXCUSED: &[(&str, &str)] = &[];

weir_corpus::replay!(Xai, "xai", EXCUSED);
