//! `prompt-shape`: a guard that refuses chat requests which are longer, or ask for more, than the operator allows, and
//! answers that do not keep to a JSON Schema.

mod answers;
mod document;
mod limits;
mod schema;

use serde_json::Value;
use weir_sdk::guard::{
    self, Access, Annotation, Asked, Denial, Facts, Grants, Guard, Manifest, Phase, RequestAnswer, RequestVerdict,
};
use weir_sdk::types::{ChatRequest, OutputFormat};

use answers::ShapedAnswer;
use limits::Limits;
use schema::{Schema, Unknown};

/// The guard's name, in its manifest and in messages.
const NAME: &str = "prompt-shape";

/// The guard.
#[derive(Debug)]
pub struct PromptShape;

impl Guard for PromptShape {
    type Answer = ShapedAnswer;

    fn describe() -> Manifest {
        Manifest {
            name: NAME.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: guard::CONTRACT.into(),
            description:
                "limits the length, roles, tools, media and output of chat requests; checks answers by a schema".into(),
            settings: include_str!("settings.json").into(),
            phases: vec![Phase::Request, Phase::Event],
            grants: Grants { prompt: Access::Read, answer: Access::Read, metadata: false },
            hold_back: answers::MAX_JUDGED_LEN as u32,
            deterministic: true,
        }
    }

    fn on_request(facts: &Facts, asked: Asked) -> RequestAnswer {
        let chat = match asked {
            Asked::Chat(chat) => Some(chat),
            Asked::Withheld => None,
            _ => return RequestAnswer::allow(),
        };
        judge(facts, chat.as_ref()).unwrap_or_else(|problem| RequestAnswer::deny(Denial::cannot_judge(NAME, &problem)))
    }
}

weir_sdk::export_guard!(PromptShape);

/// Judges a chat request; `None` if the guard may not see it. The memo is the schema of the answer, where the request
/// has it.
fn judge(facts: &Facts, chat: Option<&ChatRequest>) -> Result<RequestAnswer, String> {
    let expected = Expected::read(facts)?;
    let Some(chat) = chat else {
        return match expected {
            Some(Expected::OfRequest) => Err("`answer_schema = \"request\"` needs the grant `prompt`".into()),
            _ => Ok(RequestAnswer::allow()),
        };
    };
    let denied = |option: &str, message: String| RequestAnswer {
        annotations: vec![Annotation::new("limit", option)],
        ..RequestAnswer::of(RequestVerdict::Deny(Denial::new(message)))
    };
    if let Some((limit, message)) = Limits::read(facts)?.broken_by(chat) {
        return Ok(denied(limit, message));
    }
    match (expected, &chat.output) {
        (Some(Expected::OfRequest), Some(OutputFormat::Schema(asked))) => match Schema::of_request(&asked.schema) {
            Ok(_) => Ok(RequestAnswer { memo: asked.schema.clone(), ..RequestAnswer::allow() }),
            Err(problem) => {
                Ok(denied("answer_schema", format!("the schema of the answer cannot be checked: {problem}")))
            }
        },
        _ => Ok(RequestAnswer::allow()),
    }
}

/// Where the schema of answers comes from.
#[derive(Debug)]
enum Expected {
    /// The operator's.
    Fixed(Schema),
    /// Each request's own, if it has one.
    OfRequest,
}

impl Expected {
    /// Reads the option `answer_schema`; `None` if answers are not judged.
    fn read(facts: &Facts) -> Result<Option<Self>, String> {
        match facts.option::<Value>("answer_schema")? {
            None => Ok(None),
            Some(Value::String(word)) if word == "request" => Ok(Some(Self::OfRequest)),
            Some(schema) if schema.is_object() => Schema::new(schema, Unknown::Refused)
                .map(|schema| Some(Self::Fixed(schema)))
                .map_err(|problem| format!("the option `answer_schema` is wrong: {problem}")),
            Some(_) => Err("the option `answer_schema` is wrong: it is a JSON Schema, or \"request\"".into()),
        }
    }
}
