//! Facts: one record for each request, with everything about it but its content.

pub(crate) mod columns;
pub(crate) mod packed;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;
use crate::id::RequestId;

/// Most bytes of an error's text; the rest is cut off.
pub const MAX_ERROR_TEXT: usize = 2_048;
/// Most bytes of a name: of a key, a team, a model.
pub const MAX_NAME: usize = 256;
/// Most bytes of the attempts, the units and the losses as JSON, each. What is longer is replaced by `"too long"`.
pub const MAX_JSON: usize = 16_384;
/// Most tags of a request; further ones are left out.
pub const MAX_TAGS: usize = 32;

/// What is known of one request. Texts that do not apply are empty, counts that are not known are none.
///
/// Money is in nano-dollars, durations in microseconds, sizes in bytes. A fact that is only written borrows its texts:
/// `T` is `&str`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "T: Deserialize<'de> + Default"))]
pub struct Fact<T = String> {
    /// The request's id, which carries the time it began.
    pub id: RequestId,
    /// The process that served it: a number drawn at its start. Set by [`crate::Recorder::record`].
    pub process: i64,
    /// The fact's number within its process, without gaps, so that lost facts can be counted. Set by
    /// [`crate::Recorder::record`].
    pub sequence: u64,
    /// The request id that the client gave.
    pub client_request_id: T,
    /// The id of the key that the client presented.
    pub key: T,
    /// The team that the key belongs to.
    pub team: T,
    /// The organisation of the team.
    pub organisation: T,
    /// The user that the request was made for.
    pub user: T,
    /// The tags of the key and of the request.
    pub tags: BTreeMap<String, String>,
    /// The client's program, from its `user-agent`.
    pub client: T,
    /// The format that the client used.
    pub dialect: T,
    /// The model that the client asked for.
    pub model_asked: T,
    /// The model that the provider was asked for, in its word.
    pub model_served: T,
    /// The provider that answered or failed last.
    pub provider: T,
    /// The target, as the configuration names it.
    pub target: T,
    /// `relay` or `translate`.
    pub lane: T,
    /// The operation, such as `chat` or `embeddings`.
    pub operation: T,
    /// The status of the answer to the client.
    pub status: u16,
    /// How it ended: `ok`, `failed`, `refused`, `cancelled`, `cut`.
    pub outcome: T,
    /// Why the model stopped: `stop`, `length`, `tool_call`, `content_filter`, `error`; empty where no adapter read the
    /// answer.
    pub finish: T,
    /// The kind of the error, if it failed.
    pub error_kind: T,
    /// The text of the error, at most [`MAX_ERROR_TEXT`] bytes of it.
    pub error_text: T,
    /// The attempts as a JSON array, in their order; empty for one attempt that went well.
    pub attempts: T,
    /// Tokens by bucket.
    pub tokens: TokenCounts,
    /// Whether any count is an estimate.
    pub estimated: bool,
    /// Other billed units as a JSON object: `{"searches":2}`.
    pub units: T,
    /// The cost in nano-dollars; none if no price is known.
    pub cost_nano: Option<i64>,
    /// The version of the price list that the cost was computed with.
    pub price_version: T,
    /// From the request's first byte to the answer's last, in microseconds.
    pub total_us: u64,
    /// From the request's first byte to the first piece of content, in microseconds.
    pub first_token_us: Option<u64>,
    /// The gateway's own part of the time, in microseconds.
    pub own_us: u64,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// The fields that a translation dropped or approximated, as a JSON array.
    pub losses: T,
    /// The name of the provider's adapter.
    pub adapter: T,
    /// The digest of its file, as hexadecimal text.
    pub adapter_digest: T,
    /// The service tier that served it, where the answer names one.
    pub service_tier: T,
    /// Whether it was served at the price of a batch.
    pub batch: bool,
    /// The region by whose prices its cost was computed, in the words of price files; empty where none is known.
    pub region: T,
    /// The model that the answer names, if that is another than [`Fact::model_served`]. Its price holds, if it is
    /// known.
    pub model_named: T,
    /// What a kept answer cost when it was made, in nano-dollars, and this request did not; none if it is not known, or
    /// a provider answered.
    pub saved_nano: Option<i64>,
    /// How near its question is to that of the kept answer which served it: the cosine in millionths. None if no other
    /// question's answer did.
    pub similarity_millionths: Option<i64>,
}

/// Tokens in the contract's disjoint buckets; none where the provider gave no count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenCounts {
    /// Text that went in and was not cached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Audio that went in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_audio: Option<u64>,
    /// Images that went in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_image: Option<u64>,
    /// Input read from the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// Input written to the cache for the usual time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// Input written to the cache for an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_hour: Option<u64>,
    /// Text that came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Audio that came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_audio: Option<u64>,
    /// Images that came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_image: Option<u64>,
    /// Reasoning that came out, shown or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
}

impl TokenCounts {
    /// The sum of the buckets of input.
    pub fn all_input(&self) -> u64 {
        let parts =
            [self.input, self.input_audio, self.input_image, self.cache_read, self.cache_write, self.cache_write_hour];
        parts.into_iter().flatten().fold(0, u64::saturating_add)
    }

