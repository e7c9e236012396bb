//! What sets one OpenAI-compatible provider apart from the others, as data.

use crate::compat::names::IdRule;
use crate::ledger::Ledger;
use crate::manifest::{Auth, AuthScheme, FrameTest, Oauth};
use crate::types::{ChatRequest, Context, Error, FinishReason, Header, HttpRequest};

/// One provider. Start from [`Quirks::COMPATIBLE`] and say what differs.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about a provider, none a state")]
pub struct Quirks {
    /// The adapter's name: `groq`.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// The family whose opaque values this provider makes.
    pub family: &'static str,
    /// The usual base url, with its version path and a slash at the end.
    pub url: Option<&'static str>,
    /// Usual environment variables of the key, the most usual first.
    pub key_variables: &'static [&'static str],
    /// Globs of the models served.
    pub models: &'static [&'static str],
    /// JSON Schema of the options; empty where there are none.
    pub settings: &'static str,
    /// How the key is shown; the first is the default.
    pub auth: &'static [Scheme],
    /// Paths relative to the url; an empty one says that the operation is not there. Holes as in an acceptance.
    pub paths: Paths,
    /// Other paths, each taken where the target sets an option; the first that fits counts.
    pub variants: &'static [Variant],
    /// Headers made of options: the header's name and the option's.
    pub option_headers: &'static [(&'static str, &'static str)],

    /// The member for the limit of output tokens.
    pub max_tokens: &'static str,
    /// The member for the seed.
    pub seed: &'static str,
    /// Members that are not taken.
    pub drops: &'static [Drop],
    /// Members with another spelling here.
    pub renames: &'static [Rename],
    /// Numbers with a narrower range here.
    pub clamps: &'static [Clamp],
    /// The most stop sequences taken.
    pub max_stop: usize,
    /// Whether messages of role `developer` are known; they become `system` otherwise.
    pub developer_role: bool,
    /// Whether system, assistant and tool messages may be lists of parts; their texts are joined otherwise.
    pub text_lists: bool,
    /// Whether a message may name its speaker.
    pub speaker_names: bool,
    /// Whether a last message of the assistant's, which the answer is to go on from, is marked with `prefix`.
    pub prefix: bool,
    /// Whether `stream_options.include_usage` is understood.
    pub stream_usage: bool,
    /// Whether streams tell their usage without being asked: then nothing is asked of relayed ones.
    pub tells_usage: bool,
    /// The member of a chunk in which usage stands, where it does not stand in the chunk itself.
    pub usage_in: &'static str,
    /// Whether `completion_tokens` leaves the thinking out.
    pub reasoning_apart: bool,
    /// Whether `logprobs` is the number of alternatives and not a flag.
    pub logprobs_number: bool,
    /// Whether functions may be offered.
    pub tools: bool,
    /// The word for "some tool must be called".
    pub tool_required: &'static str,
    /// Whether `allowed_tools` is understood; the list of tools is narrowed otherwise.
    pub allowed_tools: bool,
    /// Types of tools other than `function` that are taken; `*` stands for all.
    pub tool_types: &'static [&'static str],
    /// What ids of tool calls may look like.
    pub tool_ids: IdRule,
    /// What names of tools may look like.
    pub tool_names: IdRule,
    /// Whether `response_format: json_schema` is understood; it becomes `json_object` otherwise.
    pub json_schema: bool,
    /// How thinking is asked for.
    pub effort: Effort,
    /// The levels of effort that are known here; others move to the nearest.
    pub efforts: &'static [&'static str],
    /// How thinking travels in the history.
    pub thinking: Thinking,
    /// Families whose signatures and encrypted thinking go back to this provider; `*` stands for all.
    pub issuers: &'static [&'static str],
    /// How cache hints are spelled.
    pub cache: Cache,
    /// Which media are taken, and how.
    pub media: Media,
    /// What the numbers of embeddings are.
    pub vectors: Vectors,
    /// Members of chunks and choices that say nothing (padding) and are left out in silence.
    pub noise: &'static [&'static str],
    /// A last look at a request before it is written.
    pub prepare: fn(&Context, &mut ChatRequest, &mut Ledger) -> Result<(), Error>,
    /// Finish reasons that only this provider has.
    pub finish: fn(&str) -> Option<FinishReason>,
}

