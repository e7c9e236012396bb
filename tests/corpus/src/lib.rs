//! Recorded exchanges, read without the adapters' code, and the checks for tests of OpenAI-compatible adapters.
//!
//! The recordings are outside the repository (`../shared/fixtures`); without them the tests print a message, and only
//! replay those in the adapter's own folder `fixtures`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::missing_panics_doc,
    reason = "a test: what does not hold fails it"
)]

pub mod compat;
pub mod fold;
pub mod recording;
pub mod same;
pub mod unified;

/// The tests of a compatible adapter: `weir_corpus::replay!(Groq, "groq", EXCUSED);`. The folder is the provider's
/// among the recordings; `EXCUSED` lists recordings that differ on purpose, by id and with the reason.
#[macro_export]
macro_rules! replay {
    ($adapter:ty, $folder:literal, $excused:expr) => {
        const CASE: $crate::compat::Case = $crate::compat::Case {
            folder: $folder,
            own: concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"),
            excused: $excused,
        };

        #[test]
        fn requests_reach_the_provider_as_they_were_meant() {
            $crate::compat::requests::<$adapter>(&CASE);
        }

        #[test]
        fn answers_are_read_as_they_were_given() {
            $crate::compat::answers::<$adapter>(&CASE);
        }

        #[test]
        fn streams_are_read_the_same_however_they_are_cut() {
            $crate::compat::streams::<$adapter>(&CASE);
        }

        #[test]
        fn errors_are_of_their_kind() {
            $crate::compat::errors::<$adapter>(&CASE);
        }

        #[test]
        fn embeddings_and_models_are_read() {
            $crate::compat::lists::<$adapter>(&CASE);
        }

        #[test]
        fn the_manifest_excludes_what_is_translated() {
            $crate::compat::manifest::<$adapter>();
        }
    };
}
