//! Zeta: a made-up format and a made-up provider with odd paths, odd names and odd framing. Whatever the host does for
//! real formats it has to do for this one, and it has never heard of it.
//!
//! A talk (`zeta.parley`) goes to `POST /zeta/v0/minds/{model}:parley`, or to `POST /zeta/v0/parley` with the model at
//! `/brain/called` behind `minds/`; `?drip=yes` asks for a stream.
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
//! `toll`, `bye`, `woe`. Of the toll, `all_in` includes what was read from (`of_cached`) and written to the cache
//! (`of_written`), and `all_out` what was thought (`of_musing`).

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

/// The format of chants: files in forms, which are passed on as they are.
const CHANT: &str = "zeta.chant";

/// The version, in a place of its own in the component, so that tests can make further versions of it.
static VERSION: &str = "1.0.0+zeta-build-0001-of-the-made-up-provider-and-its-format";

/// The version, where no optimiser takes it apart.
fn version() -> &'static str {
    std::hint::black_box(VERSION)
}

/// What is wrong with it, in a place of its own in the component, so that tests can make adapters that are subtly wrong:
/// nothing, unless they write another text over it.
static FAULT: &str = "zeta-fault-none----";

/// Whether this is wrong with it: `border` (a piece of a call that comes first in a read is lost), `memory` (tokens are
/// counted over all exchanges of an instance), `parallel` (of several calls only the first is heard).
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
