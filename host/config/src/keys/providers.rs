//! `[[providers]]`: provider accounts.

use super::{Breaker, Check, Limits, Retry, Timeouts};
use crate::provider::{AllowedOrigin, CostPointer, Metering, ProviderPlaces};
use crate::raw::{Node, Value};
use crate::section::{
    Amount, Entry, Located, Name, Section, SeveralSecrets, Take, from_variable, joined, part, section, take_table,
};
use crate::{Address, Options, Origin, PassRule, Place, Secret};

part! {
    /// Address, adapter and credentials of a provider, each with its place in the file.
    #[derive(Debug)]
    struct Account {
        /// A name of your choice: letters, digits, `-`, `_` and `.`. It is a label in metrics.
        name: Option<Located<String>> as Option<Located<Name>> => required "a name of your choice, by which models refer to it",
        /// The adapter for the provider's API.
        adapter: Option<Located<String>> as Option<Located<Name>> => required "the adapter of its format, `adapter = \"NAME\"` for `plugins/NAME.wasm`",
        /// The API's base with its version path, such as `"https://api.example.com/v1/"`; or `"replay:DIR"` for
        /// recorded answers, with a folder relative to this file's; or `"env:NAME"` for the value of a variable.
        url: Option<Located<Address>> => "as the adapter suggests",
        /// The key: `"env:NAME"`, `"file:PATH"`, or the key itself (not recommended). Its form depends on the scheme
        /// that the adapter's option `auth` selects (`weir plugin inspect` lists them): for AWS signatures
        /// `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`; for OAuth2 client credentials `CLIENT_ID:CLIENT_SECRET`;
        /// for a service account the JSON of its key (or of a user's own credentials, `authorized_user`), or the path
        /// of a file with that JSON. Access tokens are fetched from the url in the option `token_url`; if it is unset,
        /// from the url that the service account's key or a trusted adapter gives.
        api_key: Option<Located<Secret>>,
        /// Several keys, used in turn. Instead of `api_key`.
        api_keys: Option<Located<Vec<Secret>>> as Option<Located<SeveralSecrets>>,
        /// The name of the adapter's authentication scheme to use; the option `auth` means the same. `"none"` sends no
        /// credential. Without a key none is sent either, and `weir check` warns if the url is one that needs a key.
        auth: Option<Located<String>> => "the adapter's first",
        /// Settings that the adapter declares. `weir plugin inspect` lists them.
        options: Options,
        /// The id of the adapter's format to use, as `weir plugin inspect` shows it.
        format: Option<Located<String>> => "the adapter's choice",
        /// Other origins to which the adapter may send follow-up requests.
        allow_origins: Located<Vec<AllowedOrigin>>,
    }
}

part! {
    /// A provider from the file (`[[providers]]`), made for a model's own `target.url`, or discovered by its key.
    #[derive(Debug, Clone)]
    pub struct Provider {
        /// Fills `{region}` in the adapter's suggested url, and is used to sign requests. If unset, signatures use the
        /// option `region`, else the region in the url's host, else the variable `AWS_REGION`, else `us-east-1`. Prices
        /// that depend on the region go by it (or the option `location`), in the words of the price file: `eu`.
        region: Option<String>,
        /// Whether requests are translated even if they could be relayed unchanged.
        translate: bool,
        /// How the tokens of relayed streams are counted. `ask` adds the member that makes the provider report them,
        /// and withholds the additional frame with the report; `auto` does so if a price or a limit of tokens makes
        /// them matter, unless the server refuses it; `tap` adds nothing. Tokens that are not reported are estimated.
        metering "usage": Metering,
        /// Where the provider's answers report their cost, in US dollars: a JSON pointer, such as `"/usage/cost"` for
        /// OpenRouter. The cost there is booked, unless you have set a price of the model. See `docs/budgets.md`.
        cost_place: Option<CostPointer>,
        /// Time limits.
        timeouts: Timeouts,
        /// How failed attempts are retried.
        retry: Retry,
        /// When the provider gets no requests for a while.
        breaker: Breaker,
        /// Concurrent attempts. No limit if unset.
        max_concurrency: Option<usize> as Option<Amount>,
        /// Whether the limit falls below `max_concurrency` while the provider reports overload or answers too late.
        adaptive: bool,
        /// Periodic health checks. Off if unset.
        check: Option<Check>,
        /// Limits of the provider; see `limits`.
        limits: Limits,
        /// Whether a request that failed here may go to another target.
        enable_fallback: bool = true,
        /// The provider's own endpoints that are served under `/passthrough/NAME/`: methods and paths, relative to the
        /// url, in which `*` stands for any text. None by default. See `docs/passthrough.md`.
        passthrough: Vec<PassRule>,
        /// Whether HTTP/2 is used without negotiation, for an `http://` server that accepts nothing else. With
        /// `https://`, HTTP/2 is negotiated.
        http2: bool,
    } beside {
        /// The unique name, a label in metrics.
        name: String = String::new(),
        /// The adapter for the provider's API.
        adapter: String = String::new(),
        /// The address. `None` until the adapter's suggestion is used ([`crate::Config::complete`]).
        address: Option<Address> = None,
        /// The keys; the first one is used unless several rotate. Empty for none.
        keys: Vec<Secret> = Vec::new(),
        /// Options for the adapter.
        options: Options = Options::default(),
        /// The format for the adapter to use, if it has several.
        format: Option<String> = None,
        /// Origins allowed for follow-up requests besides [`Provider::address`].
        allow_origins: Vec<AllowedOrigin> = Vec::new(),
        /// Places in the file, for messages.
        places: ProviderPlaces = ProviderPlaces::default(),
    }
}

