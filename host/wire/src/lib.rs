//! Bytes in, bytes out: framings, a look into JSON and forms, usage of passing answers. No async, no sandbox.
//!
//! | module | does |
//! |---|---|
//! | [`frame`] | cuts streams into frames and back |
//! | [`peek`] | sees a few members of a JSON body without parsing it, and splices them |
//! | [`form`] | sees a few fields of a multipart body without copying it |
//! | [`tap`] | reads usage from answers that pass by |
//! | [`estimate`] | tokens, roughly |
//! | [`blob`] | keeps large base64 out of the sandbox |
//! | [`yaml`] | documents of configurations and recordings |

pub mod blob;
pub mod estimate;
pub mod form;
pub mod frame;
pub mod peek;
pub mod tap;
pub mod yaml;
