//! What OpenAI's models take whichever service has them, by their names: [the format](chosen_format) in which they answer,
//! thinking and sampling, answers in JSON.

pub mod chosen_format;
mod json_mode;
mod thinking;

use std::borrow::Cow;

use crate::losses::Losses;
use crate::types::{ChatRequest, Context, Error};

/// The levels of effort that some of the models know.
pub const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// The option that names the model where the target's name does not, as that of a deployment.
pub const BASE_MODEL: &str = "base_model";

/// Leaves out what the model refuses, or says it in the model's words: for OpenAI itself.
pub fn prepare(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    json_mode::say_word(request, losses);
    json_mode::describe_other_schema(request, losses);
    let model = model(ctx, request).into_owned();
    thinking::fit_model(&model, request, losses);
    Ok(())
}

/// The same for a service that has other makers' models too, and names that say nothing: only what is known to be OpenAI's is
/// prepared.
pub fn prepare_known(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    let model = model(ctx, request);
    let is_known = thinking::knows(&model) || version(&model).is_some();
    if is_known { prepare(ctx, request, losses) } else { Ok(()) }
}

/// The name of the model behind a target.
fn model<'a>(ctx: &'a Context, request: &'a ChatRequest) -> Cow<'a, str> {
    match ctx.option_str(BASE_MODEL) {
        Some(base) => Cow::Owned(base),
        None if ctx.model.is_empty() => Cow::Borrowed(&request.model),
        None => Cow::Borrowed(&ctx.model),
    }
}

/// The major and minor version of a model since the fifth generation, if its name has one. Those for chats only have others.
fn version(model: &str) -> Option<(u32, u32)> {
    let name = model.strip_prefix("gpt-")?.split('-').next()?;
    let (major, minor) = name.split_once('.').unwrap_or((name, "0"));
    let version = (major.parse().ok()?, minor.parse().ok()?);
    // The third generation has names such as `gpt-35`.
    ((5..10).contains(&version.0) && !model.contains("-chat")).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_by_names_since_the_fifth_generation() {
        for (model, expected) in [
            ("gpt-5", Some((5, 0))),
            ("gpt-5.4-mini-2026-03-17", Some((5, 4))),
            ("gpt-5.10", Some((5, 10))),
            ("gpt-6-astra", Some((6, 0))),
            ("gpt-6.1-sol", Some((6, 1))),
            ("gpt-5.3-chat-latest", None),
            ("gpt-4.1", None),
            ("gpt-4o", None),
            ("gpt-35-turbo", None),
            ("gpt-oss-120b", None),
            ("my-deployment", None),
        ] {
            assert_eq!(version(model), expected, "{model}");
        }
    }
}