    /// All output, reasoning included.
    pub fn all_output(&self) -> u64 {
        let parts = [self.output, self.output_audio, self.output_image, self.reasoning];
        parts.into_iter().flatten().fold(0, u64::saturating_add)
    }
}

impl<T: Default> Default for Fact<T> {
    fn default() -> Self {
        Self {
            id: RequestId::from_bytes([0; 16]),
            process: 0,
            sequence: 0,
            client_request_id: T::default(),
            key: T::default(),
            team: T::default(),
            organisation: T::default(),
            user: T::default(),
            tags: BTreeMap::new(),
            client: T::default(),
            dialect: T::default(),
            model_asked: T::default(),
            model_served: T::default(),
            provider: T::default(),
            target: T::default(),
            lane: T::default(),
            operation: T::default(),
            status: 0,
            outcome: T::default(),
            finish: T::default(),
            error_kind: T::default(),
            error_text: T::default(),
            attempts: T::default(),
            tokens: TokenCounts::default(),
            estimated: false,
            units: T::default(),
            cost_nano: None,
            price_version: T::default(),
            total_us: 0,
            first_token_us: None,
            own_us: 0,
            bytes_in: 0,
            bytes_out: 0,
            losses: T::default(),
            adapter: T::default(),
            adapter_digest: T::default(),
            service_tier: T::default(),
            batch: false,
            region: T::default(),
            model_named: T::default(),
            saved_nano: None,
            similarity_millionths: None,
        }
    }
}

impl Fact {
    /// A request of which nothing is known yet but its id.
    pub fn of(id: RequestId) -> Self {
        Self { id, ..Self::default() }
    }
}

impl<T: AsRef<str>> Fact<T> {
    /// Whether the request failed: its fact is one of those that the log of errors has.
    pub fn has_error(&self) -> bool {
        !self.error_kind.as_ref().is_empty()
    }

    /// Bytes that the fact takes in memory, about.
    pub fn weight(&self) -> usize {
        let names: usize = self.names().iter().map(|name| name.as_ref().len()).sum();
        let tags: usize = self.tags.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        let json: usize = [&self.attempts, &self.units, &self.losses].iter().map(|json| json.as_ref().len()).sum();
        size_of::<Self>() + names + tags + json + self.error_text.as_ref().len()
    }

    fn names(&self) -> [&T; 22] {
        [
            &self.client_request_id,
            &self.key,
            &self.team,
            &self.organisation,
            &self.user,
            &self.client,
            &self.dialect,
            &self.model_asked,
            &self.model_served,
            &self.provider,
            &self.target,
            &self.lane,
            &self.operation,
            &self.outcome,
            &self.finish,
            &self.error_kind,
            &self.adapter,
            &self.adapter_digest,
            &self.price_version,
            &self.service_tier,
            &self.region,
            &self.model_named,
        ]
    }
}

/// Whether a text has to be changed before it is stored.
pub(crate) fn is_unfit(text: &str, most: usize) -> bool {
    text.len() > most || text.as_bytes().contains(&0)
}

/// A text as it is stored, with at most so many bytes: whatever a client sends, its fact can be stored.
pub(crate) fn fitting(text: &str, most: usize) -> Cow<'_, str> {
    if !is_unfit(text, most) {
        return Cow::Borrowed(text);
    }
    let mut text = text.to_owned();
    cut(&mut text, most);
    Cow::Owned(text)
}

/// The name of a key, a client, an account or a user, as it stands in facts, sums and questions. One that is too long,
/// or has what no database takes, is cut and ends with the beginning of its digest, so that it is no other's that
/// begins alike.
pub fn owner_name(name: &str) -> Cow<'_, str> {
    const DIGITS: usize = 32;
    if !is_unfit(name, MAX_NAME) {
        return Cow::Borrowed(name);
    }
    let mut text = name.to_owned();
    cut(&mut text, MAX_NAME - DIGITS - 1);
    text.push('~');
    text.extend(hex::encode(&Sha256::digest(name)).chars().take(DIGITS));
    Cow::Owned(text)
}

/// Cuts a text at a character, and removes zero bytes, which PostgreSQL takes in no text.
pub(crate) fn cut(text: &mut String, most: usize) {
    if text.contains('\0') {
        text.retain(|character| character != '\0');
    }
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_stays_apart_from_those_that_begin_alike() {
        assert_eq!(owner_name("key"), "key");
        let long = |end: &str| format!("token:login:{}{end}", "ü".repeat(MAX_NAME));
        let (one, other) = (long("a"), long("b"));
        let names = [owner_name(&one), owner_name(&other), owner_name("a\0b"), owner_name("ab")];
        for (at, name) in names.iter().enumerate() {
            assert!(name.len() <= MAX_NAME && !names[..at].contains(name), "{name}");
            assert_eq!(owner_name(name), *name, "what is stored is found by itself too");
        }
        assert!(names[0].starts_with("token:login:ü") && names[2].starts_with("ab~"));
    }

    #[test]
    fn a_fact_is_read_back_from_its_json() {
        let mut fact = Fact::of(RequestId::new(1_795_219_200_000, [7; 10]));
        fact.tags.insert("project".to_owned(), "a".to_owned());
        fact.tokens.cache_read = Some(12);
        let text = serde_json::to_string(&fact).unwrap();
        assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), fact);
    }
}
