//! The keys of the store and the issuers of tokens, as requests use them: snapshots that are replaced as a whole.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use tokio::sync::watch;
use weir_config::{KeyHash, Secret};
use weir_identity::directory::hash_of;
use weir_identity::document::TeamId;
use weir_identity::jwt::{Refusal, TokenIdentity, looks_like_token};
use weir_identity::{Directory, KeyId};

use super::CallerDenied;
use super::stored::StoredCaller;
use super::tokens::Tokens;

/// How many teams have a label of their own in metrics. Each label is kept, with its series, until the program ends.
const MAX_LABELS: usize = 200;
/// The label of keys without a team, and of teams beyond [`MAX_LABELS`]. No client has this name.
const OTHERS: &str = "store:";

/// What the credentials of a request are.
#[derive(Debug)]
pub(super) enum CredentialLookup {
    /// A caller of the store, and the hash of its key.
    Caller(Box<StoredCaller>, KeyHash),
    /// Keys that are refused, and those of them that may be tokens, which are still to be verified.
    Refused(CallerDenied, Vec<Secret>),
    /// The request has no keys.
    Nothing,
}

/// The keys of the store, and whose tokens are accepted.
#[derive(Debug)]
pub struct StoredKeys {
    directory: ArcSwap<Directory>,
    tokens: ArcSwapOption<Tokens>,
    /// Whether the store has, or had, a key. Once it had one, requests need a key, also after the last one is deleted:
    /// deleting a key must not let its holder in.
    is_keyed: AtomicBool,
    /// Whether the store could not be read yet, so that any key may be one of its own.
    is_unread: AtomicBool,
    labels: RwLock<HashMap<TeamId, Arc<str>>>,
    others: Arc<str>,
    changes: watch::Sender<()>,
}

impl Default for StoredKeys {
    fn default() -> Self {
        Self {
            directory: ArcSwap::from_pointee(Directory::empty()),
            tokens: ArcSwapOption::empty(),
            is_keyed: AtomicBool::new(false),
            is_unread: AtomicBool::new(false),
            labels: RwLock::default(),
            others: Arc::from(OTHERS),
            changes: watch::Sender::new(()),
        }
    }
}

impl StoredKeys {
    /// Begins with a store that has not been read yet. Until it is, requests need a key: it may have some.
    pub fn wait_for_store(&self) {
        self.is_keyed.store(true, Ordering::Release);
        self.is_unread.store(true, Ordering::Release);
    }

