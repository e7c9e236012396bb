//! Replays recordings of this provider, and the adapter's own ones.

use weir_adapter_groq::Groq;

/// What differs on purpose.
const EXCUSED: &[(&str, &str)] = &[];

weir_corpus::replay!(Groq, "groq", EXCUSED);
