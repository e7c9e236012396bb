//! The client formats as data, and the translation of requests and answers between formats.

pub mod bounds;
pub mod dialect;
pub mod event_validator;
pub mod extension_names;
pub mod fold;
pub mod names;
pub mod stated_json;
pub mod text_events;
pub mod unified;
