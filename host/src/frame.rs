//! Cuts streams into frames and back.
