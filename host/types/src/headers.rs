//! Weir's own headers: the one list of their names. `docs/headers.md` explains each, and a test compares the two.

/// Which side sends a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A client, with its request.
    Request,
    /// Weir, with its answer.
    Response,
    /// Either, each with a meaning of its own.
    Both,
}

/// `name@digest` of the adapter that spoke to the provider.
pub const ADAPTER: &str = "x-weir-adapter";
/// How many attempts a request took, and what was tried and skipped.
pub const ATTEMPTS: &str = "x-weir-attempts";
/// Fields of the request that the translation could not hold.
pub const DROPPED_PARAMS: &str = "x-weir-dropped-params";
/// The side at fault.
pub const ERROR_SOURCE: &str = "x-weir-error-source";
/// The lane that answered: relayed as it is, or translated.
pub const LANE: &str = "x-weir-lane";
/// What the translation could not pass on, with its kind.
pub const LOSSES: &str = "x-weir-losses";
/// The provider's name for the model that answered.
pub const MODEL: &str = "x-weir-model";
/// Milliseconds that Weir itself needed.
pub const OVERHEAD_MS: &str = "x-weir-overhead-ms";
/// The provider that answered; of a request without a model, the one that it is for.
pub const PROVIDER: &str = "x-weir-provider";
/// A request's id, the client's own or a new one.
pub const REQUEST_ID: &str = "x-request-id";
/// Whether another target goes on with this stream, should it break.
pub const RESUMABLE: &str = "x-weir-resumable";
/// Keeps the requests of a session at one target.
pub const SESSION: &str = "x-weir-session";
/// The same, as other gateways call it.
pub const SESSION_ID: &str = "x-session-id";
/// Asks to be refused rather than to lose something.
pub const STRICT: &str = "x-weir-strict";
/// Chooses among the targets of a model, where the client may.
pub const TARGET: &str = "x-weir-target";
/// How long the client waits at the most.
pub const TIMEOUT_MS: &str = "x-weir-timeout-ms";
/// Says that a count of tokens is an estimate.
pub const TOKEN_COUNT: &str = "x-weir-token-count";
/// The request's id at the provider.
pub const UPSTREAM_REQUEST_ID: &str = "x-weir-upstream-request-id";

/// All of them.
pub const ALL: &[(&str, Direction)] = &[
    (ADAPTER, Direction::Response),
    (ATTEMPTS, Direction::Response),
    (DROPPED_PARAMS, Direction::Response),
    (ERROR_SOURCE, Direction::Response),
    (LANE, Direction::Response),
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
