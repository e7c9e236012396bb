//! The names of Weir's own headers. `docs/headers.md` explains each, and a test compares the two lists.

use http::HeaderName;

/// The side that sends a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The client, with its request.
    Request,
    /// Weir, with its answer.
    Response,
    /// Both sides, with a different meaning each.
    Both,
    /// Weir, with its calls of services that the operator names.
    Call,
}

/// `name@digest` of the adapter that made the exchange with the provider.
pub static ADAPTER: HeaderName = HeaderName::from_static("x-weir-adapter");
/// The signatures of an adapter's component that is uploaded over the admin side.
pub static ADAPTER_SIGNATURE: HeaderName = HeaderName::from_static("x-weir-adapter-signature");
/// The number of attempts, and which targets were tried and skipped.
pub static ATTEMPTS: HeaderName = HeaderName::from_static("x-weir-attempts");
/// How the cache answered: `hit`, `miss`, `bypass`, `coalesced` or `semantic`.
pub static CACHE: HeaderName = HeaderName::from_static("x-weir-cache");
/// How near a question is to that of the kept answer it got, as a cosine.
pub static CACHE_SIMILARITY: HeaderName = HeaderName::from_static("x-weir-cache-similarity");
/// The key of a kept answer.
pub static CACHE_KEY: HeaderName = HeaderName::from_static("x-weir-cache-key");
/// The client's key of a request that is sent over the admin side, where `authorization` is the operator's own.
pub static CLIENT_KEY: HeaderName = HeaderName::from_static("x-weir-client-key");
/// Fields of the request that the translation dropped.
pub static DROPPED_PARAMS: HeaderName = HeaderName::from_static("x-weir-dropped-params");
/// The side at fault.
pub static ERROR_SOURCE: HeaderName = HeaderName::from_static("x-weir-error-source");
/// The signature of a call, by which a service knows who calls.
pub static SIGNATURE: HeaderName = HeaderName::from_static("x-weir-signature");
/// What each guard did with the request and with a whole answer.
pub static GUARDS: HeaderName = HeaderName::from_static("x-weir-guards");
/// The lane of the answer: `relay`, `translate`, `passthrough` or `cache`.
pub static LANE: HeaderName = HeaderName::from_static("x-weir-lane");
/// Fields that the translation lost, each with the kind of loss.
pub static LOSSES: HeaderName = HeaderName::from_static("x-weir-losses");
/// What is logged of a request: `none`, `meta` or `full`.
pub static LOG: HeaderName = HeaderName::from_static("x-weir-log");
/// The provider's name for the model that answered.
pub static MODEL: HeaderName = HeaderName::from_static("x-weir-model");
/// Milliseconds that Weir itself took.
pub static OVERHEAD_MS: HeaderName = HeaderName::from_static("x-weir-overhead-ms");
/// The provider that answered; in a request without a model, the provider that it addresses.
pub static PROVIDER: HeaderName = HeaderName::from_static("x-weir-provider");
/// The cost of a whole answer in US dollars.
pub static COST_USD: HeaderName = HeaderName::from_static("x-weir-cost-usd");
/// Budgets that are nearly used up, or exceeded.
pub static BUDGET_WARNING: HeaderName = HeaderName::from_static("x-weir-budget-warning");
/// `false` asks clients' libraries not to repeat a request.
pub static SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// A request's id, the client's own or a new one.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The id that Weir gives each request, also if the client gives one.
pub static OWN_REQUEST_ID: HeaderName = HeaderName::from_static("x-weir-request-id");
/// Whether another target can continue this stream if it breaks.
pub static RESUMABLE: HeaderName = HeaderName::from_static("x-weir-resumable");
/// A session, whose requests stay at one target.
pub static SESSION: HeaderName = HeaderName::from_static("x-weir-session");
/// The name of [`SESSION`] in other gateways.
pub static SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");
/// Has Weir refuse the request rather than lose a field in translation.
pub static STRICT: HeaderName = HeaderName::from_static("x-weir-strict");
/// Whether answers to questions that mean the same may be given.
pub static SEMANTIC_CACHE: HeaderName = HeaderName::from_static("x-weir-semantic-cache");
/// The target that a client chooses among a model's, if it may choose.
pub static TARGET: HeaderName = HeaderName::from_static("x-weir-target");
/// How long the client waits at most, in milliseconds.
pub static TIMEOUT_MS: HeaderName = HeaderName::from_static("x-weir-timeout-ms");
/// Marks a count of tokens as an estimate.
pub static TOKEN_COUNT: HeaderName = HeaderName::from_static("x-weir-token-count");
/// The provider's own id of the request.
pub static UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-weir-upstream-request-id");
/// The usage at the end of a gRPC call, as a protobuf message.
pub static USAGE_BIN: HeaderName = HeaderName::from_static("x-weir-usage-bin");

/// Every header with the side that sends it.
pub static ALL: &[(&HeaderName, Direction)] = &[
    (&ADAPTER, Direction::Response),
    (&ADAPTER_SIGNATURE, Direction::Request),
    (&ATTEMPTS, Direction::Response),
    (&CACHE, Direction::Response),
    (&CACHE_KEY, Direction::Response),
    (&CACHE_SIMILARITY, Direction::Response),
    (&CLIENT_KEY, Direction::Request),
    (&DROPPED_PARAMS, Direction::Response),
    (&ERROR_SOURCE, Direction::Response),
    (&LANE, Direction::Response),
    (&BUDGET_WARNING, Direction::Response),
    (&COST_USD, Direction::Response),
    (&GUARDS, Direction::Response),
    (&LOSSES, Direction::Response),
    (&LOG, Direction::Request),
    (&MODEL, Direction::Response),
    (&OVERHEAD_MS, Direction::Response),
    (&OWN_REQUEST_ID, Direction::Response),
    (&PROVIDER, Direction::Both),
    (&REQUEST_ID, Direction::Both),
    (&RESUMABLE, Direction::Response),
    (&SEMANTIC_CACHE, Direction::Request),
    (&SESSION, Direction::Request),
    (&SESSION_ID, Direction::Request),
    (&SIGNATURE, Direction::Call),
    (&STRICT, Direction::Request),
    (&TARGET, Direction::Request),
    (&TIMEOUT_MS, Direction::Request),
    (&TOKEN_COUNT, Direction::Response),
    (&UPSTREAM_REQUEST_ID, Direction::Response),
    (&USAGE_BIN, Direction::Response),
];
