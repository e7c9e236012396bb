//! The features of a model, derived from its id. Source: the service's table of models and features, its user guide's
//! pages on each vendor's models, and its refusals.
//!
//! Ids are `VENDOR.MODEL`, with a region in front (`us.`) if several serve it, or ARNs that end so. The ARN of a custom
//! profile does not contain the model: the option `base_model` names it.

mod features;

pub(crate) use features::{Choices, Features, Vendor};
use weir_sdk::claude::{Claude, Family, Off};
use weir_sdk::types::Context;

use crate::signature::CLAUDE;

/// The features of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) vendor: Vendor,
    /// Major and minor version; only known for Claude and Nova.
    pub(crate) version: (u32, u32),
    family: Family,
    /// Whether the client's request has this format: its settings are not checked then.
    own: bool,
    /// Whether prompts are cached at cache points.
    pub(crate) caches: bool,
    pub(crate) features: Features,
}

/// Areas in front of an inference profile's id, besides those of two letters.
const AREAS: [&str; 4] = ["us-gov", "apac", "amer", "global"];

/// The id of the model itself, if a profile's id has an area in front: `us.anthropic.claude-sonnet-4-6`, or an ARN that
/// ends so. Any other id stays as it is.
pub(crate) fn without_area(id: &str) -> &str {
    let profile = match id.rsplit_once('/') {
        Some((arn, profile)) if arn.ends_with(":inference-profile") => profile,
        Some(_) => return id,
        None => id,
    };
    match profile.split_once('.') {
        Some((area, model)) if area.len() == 2 || AREAS.contains(&area) => model,
        _ => profile,
    }
}

impl Model {
    /// The model of a target.
    pub(crate) fn of_target(ctx: &Context, requested: &str) -> Self {
        match ctx.option_str("base_model") {
            Some(base) => Self::of(&base),
            None => Self::of(if ctx.model.is_empty() { requested } else { &ctx.model }),
        }
    }

    /// Parses an id: `us.anthropic.claude-sonnet-4-5-20250929-v1:0`,
    /// `arn:aws:bedrock:...:inference-profile/us.amazon...`.
    pub(crate) fn of(id: &str) -> Self {
        let id = id.to_ascii_lowercase();
        let name = id.rsplit('/').next().unwrap_or_default();
        if let Some(at) = name.find("claude") {
            return Self::claude(name.get(at..).unwrap_or_default());
        }
        let (version, family) = ((0, 0), Family::Other);
        let plain = |(vendor, features)| Self { vendor, version, family, own: false, caches: false, features };
        if let Some(at) = name.find("nova") {
            let second = name.get(at..).is_some_and(|rest| rest.starts_with("nova-2"));
            let version = (if second { 2 } else { 1 }, 0);
            return Self { version, caches: true, ..plain((Vendor::Nova, Features::NO_SCHEMAS)) };
        }
        match features::of(name) {
            Some(known) => plain(known),
            None => Self { caches: true, ..plain((Vendor::Unknown, Features::ALL)) },
        }
    }

    fn claude(name: &str) -> Self {
        let (mut version, mut family) = (Vec::new(), Family::Other);
        for word in name.split(['-', '.', ':', '@']).skip(1) {
            match word.parse::<u32>() {
                Ok(number) if word.len() <= 2 => version.push(number),
                // Words after a date or the service's version are not part of the model's version.
                Ok(_) => break,
                Err(_) if word.starts_with('v') && word.len() == 2 => break,
                Err(_) => family = Family::of(word).unwrap_or(family),
            }
        }
        // The first ids of both ends of the series have no version.
        let oldest = if family == Family::Fable { 5 } else { 2 };
        let version = (version.first().copied().unwrap_or(oldest), version.get(1).copied().unwrap_or(0));
        let choices = if (Claude { family, version }).forces() { Choices::Named } else { Choices::Auto };
        let features = Features { schemas: version >= (4, 5), choices, ..Features::ALL };
        Self { vendor: Vendor::Claude, version, family, own: false, caches: version >= (3, 5), features }
    }

    /// The same model for a request in this format, which would pass unchecked in the relay lane too.
    pub(crate) fn unjudged(self) -> Self {
        Self { own: true, caches: true, features: Features::ALL, ..self }
    }

    /// Whether the request's settings are not checked.
    pub(crate) fn is_unjudged(self) -> bool {
        self.own
    }

    /// Whether a conversation may begin with the model's turn. The format's own clients are responsible for that.
    pub(crate) fn may_begin(self) -> bool {
        self.own || self.is_claude_since((4, 5))
    }

    /// Whether the model goes on from a turn of its own at the end. The format's own clients are responsible for that.
    pub(crate) fn goes_on(self) -> bool {
        let claude = Claude { family: self.family, version: self.version };
        !self.is_checked_claude() || claude.goes_on()
    }

