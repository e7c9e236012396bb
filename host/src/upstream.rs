//! Sends requests to providers.
