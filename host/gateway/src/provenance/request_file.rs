//! The models and objects that requests for later work name, and how much they ask for. Such requests are in an
//! uploaded file, which a later request for a batch names, or in the request that begins the work.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use weir_ledger::Forecast;
use weir_wire::form::FormError;

/// The most models that the requests in one file may name.
const MAX_MODELS: usize = 64;

/// What the requests in a file name, as far as it could be read.
#[derive(Debug, Default)]
pub(crate) struct RequestFile {
    models: Vec<NamedModel>,
    /// Why it is not known what else they name.
    mistake: Option<FileMistake>,
    /// Whether it was read for the rights of a client that is restricted.
    is_bound: bool,
}

/// What the requests in a file name, once the file has passed.
pub(crate) type ReadRequests = Arc<OnceLock<Arc<RequestFile>>>;

/// A model that requests in a file name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedModel {
    /// The name, as the file has it.
    pub(crate) name: Box<str>,
    /// The first line with it.
    pub(crate) line: u64,
    /// What the requests ask of it.
    pub(crate) asks: Asks,
}

/// What requests ask of one model, in sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asks {
    pub(crate) requests: u64,
    /// Estimated tokens of input.
    pub(crate) input: u64,
    /// The most tokens of output of those that limit it.
    pub(crate) output: u64,
    /// How many candidates the others ask for, which may be as long as the model's answers get.
    pub(crate) unlimited: u64,
}

impl Asks {
    /// What one request asks for that counts as so many bytes.
    pub(crate) fn of_one(counted_len: usize, limit: Option<u64>, candidates: u64) -> Self {
        let (input, requests) = (u64::from(Forecast::tokens_of(counted_len)), 1);
        match limit {
            Some(limit) => Self { requests, input, output: limit.saturating_mul(candidates), unlimited: 0 },
            None => Self { requests, input, output: 0, unlimited: candidates },
        }
    }

    /// The sum of both.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            unlimited: self.unlimited.saturating_add(other.unlimited),
        }
    }
}

/// Why it is not known what the requests in a file name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileMistake {
    /// What was uploaded is no form, or one that servers may read differently.
    #[error("the form with the file cannot be read: {0}")]
    Form(FormError),
    /// Some servers would take other bytes for the file.
    #[error("the form has the file in an encoding, or in a charset other than UTF-8")]
    Encoded,
    /// The form has no file, or an empty one.
    #[error("the file has no requests")]
    Empty,
    /// A line is not one JSON object.
    #[error("line {line} of the file is not one JSON object")]
    NoObject {
        /// Its number.
        line: u64,
    },
    /// A character that only some readers take for the end of a line.
    #[error(
        "line {line} of the file has a character that some servers take for the end of a line: end lines with LF or CRLF, and write \
         such characters as escapes"
    )]
    LineEnd {
        /// Its number.
        line: u64,
    },
    /// A request names no model, so that its provider would choose one.
    #[error("line {line} of the file names no model")]
    NoModel {
        /// Its number.
        line: u64,
    },
    /// A request has something else where it names models, or a member that some servers take for another one.
    #[error("line {line} of the file has a `{member}` that servers may read differently")]
    Odd {
        /// Its number.
        line: u64,
        /// Its name, as the line has it.
        member: Box<str>,
    },
    /// A request names an object that its client is not known to have made.
    #[error("line {line} of the file names `{id}`, which is not here, or is not this client's")]
    Object {
        /// Its number.
        line: u64,
        /// The object.
        id: Box<str>,
    },
    /// They name more models than are kept.
    #[error("the requests name more than {MAX_MODELS} models")]
    TooMany,
}

impl RequestFile {
    /// Nothing so far, of a client that is restricted or of another one.
    pub(crate) fn new(is_bound: bool) -> Self {
        Self { is_bound, ..Self::default() }
    }

    /// What was read before, of a file whose requests are all known.
    pub(super) fn read_before(is_bound: bool, models: Vec<NamedModel>) -> Self {
        Self { models, mistake: None, is_bound }
    }

    /// Whether it was read for the rights of a client that is restricted.
    pub(crate) fn is_bound(&self) -> bool {
        self.is_bound
    }

    /// The models that its requests name.
    pub(crate) fn models(&self) -> &[NamedModel] {
        &self.models
    }

    /// Why it is not known what else they name, if it is not.
    pub(crate) fn mistake(&self) -> Option<&FileMistake> {
        self.mistake.as_ref()
    }

    /// A request in this line names a model.
    pub(crate) fn name(&mut self, model: &str, line: u64) {
        if self.models.iter().any(|named| *named.name == *model) {
            return;
        }
        if self.models.len() < MAX_MODELS {
            self.models.push(NamedModel { name: model.into(), line, asks: Asks::default() });
        } else {
            self.fail(FileMistake::TooMany);
        }
    }

    /// A request in this line names these models, and asks for so much. It is a request of the first; others may answer
    /// it, or be consulted.
    pub(crate) fn add(&mut self, models: &[String], line: u64, mut asks: Asks) {
        for (at, model) in models.iter().enumerate() {
            self.name(model, line);
            let is_repeated = models.get(..at).is_some_and(|before| before.contains(model));
            if let Some(named) = self.models.iter_mut().find(|named| *named.name == **model && !is_repeated) {
                named.asks = named.asks.plus(asks);
                asks.requests = 0;
            }
        }
    }

    /// Notes what is wrong with it; the first mistake stays.
    pub(crate) fn fail(&mut self, mistake: FileMistake) {
        self.mistake.get_or_insert(mistake);
    }

    /// The bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        let of_mistake = match &self.mistake {
            Some(FileMistake::Odd { member: text, .. } | FileMistake::Object { id: text, .. }) => text.len(),
            _ => 0,
        };
        let of_models = self.models.iter().map(|named| size_of::<NamedModel>() + named.name.len()).sum::<usize>();
        size_of::<Self>() + of_mistake + of_models
    }
}
