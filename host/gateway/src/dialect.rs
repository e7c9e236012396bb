//! Client formats: what the host reads of a request without parsing it, and rate limits in a format's spelling.

pub mod exclusion;
pub(crate) mod inline_requests;
pub mod limits;
pub(crate) mod own_parts;
pub(crate) mod request_lines;
pub mod request_peek;
