//! Keys, teams, organisations and users of the store: read into the directory that requests use, followed while other
//! nodes change them, and changed by commands.

mod budgets;
mod follow;
mod registry;
mod snapshot;
mod state;

pub use budgets::check as check_budgets;
pub use follow::follow;
pub use registry::{Outcome, Registry, RegistryError};
pub use snapshot::Snapshot;
