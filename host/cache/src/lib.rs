//! Answers that are kept for equal requests. No input or output: the time is an argument, and what an answer means is
//! for its caller to know.
//!
//! | module | does |
//! |---|---|
//! | [`key`] | the key of a request: a hash that begins with its scope, so that no key is made without one |
//! | `canonical` | the hash of JSON whatever the order of its members |
//! | [`control`] | the directives of a request's `cache-control` |
//! | [`entry`] | a kept answer |
//! | [`cache`] | the entries, within a bound of bytes, and their removal |
//! | [`cache::flight`] | one request for all equal ones that arrive meanwhile |
//! | [`shared`] | the calls to a server that keeps answers for several nodes |
//! | [`similar`] | questions by their meaning: the nearest one within a partition, and the gate of words |
//! | [`sealed`] | entries and questions as bytes for such a server, which can neither read nor change them |

pub mod cache;
mod canonical;
pub mod control;
pub mod entry;
pub mod key;
pub mod sealed;
pub mod shared;
pub mod similar;

pub use cache::flight::{FlightResult, FlightRole, Follower, Leader};
pub use cache::{Cache, Moment};
pub use canonical::digest as digest_json;
pub use control::Control;
pub use entry::Entry;
pub use key::{ComparedBody, Key, KeyWriter, Scope};
pub use sealed::{Opened, OpenedQuestion, Seal};
pub use shared::{Looked, Mark, Place, Removal, SharedAnswers, Sharing};
