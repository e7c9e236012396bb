//! What clients may speak, as data: which face was called, and how errors and limits are spelled in its format.

pub mod faces;
pub mod limits;
pub mod path;
pub mod reading;
pub mod reply;
