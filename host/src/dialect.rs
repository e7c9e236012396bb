//! What clients may speak, as data: which face was called, and how an error is spelled in its format.

pub mod faces;
pub mod path;
pub mod reading;
pub mod reply;
