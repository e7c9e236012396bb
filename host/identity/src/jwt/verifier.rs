//! From a presented token to the identity it proves.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fetch::SharedKeys;
use super::token_cache::TokenCache;
use super::{
    Arrival, BadIssuer, Claims, Expected, FetchJob, IssuerSettings, KeySet, Need, Refusal, SignedToken, Timing,
};
use crate::document::{Login, Pattern, TeamId};

/// How often a verification waits for keys: for a fetch that began before, and for its own.
const MAX_WAITS: usize = 3;

/// The claims of a verified token about its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIdentity {
    /// Identifies the caller: the issuer's name and the subject.
    pub id: String,
    /// The account.
    pub login: Login,
    /// The team that a claim names.
    pub team: Option<TeamId>,
    /// The models that may be used, within those of the team; all if unset.
    pub models: Option<Vec<Pattern>>,
    /// Tags of facts and budgets.
    pub tags: BTreeSet<String>,
    /// When the token expires.
    pub expires: Timestamp,
    /// What verified it, and made this of its claims; `None` of a token that is not asked for with any more.
    pub basis: Option<Arc<IssuerSettings>>,
}

/// A verified token.
#[derive(Debug)]
pub struct Verified {
    /// Who the token was issued for.
    pub identity: Arc<TokenIdentity>,
    /// A fetch of newer keys that the caller carries out beside the request.
    pub refresh: Option<FetchJob>,
}

/// The result of one step of a verification.
#[derive(Debug)]
pub enum Verify {
    /// The token is verified.
    Done(Verified),
    /// The caller carries this out on a task of its own, and verifies again.
    Fetch(FetchJob),
    /// The caller waits for this, and verifies again.
    Wait(Arrival),
}

/// Verifies tokens of all configured issuers.
#[derive(Debug)]
pub struct Verifier {
    issuers: Vec<Issuer>,
    cache: TokenCache,
}

#[derive(Debug)]
struct Issuer {
    settings: Arc<IssuerSettings>,
    keys: Arc<SharedKeys>,
}

impl Verifier {
    /// A verifier that remembers so many tokens.
    ///
    /// # Errors
    ///
    /// An issuer's settings cannot be used, or two have one issuer or name.
    pub fn new(issuers: Vec<IssuerSettings>, timing: Timing, remembered: usize) -> Result<Self, BadIssuer> {
        let mut seen = BTreeSet::new();
        for settings in &issuers {
            settings.check()?;
            if !seen.insert(settings.issuer.clone()) || !seen.insert(format!("\n{}", settings.name)) {
                let problem = "another issuer has the same `issuer` or `name`".to_owned();
                return Err(BadIssuer { issuer: settings.name.clone(), key: "issuer", problem });
            }
        }
        let issuer = |settings| Issuer { settings: Arc::new(settings), keys: Arc::new(SharedKeys::new(timing)) };
        Ok(Self { issuers: issuers.into_iter().map(issuer).collect(), cache: TokenCache::new(remembered) })
    }

