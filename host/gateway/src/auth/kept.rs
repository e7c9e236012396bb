//! A caller in the form in which a store keeps it: enough to book its work, even in a later process.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use weir_identity::KeyId;
use weir_identity::document::{Login, TeamId};
use weir_identity::jwt::TokenIdentity;

use super::{Caller, StoredKeys};
use weir_config::{Client, Config};

/// A caller without its credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCaller {
    kind: CallerKind,
    /// The client's name, or the id of the key or of the token's account; empty if anonymous.
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    /// The account that the token was issued for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<Login>,
}

/// By what a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CallerKind {
    Anonymous,
    /// A client of the configuration.
    Client,
    /// A key of the store.
    Key,
    /// The token of an identity provider.
    Token,
}

impl KeptCaller {
    /// A caller to be kept.
    pub(crate) fn of(caller: &Caller) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        if let Some(client) = &caller.client {
            return Self {
                kind: CallerKind::Client,
                id: client.name.to_string(),
                team: text(client.team.as_deref()),
                organisation: text(client.organisation.as_deref()),
                tags: client.tags.iter().map(ToString::to_string).collect(),
                login: None,
            };
        }
        let Some(stored) = &caller.stored else {
            let (kind, id) = (CallerKind::Anonymous, String::new());
            return Self { kind, id, team: None, organisation: None, tags: Vec::new(), login: None };
        };
        Self {
            kind: if stored.key_id().is_some() { CallerKind::Key } else { CallerKind::Token },
            id: stored.id().to_owned(),
            team: text(stored.team()),
            organisation: text(stored.organisation()),
            tags: stored.tags().into_iter().map(str::to_owned).collect(),
            login: stored.token().map(|token| token.login.clone()),
        }
    }

    /// The caller as it is now, or as it was if it no longer exists; `None` while the store with the keys cannot be
    /// read.
    pub(crate) fn restore(&self, tenant: &str, config: &Config, stored: &StoredKeys) -> Option<Caller> {
        if matches!(self.kind, CallerKind::Key | CallerKind::Token) && stored.is_unread() {
            return None;
        }
        let found = match self.kind {
            CallerKind::Anonymous => return Some(Caller::anonymous(None)),
            CallerKind::Client => {
                let client = config.clients.iter().find(|client| *client.name == *self.id);
                client.map(|client| of_client(tenant, Arc::clone(client)))
            }
            CallerKind::Key => {
                let caller = KeyId::parse(&self.id).ok().and_then(|id| stored.of_key(id));
                caller.map(|caller| Caller::stored(caller, None, None))
            }
            CallerKind::Token => {
                let caller = self.identity().and_then(|identity| stored.of_identity(&Arc::new(identity)).ok());
                caller.map(|caller| Caller::stored(caller, None, None))
            }
        };
        Some(found.unwrap_or_else(|| of_client(tenant, Arc::new(self.as_it_was(tenant)))))
    }

    /// The identity that the token proved. It has expired: no request is made with it.
    fn identity(&self) -> Option<TokenIdentity> {
        let team = self.team.as_deref().map(TeamId::parse).transpose().ok()?;
        Some(TokenIdentity {
            id: self.id.clone(),
            login: self.login.clone()?,
            team,
            models: None,
            tags: self.tags.iter().cloned().collect::<BTreeSet<_>>(),
            expires: Timestamp::UNIX_EPOCH,
            basis: None,
        })
    }

    /// The facts by which budgets and the log find a caller that no longer exists: its name, team and tags.
    fn as_it_was(&self, tenant: &str) -> Client {
        let name = if self.kind == CallerKind::Token { tenant } else { &self.id };
        Client {
            name: Arc::from(name),
            team: self.team.as_deref().map(Arc::from),
            organisation: self.organisation.as_deref().map(Arc::from),
            tags: self.tags.iter().map(|tag| Arc::from(&**tag)).collect(),
            ..Client::default()
        }
    }
}

fn of_client(tenant: &str, client: Arc<Client>) -> Caller {
    Caller { tenant: Arc::from(tenant), client: Some(client), stored: None, shown: None, address: None }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use weir_config::Environment;

    fn config() -> Config {
        Config::parse("weir.toml", "", Path::new(""), Environment::default()).unwrap()
    }

    #[test]
    fn a_caller_that_is_gone_keeps_its_name_and_its_budgets() {
        let client = Client {
            name: Arc::from("one"),
            team: Some(Arc::from("red")),
            tags: vec![Arc::from("env=prod")],
            ..Client::default()
        };
        let caller = Caller { tenant: Arc::from("one"), client: Some(Arc::new(client)), ..Caller::anonymous(None) };
        let kept = serde_json::to_string(&KeptCaller::of(&caller)).unwrap();
        let kept: KeptCaller = serde_json::from_str(&kept).unwrap();
        let restored = kept.restore("one", &config(), &StoredKeys::default()).unwrap();
        assert_eq!((&*restored.tenant, restored.client), ("one", caller.client));
        let anonymous = KeptCaller::of(&Caller::anonymous(None));
        assert!(anonymous.restore("", &config(), &StoredKeys::default()).unwrap().is_anonymous());
    }

    #[test]
    fn a_key_is_waited_for_while_the_store_is_not_read_and_then_counts_by_its_id() {
        let kept = r#"{"kind":"key","id":"key_0000000000000001","team":"red"}"#;
        let kept: KeptCaller = serde_json::from_str(kept).unwrap();
        let stored = StoredKeys::default();
        stored.wait_for_store();
        assert!(kept.restore("key:key_0000000000000001", &config(), &stored).is_none());
        stored.replace(weir_identity::Directory::empty(), true);
        let restored = kept.restore("key:key_0000000000000001", &config(), &stored).unwrap();
        let client = restored.client.unwrap();
        assert_eq!((&*restored.tenant, &*client.name), ("key:key_0000000000000001", "key_0000000000000001"));
        assert_eq!(client.team.as_deref(), Some("red"));
    }
}
