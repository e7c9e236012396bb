//! `[[providers]]`.

use super::{Breaker, Check, Limits, Retry, Timeouts};
use crate::provider::{AllowedOrigin, Metering, ProviderPlaces};
use crate::raw::{Node, Value};
use crate::section::{
    Amount, Entry, Located, Name, Section, SeveralSecrets, Take, from_variable, joined, part, section, take_table,
};
use crate::{Address, Options, Origin, Place, Secret};

part! {
    /// Where a provider is and how it is spoken to, each with its place.
    #[derive(Debug)]
    struct Account {
        /// A name of your choice: letters, digits, `-`, `_` and `.`. It is a label in metrics.
        name: Option<Located<String>> as Option<Located<Name>> => required "a name of your choice, by which models refer to it",
        /// The adapter that speaks to it.
        adapter: Option<Located<String>> as Option<Located<Name>> => required "the adapter that speaks to it, `adapter = \"NAME\"` for `plugins/NAME.wasm`",
        /// The API's base with its version path, such as `"https://api.example.com/v1/"`; or `"replay:DIR"` for
        /// recorded answers, the folder being taken from this file's; or `"env:NAME"` for what a variable holds.
        url: Option<Located<Address>> => "as the adapter suggests",
        /// The key: `"env:NAME"`, `"file:PATH"`, or the key itself, which is not wise. Its form depends on the scheme
        /// that the adapter's option `auth` chooses (`weir plugin inspect` lists them): for signatures of AWS
        /// `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`; for OAuth2 client credentials `CLIENT_ID:CLIENT_SECRET`;
        /// for a service account the JSON of its key (or of a user's own credentials, `authorized_user`), or the path
        /// of a file with it. Access tokens are fetched from where the option `token_url` says, else from where the
        /// service account's key or a trusted adapter says.
        api_key: Option<Located<Secret>>,
        /// Several keys, used in turn. Instead of `api_key`.
        api_keys: Option<Located<Vec<Secret>>> as Option<Located<SeveralSecrets>>,
        /// Which of the adapter's ways to authenticate is used, by its name; the option `auth` says the same. `"none"`
        /// sends no credential. Without a key none is sent either, and `weir check` warns where the url is one that
        /// asks for a key.
        auth: Option<Located<String>> => "the adapter's first",
        /// Settings that the adapter declares. `weir plugin inspect` lists them.
        options: Options,
        /// Which of its formats the adapter uses, by its id as `weir plugin inspect` shows it.
        format: Option<Located<String>> => "the adapter's choice",
        /// Other origins that the adapter may send follow-up requests to.
        allow_origins: Located<Vec<AllowedOrigin>>,
    }
}

part! {
    /// A provider as configured (`[[providers]]`), made for a model's own `target.url`, or discovered by its key.
    #[derive(Debug, Clone)]
    pub struct Provider {
        /// Fills `{region}` in the adapter's suggested url, and signs requests where that is asked for. For signatures
        /// it is, if left out, the option `region`, the one that stands in the url's host, the variable `AWS_REGION`,
        /// or `us-east-1`.
        region: Option<String>,
        /// Whether even requests that could be relayed untouched are translated.
        translate: bool,
        /// How the tokens of relayed streams are counted. `ask` adds the one member that makes the provider tell them,
        /// and withholds the frame that comes because of it; `auto` does so where a price or a limit of tokens makes
        /// them matter, unless the server refuses it; `tap` adds nothing. What is not told is estimated.
        metering "usage": Metering,
        /// Time limits.
        timeouts: Timeouts,
        /// How often a failed attempt is repeated.
        retry: Retry,
        /// When it is left alone.
        breaker: Breaker,
        /// Attempts at the same time. Not limited without it.
        max_concurrency: Option<usize> as Option<Amount>,
        /// Whether there are fewer than `max_concurrency` while it answers that it has too much to do, or not in time.
        adaptive: bool,
        /// Asks it now and then whether it is well. It is not asked without it.
        check: Option<Check>,
        /// What may be had of it; see `limits`.
        limits: Limits,
        /// Whether a request that failed here may go elsewhere.
        enable_fallback: bool = true,
        /// Whether HTTP/2 is spoken without agreeing on it first, to an `http://` server that knows nothing else. With
        /// `https://` it is agreed on.
        http2: bool,
    } beside {
        /// Unique; a label in metrics.
        name: String = String::new(),
        /// The adapter that speaks to it.
        adapter: String = String::new(),
        /// Where it is. None until the adapter's own suggestion is taken ([`crate::Config::complete`]).
        address: Option<Address> = None,
        /// Its credentials, the first being the one to use unless several rotate. Empty for none.
        keys: Vec<Secret> = Vec::new(),
        /// For the adapter.
        options: Options = Options::default(),
        /// The format that its adapter should use, where it knows several.
        format: Option<String> = None,
        /// Where follow-ups may go besides [`Provider::address`].
        allow_origins: Vec<AllowedOrigin> = Vec::new(),
        /// For messages.
        places: ProviderPlaces = ProviderPlaces::default(),
    }
}

joined! {
    /// An account with somebody who serves models. Models refer to it by name.
    PROVIDER = "[[providers]]": Account::KEYS, Provider::KEYS;
}

impl Provider {
    /// A provider that no file names, found because its usual key variable is set.
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
    /// The provider with this account; none without a name. A missing adapter becomes an empty name, so that models
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

/// `api_key`, or `api_keys`.
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

/// `auth` as a member of the options, where it may stand as well.
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
    /// A string is an origin that gets no credential.
    ALLOWED_ORIGIN = "allow_origins = [{ ... }]";
    #[derive(Debug)]
    struct OriginTable {
        /// Scheme, host and perhaps a port.
        origin: Option<Origin> => required "such as `origin = \"https://files.example.com\"`",
        /// Whether the provider's key is sent there too.
        credential: bool,
    }
}

/// A text is an origin that gets no credential.
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
