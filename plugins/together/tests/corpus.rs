//! Replays recordings of this provider, and the adapter's own ones.

use weir_adapter_together::Together;

/// What differs on purpose.
const EXCUSED: &[(&str, &str)] = &[("together-chat-4daaff215925", "`function_call` without `functions` says nothing")];

weir_corpus::replay!(Together, "together", EXCUSED);
