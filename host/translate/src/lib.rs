//! What clients may speak, as data, and what their requests and answers become in another format.

pub mod bounds;
pub mod dialect;
pub mod names;
pub mod referee;
pub mod unified;
