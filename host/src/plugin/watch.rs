//! Follows the plugins directory.
