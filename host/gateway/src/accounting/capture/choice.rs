//! Decides what is logged of a request: by the configuration, the caller, the model and the request's own header.

use crate::auth::{Caller, StoredCaller};
use weir_config::{Config, KeepBodies};
use weir_ledger::{Scope, ScopeKind};
use weir_types::uuid::Uuid7;

/// What is logged of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logging {
    /// Nothing. The use is booked all the same.
    Nothing,
    /// The facts: who asked for what, how it ended, and what it cost.
    Facts,
    /// Its facts, and its content if it fails.
    FactsAndErrors,
    /// Its facts and its content.
    Everything,
}

impl Logging {
    /// What is logged of a request for a model. `header` is the value of `x-weir-log`.
    pub fn of(config: &Config, caller: &Caller, model: Option<&str>, header: Option<&str>, id: Uuid7) -> Self {
        let rule = config.bodies.iter().find(|rule| fits(&rule.scope, caller, model));
        let keep = rule.map_or(config.store.bodies, |rule| rule.keep);
        match header {
            Some("none") if config.store.allow_unlogged => Self::Nothing,
            Some("none" | "meta") => Self::Facts,
            Some("full") if keep != KeepBodies::Off => Self::Everything,
            _ if keep.takes(random(id)) => Self::Everything,
            _ if keep.takes_errors() => Self::FactsAndErrors,
            _ => Self::Facts,
        }
    }

    /// Whether the content may be needed.
    pub(crate) fn needs_content(self) -> bool {
        matches!(self, Self::FactsAndErrors | Self::Everything)
    }
}

/// A pseudo-random number that depends on the id only, so that all nodes agree (the last step of `splitmix64`).
fn random(id: Uuid7) -> u64 {
    let last = id.as_bytes().last_chunk::<8>().copied().unwrap_or_default();
    let mut mixed = u64::from_be_bytes(last);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn fits(scope: &Scope, caller: &Caller, model: Option<&str>) -> bool {
    let Scope::Of(kind, name) = scope else { return true };
    let (client, stored) = (caller.client.as_deref(), caller.stored.as_deref());
    let is = |own: Option<&str>| own == Some(&**name);
    match kind {
        ScopeKind::Key => is(client.map(|client| &*client.name).or(stored.map(StoredCaller::id))),
        ScopeKind::Team => is(client.and_then(|client| client.team.as_deref()).or(stored.and_then(StoredCaller::team))),
        ScopeKind::Organisation => {
            is(client.and_then(|client| client.organisation.as_deref()).or(stored.and_then(StoredCaller::organisation)))
        }
        ScopeKind::Tag => {
            let of_client = client.is_some_and(|client| client.tags.iter().any(|tag| **tag == **name));
            of_client || stored.is_some_and(|stored| stored.tags().contains(&&**name))
        }
        ScopeKind::Model => is(model),
        // Providers are known only when a request has been answered.
        ScopeKind::Provider => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_config::Environment;

    fn config(text: &str) -> Config {
        Config::parse("weir.toml", text, std::path::Path::new(""), Environment::default()).unwrap()
    }

    fn logging(config: &Config, model: &str, header: Option<&str>) -> Logging {
        Logging::of(config, &Caller::anonymous(None), Some(model), header, Uuid7::new(1_795_262_400_000))
    }

    #[test]
    fn a_header_lowers_and_raises_only_where_that_is_allowed() {
        let off = config("");
        for header in [None, Some("full"), Some("none"), Some("meta"), Some("?")] {
            assert_eq!(logging(&off, "m", header), Logging::Facts, "{header:?}");
        }
        let asked = config("[store]\nbodies = \"on-request\"\nallow_unlogged = true");
        assert_eq!(logging(&asked, "m", Some("full")), Logging::Everything);
        assert_eq!(logging(&asked, "m", None), Logging::Facts);
        assert_eq!(logging(&asked, "m", Some("none")), Logging::Nothing);
        let all = config("[store]\nbodies = \"all\"");
        assert_eq!(logging(&all, "m", None), Logging::Everything);
        assert_eq!(logging(&all, "m", Some("meta")), Logging::Facts);
        assert_eq!(logging(&all, "m", Some("none")), Logging::Facts);
        assert_eq!(logging(&config("[store]\nbodies = \"0%\""), "m", None), Logging::FactsAndErrors);
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let text = "[store]\nbodies = \"all\"\n[[bodies]]\nfor = { model = \"quiet\" }\nkeep = \"off\"\n\
                    [[bodies]]\nfor = \"all\"\nkeep = \"errors\"";
        let config = config(text);
        assert_eq!(logging(&config, "quiet", Some("full")), Logging::Facts);
        assert_eq!(logging(&config, "other", None), Logging::FactsAndErrors);
        assert_eq!(logging(&config, "other", Some("full")), Logging::Everything);
    }
}
