//! The providers of the search: each kind of credential with its own secret, and recognisable answers.

use std::fmt::Write as _;

use weir_tests::{Answer, Gate, Upstream};

use super::{ACCOUNTS_KEY, ANSWERED, long};
use crate::wire_format::{ANTHROPIC, OPENAI, TEXT, ZETA};

/// A provider with a secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct Provider {
    pub(super) adapter: &'static str,
    /// Its options without the addresses.
    options: &'static str,
    /// Its key; empty for a service account's key.
    key: &'static str,
    model: &'static str,
    format: AnswerFormat,
}

/// The format of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerFormat {
    OpenAi,
    Anthropic,
    Zeta,
    Gemini,
    Converse,
}

const fn provider(
    adapter: &'static str,
    options: &'static str,
    key: &'static str,
    model: &'static str,
    format: AnswerFormat,
) -> Provider {
    Provider { adapter, options, key, model, format }
}

const AMAZONS: &str = "AKIDPLANTED:PLANTED-KEY-OF-SIGNER:PLANTED-SESSION";

/// All providers, by the scheme that uses the secret.
pub(super) const ALL: [Provider; 12] = [
    provider("openai", "", "PLANTED-KEY-OF-OPENAI", "m", AnswerFormat::OpenAi),
    provider("anthropic", "", "PLANTED-KEY-OF-ANTHROPIC", "m", AnswerFormat::Anthropic),
    provider("zeta", "", "PLANTED-KEY-FOR-A-HEADER", "m", AnswerFormat::Zeta),
    provider("zeta", "auth = \"query\"", "PLANTED-KEY-FOR-A-QUERY", "m", AnswerFormat::Zeta),
    provider("zeta", "auth = \"signed\", region = \"eu-west-1\"", AMAZONS, "m", AnswerFormat::Zeta),
    provider("zeta", "auth = \"token\"", "planted-client:PLANTED-KEY-OF-CLIENT", "m", AnswerFormat::Zeta),
    provider("zeta", "auth = \"account\"", "", "m", AnswerFormat::Zeta),
    provider("gemini", "", "PLANTED-KEY-OF-GEMINI", "gemini-m", AnswerFormat::Gemini),
    provider("bedrock", "region = \"eu-west-1\"", AMAZONS, "amazon.nova-micro-v1:0", AnswerFormat::Converse),
    provider(
        "bedrock",
        "auth = \"bearer\"",
        "PLANTED-KEY-OF-BEDROCK",
        "amazon.nova-micro-v1:0",
        AnswerFormat::Converse,
    ),
    provider("vertex", "project = \"p\"", "", "gemini-m", AnswerFormat::Gemini),
    provider("vertex", "project = \"p\"", "", "claude-m", AnswerFormat::Anthropic),
];

impl Provider {
    /// Its part of a configuration, with a model in each lane.
    pub(super) fn config(&self, at: usize, upstream: &Upstream, tokens: &Upstream) -> String {
        let Self { adapter, options, key, model, .. } = self;
        let account = serde_json::json!({
            "type": "service_account",
            "client_email": "robot@p.test",
            "private_key_id": "PLANTED-KEY-ID",
            "private_key": ACCOUNTS_KEY,
            "token_uri": format!("{}/zeta/token", tokens.origin()),
        });
        let parts: Vec<String> = key.split(':').map(long).collect();
        let key = if key.is_empty() { account.to_string() } else { parts.join(":") };
        let mut options = (*options).to_owned();
        if options.contains("\"token\"") {
            let _ = write!(options, ", token_url = \"{}/zeta/token\"", tokens.origin());
        }
        format!(
            "[[providers]]\nname = \"p{at}\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = {key:?}\n\
             options = {{ {options} }}\n\
             [[models]]\nalias = \"m{at}\"\ntarget = {{ provider = \"p{at}\", model = \"{model}\" }}\n\
             [[models]]\nalias = \"m{at}-t\"\ntranslate = true\n\
             target = {{ provider = \"p{at}\", model = \"{model}\" }}\n",
            upstream.url()
        )
    }