joined! {
    /// A provider account. Models refer to it by name.
    PROVIDER = "[[providers]]": Account::KEYS, Provider::KEYS;
}

impl Provider {
    /// A provider that is not in the file, but whose usual key variable is set.
    pub fn discovered(
        name: impl Into<String>,
        adapter: impl Into<String>,
        address: Option<Address>,
        key: Option<Secret>,
    ) -> Self {
        let keys = key.into_iter().collect();
        Self { address, keys, ..Self::new(name.into(), adapter.into()) }
    }

    pub(crate) fn new(name: String, adapter: String) -> Self {
        Self { name, adapter, ..Self::default() }
    }
}

take_table!(Provider, PROVIDER, by Provider::of_table);

impl Provider {
    fn of_table(section: &mut Section<'_>) -> Option<Self> {
        let account = Account::read(section, Account::default());
        let provider = Self::read(section, Self::default());
        if provider.adaptive && provider.max_concurrency.is_none() {
            let help = "for example `max_concurrency = 64`: more there never are";
            section.error(&section.place, "`adaptive` needs `max_concurrency`", help);
        }
        account.of(section, provider)
    }
}

impl Account {
    /// The provider of this account; `None` without a name. A missing adapter becomes an empty name, so that models
    /// which refer to the provider are not reported as well.
    fn of(self, section: &Section<'_>, provider: Provider) -> Option<Provider> {
        let keys = both_keys(section, self.api_key, self.api_keys);
        let mut options = self.options;
        choose_auth(section, self.auth, &mut options, !keys.value.is_empty());
        let (adapter, adapter_place) = split(self.adapter);
        let (address, url) = split(self.url);
        let (format, format_place) = split(self.format);
        let name = self.name?;
        let places = ProviderPlaces {
            name: name.place,
            adapter: adapter_place,
            url,
            keys: keys.place,
            format: format_place,
            allow_origins: self.allow_origins.place,
        };
        Some(Provider {
            name: name.value,
            adapter: adapter.unwrap_or_default(),
            address,
            keys: keys.value,
            options,
            format,
            allow_origins: self.allow_origins.value,
            places,
            ..provider
        })
    }
}

fn split<T>(located: Option<Located<T>>) -> (Option<T>, Place) {
    located.map_or((None, Place::Unset), |located| (Some(located.value), located.place))
}

/// The keys from `api_key` or `api_keys`; reports a mistake if both are given.
fn both_keys(
    section: &Section<'_>,
    one: Option<Located<Secret>>,
    several: Option<Located<Vec<Secret>>>,
) -> Located<Vec<Secret>> {
    let Some(several) = several else {
        let (one, place) = split(one);
        return Located { value: one.into_iter().collect(), place };
    };
    if one.is_some() {
        let message = "both `api_key` and `api_keys` are given";
        section.error(&several.place, message, "put all of them into `api_keys`");
    }
    several
}

/// Adds `auth` to the options, and reports contradictions: two different values, or a key together with `none`.
pub(super) fn choose_auth(section: &Section<'_>, auth: Option<Located<String>>, options: &mut Options, has_key: bool) {
    if let Some(auth) = auth {
        if options.auth().is_some_and(|other| other != auth.value) {
            section.error(&auth.place, "both `auth` and the option `auth` are given", "keep one of them");
        }
        options.set_auth(auth.value, auth.place);
    }
    if options.is_without_auth() && has_key {
        let message = "a key is given, but `auth = \"none\"` sends none";
        section.error(&options.place_of("/auth"), message, "keep one of them");
    }
}

section! {
    /// An origin for follow-up requests. A plain string is an origin that gets no credential.
    ALLOWED_ORIGIN = "allow_origins = [{ ... }]";
    #[derive(Debug)]
    struct OriginTable {
        /// Scheme, host and, if needed, a port.
        origin: Option<Origin> => required "such as `origin = \"https://files.example.com\"`",
        /// Whether the provider's key is sent there too.
        credential: bool,
    }
}

/// A plain string is an origin that gets no credential.
impl Take for AllowedOrigin {
    type Value = Self;
    const TAKES: &'static str = "url, table";
    const LIST: &'static str = "list of urls or tables";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let node = from_variable(node, &['{']);
        if matches!(node.value, Value::Table(_)) {
            let table = OriginTable::take(entry, node)?;
            return Some(Self { origin: table.origin?, credential: table.credential });
        }
        Some(Self { origin: Origin::take(entry, node)?, credential: false })
    }

    fn example() -> String {
        Origin::example()
    }
}
