//! Replays recordings of this provider, and the adapter's own ones.

use weir_adapter_perplexity::Perplexity;

/// What differs on purpose.
const EXCUSED: &[(&str, &str)] = &[];

weir_corpus::replay!(Perplexity, "perplexity", EXCUSED);
