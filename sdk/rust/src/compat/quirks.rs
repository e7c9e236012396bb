//! The differences between OpenAI-compatible providers, as data.

mod members;
mod paths;
mod scheme;
mod spelling;

pub use members::{Clamp, Drop, Rename};
pub use paths::{Paths, Variant};
pub use scheme::Scheme;
pub use spelling::{Cache, Effort, Media, Thinking, Vectors};

use crate::compat::names::IdRule;
use crate::losses::Losses;
use crate::manifest::Bucket;
use crate::types::{ChatRequest, Context, Error, FinishReason, Header, HttpRequest};

/// One provider. Start from [`Quirks::COMPATIBLE`] and override what differs.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about a provider, none a state")]
pub struct Quirks {
    /// The adapter's name: `groq`.
    pub name: &'static str,
    /// One line of description for people.
    pub description: &'static str,
    /// The family that issues this provider's opaque values.
    pub family: &'static str,
    /// The default base url, with its version path and a slash at the end.
    pub url: Option<&'static str>,
    /// Common environment variables for the key, the most common first.
    pub key_variables: &'static [&'static str],
    /// Globs of the served models.
    pub models: &'static [&'static str],
    /// JSON Schema of the options; empty if there are none.
    pub settings: &'static str,
    /// How the key is sent; the first is the default.
    pub auth: &'static [Scheme],
    /// Paths relative to the url, with placeholders as in an acceptance; an empty one: the provider lacks the
    /// operation.
    pub paths: Paths,
    /// Alternative paths, each used if the target sets an option; the first match counts.
    pub variants: &'static [Variant],
    /// Headers with values from options: the header's name and the option's.
    pub option_headers: &'static [(&'static str, &'static str)],

    /// The name of the member that limits output tokens.
    pub max_tokens: &'static str,
    /// The name of the member for the seed.
    pub seed: &'static str,
    /// Whether a seed may be negative.
    pub negative_seeds: bool,
    /// Members that the provider does not take.
    pub drops: &'static [Drop],
    /// Members with another name at this provider.
    pub renames: &'static [Rename],
    /// Numbers with a narrower range at this provider.
    pub clamps: &'static [Clamp],
    /// Most stop sequences that the provider takes.
    pub max_stop: usize,
    /// Most characters of the end user's name that the provider takes.
    pub max_user: usize,
    /// Whether the role `developer` is known; its messages become `system` otherwise.
    pub developer_role: bool,
    /// Whether system, assistant and tool messages may be lists of parts; otherwise each text of a system message is a
    /// message of its own, and those of the others are joined. A user's messages may be lists everywhere.
    pub text_lists: bool,
    /// Whether a message may name its speaker.
    pub speaker_names: bool,
    /// Members of messages, their parts and their calls that the provider takes beside those that all providers take;
    /// `None` if it takes any.
    pub message_members: Option<&'static [&'static str]>,
    /// Whether `prefix` marks a last assistant message that the answer shall continue.
    pub prefix: bool,
    /// Whether the provider supports `stream_options.include_usage`.
    pub stream_usage: bool,
    /// Whether streams contain usage without a request for it; relayed requests then stay unchanged.
    pub tells_usage: bool,
    /// The member of a chunk that contains usage, if it is not in the chunk itself.
    pub usage_in: &'static str,
    /// The pointer to the seconds of a recording in the answer that has its text.
    pub audio_seconds: &'static str,
    /// The member of the usage whose word sets the price, as that of a service tier does elsewhere: the size of a
    /// search.
    pub priced_by: &'static str,
    /// The buckets that are counted beside `prompt_tokens` and `completion_tokens`, not within them.
    pub apart: &'static [Bucket],
    /// Whether `logprobs` is the number of alternatives and not a flag.
    pub logprobs_number: bool,
    /// Whether the provider supports functions.
    pub tools: bool,
    /// Whether a function must have a schema; one without gets the schema of no arguments.
    pub needs_parameters: bool,
    /// Whether a request may have a `tool_choice` without `tools`; most servers refuse it.
    pub choice_alone: bool,
    /// The value of `tool_choice` that requires a call of any tool.
    pub tool_required: &'static str,
    /// Whether the provider supports `allowed_tools`; the list of tools is filtered otherwise.
    pub allowed_tools: bool,
    /// Types of tools besides `function` that the provider takes; `*` means all.
    pub tool_types: &'static [&'static str],
    /// How the ids of calls begin that the provider itself runs and answers, among the items of Responses; empty if it
    /// runs none that look like a client's.
    pub own_calls: &'static str,
    /// The names of those that it bills as a search each.
    pub own_searches: &'static [&'static str],
    /// The rule for ids of tool calls.
    pub tool_ids: IdRule,
    /// The rule for names of tools.
    pub tool_names: IdRule,
    /// Whether the provider supports `response_format: json_schema`; it becomes `json_object` otherwise.
    pub json_schema: bool,
    /// How a request asks for thinking.
    pub effort: Effort,
    /// The provider's levels of effort; others are mapped to the nearest.
    pub efforts: &'static [&'static str],
    /// How thinking is sent in the history.
    pub thinking: Thinking,
    /// Families whose signatures and encrypted thinking are sent to this provider; `*` means all.
    pub issuers: &'static [&'static str],
    /// How cache hints are spelled.
    pub cache: Cache,
    /// The media that the provider takes, and how.
    pub media: Media,
    /// The type of the numbers in embeddings.
    pub vectors: Vectors,
    /// Members of chunks and choices without meaning (padding), which are dropped without a loss.
    pub noise: &'static [&'static str],
    /// Members of an answer that list the pages that it draws on, the best first.
    pub sources: &'static [&'static str],
    /// Changes a request before it is rendered.
    pub prepare: fn(&Context, &mut ChatRequest, &mut Losses) -> Result<(), Error>,
    /// Finish reasons that only this provider has.
    pub finish: fn(&str) -> Option<FinishReason>,
}

