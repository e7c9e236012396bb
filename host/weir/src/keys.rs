//! Keys, teams, organisations, users, budgets and prices of the store: read into the directory, the budgets and the
//! prices that requests use, followed while other nodes change them, and changed by commands.

mod budgets;
mod commit;
mod follow;
mod known_entry;
mod misnamed;
mod parsed;
mod prices;
mod registry;
mod revoked_file;
mod snapshot;
mod state;
mod tokens;
mod version_mark;
mod warnings;

pub use commit::Outcome;
pub use registry::{Listed, Registry, RegistryError, TakePrices, open};
pub use snapshot::Snapshot;
pub use tokens::{TokensError, accept_tokens};
pub(crate) use tokens::{problem as tokens_problem, tokens};
