//! What a request in a client's format says, before any component has seen it, and limits in the client's own words.

pub mod limits;
pub mod reading;
