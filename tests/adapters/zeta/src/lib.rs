//! Zeta: an invented format and provider with odd paths, odd names and odd framing. Whatever the host does for real
//! formats it must do for this one, which it does not know.
//!
//! A talk (`zeta.parley`) goes to `POST /zeta/v0/minds/{model}:parley`, or to `POST /zeta/v0/parley` with the model at
//! `/brain/called` after `minds/`; `?drip=yes` requests a stream.
//!
//! ```json
//! {"scroll": [{"who": "crown", "says": "Be kind."}, {"who": "pilgrim", "says": "Hi"},
//!             {"who": "oracle", "says": "…", "wants": [{"tag": "c1", "deed": "look", "with": {}}]},
//!             {"who": "deed", "tag": "c1", "says": "42"}],
//!  "deeds": [{"deed": "look", "about": "…", "shape": {}}], "tuning": {"heat": 0.5, "most": 100}, "tell": {"toll": true}}
//! ```
//!
//! The answer is `{"ref", "brain", "reply": {"muses", "says", "wants"}, "ended", "toll"}`; a stream is one JSON value a
//! line (`?shape=array`: one JSON array), each with its kind in `k`: `hail`, `muse`, `bit`, `want`, `want-bit`, `end`,
//! `toll`, `bye`, `woe`. In the toll, `all_in` includes tokens read from (`of_cached`) and written to the cache
//! (`of_written`), and `all_out` includes thinking (`of_musing`).

mod answer;
mod decoder;
mod encoder;
mod lists;
mod manifest;
mod request;
mod tally;
mod vectors;
mod wire;
mod woe;

/// The format of talks.
const PARLEY: &str = "zeta.parley";
/// The format of embeddings.
const VECTORS: &str = "zeta.vectors";
/// The format of lists of models.
const ROSTER: &str = "zeta.roster";
/// The format of counts.
const TALLY: &str = "zeta.tally";

/// The format of chants: files in forms, which are relayed unchanged.
const CHANT: &str = "zeta.chant";

/// The version, in a fixed place of the component, so that tests can make further versions of it.
static VERSION: &str = "1.0.0+zeta-build-0001-of-the-made-up-provider-and-its-format";

/// The version, kept from the optimiser.
fn version() -> &'static str {
    std::hint::black_box(VERSION)
}

/// The adapter's bug, in a fixed place of the component, so that tests can make adapters with subtle bugs: none, unless
/// a test overwrites the text.
static FAULT: &str = "zeta-fault-none----";

/// Whether the adapter has this bug: `border` (a piece of a call is lost if it comes first in a read), `memory` (tokens
/// are counted over all exchanges of an instance), `asked` (the answer depends on the request that the instance made
/// last), `parallel` (of several calls only the first is parsed).
fn is_wrong(fault: &str) -> bool {
    std::hint::black_box(FAULT).strip_prefix("zeta-fault-").is_some_and(|set| set.starts_with(fault))
}

/// The adapter.
#[derive(Debug)]
pub struct Zeta;

weir_sdk::export!(Zeta:
    about, provider_errors, provider_chat, dialect_chat, provider_embeddings, dialect_embeddings, provider_models,
    dialect_models, provider_count_tokens, dialect_count_tokens,
);
