//! The names of Weir's own headers. `docs/headers.md` explains each, and a test compares the two lists.

/// The side that sends a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The client, with its request.
    Request,
    /// Weir, with its answer.
    Response,
    /// Both sides, with a different meaning each.
    Both,
}

/// `name@digest` of the adapter that made the exchange with the provider.
pub const ADAPTER: &str = "x-weir-adapter";
/// The number of attempts, and which targets were tried and skipped.
pub const ATTEMPTS: &str = "x-weir-attempts";
/// Fields of the request that the translation dropped.
pub const DROPPED_PARAMS: &str = "x-weir-dropped-params";
/// The side at fault.
pub const ERROR_SOURCE: &str = "x-weir-error-source";
/// The lane of the answer: `relay` or `translate`.
pub const LANE: &str = "x-weir-lane";
/// Fields that the translation lost, each with the kind of loss.
pub const LOSSES: &str = "x-weir-losses";
/// The provider's name for the model that answered.
pub const MODEL: &str = "x-weir-model";
/// Milliseconds that Weir itself took.
pub const OVERHEAD_MS: &str = "x-weir-overhead-ms";
/// The provider that answered; in a request without a model, the provider that it addresses.
pub const PROVIDER: &str = "x-weir-provider";
/// The cost of a whole answer in US dollars.
pub const COST_USD: &str = "x-weir-cost-usd";
/// Budgets that are nearly used up, or exceeded.
pub const BUDGET_WARNING: &str = "x-weir-budget-warning";
/// `false` asks clients' libraries not to repeat a request.
pub const SHOULD_RETRY: &str = "x-should-retry";
/// A request's id, the client's own or a new one.
pub const REQUEST_ID: &str = "x-request-id";
/// Whether another target can continue this stream if it breaks.
pub const RESUMABLE: &str = "x-weir-resumable";
/// A session, whose requests stay at one target.
pub const SESSION: &str = "x-weir-session";
/// The name of [`SESSION`] in other gateways.
pub const SESSION_ID: &str = "x-session-id";
/// Has Weir refuse the request rather than lose a field in translation.
pub const STRICT: &str = "x-weir-strict";
/// The target that a client chooses among a model's, if it may choose.
pub const TARGET: &str = "x-weir-target";
/// How long the client waits at most, in milliseconds.
pub const TIMEOUT_MS: &str = "x-weir-timeout-ms";
/// Marks a count of tokens as an estimate.
pub const TOKEN_COUNT: &str = "x-weir-token-count";
/// The provider's own id of the request.
pub const UPSTREAM_REQUEST_ID: &str = "x-weir-upstream-request-id";

/// Every header with the side that sends it.
pub const ALL: &[(&str, Direction)] = &[
    (ADAPTER, Direction::Response),
    (ATTEMPTS, Direction::Response),
    (DROPPED_PARAMS, Direction::Response),
    (ERROR_SOURCE, Direction::Response),
    (LANE, Direction::Response),
    (BUDGET_WARNING, Direction::Response),
    (COST_USD, Direction::Response),
    (LOSSES, Direction::Response),
    (MODEL, Direction::Response),
    (OVERHEAD_MS, Direction::Response),
    (PROVIDER, Direction::Both),
    (REQUEST_ID, Direction::Both),
    (RESUMABLE, Direction::Response),
    (SESSION, Direction::Request),
    (SESSION_ID, Direction::Request),
    (STRICT, Direction::Request),
    (TARGET, Direction::Request),
    (TIMEOUT_MS, Direction::Request),
    (TOKEN_COUNT, Direction::Response),
    (UPSTREAM_REQUEST_ID, Direction::Response),
];
