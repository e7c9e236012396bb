//! Which recording answers what.