    /// Verifies a token without waiting for anything.
    ///
    /// # Errors
    ///
    /// The token is refused.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Verify, Refusal> {
        let digest = TokenCache::digest(token);
        let is_current = |identity: &TokenIdentity, generation: u64| {
            let issuer = self.issuer(&identity.login.issuer);
            issuer.is_some_and(|it| it.keys.with(|keys| keys.generation() == generation && keys.is_usable(now)))
        };
        if let Some(identity) = self.cache.get(&digest, now, is_current) {
            let refresh = self.issuer(&identity.login.issuer).and_then(|issuer| issuer.refresh(now));
            return Ok(Verify::Done(Verified { identity, refresh }));
        }
        let token = SignedToken::parse(token)?;
        let issuer = token.claims.get("iss").and_then(Value::as_str).and_then(|iss| self.issuer(iss));
        let issuer = issuer.ok_or(Refusal::UnknownIssuer)?;
        let settings = &issuer.settings;
        if !settings.algorithms.contains(&token.algorithm) {
            return Err(Refusal::Algorithm);
        }
        let id = token.key_id.as_deref();
        let name = || settings.name.clone();
        let (need, generation) = issuer.keys.with(|keys| (keys.need(id, token.algorithm, now), keys.generation()));
        let keys = match need {
            Need::Use(keys) => keys,
            Need::Fetch(ticket) => return Ok(Verify::Fetch(issuer.job(ticket, now))),
            Need::Wait => return Ok(Verify::Wait(Arrival::new(&issuer.keys))),
            Need::UnknownKey => return Err(Refusal::UnknownKey { issuer: name() }),
            Need::Unavailable => return Err(Refusal::KeysUnavailable { issuer: name() }),
        };
        let identity = Arc::new(identify(&token, &keys, settings, now)?);
        self.cache.put(digest, &identity, generation, identity.expires);
        let refresh = issuer.refresh(now);
        Ok(Verify::Done(Verified { identity, refresh }))
    }

    /// Verifies a token, and waits for keys where that is needed. `start` carries a fetch out on a task of its own:
    /// what the client of this request does must not end a fetch that tokens of other clients wait for.
    ///
    /// # Errors
    ///
    /// The token is refused.
    pub async fn verify_with(
        &self,
        token: &str,
        now: Timestamp,
        start: impl Fn(FetchJob),
    ) -> Result<Verified, Refusal> {
        for _ in 0..MAX_WAITS {
            let arrival = match self.verify(token, now)? {
                Verify::Done(verified) => return Ok(verified),
                Verify::Wait(arrival) => arrival,
                Verify::Fetch(job) => {
                    let arrival = job.arrival();
                    start(job);
                    arrival
                }
            };
            arrival.await;
        }
        // The fetches ended, and each time the keys were those of another token again.
        Err(Refusal::KeysUnavailable { issuer: "of the token".to_owned() })
    }

    /// Fetches to carry out at the start, so that no request waits for them.
    pub fn warm_up(&self, now: Timestamp) -> Vec<FetchJob> {
        let job = |issuer: &Issuer| {
            let need = issuer.keys.with(|keys| keys.need(None, super::Algorithm::RS256, now));
            match need {
                Need::Fetch(ticket) => Some(issuer.job(ticket, now)),
                _ => None,
            }
        };
        self.issuers.iter().filter_map(job).collect()
    }

    /// Whether tokens of this issuer are verified as the one was that proved an identity, for what lasts longer than a
    /// request.
    pub fn still_accepts(&self, identity: &TokenIdentity) -> bool {
        let issuer = self.issuer(&identity.login.issuer);
        issuer.is_some_and(|issuer| identity.basis.as_ref() == Some(&issuer.settings))
    }

    fn issuer(&self, issuer: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|known| known.settings.issuer == issuer)
    }
}

impl Issuer {
    fn job(&self, ticket: super::Ticket, now: Timestamp) -> FetchJob {
        FetchJob::new(&self.keys, &self.settings, ticket, now)
    }

    /// A fetch of newer keys, if it is time.
    fn refresh(&self, now: Timestamp) -> Option<FetchJob> {
        let ticket = self.keys.with(|keys| keys.refresh(now));
        ticket.map(|ticket| self.job(ticket, now))
    }
}

/// Verifies the signature, then the claims, and maps them.
fn identify(
    token: &SignedToken<'_>,
    keys: &KeySet,
    settings: &Arc<IssuerSettings>,
    now: Timestamp,
) -> Result<TokenIdentity, Refusal> {
    if !keys.verifies(token) {
        return Err(Refusal::Signature);
    }
    let expected = Expected {
        issuer: &settings.issuer,
        audiences: &settings.audiences,
        leeway: settings.leeway(),
        max_lifetime: settings.max_lifetime_secs.map(std::time::Duration::from_secs),
        now,
    };
    let claims = Claims::check(&token.claims, &expected)?;
    if let Some(rule) = settings.required.iter().find(|rule| !rule.fits(&token.claims)) {
        return Err(Refusal::Requirement(rule.claim.as_str().to_owned()));
    }
    Ok(TokenIdentity {
        id: format!("{}:{}", settings.name, claims.subject),
        team: Some(team(settings, &token.claims)?),
        models: models(settings, &token.claims),
        tags: tags(settings, &token.claims),
        login: Login { issuer: settings.issuer.clone(), subject: claims.subject },
        expires: claims.expires,
        basis: Some(Arc::clone(settings)),
    })
}

/// The team by the first rule that gives one.
fn team(settings: &IssuerSettings, claims: &Map<String, Value>) -> Result<TeamId, Refusal> {
    let mut names = settings.team.iter().flat_map(|rule| rule.names(claims));
    let found = names.find_map(|name| TeamId::parse(&name).ok());
    found.or_else(|| settings.default_team.clone()).ok_or(Refusal::NoTeam)
}

fn models(settings: &IssuerSettings, claims: &Map<String, Value>) -> Option<Vec<Pattern>> {
    let by_rules = || settings.models.iter().flat_map(|rule| rule.models(claims)).collect();
    (!settings.models.is_empty()).then(by_rules)
}

fn tags(settings: &IssuerSettings, claims: &Map<String, Value>) -> BTreeSet<String> {
    let names = settings.tags.iter().flat_map(|rule| rule.names(claims));
    let fits = |name: &String| !name.is_empty() && name.len() <= 128 && !name.chars().any(char::is_control);
    names.filter(fits).take(64).collect()
}
