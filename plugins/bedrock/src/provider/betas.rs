//! Features on trial that clients of Claude's own API ask for in a header. In Converse they are a list among the
//! additional members, and the service refuses a request that names one which it does not know: "invalid beta flag".
//!
//! Sources: the service's user guide, "Request and Response" of Claude's Messages (`anthropic_beta`), and Anthropic's
//! guides to thinking and effort, which say what of it other platforms take.

use weir_sdk::claude::Family;
use weir_sdk::json::{Str, array, parse};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{ChatRequest, Context, Extension};

use super::additional::Additional;
use crate::model::Model;

/// The member for the features, and the option.
const MEMBER: &str = "anthropic_beta";
/// The format in which clients ask for features, and the header that they do it in.
const MESSAGES: &str = "anthropic.messages";
const HEADER: &str = "anthropic-beta";

/// Thinking between calls, whose budget may exceed the answer's limit.
pub(super) const INTERLEAVED: &str = "interleaved-thinking-2025-05-14";

/// What becomes of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Sent,
    /// The model has it without being asked, or the members that it stands for are rendered by themselves.
    Usual,
    Lost,
}

/// Adds the features that the client or the configuration turns on. Only those of the client's are sent that the
/// service knows for the model; returns whether [`INTERLEAVED`] is one of them.
pub(super) fn add(
    ctx: &Context,
    request: &ChatRequest,
    model: Model,
    additional: &mut Additional,
    losses: &mut Losses,
) -> bool {
    let header = extension(&request.extensions, MESSAGES, HEADER).and_then(|json| parse::<Str<'_>>(json).ok());
    let asked = header.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut features: Vec<&str> = Vec::new();
    let mut lost = false;
    for name in asked {
        match fate(name, model) {
            Fate::Sent if !features.contains(&name) => features.push(name),
            Fate::Sent | Fate::Usual => {}
            Fate::Lost => lost = true,
        }
    }
    losses.dropped_if(
        lost,
        HEADER,
        "the service does not know all of these features, or Converse has no place for them",
    );
    let configured: Vec<Str<'_>> = ctx.option(MEMBER).and_then(|json| parse(json).ok()).unwrap_or_default();
    let own = configured.iter().map(|name| &**name).filter(|name| !features.contains(name)).collect::<Vec<_>>();
    features.extend(own);
    if !features.is_empty() {
        let mut json = String::new();
        array(&mut json, |a| features.iter().for_each(|name| a.str(name)));
        additional.add(MEMBER, json);
    }
    features.contains(&INTERLEAVED)
}

/// Whether an extension of a request is the header, of which [`add`] tells what is lost.
pub(super) fn is_header(own: &Extension) -> bool {
    own.format == MESSAGES && own.key == HEADER
}

/// What becomes of a feature that a client asks for. Those that need members which Converse lacks are lost, even where
/// the service knows them.
fn fate(name: &str, model: Model) -> Fate {
    let Some((family, version)) = model.claude_version() else { return Fate::Lost };
    let large = matches!(family, Family::Opus | Family::Sonnet);
    let within = |from: (u32, u32), to: (u32, u32)| (from..=to).contains(&version);
    let (is_sent, is_usual) = match name {
        INTERLEAVED => (large && within((4, 0), (4, 6)), version >= (4, 7)),
        "context-1m-2025-08-07" => {
            (family == Family::Sonnet && within((4, 0), (4, 6)) || large && version == (4, 6), version >= (4, 7))
        }
        "token-efficient-tools-2025-02-19" => (version == (3, 7), version >= (4, 0)),
        "output-128k-2025-02-19" => (version == (3, 7), false),
        "fine-grained-tool-streaming-2025-05-14" | "dev-full-thinking-2025-05-14" => (within((4, 0), (4, 5)), false),
        "effort-2025-11-24" => (family == Family::Opus && version == (4, 5), version >= (4, 6)),
        "prompt-caching-2024-07-31"
        | "extended-cache-ttl-2025-04-11"
        | "pdfs-2024-09-25"
        | "token-counting-2024-11-01"
        | "structured-outputs-2025-11-13" => (false, true),
        _ => (false, false),
    };
    match (is_sent, is_usual) {
        (true, _) => Fate::Sent,
        (false, true) => Fate::Usual,
        (false, false) => Fate::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_is_asked_for_what_the_service_knows_for_it() {
        let known = |name: &str, id: &str| fate(name, Model::of(id));
        for (name, id, expected) in [
            (INTERLEAVED, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", Fate::Sent),
            (INTERLEAVED, "anthropic.claude-opus-4-20250514-v1:0", Fate::Sent),
            (INTERLEAVED, "anthropic.claude-opus-4-8", Fate::Usual),
            (INTERLEAVED, "anthropic.claude-haiku-4-5-20251001-v1:0", Fate::Lost),
            (INTERLEAVED, "anthropic.claude-3-7-sonnet-20250219-v1:0", Fate::Lost),
            ("context-1m-2025-08-07", "anthropic.claude-sonnet-4-20250514-v1:0", Fate::Sent),
            ("context-1m-2025-08-07", "us.anthropic.claude-opus-4-6-v1", Fate::Sent),
            ("context-1m-2025-08-07", "anthropic.claude-opus-4-1-20250805-v1:0", Fate::Lost),
            ("context-1m-2025-08-07", "us.anthropic.claude-sonnet-5", Fate::Usual),
            ("token-efficient-tools-2025-02-19", "anthropic.claude-3-7-sonnet-20250219-v1:0", Fate::Sent),
            ("token-efficient-tools-2025-02-19", "anthropic.claude-sonnet-4-6", Fate::Usual),
            ("effort-2025-11-24", "anthropic.claude-opus-4-5-20251101-v1:0", Fate::Sent),
            ("effort-2025-11-24", "anthropic.claude-sonnet-4-5-20250929-v1:0", Fate::Lost),
            ("pdfs-2024-09-25", "anthropic.claude-sonnet-4-6", Fate::Usual),
            ("context-management-2025-06-27", "anthropic.claude-sonnet-4-5-20250929-v1:0", Fate::Lost),
            ("oauth-2025-04-20", "anthropic.claude-sonnet-4-6", Fate::Lost),
            (INTERLEAVED, "us.amazon.nova-2-lite-v1:0", Fate::Lost),
            (INTERLEAVED, "arn:aws:bedrock:us-east-1:1:application-inference-profile/1arbu5hu2sjr", Fate::Lost),
        ] {
            assert_eq!(known(name, id), expected, "{name} {id}");
        }
    }
}