    /// Its whole answer.
    pub(super) fn whole(&self) -> Answer {
        let body = match self.format {
            AnswerFormat::OpenAi => OPENAI.whole(),
            AnswerFormat::Anthropic => ANTHROPIC.whole(),
            AnswerFormat::Zeta => ZETA.whole(),
            AnswerFormat::Gemini => gemini(TEXT, ",\"finishReason\":\"STOP\""),
            AnswerFormat::Converse => format!(
                "{{\"output\":{{\"message\":{{\"role\":\"assistant\",\"content\":[{{\"text\":\"{TEXT}\"}}]}}}},\
                 \"stopReason\":\"end_turn\",\"usage\":{{\"inputTokens\":10,\"outputTokens\":7,\"totalTokens\":17}},\
                 \"metrics\":{{\"latencyMs\":1}}}}"
            ),
        };
        // What other servers on the way add is for no adapter.
        let planted = long("PLANTED-BY-A-SERVER");
        let headers = [("content-type", "application/json"), ("set-cookie", &planted), ("x-of-no-adapter", &planted)];
        Answer::whole(200, &headers, body.replace(TEXT, &long(ANSWERED)))
    }

    /// Its stream, which waits at the gate after some text.
    pub(super) fn stream(&self, gate: &Gate) -> Answer {
        let (head, pieces) = match self.format {
            AnswerFormat::OpenAi => (OPENAI.begin(), texts(OPENAI.stream())),
            AnswerFormat::Anthropic => (ANTHROPIC.begin(), texts(ANTHROPIC.stream())),
            AnswerFormat::Zeta => (ZETA.begin(), texts(ZETA.stream())),
            AnswerFormat::Gemini => (Answer::sse(), gemini_stream()),
            AnswerFormat::Converse => {
                (Answer::begin(200, &[("content-type", "application/vnd.amazon.eventstream")]), converse_stream())
            }
        };
        let (begun, rest) = pieces.split_at(2);
        head.piece(begun.concat()).gate(gate).piece(rest.concat()).end()
    }
}

/// Pieces of a stream; the second contains the text that is searched for.
fn texts(pieces: Vec<String>) -> Vec<Vec<u8>> {
    pieces.into_iter().map(|piece| piece.replacen(&TEXT[..6], &long(ANSWERED), 1).into_bytes()).collect()
}

fn gemini(text: &str, more: &str) -> String {
    format!(
        "{{\"candidates\":[{{\"content\":{{\"role\":\"model\",\"parts\":[{{\"text\":\"{text}\"}}]}},\"index\":0{more}}}],\
         \"usageMetadata\":{{\"promptTokenCount\":10,\"candidatesTokenCount\":7,\"totalTokenCount\":17}},\
         \"modelVersion\":\"gemini-m\",\"responseId\":\"r-1\"}}"
    )
}

fn gemini_stream() -> Vec<Vec<u8>> {
    let event = |text: &str, more: &str| format!("data: {}\r\n\r\n", gemini(text, more)).into_bytes();
    vec![event("So: ", ""), event(&long(ANSWERED), ""), event(" That is all.", ",\"finishReason\":\"STOP\"")]
}

/// Source: the API reference of `ConverseStream`.
fn converse_stream() -> Vec<Vec<u8>> {
    let delta = format!("{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{}\"}}}}", long(ANSWERED));
    let usage = "{\"usage\":{\"inputTokens\":10,\"outputTokens\":7,\"totalTokens\":17},\"metrics\":{\"latencyMs\":1}}";
    [
        ("messageStart", "{\"role\":\"assistant\"}"),
        ("contentBlockDelta", &delta),
        ("contentBlockStop", "{\"contentBlockIndex\":0}"),
        ("messageStop", "{\"stopReason\":\"end_turn\"}"),
        ("metadata", usage),
    ]
    .map(|(event, payload)| message(event, payload))
    .to_vec()
}

/// A message of an event stream: lengths, their checksum, headers, payload, the checksum of all.
fn message(event: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    let all = [(":event-type", event), (":content-type", "application/json"), (":message-type", "event")];
    for (name, value) in all {
        headers.push(name.len() as u8);
        headers.extend(name.bytes());
        // Type 7 is text with a length of two bytes.
        headers.extend([7, 0, value.len() as u8]);
        headers.extend(value.bytes());
    }
    let mut message = Vec::new();
    message.extend((16 + headers.len() as u32 + payload.len() as u32).to_be_bytes());
    message.extend((headers.len() as u32).to_be_bytes());
    message.extend(crc32(&message).to_be_bytes());
    message.extend(headers);
    message.extend(payload.bytes());
    message.extend(crc32(&message).to_be_bytes());
    message
}

fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)))
}