    /// The family and version, if the model is a Claude.
    pub(crate) fn claude_version(self) -> Option<(Family, (u32, u32))> {
        (self.vendor == Vendor::Claude).then_some((self.family, self.version))
    }

    fn is_claude_since(self, version: (u32, u32)) -> bool {
        self.vendor == Vendor::Claude && self.version >= version
    }

    /// Whether the model is a Claude that supports thinking.
    pub(crate) fn thinks_as_claude(self) -> bool {
        self.is_claude_since((3, 7))
    }

    /// Whether the model is a Claude that takes a budget of thinking.
    pub(crate) fn takes_budget(self) -> bool {
        self.thinks_as_claude() && self.version < (4, 7)
    }

    /// Whether the model is a Claude that decides itself how much to think.
    pub(crate) fn is_adaptive(self) -> bool {
        self.is_claude_since((4, 6))
    }

    /// How a Claude's thinking is switched off.
    pub(crate) fn off(self) -> Off {
        self.as_claude().off()
    }

    /// Whether the highest levels of effort need a Claude's thinking.
    pub(crate) fn bounds_effort_off(self) -> bool {
        self.vendor == Vendor::Claude && self.as_claude().bounds_effort_off()
    }

    fn as_claude(self) -> Claude {
        Claude { family: self.family, version: self.version }
    }

