//! What clients may speak, as data: endpoints and how they answer.

pub mod faces;
pub mod path;
pub mod reply;
