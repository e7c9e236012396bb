//! The issuers of the configuration, as tokens are verified by.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::claim_rules::claim_rules;
use crate::login::{self, LoginSettingsError};
use weir_config::{ClaimRule, Config, Issuer, Place, Problem};
use weir_gateway::auth::Tokens;
use weir_gateway::gateway::Gateway;
use weir_identity::document::TeamId;
use weir_identity::jwt::{Algorithm, BadIssuer, IssuerSettings, Timing};
use weir_upstream::{DocumentClient, HttpClientError};

/// Why tokens cannot be accepted as configured.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// A setting of an issuer cannot be used.
    #[error("[[issuers]]: {0}")]
    Issuer(#[from] BadIssuer),
    /// A setting of the login for `/admin` cannot be used.
    #[error("[admin.login] {0}")]
    Login(#[from] LoginSettingsError),
    /// There is no client to fetch keys with.
    #[error("the keys of issuers cannot be fetched: {0}")]
    Client(#[from] HttpClientError),
}

/// Lets the gateway accept the tokens of a configuration, in place of those that it accepts now.
///
/// # Errors
///
/// An issuer's settings cannot be used; nothing changes.
pub fn accept_tokens(config: &Config, gateway: &Gateway) -> Result<(), TokensError> {
    gateway.stored_keys().accept_tokens(tokens(config)?);
    Ok(())
}

/// What accepts the tokens of a configuration; none without issuers.
pub(crate) fn tokens(config: &Config) -> Result<Option<Arc<Tokens>>, TokensError> {
    if let Some(login) = &config.admin.login {
        login::check(login)?;
    }
    if config.issuers.is_empty() {
        return Ok(None);
    }
    let issuers = config.issuers.iter().map(settings).collect::<Result<_, _>>()?;
    let tokens = Arc::new(Tokens::new(issuers, Timing::default(), DocumentClient::new(config.outbound.as_ref())?)?);
    // A check of a configuration runs outside of a runtime, and fetches nothing.
    if let Ok(runtime) = Handle::try_current() {
        tokens.warm_up(&runtime);
    }
    Ok(Some(tokens))
}

/// What is wrong with the issuers of a configuration, or with its login for `/admin`, for a check.
pub(crate) fn problem(config: &Config) -> Option<Problem> {
    if let Some(problem) = config.admin.login.as_ref().and_then(|one| login::check(one).err()) {
        return Some(Problem::error(&Place::Unset, format!("[admin.login] {problem}")));
    }
    let found = config.issuers.iter().find_map(|issuer| settings(issuer).err().map(|error| (issuer, error)));
    found.map(|(issuer, error)| Problem::error(&issuer.place, format!("[[issuers]]: {error}")))
}

fn settings(issuer: &Issuer) -> Result<IssuerSettings, BadIssuer> {
    let name = issuer.name.clone().unwrap_or_default();
    let bad = |key, problem: String| BadIssuer { issuer: name.clone(), key, problem };
    let rules = |key, rules: &[ClaimRule]| claim_rules(rules).map_err(|problem| bad(key, problem.to_string()));
    let algorithm =
        |name: &String| Algorithm::parse(name).ok_or_else(|| bad("algorithms", format!("`{name}` is not known")));
    let algorithms = issuer.algorithms.iter().map(algorithm).collect::<Result<Vec<_>, _>>()?;
    let default_team = issuer.default_team.as_deref().map(TeamId::parse).transpose();
    let settings = IssuerSettings {
        issuer: issuer.issuer.clone().unwrap_or_default(),
        audiences: issuer.audiences.clone(),
        jwks_uri: issuer.jwks_uri.clone(),
        algorithms: if algorithms.is_empty() { Algorithm::ALL.to_vec() } else { algorithms },
        leeway_secs: issuer.leeway.as_secs(),
        max_lifetime_secs: issuer.max_lifetime.map(|time| time.as_secs()),
        required: rules("required", &issuer.required)?,
        team: rules("team", &issuer.team)?,
        default_team: default_team.map_err(|error| bad("default_team", error.to_string()))?,
        models: rules("models", &issuer.models)?,
        tags: rules("tags", &issuer.tags)?,
        allow_http: issuer.allow_http,
        name: name.clone(),
    };
    settings.check()?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(more: &str) -> Result<IssuerSettings, String> {
        let text =
            format!("[[issuers]]\nname = 'login'\nissuer = 'https://login.example'\naudiences = ['weir']\n{more}");
        let config = Config::parse("test", &text, Path::new(""), weir_config::Environment::default());
        settings(&config.map_err(|problems| problems.to_string())?.issuers[0]).map_err(|error| error.to_string())
    }

    #[test]
    fn an_issuer_is_taken_with_all_it_says() {
        let settings = read(
            "algorithms = ['ES256']\nleeway = '5s'\nmax_lifetime = '1h'\ndefault_team = 'guests'\n\
             team = [{ claim = '/groups', pattern = 'weir-*' }]\ntags = [{ claim = 'scope', split = true }]",
        );
        let settings = settings.unwrap();
        assert_eq!((settings.algorithms.as_slice(), settings.leeway_secs), (&[Algorithm::ES256][..], 5));
        assert_eq!((settings.max_lifetime_secs, settings.team[0].pattern.as_str()), (Some(3600), "weir-*"));
        assert!(settings.tags[0].split && settings.team[0].values == ["{}"]);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (more, word) in [
            ("", "default_team"),
            ("default_team = '../x'", "default_team"),
            ("default_team = 'a'\nalgorithms = ['HS256']", "HS256"),
            ("default_team = 'a'\njwks_uri = 'http://login.example/keys'", "jwks_uri"),
            ("team = [{ claim = '/a', pattern = '**' }]", "team"),
        ] {
            assert!(read(more).unwrap_err().contains(word), "{more}: {:?}", read(more));
        }
    }
}
