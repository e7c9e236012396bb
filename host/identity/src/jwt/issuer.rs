//! `[[issuers]]`: whose tokens are accepted, and what their claims mean here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Algorithm, ClaimRule, Endpoint};
use crate::document::TeamId;

/// An identity provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// A name of your choice for the log and errors.
    pub name: String,
    /// The issuer exactly as in tokens (`iss`).
    pub issuer: String,
    /// The audiences of which a token needs one (`aud`).
    pub audiences: Vec<String>,
    /// Where its keys are. If unset, the discovery document below `issuer` names the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The algorithms that it may use.
    #[serde(default = "all")]
    pub algorithms: Vec<Algorithm>,
    /// Seconds by which clocks may differ.
    #[serde(default = "minute")]
    pub leeway_secs: u64,
    /// The longest time in seconds from issue to expiry; any if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lifetime_secs: Option<u64>,
    /// Claims that have to fit, all of them.
    #[serde(default)]
    pub required: Vec<ClaimRule>,
    /// From claims to the team: the first rule that fits decides.
    #[serde(default)]
    pub team: Vec<ClaimRule>,
    /// The team of tokens for which no rule in `team` fits. If unset, they are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_team: Option<TeamId>,
    /// From claims to the models that may be used, all rules together. Without rules, the team decides alone; with
    /// rules of which none fits, no model may be used.
    #[serde(default)]
    pub models: Vec<ClaimRule>,
    /// From claims to tags of facts and budgets, all rules together.
    #[serde(default)]
    pub tags: Vec<ClaimRule>,
    /// Whether addresses with `http:` are allowed, for an issuer on this machine.
    #[serde(default)]
    pub allow_http: bool,
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("issuer `{issuer}`, `{key}`: {problem}")]
pub struct BadIssuer {
    /// The issuer's name.
    pub issuer: String,
    /// The key of the setting.
    pub key: &'static str,
    /// What is wrong.
    pub problem: String,
}

fn all() -> Vec<Algorithm> {
    Algorithm::ALL.to_vec()
}

const fn minute() -> u64 {
    60
}

impl IssuerSettings {
    /// Settings with defaults: tokens of this issuer for this audience belong to one team.
    pub fn new(name: &str, issuer: &str, audience: &str, team: TeamId) -> Self {
        Self {
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            audiences: vec![audience.to_owned()],
            jwks_uri: None,
            algorithms: all(),
            leeway_secs: minute(),
            max_lifetime_secs: None,
            required: Vec::new(),
            team: Vec::new(),
            default_team: Some(team),
            models: Vec::new(),
            tags: Vec::new(),
            allow_http: false,
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot be used.
    pub fn check(&self) -> Result<(), BadIssuer> {
        let bad = |key, problem: &str| Err(BadIssuer { issuer: self.name.clone(), key, problem: problem.to_owned() });
        if self.name.is_empty() || self.name.len() > 64 {
            return bad("name", "a name has 1 to 64 bytes");
        }
        if let Err(error) = Endpoint::parse(&self.issuer, self.allow_http) {
            return bad("issuer", &error.to_string());
        }
        if let Some(Err(error)) = self.jwks_uri.as_ref().map(|address| Endpoint::parse(address, self.allow_http)) {
            return bad("jwks_uri", &error.to_string());
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return bad("audiences", "without an audience, tokens that were issued for others would be accepted");
        }
        if self.algorithms.is_empty() {
            return bad("algorithms", "no algorithm is left");
        }
        if self.leeway_secs > 300 {
            return bad("leeway_secs", "at most 300");
        }
        if self.team.is_empty() && self.default_team.is_none() {
            return bad("team", "a rule or `default_team` is needed: the team's limits are those of its tokens");
        }
        let rules =
            [("required", &self.required), ("team", &self.team), ("models", &self.models), ("tags", &self.tags)];
        for (key, rules) in rules {
            if let Some(problem) = rules.iter().find_map(ClaimRule::problem) {
                return bad(key, problem);
            }
        }
        Ok(())
    }

    pub(super) fn leeway(&self) -> Duration {
        Duration::from_secs(self.leeway_secs)
    }
}
