//! Browsers' sessions: a cookie stands for the token that a person typed in once, or for the person who logged in at
//! the identity provider. Both are checked again with each request, so that a session ends with its token or its
//! rights.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use weir_config::Secret;

use crate::login::Person;

/// The most sessions at the same time. The one that ends first gives its place to a new one.
const MAX_SESSIONS: usize = 1_000;
/// The most sessions of one token or person, whose first one gives its place then: others keep theirs.
const MAX_OF_ONE: usize = 100;
/// How long a session lasts.
pub(crate) const LASTS: Duration = Duration::from_hours(12);

/// The system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes, so no session can begin")]
pub struct NoRandomness;

/// What a session stands for. It is checked again with each request.
#[derive(Clone)]
pub(crate) enum Holder {
    /// A token that was typed in.
    Token(Secret),
    /// A person who logged in at the identity provider.
    Person(Person),
}

impl Holder {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token(one), Self::Token(other)) => one.matches(other.expose()),
            (Self::Person(one), Self::Person(other)) => one.login == other.login,
            _ => false,
        }
    }
}

/// A session. It is shown without its secrets.
#[derive(Clone)]
pub(crate) struct Session {
    /// What the cookie stands for.
    pub(crate) holder: Holder,
    /// What each request that changes something has to repeat in a header, which no other site's page can set.
    pub(crate) csrf: Secret,
    /// When it ends.
    pub(crate) ends: Instant,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// All sessions of this process.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    /// By the hash of the cookie's value.
    all: Arc<Mutex<HashMap<[u8; 32], Session>>>,
    /// The value for pages that need no session, since they are used on this machine itself.
    local_csrf: Secret,
}

impl Sessions {
    /// No session yet.
    pub(crate) fn new() -> Result<Self, NoRandomness> {
        Ok(Self { all: Arc::default(), local_csrf: random()? })
    }

    /// Begins a session and returns the cookie's value with it.
    pub(crate) fn begin(&self, holder: Holder, now: Instant) -> Result<(Secret, Session), NoRandomness> {
        let (id, csrf) = (random()?, random()?);
        let mut all = self.all();
        all.retain(|_, session| session.ends > now);
        let is_own = |session: &Session| session.holder.is_same(&holder);
        if all.values().filter(|session| is_own(session)).count() >= MAX_OF_ONE {
            remove_first(&mut all, is_own);
        } else if all.len() >= MAX_SESSIONS {
            remove_first(&mut all, |_| true);
        }
        let session = Session { holder, csrf, ends: now + LASTS };
        all.insert(hash(id.expose()), session.clone());
        drop(all);
        Ok((id, session))
    }

    /// The session of a cookie's value.
    pub(crate) fn find(&self, id: &str, now: Instant) -> Option<Session> {
        self.all().get(&hash(id)).filter(|session| session.ends > now).cloned()
    }

    /// Ends the session of a cookie's value.
    pub(crate) fn end(&self, id: &str) {
        self.all().remove(&hash(id));
    }

    /// What pages used without a session have to repeat.
    pub(crate) fn local_csrf(&self) -> &Secret {
        &self.local_csrf
    }

    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the session that ends first of those that `is_meant`.
fn remove_first(all: &mut HashMap<[u8; 32], Session>, is_meant: impl Fn(&Session) -> bool) {
    let meant = all.iter().filter(|(_, session)| is_meant(session));
    if let Some(first) = meant.min_by_key(|(_, session)| session.ends).map(|(id, _)| *id) {
        all.remove(&first);
    }
}

/// Sessions are found by the hash, so that the time a search takes shows nothing of the value.
fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

fn random() -> Result<Secret, NoRandomness> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Holder {
        Holder::Token(Secret::new(text))
    }

    #[test]
    fn a_session_is_found_by_its_cookie_until_it_ends() {
        let (sessions, now) = (Sessions::new().unwrap(), Instant::now());
        let (id, session) = sessions.begin(token("the-token"), now).unwrap();
        let found = sessions.find(id.expose(), now).unwrap();
        assert!(matches!(&found.holder, Holder::Token(token) if token.matches("the-token")));
        assert!(found.csrf.matches(session.csrf.expose()));
        assert!(sessions.find("another", now).is_none());
        assert!(sessions.find(id.expose(), now + LASTS).is_none());
        sessions.end(id.expose());
        assert!(sessions.find(id.expose(), now).is_none());
        assert!(!format!("{sessions:?} {session:?}").contains("the-token"));
    }

    #[test]
    fn the_sessions_are_bounded_and_the_oldest_gives_way() {
        let (sessions, now) = (Sessions::new().unwrap(), Instant::now());
        let (first, _) = sessions.begin(token("t"), now).unwrap();
        let later = now + Duration::from_secs(1);
        let mut ids = Vec::new();
        for number in 0..MAX_SESSIONS {
            ids.push(sessions.begin(token(&number.to_string()), later).unwrap().0);
        }
        assert_eq!(sessions.all().len(), MAX_SESSIONS);
        assert!(sessions.find(first.expose(), later).is_none());
        assert!(ids.iter().all(|id| sessions.find(id.expose(), later).is_some()));
    }

    #[test]
    fn who_begins_many_sessions_ends_none_but_its_own() {
        let (sessions, now) = (Sessions::new().unwrap(), Instant::now());
        let (other, _) = sessions.begin(token("other"), now).unwrap();
        let (first, _) = sessions.begin(token("t"), now).unwrap();
        let later = now + Duration::from_secs(1);
        for _ in 0..2 * MAX_SESSIONS {
            sessions.begin(token("t"), later).unwrap();
        }
        assert!(sessions.find(other.expose(), later).is_some());
        assert!(sessions.find(first.expose(), later).is_none());
        assert_eq!(sessions.all().len(), 1 + MAX_OF_ONE);
    }
}