/// Paths relative to the provider's url.
#[derive(Debug, Clone, Copy)]
pub struct Paths {
    /// `chat/completions`.
    pub chat: &'static str,
    /// `embeddings`.
    pub embeddings: &'static str,
    /// `completions`, the legacy ones; empty where they are not there.
    pub completions: &'static str,
    /// `responses`; empty where they are not there.
    pub responses: &'static str,
    /// `models`; one model is at this path and its name.
    pub models: &'static str,
    /// `rerank`; empty where it is not there.
    pub rerank: &'static str,
}

impl Paths {
    /// Nothing is there.
    pub const NONE: Self = Self { chat: "", embeddings: "", completions: "", responses: "", models: "", rerank: "" };
}

/// Paths that an option of the target's chooses. The relay lane chooses in the same way: an acceptance with a hole for an
/// option that is not set is not there.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// The option, a text. A path or the query has its hole.
    pub option: &'static str,
    /// The query parameter that gets the option's value; empty where a path has the hole.
    pub query: &'static str,
    /// Where the operations are.
    pub paths: Paths,
}

/// A way to show the key.
#[derive(Debug, Clone, Copy)]
pub enum Scheme {
    /// `authorization: Bearer KEY`.
    Bearer,
    /// A header of this name that holds the key alone.
    Header(&'static str),
    /// A query parameter.
    Query(&'static str),
    /// No key.
    Open,
    /// Client credentials of `OAuth2`: the scheme's name, where tokens are to be had, and what they are to allow.
    ClientCredentials(&'static str, &'static str, &'static str),
}

/// A member that the provider does not take.
#[derive(Debug, Clone, Copy)]
pub struct Drop {
    /// Its name at the top of the request.
    pub member: &'static str,
    /// Why, for the operator.
    pub reason: &'static str,
}

impl Drop {
    /// Members that nobody but OpenAI has; servers that check what they get refuse them.
    pub const fn unknown(member: &'static str) -> Self {
        Self { member, reason: "this provider has no such parameter" }
    }
}

/// A member with another spelling.
#[derive(Debug, Clone, Copy)]
pub struct Rename {
    /// OpenAI's name.
    pub from: &'static str,
    /// The provider's.
    pub to: &'static str,
}

/// A number with a narrower range.
#[derive(Debug, Clone, Copy)]
pub struct Clamp {
    /// The member's name.
    pub member: &'static str,
    /// The least value taken.
    pub min: f64,
    /// The greatest value taken.
    pub max: f64,
}

/// How thinking is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Not at all.
    None,
    /// `reasoning_effort: "low"`.
    Effort,
    /// `reasoning: {effort, max_tokens, enabled, exclude}`.
    Object,
    /// `thinking: {type}`.
    Thinking,
    /// `thinking: {type}`, and `reasoning_effort` beside it.
    ThinkingAndEffort,
    /// `thinking: {type, budget_tokens}`, and `reasoning_effort` beside it.
    BudgetAndEffort,
}

/// How thinking travels in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// Not at all: it is left out.
    None,
    /// The member `reasoning_content`.
    Content,
    /// The member `reasoning`.
    Reasoning,
    /// `reasoning_details` where there is something opaque, `reasoning` where there is not.
    Details,
    /// Parts of type `thinking` in the content.
    Parts,
    /// Parts of type `reasoning` in the content, with a summary that may be signed.
    Summaries,
}

/// How cache hints are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// Not at all.
    None,
    /// `cache_control: {"type": "ephemeral"}`.
    Control,
}

/// What the numbers of embeddings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vectors {
    /// Floats, as numbers or in base64.
    Floats,
    /// Signed bytes in base64 (`base64_int8`), or bits (`base64_binary`). Requests are translated: who asks for floats gets
    /// the bytes as numbers.
    Bytes,
}

