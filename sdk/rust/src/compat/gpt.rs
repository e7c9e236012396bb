//! What OpenAI's models take whichever service has them, by their names: [the format](chosen_format) in which they
//! answer, thinking and sampling, answers in JSON.

pub mod chosen_format;
mod json_mode;
mod thinking;

use std::borrow::Cow;

use super::breakpoints;
use crate::losses::Losses;
use crate::schema::{is_full, of_arguments, without_union};
use crate::types::{ChatRequest, Context, Error, FunctionTool, OutputFormat, Tool};

/// The levels of effort that some of the models know.
pub const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// The first version that takes breakpoints for the cache: "Supported for `gpt-5.6` and later models."
const BREAKPOINTS: (u32, u32) = (5, 6);

/// The option that names the model where the target's name does not, as that of a deployment.
pub const BASE_MODEL: &str = "base_model";

/// Removes what the model refuses, or writes it in the model's terms: for OpenAI itself.
pub fn prepare(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    json_mode::say_word(request, losses);
    json_mode::describe_other_schema(request, losses);
    fit_schemas(request, losses);
    let model = model(ctx, request).into_owned();
    if thinking::knows(&model) {
        fit_strict(request, losses);
    }
    if version(&model) >= Some(BREAKPOINTS) {
        breakpoints::set(&mut request.messages, losses);
    }
    thinking::fit_model(&model, request, losses);
    Ok(())
}

/// Declares the arguments of functions as objects without alternatives: "schema must have type 'object' and not have
/// 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level".
fn fit_schemas(request: &mut ChatRequest, losses: &mut Losses) {
    for (at, tool) in request.tools.iter_mut().enumerate() {
        let Tool::Function(FunctionTool { parameters: Some(parameters), .. }) = tool else { continue };
        let field = || format!("tools[{at}].parameters");
        let fitted = match without_union(of_arguments(Some(parameters)), field, losses) {
            Cow::Owned(fitted) => fitted,
            Cow::Borrowed(_) => continue,
        };
        *parameters = fitted;
    }
}

/// Asks for less where a schema cannot be followed strictly here, which other formats' clients need not know: Claude's
/// models follow such ones.
pub fn fit_strict(request: &mut ChatRequest, losses: &mut Losses) {
    let mut fit = |strict: &mut Option<bool>, schema: &str, field: &dyn Fn() -> String| {
        if *strict == Some(true) && !is_full(schema) {
            *strict = Some(false);
            losses.dropped(
                field(),
                "a schema with optional members, or others than it names, cannot be followed strictly",
            );
        }
    };
    for (at, tool) in request.tools.iter_mut().enumerate() {
        if let Tool::Function(FunctionTool { strict, parameters: Some(parameters), .. }) = tool {
            fit(strict, parameters, &|| format!("tools[{at}].strict"));
        }
    }
    if let Some(OutputFormat::Schema(wanted)) = &mut request.output {
        fit(&mut wanted.strict, &wanted.schema, &|| "response_format.strict".to_owned());
    }
}

/// Like [`prepare`], for a service that also has other makers' models, and names that do not show the maker: only
/// models that are known to be OpenAI's are prepared.
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

/// The major and minor version of a model since the fifth generation, if its name has one. Those for chats only have
/// others.
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
    use crate::testing::fields;
    use crate::types::{CacheHint, JsonSchema, Message, Part, Role, TextPart};

    #[test]
    fn the_arguments_of_functions_are_objects_without_alternatives() {
        let union = r#"{"anyOf":[{"properties":{"a":true}},{"properties":{"b":true}}]}"#;
        let merged = r#"{"type":"object","properties":{"a":true,"b":true}}"#;
        for (given, sent, lost) in [
            (union, merged, true),
            (r#"{"properties":{}}"#, r#"{"type":"object","properties":{}}"#, false),
            (merged, merged, false),
        ] {
            let tool = FunctionTool { parameters: Some(given.into()), ..FunctionTool::new("f") };
            let mut request = ChatRequest { tools: vec![Tool::Function(tool)], ..ChatRequest::default() };
            let mut losses = Losses::default();
            prepare(&Context::default(), &mut request, &mut losses).unwrap();
            let Tool::Function(tool) = &request.tools[0] else { panic!("a function") };
            assert_eq!(tool.parameters.as_deref(), Some(sent));
            let lost = if lost { vec!["tools[0].parameters".to_owned()] } else { Vec::new() };
            assert_eq!(fields(&losses.into_losses()), lost);
        }
    }

    #[test]
    fn c88_schemas_with_optional_members_are_not_followed_strictly() {
        let full =
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
        let optional = r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#;
        let strict = |model: &str, schema: &str| {
            let tool = FunctionTool { parameters: Some(schema.into()), strict: Some(true), ..FunctionTool::new("f") };
            let (name, description) = (None, None);
            let wanted = JsonSchema { name, description, schema: schema.into(), strict: Some(true) };
            let (tools, output) = (vec![Tool::Function(tool)], Some(OutputFormat::Schema(wanted)));
            let mut request = ChatRequest { model: model.into(), tools, output, ..ChatRequest::default() };
            let mut losses = Losses::default();
            prepare(&Context::default(), &mut request, &mut losses).unwrap();
            let (Some(Tool::Function(tool)), Some(OutputFormat::Schema(wanted))) =
                (request.tools.first(), request.output)
            else {
                panic!("a function and a schema");
            };
            (tool.strict, wanted.strict, fields(&losses.into_losses()))
        };
        let lost = || vec!["tools[0].strict".to_owned(), "response_format.strict".to_owned()];
        assert_eq!(strict("gpt-5.2", optional), (Some(false), Some(false), lost()));
        assert_eq!(strict("gpt-5.2", full), (Some(true), Some(true), Vec::new()));
        // Nothing is known of a compatible server's models.
        assert_eq!(strict("qwen3-32b", optional), (Some(true), Some(true), Vec::new()));
    }

    #[test]
    fn models_that_know_breakpoints_get_other_formats_cache_hints_as_such() {
        let members = |model: &str| {
            let text = TextPart { cache: Some(CacheHint { ttl: None }), ..TextPart::new("a") };
            let messages = vec![Message::new(Role::User, vec![Part::Text(text)])];
            let mut request = ChatRequest { model: model.into(), messages, ..ChatRequest::default() };
            prepare(&Context::default(), &mut request, &mut Losses::default()).unwrap();
            let Part::Text(text) = &request.messages[0].parts[0] else { panic!("a text") };
            text.extensions.len()
        };
        assert_eq!(["gpt-5.6", "gpt-6-astra", "gpt-5.5", "gpt-4.1", "qwen3-32b"].map(members), [1, 1, 0, 0, 0]);
    }

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
