//! The demand of a request on limits and budgets, as far as it can be foreseen.

use super::work::ModelWork;
use crate::rate_limit::Estimate;

/// Output tokens reserved for a request that sets no limit.
const DEFAULT_RATE_LIMIT_OUTPUT: u64 = 1024;
/// Bytes of a request that count as one token in an estimate.
const BYTES_A_TOKEN: usize = 4;

/// The properties of a request that the limits depend on.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The model as the client names it; `None` for operations without one.
    pub model: Option<&'a str>,
    /// Other names that the configuration has for the model.
    pub same_models: &'a [&'a str],
    /// Models that the request names besides, one of which may answer, as far as they are known.
    pub further_models: &'a [String],
    /// The request's own limit of output tokens, of each candidate.
    pub output_limit: Option<u64>,
    /// How many candidates it asks for.
    pub candidates: u64,
    /// The service tier that it asks for.
    pub service_tier: Option<&'a str>,
    /// The length of the request's body in bytes.
    pub body_len: usize,
    /// The length of the body in bytes as limits count it: four are a token, and media in base64 count less than their
    /// length.
    pub counted_len: usize,
    /// Whether the client wants a streamed answer.
    pub stream: bool,
    /// Which tokens the operation uses.
    pub uses: Uses,
    /// The models and tokens that the requests of a batch ask for; empty if no work is begun, or that is not known.
    pub work: &'a [ModelWork],
}

/// Which tokens an operation uses, as far as that can be foreseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    /// None: the request is about a stored answer.
    Free,
    /// None, or an unforeseeable number.
    Nothing,
    /// Tokens of the request only.
    Input,
    /// Input and output.
    Both,
    /// Input and output, of text or of audio.
    Speech,
    /// Some, at a price that is known neither before nor after.
    Unknown,
}

impl<'a> Demand<'a> {
    /// The demand of a request for one whole answer, without a limit and without a tier.
    pub fn of(model: Option<&'a str>, body_len: usize, uses: Uses) -> Self {
        let (output_limit, service_tier, counted_len) = (None, None, body_len);
        Self {
            model,
            same_models: &[],
            further_models: &[],
            output_limit,
            candidates: 1,
            service_tier,
            body_len,
            counted_len,
            stream: false,
            uses,
            work: &[],
        }
    }

    /// The number of requests that it counts as: that of the batch, if it begins one.
    pub(crate) fn requests(&self) -> u64 {
        let of_work = self.work.iter().map(|work| work.asks.requests);
        of_work.fold(0, u64::saturating_add).max(1)
    }

    pub(super) fn estimate(&self) -> Estimate {
        if self.uses == Uses::Free {
            return Estimate::NONE;
        }
        let input = input_of(self.counted_len);
        let output = self.output_limit.unwrap_or(DEFAULT_RATE_LIMIT_OUTPUT).saturating_mul(self.candidates);
        Estimate { input, output, stream: self.stream }
    }
}

/// The number of bytes of text that count as this many tokens.
pub(crate) fn bytes_of(tokens: u32) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(BYTES_A_TOKEN)
}

/// The input tokens of a body, as limits count them beforehand.
pub(super) fn input_of(body_len: usize) -> u64 {
    (body_len / BYTES_A_TOKEN).max(1) as u64
}