/// Which media are taken.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about a provider, none a state")]
pub struct Media {
    /// `image_url`.
    pub images: bool,
    /// Whether addresses other than data URLs are fetched.
    pub urls: bool,
    /// `input_audio`.
    pub audio: bool,
    /// `file`.
    pub files: bool,
    /// Addresses in `file.file_data`.
    pub file_urls: bool,
    /// Whether documents are parts of type `document_url`, base64 among them.
    pub document_urls: bool,
    /// Whether the base64 of `input_audio` stands there alone, without a format.
    pub bare_audio: bool,
    /// `video_url`.
    pub video: bool,
    /// Whether tool messages may hold images; they are moved to a user message otherwise.
    pub in_tools: bool,
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
        },
        variants: &[],
        option_headers: &[],
        max_tokens: "max_tokens",
        seed: "seed",
        drops: &[],
        renames: &[],
        clamps: &[],
        max_stop: 4,
        developer_role: false,
        text_lists: true,
        speaker_names: true,
        prefix: false,
        stream_usage: true,
        tells_usage: false,
        usage_in: "",
        reasoning_apart: false,
        logprobs_number: false,
        tools: true,
        tool_required: "required",
        allowed_tools: false,
        tool_types: &[],
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
        prepare: |_, _, _| Ok(()),
        finish: |_| None,
    };

    /// Whether opaque values of this family go back to the provider.
    pub fn keeps(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|known| *known == "*" || *known == issuer)
    }

    /// Whether tools of this type are taken.
    pub fn takes_tool(&self, kind: &str) -> bool {
        self.tool_types.iter().any(|known| *known == "*" || *known == kind)
    }

    /// The provider's spelling of a member, or why it is not taken.
    pub fn spelling<'a>(&'a self, member: &'a str) -> Result<&'a str, &'static str> {
        if let Some(drop) = self.drops.iter().find(|drop| drop.member == member) {
            return Err(drop.reason);
        }
        Ok(self.renames.iter().find(|rename| rename.from == member).map_or(member, |rename| rename.to))
    }

    /// The number moved into the member's range.
    pub fn clamp(&self, member: &str, value: f64) -> f64 {
        let clamp = self.clamps.iter().find(|clamp| clamp.member == member);
        // Not `f64::clamp`: its panic brings the printing of floats into every adapter.
        clamp.map_or(value, |clamp| value.max(clamp.min).min(clamp.max))
    }

    /// A request to one of the provider's paths: its address and the headers that the target's options ask for.
    pub fn address(&self, ctx: &Context, request: HttpRequest, place: fn(&Paths) -> &'static str) -> HttpRequest {
        let variant = self.variants.iter().find_map(|variant| Some((variant, ctx.option_str(variant.option)?)));
        let path = place(variant.as_ref().map_or(&self.paths, |(variant, _)| &variant.paths));
        let query = variant.filter(|(variant, _)| !variant.query.is_empty());
        HttpRequest {
            path: super::request::path(path, ctx),
            query: query.map(|(variant, value)| Header::new(variant.query, value)).into_iter().collect(),
            headers: self.headers(ctx),
            ..request
        }
    }

    /// The headers that the target's options ask for.
    pub fn headers(&self, ctx: &Context) -> Vec<Header> {
        let header = |&(name, option): &(&str, &str)| ctx.option_str(option).map(|value| Header::new(name, value));
        self.option_headers.iter().filter_map(header).collect()
    }
}

impl Scheme {
    /// As the manifest says it.
    pub fn auth(self) -> Auth {
        let (name, scheme) = match self {
            Self::Bearer => ("bearer", AuthScheme::Bearer),
            Self::Header(name) => (name, AuthScheme::Header(Header::new(name, ""))),
            Self::Query(name) => (name, AuthScheme::Query(name.to_owned())),
            Self::Open => ("open", AuthScheme::Open),
            Self::ClientCredentials(name, url, scope) => {
                let oauth = Oauth { token_url: url.to_owned(), scopes: vec![scope.to_owned()] };
                (name, AuthScheme::Oauth2ClientCredentials(oauth))
            }
        };
        Auth { name: name.to_owned(), scheme }
    }
}

/// A test that some value stands at the top of a request.
pub fn has_member(member: &str) -> FrameTest {
    FrameTest::Present(format!("/{member}"))
}