    /// Whether the store could not be read yet.
    pub fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Acquire)
    }

    /// Replaces the directory. Requests in progress keep what they found. `is_keyed` says whether the store has or had
    /// a key.
    pub fn replace(&self, directory: Directory, is_keyed: bool) {
        self.directory.store(Arc::new(directory));
        self.is_keyed.store(is_keyed, Ordering::Release);
        self.is_unread.store(false, Ordering::Release);
        self.note_change();
    }

    /// Replaces the issuers of tokens.
    pub fn accept_tokens(&self, tokens: Option<Arc<Tokens>>) {
        self.tokens.store(tokens);
        self.note_change();
    }

    /// The directory now.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    /// Whether requests need a key or a token because of the store or of issuers.
    pub fn is_keyed(&self) -> bool {
        self.needs_keys() || self.tokens.load().is_some()
    }

    /// Whether requests need a key because there are keys in the store.
    pub fn needs_keys(&self) -> bool {
        self.is_keyed.load(Ordering::Acquire)
    }

    /// The issuers of tokens.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.load_full()
    }

    /// Looks up all credentials of a request. A text that looks like a token is one only if no key has this text: a
    /// proxy on the way may add its own token beside a key, and an imported key may look like a token.
    pub(super) fn look_up(&self, presented: &[String]) -> CredentialLookup {
        let takes_tokens = self.tokens.load().is_some();
        let (mut tokens, mut refusal) = (Vec::new(), None);
        for key in presented {
            let denied = match self.find(key) {
                Ok((caller, shown)) => return CredentialLookup::Caller(Box::new(caller), shown),
                Err(denied) => denied,
            };
            if takes_tokens && matches!(denied, CallerDenied::WrongKey | CallerDenied::Unread) && looks_like_token(key)
            {
                tokens.push(Secret::new(key.as_str()));
            }
            // Of several refusals, one of a known key is more helpful than one of an unknown key.
            if matches!(refusal, None | Some(CallerDenied::WrongKey)) {
                refusal = Some(denied);
            }
        }
        refusal.map_or(CredentialLookup::Nothing, |denied| CredentialLookup::Refused(denied, tokens))
    }

    /// The caller of a presented key, and the hash of that.
    fn find(&self, presented: &str) -> Result<(StoredCaller, KeyHash), CallerDenied> {
        let shown = hash_of(presented)?;
        Ok((self.of_hash(&shown)?, shown))
    }

    /// The caller of the key with this hash.
    pub(super) fn of_hash(&self, hash: &KeyHash) -> Result<StoredCaller, CallerDenied> {
        self.caller(|directory| directory.look_up_hash(hash, Timestamp::now()))
    }

    /// A caller as it stands now, which had shown the key with this hash or a token, and until when that is valid.
    pub(super) fn revalidate(
        &self,
        caller: &StoredCaller,
        shown: Option<&KeyHash>,
    ) -> Result<(StoredCaller, Option<Timestamp>), CallerDenied> {
        let now = Timestamp::now();
        if let Some(identity) = caller.token() {
            let until = identity.expires;
            if now >= until {
                return Err(Refusal::Expired(until).into());
            }
            if !self.tokens.load().as_ref().is_some_and(|tokens| tokens.still_accepts(identity)) {
                return Err(Refusal::OtherRules.into());
            }
            return Ok((self.of_identity(identity)?, Some(until)));
        }
        let shown = shown.ok_or(CallerDenied::WrongKey)?;
        let caller = self.of_hash(shown)?;
        let until = caller.valid_until(shown);
        Ok((caller, until))
    }

    /// Signals each change after which a caller may have other rights.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Signals that the configuration changed, so that callers may have other rights.
    pub(crate) fn note_change(&self) {
        self.changes.send_replace(());
    }

    /// The caller of a presented token.
    pub(super) async fn find_by_token(&self, token: &str) -> Result<StoredCaller, CallerDenied> {
        let Some(tokens) = self.tokens() else { return Err(CallerDenied::WrongKey) };
        let identity = tokens.verify(token).await?;
        self.of_identity(&identity)
    }

    /// The caller whose key has this id, whether or not the key is valid.
    pub(super) fn of_key(&self, id: KeyId) -> Option<StoredCaller> {
        self.caller(|directory| directory.caller_of_key(id)).ok()
    }

    /// The caller of a verified token.
    pub(super) fn of_identity(&self, identity: &Arc<TokenIdentity>) -> Result<StoredCaller, CallerDenied> {
        self.caller(|directory| directory.caller_of_token(identity))
    }

    /// The caller that the directory finds. A caller that is not found may still be in a store that could not be read
    /// yet.
    fn caller(
        &self,
        find: impl FnOnce(&Directory) -> Result<weir_identity::Caller, weir_identity::KeyDenied>,
    ) -> Result<StoredCaller, CallerDenied> {
        use weir_identity::KeyDenied::{Organisation, Team, Unknown, User};
        // Asked before the directory is loaded, since the store may be read in between.
        let is_unread = self.is_unread();
        find(&self.directory.load()).map(|caller| self.labelled(caller)).map_err(|denied| match denied {
            Unknown | User(_) | Team(_) | Organisation(_) if is_unread => CallerDenied::Unread,
            denied => denied.into(),
        })
    }

    fn labelled(&self, caller: weir_identity::Caller) -> StoredCaller {
        let label = caller.team.as_ref().map_or_else(|| Arc::clone(&self.others), |team| self.label(&team.id));
        StoredCaller::new(caller, label)
    }

    fn label(&self, team: &TeamId) -> Arc<str> {
        if let Some(known) = self.labels.read().unwrap_or_else(PoisonError::into_inner).get(team) {
            return Arc::clone(known);
        }
        let mut labels = self.labels.write().unwrap_or_else(PoisonError::into_inner);
        if labels.len() >= MAX_LABELS && !labels.contains_key(team) {
            return Arc::clone(&self.others);
        }
        Arc::clone(labels.entry(team.clone()).or_insert_with(|| Arc::from(format!("{OTHERS}{team}"))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use weir_identity::directory::Change;
    use weir_identity::document::Login;
    use weir_identity::jwt::{IssuerSettings, Timing};
    use weir_identity::{DirectoryWriter, Document, Kind};
    use weir_types::fault::Fault;
    use weir_upstream::DocumentClient;

    #[test]
    fn the_labels_of_many_teams_are_bounded() {
        let keys = StoredKeys::default();
        let label = |number: usize| keys.label(&TeamId::parse(&format!("team-{number}")).unwrap());
        for number in 0..MAX_LABELS {
            assert_eq!(*label(number), *format!("store:team-{number}"));
        }
        assert_eq!(*label(MAX_LABELS), *OTHERS);
        assert_eq!(*label(0), *"store:team-0");
    }

    fn directory(keys: &[&str]) -> Directory {
        let mut writer = DirectoryWriter::default();
        for (number, text) in (1..).zip(keys) {
            let (id, hash) = (KeyId::from_bits(number), KeyHash::of(text));
            let key = format!(
                r#"{{"schema": 1, "id": "{id}", "hash": "{hash}", "name": "n{number}", "created": "2026-11-21T12:00:00Z"}}"#
            );
            writer.apply([Change::put(number, Document::parse(Kind::Key, &key).unwrap())]);
        }
        writer.snapshot()
    }

    /// Accepts tokens of an issuer that is never asked.
    fn tokens() -> Arc<Tokens> {
        let settings = IssuerSettings::new("login", "https://id.example", "weir", TeamId::parse("red").unwrap());
        Arc::new(Tokens::new(vec![settings], Timing::default(), DocumentClient::new(None).unwrap()).unwrap())
    }

    #[test]
    fn a_token_hides_no_key_beside_it_and_a_key_may_look_like_a_token() {
        let (foreign, imported) = ("eyJhbGciOiJub25lIn0.e30.foreign", "eyJhbGciOiJub25lIn0.e30.imported");
        assert!(looks_like_token(foreign) && looks_like_token(imported));
        let keys = StoredKeys::default();
        keys.accept_tokens(Some(tokens()));
        keys.replace(directory(&["sk-one", imported]), true);
        let look_up = |presented: &[&str]| {
            let presented: Vec<String> = presented.iter().map(|&key| key.to_owned()).collect();
            match keys.look_up(&presented) {
                CredentialLookup::Caller(caller, _) => caller.id().to_owned(),
                CredentialLookup::Refused(denied, tokens) => format!("{denied:?} {}", tokens.len()),
                CredentialLookup::Nothing => String::new(),
            }
        };
        assert_eq!(look_up(&[foreign, "sk-one"]), KeyId::from_bits(1).to_string());
        assert_eq!(look_up(&["sk-one", foreign]), KeyId::from_bits(1).to_string());
        assert_eq!(look_up(&[imported]), KeyId::from_bits(2).to_string());
        assert_eq!(look_up(&[foreign, "sk-two"]), "WrongKey 1");
        assert_eq!(look_up(&["sk-two"]), "WrongKey 0");
        assert_eq!(look_up(&[]), "");
        // Of two refusals, that of a known key is reported, and a key that may be right is to be tried again.
        let disabled = || CallerDenied::Stored(weir_identity::KeyDenied::Disabled(KeyId::from_bits(1)));
        let away = || CallerDenied::Token(Refusal::KeysUnavailable { issuer: "login".to_owned() });
        let unknown = || CallerDenied::Token(Refusal::UnknownIssuer);
        assert_eq!(unknown().beside(disabled()), disabled());
        assert_eq!(unknown().beside(CallerDenied::WrongKey), unknown());
        assert_eq!(unknown().beside(away()), away());
        assert_eq!(away().beside(disabled()), away());
    }

    #[test]
    fn while_the_store_is_unread_nothing_that_it_may_have_is_refused_for_good() {
        let keys = StoredKeys::default();
        let identity = Arc::new(TokenIdentity {
            id: "login:ada".to_owned(),
            login: Login { issuer: "https://id.example".to_owned(), subject: "ada".to_owned() },
            team: TeamId::parse("red").ok(),
            models: None,
            tags: BTreeSet::new(),
            expires: Timestamp::MAX,
            basis: None,
        });
        keys.wait_for_store();
        assert_eq!(keys.find("sk-some").unwrap_err(), CallerDenied::Unread);
        let denied = keys.of_identity(&identity).unwrap_err();
        assert!(!denied.is_a_guess());
        let fault = Fault::from(denied);
        assert_eq!(fault.error.code.as_deref(), Some("store_unavailable"));
        keys.replace(Directory::empty(), true);
        assert_eq!(keys.find("sk-some").unwrap_err(), CallerDenied::WrongKey);
        assert!(matches!(keys.of_identity(&identity), Err(CallerDenied::Stored(weir_identity::KeyDenied::Team(_)))));
    }
}
