//! Bytes in, bytes out: framings, partial reading of JSON and forms, usage of passing answers. No async, no sandbox.
//!
//! | module | does |
//! |---|---|
//! | [`frame`] | decodes and encodes the frames of streams |
//! | [`peek`] | finds a few members of a JSON body without parsing it, and splices them |
//! | [`form`] | finds a few fields of a multipart body without copying it |
//! | [`swap`] | replaces strings in passing answers |
//! | [`tap`] | reads usage from passing answers |
//! | [`estimate`] | estimates numbers of tokens |
//! | [`media`] | how much of a body media in base64 count as |
//! | [`blob`] | keeps large base64 values out of the sandbox |
//! | [`opaque`] | finds opaque values and ids in passing bytes |
//! | [`repeated`] | finds members that stand twice in one object of JSON |
//! | [`screen`] | searches bytes of JSON for what a guard looks for |
//! | [`reset_time`] | reads and writes the times of rate-limit headers |
//! | [`yaml`] | reads YAML documents of configurations and recordings |

pub mod blob;
pub mod estimate;
pub mod form;
pub mod frame;
pub mod media;
pub mod opaque;
pub mod peek;
pub mod repeated;
pub mod reset_time;
pub mod screen;
pub mod swap;
pub mod tap;
pub mod yaml;
