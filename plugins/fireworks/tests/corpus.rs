//! Replays recordings of this provider, and the adapter's own ones.

use weir_adapter_fireworks::Fireworks;

/// What differs on purpose.
const EXCUSED: &[(&str, &str)] = &[];

weir_corpus::replay!(Fireworks, "fireworks", EXCUSED);
