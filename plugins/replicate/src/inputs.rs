//! The names of a model's inputs. Each model has its own schema and refuses an input that it does not name, so the
//! known names of model families are here, and the operator can configure others.

use weir_sdk::json::{Rest, Str, text};
use weir_sdk::types::Context;

use crate::model_name::ModelName;

/// How turns are written in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turns {
    /// `User: ...`, `Assistant: ...`.
    Plain,
    /// `[INST] ... [/INST]`, without the outermost pair, which the service adds.
    Llama2,
    /// Headers and ends of turns, without the outermost pair, which the service adds.
    Llama3,
}

/// The names of inputs; `None` if the model has no such input.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    pub(crate) turns: Turns,
    pub(crate) system: Option<String>,
    pub(crate) limit: Option<String>,
    /// The least token limit that the model accepts.
    pub(crate) least: u32,
    /// One image.
    pub(crate) image: Option<String>,
    /// A list of images.
    pub(crate) images: Option<String>,
    pub(crate) temperature: Option<String>,
    pub(crate) top_p: Option<String>,
    pub(crate) top_k: Option<String>,
    pub(crate) presence: Option<String>,
    pub(crate) frequency: Option<String>,
    /// Sequences in one text, separated by commas.
    pub(crate) stop: Option<String>,
    pub(crate) seed: Option<String>,
    pub(crate) effort: Option<String>,
    pub(crate) budget: Option<String>,
    /// A flag that enables thinking.
    pub(crate) thinking: Option<String>,
}

/// Names of a family, in the order of [`KEYS`]; empty if there is none.
type Names = [&'static str; 14];

/// The keys of the option `inputs`.
const KEYS: Names = [
    "system",
    "max_tokens",
    "image",
    "images",
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "seed",
    "effort",
    "budget",
    "thinking",
];

/// Llama and other models that the service runs in the same way, and unknown models.
const COMMON: Names = [
    "system_prompt",
    "max_tokens",
    "image",
    "",
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "stop_sequences",
    "",
    "",
    "",
    "",
];
const OPENAI: Names = [
    "system_prompt",
    "max_completion_tokens",
    "",
    "image_input",
    "temperature",
    "top_p",
    "",
    "presence_penalty",
    "frequency_penalty",
    "",
    "",
    "",
    "",
    "",
];
/// OpenAI's reasoning models, which take no sampling parameters.
const OPENAI_THINKING: Names = [
    "system_prompt",
    "max_completion_tokens",
    "",
    "image_input",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "reasoning_effort",
    "",
    "",
];
const ANTHROPIC: Names = [
    "system_prompt",
    "max_tokens",
    "image",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "thinking_budget_tokens",
    "extended_thinking",
];
const GOOGLE: Names = [
    "system_instruction",
    "max_output_tokens",
    "",
    "images",
    "temperature",
    "top_p",
    "",
    "",
    "",
    "",
    "",
    "",
    "thinking_budget",
    "",
];
const DEEPSEEK: Names =
    ["", "max_tokens", "", "", "temperature", "top_p", "", "presence_penalty", "frequency_penalty", "", "", "", "", ""];

impl Inputs {
    /// The inputs of a model, with the operator's corrections.
    pub(crate) fn of(model: &ModelName<'_>, ctx: &Context) -> Self {
        let (owner, name) = model.name();
        let is_thinker = ["o1", "o3", "o4", "gpt-5"].iter().any(|kind| name.starts_with(kind));
        let (names, least) = match owner {
            "openai" if name.starts_with("gpt-oss") => (&COMMON, 0),
            "openai" if is_thinker => (&OPENAI_THINKING, 0),
            "openai" => (&OPENAI, 0),
            "anthropic" => (&ANTHROPIC, 1024),
            "google" if name.contains("gemini") => (&GOOGLE, 0),
            "deepseek-ai" => (&DEEPSEEK, 0),
            _ => (&COMMON, 0),
        };
        let own = ctx.option("inputs").and_then(|json| Rest::parse(json).ok()).unwrap_or_default();
        let named = |key: &str| {
            let at = KEYS.iter().position(|known| *known == key);
            let usual = at.and_then(|at| names.get(at)).map(|name| (*name).to_owned());
            own.get(key).and_then(text).map(Str::into_string).or(usual).filter(|name| !name.is_empty())
        };
        Self {
            turns: turns(name),
            system: named("system"),
            limit: named("max_tokens"),
            least,
            image: named("image"),
            images: named("images"),
            temperature: named("temperature"),
            top_p: named("top_p"),
            top_k: named("top_k"),
            presence: named("presence_penalty"),
            frequency: named("frequency_penalty"),
            stop: named("stop"),
            seed: named("seed"),
            effort: named("effort"),
            budget: named("budget"),
            thinking: named("thinking"),
        }
    }
}

fn turns(name: &str) -> Turns {
    if name.contains("llama-2") && name.contains("chat") {
        return Turns::Llama2;
    }
    let third = name.contains("llama-3") && name.contains("instruct");
    if third { Turns::Llama3 } else { Turns::Plain }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::types::Setting;

    #[test]
    fn families_call_their_inputs_differently() {
        let of = |model: &str| Inputs::of(&ModelName::parse(model).unwrap(), &Context::default());
        assert_eq!(of("meta/meta-llama-3-8b-instruct").turns, Turns::Llama3);
        assert_eq!(of("meta/llama-2-70b-chat").turns, Turns::Llama2);
        assert_eq!(of("openai/gpt-4o").limit.as_deref(), Some("max_completion_tokens"));
        assert_eq!((of("openai/o4-mini").temperature, of("openai/gpt-4o").effort), (None, None));
        assert_eq!(of("google/gemini-2.5-flash").system.as_deref(), Some("system_instruction"));
        assert_eq!((of("deepseek-ai/deepseek-r1").system, of("anthropic/claude-4-sonnet").least), (None, 1024));
    }

    #[test]
    fn the_operator_knows_better() {
        let json = r#"{"max_tokens":"max_new_tokens","top_k":"","seed":"seed"}"#.to_owned();
        let ctx = Context { options: vec![Setting { key: "inputs".into(), json }], ..Context::default() };
        let inputs = Inputs::of(&ModelName::parse("me/it").unwrap(), &ctx);
        assert_eq!(
            (inputs.limit.as_deref(), inputs.top_k, inputs.seed.as_deref()),
            (Some("max_new_tokens"), None, Some("seed"))
        );
        assert_eq!(inputs.top_p.as_deref(), Some("top_p"));
    }
}
