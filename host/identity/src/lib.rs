//! Who may do what: keys, teams, organisations and users, their budgets and prices, and tokens of identity providers.
//! No input or output, no async runtime, no clock: callers pass the time, store what is to be written, and fetch what
//! is to be fetched.
//!
//! | module | holds |
//! |---|---|
//! | [`key_text`], `hash_text` | the text of a key, `sk-weir-ID-SECRET-CHECK`; that of a key's hash, `sha256:HEX` |
//! | [`document`] | what is stored, as JSON with versions |
//! | [`directory`] | a snapshot in memory, in which each request finds its [`Caller`] |
//! | [`change`] | commands: validated, with an audit event; the conditions of an ETag, and idempotency keys |
//! | [`ephemeral`] | sealed texts that stand for a key for a short time |
//! | [`jwt`] | tokens (`[[issuers]]`): keys of issuers, signatures, claims, what these mean here |
//! | [`oidc`] | a login for the admin side |
//!
//! # The life of a key
//!
//! ```
//! use weir_identity::change::{Actor, Command, Context, KeyCommand, NewKey, Precondition};
//! use weir_identity::directory::{Change, KeyDenied, DirectoryWriter};
//! use weir_identity::document::{Access, Grant};
//! # use weir_identity::{change::{Revision, Stored}, document::*, key_text::KeyId};
//! # struct Store;
//! # impl Stored for Store {
//! #     fn key(&self, _: KeyId) -> Option<(Key, Revision)> { None }
//! #     fn key_of_hash(&self, _: &weir_config::KeyHash) -> Option<KeyId> { None }
//! #     fn key_named(&self, _: Option<&TeamId>, _: &str) -> Option<KeyId> { None }
//! #     fn keys_of_team(&self, _: &TeamId) -> Vec<KeyId> { Vec::new() }
//! #     fn keys_of_user(&self, _: &UserId) -> Vec<KeyId> { Vec::new() }
//! #     fn keys_granted(&self, _: &TeamId) -> Vec<KeyId> { Vec::new() }
//! #     fn users_granted(&self, _: &TeamId) -> Vec<UserId> { Vec::new() }
//! #     fn team(&self, _: &TeamId) -> Option<(Team, Revision)> { None }
//! #     fn teams_of(&self, _: &OrganisationId) -> usize { 0 }
//! #     fn organisation(&self, _: &OrganisationId) -> Option<(Organisation, Revision)> { None }
//! #     fn user(&self, _: &UserId) -> Option<(User, Revision)> { None }
//! #     fn user_of_login(&self, _: &Login) -> Option<UserId> { None }
//! #     fn budget(&self, _: &BudgetId) -> Option<(ScopedBudget, Revision)> { None }
//! #     fn price(&self, _: &PriceId) -> Option<(PriceRule, Revision)> { None }
//! #     fn damaged(&self, _: weir_identity::Kind, _: &str) -> Option<Revision> { None }
//! # }
//! # let store = Store;
//! let now = "2026-11-21T12:00:00Z".parse()?;
//! let context = Context {
//!     actor: Actor { kind: "user".to_owned(), id: "ada".to_owned() },
//!     grants: vec![Grant { access: Access::Write, team: None }],
//!     now,
//!     precondition: Precondition::None,
//! };
//! let new = NewKey { name: "build".to_owned(), ..NewKey::default() };
//! let changed = Command::Key(KeyCommand::Create(Box::new(new))).run(&store, &context)?;
//!
//! // The store writes `changed.writes` and `changed.event` in one transaction, and numbers the changes. Each node applies
//! // them and publishes a snapshot, in an `ArcSwap`.
//! let mut writer = DirectoryWriter::new();
//! let documents = changed.writes.into_iter().filter_map(|write| write.document);
//! writer.apply((1..).zip(documents).map(|(version, document)| Change::put(version, document)));
//! let directory = writer.snapshot();
//!
//! // The key's text is shown once. Each request presents it.
//! let text = changed.issued.ok_or("no key")?;
//! let caller = directory.look_up(text.expose(), now)?;
//! assert_eq!(caller.id(), text.id().as_str());
//! assert!(caller.may_use("any-model") && caller.budgets().next().is_none());
//!
//! let mistyped = text.expose().replacen("sk-weir-", "sk-weir-0", 1);
//! assert!(matches!(directory.look_up(&mistyped, now), Err(KeyDenied::Mistyped(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Tokens
//!
//! A credential for which [`jwt::looks_like_token`] holds goes to [`jwt::Verifier::verify`], which waits for nothing:
//! it returns the identity, or a fetch of keys to carry out with the caller's [`jwt::Fetch`]. Then
//! [`directory::Directory::caller_of_token`] finds the caller.
//!
//! # What is kept of a key
//!
//! The SHA-256 of its whole text. Secrets have 256 random bits, so neither a salt nor a slow hash would add anything;
//! and keys of the configuration and of LiteLLM are hashed in the same way, so they are found by the same look-up.

pub mod change;
pub mod directory;
pub mod document;
pub mod ephemeral;
mod hash_text;
pub mod jwt;
pub mod key_text;
pub mod object;
pub mod oidc;

pub use directory::{Caller, Directory, DirectoryWriter, KeyDenied};
pub use document::{Document, Kind};
pub use key_text::{KeyId, KeyText};