impl Quirks {
    /// A provider that takes what most compatible servers take.
    pub const COMPATIBLE: Self = Self {
        name: "compatible",
        description: "An OpenAI-compatible provider",
        family: "openai",
        url: None,
        key_variables: &[],
        models: &[],
        settings: "",
        auth: &[Scheme::Bearer, Scheme::Open],
        paths: Paths {
            chat: "chat/completions",
            embeddings: "embeddings",
            completions: "",
            responses: "",
            models: "models",
            rerank: "",
            relayed: &[],
        },
        variants: &[],
        option_headers: &[],
        max_tokens: "max_tokens",
        seed: "seed",
        negative_seeds: true,
        drops: &[],
        renames: &[],
        clamps: &[],
        max_stop: 4,
        max_user: usize::MAX,
        developer_role: false,
        text_lists: true,
        speaker_names: true,
        message_members: None,
        prefix: false,
        stream_usage: true,
        tells_usage: false,
        usage_in: "",
        audio_seconds: "/usage/seconds",
        priced_by: "",
        apart: &[],
        logprobs_number: false,
        tools: true,
        needs_parameters: false,
        choice_alone: false,
        tool_required: "required",
        allowed_tools: false,
        tool_types: &[],
        own_calls: "",
        own_searches: &[],
        tool_ids: IdRule::ANY,
        tool_names: IdRule::NAME,
        json_schema: true,
        effort: Effort::Effort,
        efforts: &["low", "medium", "high"],
        thinking: Thinking::Content,
        issuers: &[],
        cache: Cache::None,
        media: Media {
            images: true,
            urls: true,
            audio: false,
            files: false,
            file_urls: false,
            document_urls: false,
            bare_audio: false,
            video: false,
            in_tools: false,
        },
        vectors: Vectors::Floats,
        noise: &["obfuscation", "p"],
        sources: &[],
        prepare: |_, _, _| Ok(()),
        finish: |_| None,
    };

    /// Whether opaque values of this family are sent to the provider.
    pub fn keeps(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|known| *known == "*" || *known == issuer)
    }

    /// Whether the provider itself runs the call of this id.
    pub fn runs(&self, call_id: &str) -> bool {
        !self.own_calls.is_empty() && call_id.starts_with(self.own_calls)
    }

    /// Whether the provider takes tools of this type.
    pub fn takes_tool(&self, kind: &str) -> bool {
        self.tool_types.iter().any(|known| *known == "*" || *known == kind)
    }

    /// The provider's name of a member; the error is the reason why the provider does not take it.
    pub fn spelling<'a>(&'a self, member: &'a str) -> Result<&'a str, &'static str> {
        if let Some(drop) = self.drops.iter().find(|drop| drop.member == member) {
            return Err(drop.reason);
        }
        Ok(self.renames.iter().find(|rename| rename.from == member).map_or(member, |rename| rename.to))
    }

    /// The number moved into the member's range.
    pub fn clamp(&self, member: &str, value: f64) -> f64 {
        let clamp = self.clamps.iter().find(|clamp| clamp.member == member);
        // Not `f64::clamp`: its panic would add float formatting to every adapter.
        clamp.map_or(value, |clamp| value.max(clamp.min).min(clamp.max))
    }

    /// A request to one of the provider's paths, with the address and headers for the target's options.
    pub fn address(&self, ctx: &Context, request: HttpRequest, place: fn(&Paths) -> &'static str) -> HttpRequest {
        let variant = self.variant(ctx);
        let path = place(variant.as_ref().map_or(&self.paths, |(variant, _)| &variant.paths));
        let query = variant.filter(|(variant, _)| !variant.query.is_empty());
        HttpRequest {
            path: super::request::path(path, ctx),
            query: query.map(|(variant, value)| Header::new(variant.query, value)).into_iter().collect(),
            headers: self.headers(ctx),
            ..request
        }
    }

    /// The paths for the target's options.
    pub fn paths_of(&self, ctx: &Context) -> &Paths {
        self.variant(ctx).map_or(&self.paths, |(variant, _)| &variant.paths)
    }

    /// The variant that the target's options choose, and the option's value.
    fn variant(&self, ctx: &Context) -> Option<(&'static Variant, String)> {
        self.variants.iter().find_map(|variant| Some((variant, ctx.option_str(variant.option)?)))
    }

    /// The headers for the target's options.
    pub fn headers(&self, ctx: &Context) -> Vec<Header> {
        let header = |&(name, option): &(&str, &str)| ctx.option_str(option).map(|value| Header::new(name, value));
        self.option_headers.iter().filter_map(header).collect()
    }
}
