//! Adapters: loading, checking, swapping, instances.
