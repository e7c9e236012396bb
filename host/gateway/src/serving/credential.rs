//! A target's credential: the scheme that its options choose, the key, and what the scheme needs besides.

use std::cell::RefCell;
use std::sync::Arc;

use super::targets::suggested_address;
use super::url_template;
use weir_config::{Address, Environment, Options, Problem, Provider};
use weir_sandbox::Adapter;
use weir_types::contract::about::{Auth, AuthScheme};
use weir_upstream::{Base, Credential, CredentialError};

/// The region for signatures if none is configured.
const REGION: &str = "us-east-1";

/// The credentials created so far, shared so that targets of one provider share their tokens.
#[derive(Debug)]
pub(super) struct Credentials<'a> {
    environment: &'a Environment,
    made: RefCell<Vec<(Means, Credential)>>,
}

/// What a credential is made of.
#[derive(Debug, PartialEq, Eq)]
struct Means {
    provider: String,
    /// The key's number.
    key: usize,
    /// The scheme's name.
    scheme: String,
    region: String,
    token_url: Option<String>,
    suggested_token_url: Option<String>,
}

impl<'a> Credentials<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self { environment, made: RefCell::default() }
    }

    /// The credential of the key with this number, by the scheme that the option `auth` names or else the manifest's
    /// first. `None` for a provider without a key.
    pub(super) fn of(
        &self,
        target: &weir_config::Target,
        adapter: &Adapter,
        base: &Base,
        number: usize,
    ) -> Result<Option<Credential>, Problem> {
        let provider = &target.provider;
        let Some(auth) = chosen(target, adapter)? else { return Ok(None) };
        let Some(key) = provider.keys.get(number) else { return Ok(None) };
        let means = Means {
            provider: provider.name.clone(),
            key: number,
            scheme: auth.name.clone(),
            token_url: target.options.text("token_url").map(str::to_owned),
            suggested_token_url: suggested_token_url(auth, adapter, target, base),
            region: region(provider, &target.options, self.environment),
        };
        if let Some((_, made)) = self.made.borrow().iter().find(|(of, _)| *of == means) {
            return Ok(Some(made.clone()));
        }
        let made = weir_upstream::Means {
            secret: Some(key),
            region: &means.region,
            token_url: means.token_url.as_deref(),
            suggested_token_url: means.suggested_token_url.as_deref(),
        };
        let made = Credential::new(&auth.scheme, made).map_err(|error| problem(provider, &error))?;
        self.made.borrow_mut().push((means, made.clone()));
        Ok(Some(made))
    }
}

impl Credentials<'_> {
    /// The region by which a target's answers are priced: the one that is set, or that a service's requests are signed
    /// for.
    pub(super) fn price_region(&self, target: &weir_config::Target, adapter: &Adapter) -> Option<Arc<str>> {
        let (provider, options) = (&target.provider, &target.options);
        let location = options.text("location").filter(|location| !location.is_empty());
        let set = location.or_else(|| set_region(provider, options));
        let signed = || is_signed(adapter).then(|| Arc::from(region(provider, options, self.environment)));
        set.map(Arc::from).or_else(signed)
    }
}

/// Whether requests to an adapter's provider may be signed for a region.
pub(super) fn is_signed(adapter: &Adapter) -> bool {
    adapter.manifest.auth.iter().any(|auth| matches!(auth.scheme, AuthScheme::AwsSigv4(_)))
}

fn problem(provider: &Provider, error: &CredentialError) -> Problem {
    let help = match error {
        CredentialError::NoTokenUrl | CredentialError::TokenUrl => {
            "set the option `token_url`; adapters' own are taken only if their digest is in the lock file"
        }
        _ => "set `api_key = \"env:NAME\"`, or the option `auth` to a scheme without a key",
    };
    let message = format!("the provider `{}`: {error}", provider.name);
    Problem::error(&provider.places.keys.or(&provider.places.name), message).with_help(help)
}

/// The token endpoint that the manifest suggests. It is used if the adapter is trusted, or the key may be sent to
/// that url anyway.
fn suggested_token_url(auth: &Auth, adapter: &Adapter, target: &weir_config::Target, base: &Base) -> Option<String> {
    let (AuthScheme::Oauth2ClientCredentials(oauth) | AuthScheme::ServiceAccount(oauth)) = &auth.scheme else {
        return None;
    };
    let url = url_template::filled(&oauth.token_url, |placeholder| match placeholder {
        "origin" => Some(base.origin().as_ref()),
        "region" => set_region(&target.provider, &target.options),
        placeholder => placeholder.strip_prefix("option.").and_then(|name| target.options.text(name)),
    })?;
    (adapter.trusted || base.may_have_credential(&url)).then_some(url)
}

