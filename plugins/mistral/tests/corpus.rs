//! Replays recordings of this provider, and the adapter's own ones.

use weir_adapter_mistral::Mistral;

/// What differs on purpose.
const EXCUSED: &[(&str, &str)] = &[("mistral-chat-104077afd578", "the texts of one thought are joined")];

weir_corpus::replay!(Mistral, "mistral", EXCUSED);