    /// The levels of effort that the model takes, in order.
    pub(crate) fn efforts(self) -> &'static [&'static str] {
        match (self.vendor, self.version) {
            (Vendor::Claude, version) if version >= (4, 7) => &["low", "medium", "high", "xhigh", "max"],
            (Vendor::Claude, (4, 6)) => &["low", "medium", "high", "max"],
            (Vendor::Claude, (4, 5)) if self.family == Family::Opus => &["low", "medium", "high"],
            (Vendor::Nova, (2, _)) | (Vendor::GptOss, _) => &["low", "medium", "high"],
            (Vendor::Openai, _) => &["low", "medium", "high", "xhigh"],
            _ => &[],
        }
    }

    /// Whether the model takes sampling parameters.
    pub(crate) fn samples(self) -> bool {
        self.own || !self.is_claude_since((4, 7))
    }

    /// Whether the model takes `temperature` together with `top_p`.
    pub(crate) fn samples_both(self) -> bool {
        self.own || !self.is_claude_since((4, 1))
    }

    /// Whether parallel tool calls can be disabled.
    pub(crate) fn calls_one_by_one(self) -> bool {
        self.is_claude_since((4, 5))
    }

    /// Whether tools may have cache points.
    pub(crate) fn caches_tools(self) -> bool {
        self.caches && (self.own || self.vendor != Vendor::Nova)
    }

    /// Whether its caches may last an hour: those of Claude since 4.5, by the service's guide. Others refuse that, or
    /// last five minutes.
    pub(crate) fn caches_an_hour(self) -> bool {
        self.own || self.is_claude_since((4, 5)) || self.vendor == Vendor::Unknown
    }

    /// Whether ids of calls reach Claude unchanged, which allows fewer characters than the format.
    pub(crate) fn takes_claudes_ids(self) -> bool {
        self.is_checked_claude()
    }

    /// Whether the model takes the status of a tool's result: success, or a failure. Only Writer's models refuse the
    /// latter too.
    pub(crate) fn takes_status(self, failed: bool) -> bool {
        match self.vendor {
            _ if self.own => true,
            Vendor::Claude | Vendor::Nova | Vendor::Unknown => true,
            Vendor::Writer => false,
            _ => failed,
        }
    }

    /// Whether the model may cite documents: of the service's models, Claude does.
    pub(crate) fn cites(self) -> bool {
        matches!(self.vendor, Vendor::Claude | Vendor::Unknown)
    }

    /// Whether the model is a Claude, and the request one that is made to fit it.
    pub(crate) fn is_checked_claude(self) -> bool {
        !self.own && self.vendor == Vendor::Claude
    }

    /// Whether a tool can represent the answer: the model can be forced to call one.
    pub(crate) fn answers_by_tool(self) -> bool {
        self.is_claude_since((3, 0)) || self.vendor == Vendor::Nova
    }

    /// The issuer of the model's signatures. Claude's are valid wherever Claude is served.
    pub(crate) fn issuer(self) -> &'static str {
        if self.vendor == Vendor::Claude { CLAUDE } else { crate::FAMILY }
    }

    /// The issuers whose signatures the model takes.
    pub(crate) fn issuers(self) -> &'static [&'static str] {
        match self.vendor {
            Vendor::Claude | Vendor::Unknown => &[CLAUDE, crate::FAMILY],
            _ => &[crate::FAMILY],
        }
    }

    /// The issuer of an unwrapped signature in a client's history, when only the client's name for the model is known.
    pub(crate) fn issuer_of_bare(self) -> &'static str {
        if matches!(self.vendor, Vendor::Claude | Vendor::Unknown) { CLAUDE } else { crate::FAMILY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str) -> (u32, u32) {
        Model::of(id).version
    }

    #[test]
    fn ids_of_all_times_are_read() {
        assert_eq!(version("anthropic.claude-v2:1"), (2, 0));
        assert_eq!(version("anthropic.claude-3-haiku-20240307-v1:0"), (3, 0));
        assert_eq!(version("us.anthropic.claude-3-5-sonnet-20241022-v2:0"), (3, 5));
        assert_eq!(version("eu.anthropic.claude-sonnet-4-20250514-v1:0"), (4, 0));
        assert_eq!(version("global.anthropic.claude-opus-4-5-20251101-v1:0"), (4, 5));
        assert_eq!(version("us.anthropic.claude-sonnet-5"), (5, 0));
        assert_eq!(version("anthropic.claude-mythos-preview"), (5, 0));
        assert_eq!(version("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1"), (4, 6));
        assert_eq!(version("us.amazon.nova-2-lite-v1:0"), (2, 0));
        assert_eq!(version("amazon.nova-pro-v1:0"), (1, 0));
    }

    #[test]
    fn newer_families_differ_in_thinking_that_is_off_and_in_forced_calls() {
        let forces = |model: Model| model.features.choices == Choices::Named;
        let of = |id: &str| (Model::of(id).off(), Model::of(id).bounds_effort_off(), forces(Model::of(id)));
        assert_eq!(of("anthropic.claude-opus-4-8"), (Off::Disabled, false, true));
        assert_eq!(of("anthropic.claude-opus-5"), (Off::Disabled, true, true));
        assert_eq!(of("global.anthropic.claude-opus-5-5"), (Off::Never, false, false));
        assert_eq!(of("us.anthropic.claude-sonnet-5"), (Off::Disabled, false, true));
        assert_eq!(of("us.anthropic.claude-sonnet-5-5"), (Off::BetweenTools, true, false));
        assert_eq!(of("anthropic.claude-haiku-5-5"), (Off::Disabled, true, true));
        assert_eq!(of("anthropic.claude-mythos-preview"), (Off::Never, false, true));
        assert_eq!(of("anthropic.claude-fable-5-1"), (Off::Never, false, false));
        assert!(forces(Model::of("anthropic.claude-fable-5-1").unjudged()));
    }

    #[test]
    fn vendors_are_distinguished() {
        let vendor = |id: &str| Model::of(id).vendor;
        assert_eq!(vendor("openai.gpt-oss-120b-1:0"), Vendor::GptOss);
        assert_eq!(vendor("us.openai.gpt-5.2"), Vendor::Openai);
        assert_eq!(vendor("mistral.mistral-7b-instruct-v0:2"), Vendor::Mistral);
        assert_eq!(vendor("meta.llama3-2-1b-instruct-v1:0"), Vendor::Other);
        assert_eq!(vendor("amazon.titan-text-lite-v1"), Vendor::Other);
        assert_eq!(vendor("arn:aws:bedrock:us-east-1:1:application-inference-profile/1arbu5hu2sjr"), Vendor::Unknown);
        let schemas = |id: &str| Model::of(id).features.schemas;
        assert!(schemas("moonshot.kimi-k2-thinking") && !schemas("deepseek.r1-v1:0"));
    }

    #[test]
    fn an_inference_profile_names_its_model() {
        let sonnet = "anthropic.claude-sonnet-4-6";
        for area in ["us", "us-gov", "eu", "apac", "global", "jp", "au", "ca"] {
            let id = format!("{area}.{sonnet}");
            assert_eq!(without_area(&id), sonnet);
            assert_eq!(without_area(&format!("arn:aws:bedrock:us-east-1:1:inference-profile/{id}")), sonnet);
        }
        let application = "arn:aws:bedrock:us-east-1:1:application-inference-profile/1arbu5hu2sjr";
        for id in [sonnet, "openai.gpt-5.2", "zai.glm-4.7", application, "my-model"] {
            assert_eq!(without_area(id), id);
        }
    }

    #[test]
    fn the_base_model_decides_if_the_id_does_not() {
        let options =
            vec![weir_sdk::types::Setting { key: "base_model".into(), json: "\"anthropic.claude-sonnet-4-5\"".into() }];
        let ctx = Context {
            model: "arn:aws:bedrock:x:1:application-inference-profile/a".into(),
            options,
            ..Context::default()
        };
        assert_eq!(Model::of_target(&ctx, "").version, (4, 5));
    }
}
