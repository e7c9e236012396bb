//! The client formats as data: endpoints, paths, and errors from templates.

pub mod endpoints;
pub mod path;
pub mod reply;
