//! What a path may and may not do.