/// The scheme to use; `None` if no credential is sent.
fn chosen<'a>(target: &weir_config::Target, adapter: &'a Adapter) -> Result<Option<&'a Auth>, Problem> {
    let schemes = &adapter.manifest.auth;
    let Some(name) = target.options.auth() else { return Ok(schemes.first()) };
    if target.options.is_without_auth() {
        return Ok(None);
    }
    schemes.iter().find(|auth| auth.name == name).map(Some).ok_or_else(|| {
        let known: Vec<&str> = schemes.iter().map(|auth| auth.name.as_str()).chain(["none"]).collect();
        let message = format!("the adapter `{}` has no way to authenticate called `{name}`", adapter.name);
        Problem::error(&target.options.place_of("/auth"), message).with_help(format!("it has {}", known.join(", ")))
    })
}

/// Warns of a provider without a key whose url requires one: the adapter's own url or, if the adapter suggests none,
/// any that is not local. If secrets are left out, no provider has a key, and the configuration's own warnings name the
/// secrets.
pub(super) fn missing_key(
    target: &weir_config::Target,
    adapter: &Adapter,
    environment: &Environment,
) -> Option<Problem> {
    let provider = &target.provider;
    let Some(Address::Http(base)) = &provider.address else { return None };
    let auth = chosen(target, adapter).ok().flatten()?;
    let needs_none = matches!(auth.scheme, AuthScheme::Open) || environment.leaves_secrets_out();
    if !provider.keys.is_empty() || needs_none {
        return None;
    }
    let asks = match suggested_address(adapter, provider, environment) {
        Some(Address::Http(own)) => own.origin() == base.origin(),
        _ => !base.is_local(),
    };
    if !asks {
        return None;
    }
    let usual = adapter.manifest.suggests.key_variables.first().map_or("NAME", String::as_str);
    let place = provider.places.keys.or(&provider.places.url).or(&provider.places.name);
    let message = format!("the provider `{}` has no key, and {} asks for one", provider.name, base.origin());
    let help = format!("set `api_key = \"env:{usual}\"`, or `auth = \"none\"` if it needs none");
    Some(Problem::warning(&place, message).with_help(help))
}

/// The region: from the setting or the option, else from the url, else from the environment, else the usual one.
fn region(provider: &Provider, options: &Options, environment: &Environment) -> String {
    if let Some(region) = set_region(provider, options) {
        return region.to_owned();
    }
    let of_url = match &provider.address {
        Some(Address::Http(base)) => base.authority().host().split('.').find(|label| is_region(label)),
        Some(Address::Replay { .. }) | None => None,
    };
    of_url.map_or_else(|| usual_region(environment), str::to_owned)
}

/// The region from the setting or the option.
pub(super) fn set_region<'a>(provider: &'a Provider, options: &'a Options) -> Option<&'a str> {
    provider.region.as_deref().or_else(|| options.text("region"))
}

/// The region if neither the configuration nor a url names one.
pub(super) fn usual_region(environment: &Environment) -> String {
    environment.get("AWS_REGION").map_or(REGION, str::trim).to_owned()
}

/// Whether a label of a host's name is a region: `eu-west-1`, `us-gov-east-1`.
fn is_region(label: &str) -> bool {
    let parts: Vec<&str> = label.split('-').collect();
    let [country, places @ .., number] = parts.as_slice() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    country.len() == 2 && is_word(country) && !places.is_empty() && places.iter().all(is_word) && is_number
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn provider(url: &str) -> Provider {
        Provider::discovered("p", "a", Address::parse(url, Path::new("")).ok(), None)
    }

    fn options(region: Option<&str>) -> Options {
        let mut options = Options::default();
        options.values.extend(region.map(|region| ("region".to_owned(), region.into())));
        options
    }

    #[test]
    fn the_region_comes_from_the_setting_the_url_the_environment_or_the_default() {
        let environment = Environment::from_iter([("AWS_REGION", "ap-south-1")]);
        let of = |url: &str, option, environment: &Environment| region(&provider(url), &options(option), environment);
        let url = "https://runtime.eu-west-1.example.com/";
        assert_eq!(of(url, Some("us-west-2"), &environment), "us-west-2");
        assert_eq!(of(url, None, &environment), "eu-west-1");
        assert_eq!(of("https://gateway.example.com/", None, &environment), "ap-south-1");
        assert_eq!(of("https://gateway.example.com/", None, &Environment::default()), "us-east-1");
        let mut set = provider(url);
        set.region = Some("sa-east-1".to_owned());
        assert_eq!(region(&set, &options(Some("us-west-2")), &environment), "sa-east-1");
    }

    #[test]
    fn regions_are_distinguished_from_other_labels_of_a_host() {
        for label in ["eu-west-1", "us-gov-east-1", "ap-northeast-3"] {
            assert!(is_region(label), "{label}");
        }
        for label in ["some-runtime", "runtime-1", "eu-1", "eu--1", "vpce-0a1b-xyz", "EU-west-1", "abc-west-1", ""] {
            assert!(!is_region(label), "{label}");
        }
    }
}
