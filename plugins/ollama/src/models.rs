//! Lists of models, on both sides: `GET /api/tags`, `POST /api/show` for one model; and other first requests of
//! clients: `GET /api/version`, `GET /`, which tells that the server is up, and `GET /api/ps`, which lists what runs. A
//! gateway loads nothing, so that all its models run.

use weir_sdk::adapter::{DialectModels, ParsedModels, ProviderModels, Result};
use weir_sdk::json::{Object, Str, object, parse};
use weir_sdk::losses::{Losses, extension, extensions};
use weir_sdk::time;
use weir_sdk::types::{
    Body, Context, Error, ErrorKind, Header, HttpRequest, HttpResponse, ModelInfo, ModelsRequest, ModelsResponse,
    RenderedRequest, RenderedResponse,
};

use crate::tools::lose;
use crate::{MODELS, Ollama, is_own, wire};

/// The version with this API; clients that need a feature check whether the server is new enough.
const VERSION: &str = "0.13.0";
/// Memo of a request for one model.
const SHOW: &str = "show";
/// Memo of a request for the version.
const ASKS_VERSION: &str = "version";
/// Memo of a request for the models that run.
const RUNS: &str = "ps";
/// How long a running model stays loaded, as clients are told: nothing ends it.
const STAYS_MS: f64 = 365.0 * 24.0 * 60.0 * 60.0 * 1000.0;
/// Memo of a request that checks whether the server is up, and the answer.
const ASKS_WHETHER: &str = "whether";
const RUNNING: &str = "Ollama is running";
/// Members of a listed model that other formats' models lack, in the shape that clients expect.
const DETAILS: &str = concat!(
    r#"{"parent_model":"","format":"","family":"","families":[],"#,
    r#""parameter_size":"","quantization_level":""}"#
);
/// The member of `model_info` that names the architecture.
const ARCHITECTURE: &str = "general.architecture";

impl ProviderModels for Ollama {
    fn render_request(_: &Context, request: ModelsRequest) -> Result<RenderedRequest> {
        let Some(id) = request.id else { return Ok(RenderedRequest::new(HttpRequest::get("api/tags"))) };
        let mut body = String::new();
        object(&mut body, |o| o.str("model", &id));
        // The answer does not name its model.
        Ok(RenderedRequest { memo: id, ..RenderedRequest::new(HttpRequest::post("api/show", body)) })
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ModelsResponse> {
        let text = response.text()?;
        let unreadable = |error| Error::unreadable(format!("the models cannot be read: {error}"));
        let models = if ctx.memo.is_empty() {
            let tags: wire::Tags<'_> = parse(text).map_err(unreadable)?;
            tags.models.unwrap_or_default().into_iter().filter_map(listed).collect()
        } else {
            vec![shown(&ctx.memo, parse(text).map_err(unreadable)?)]
        };
        Ok(ModelsResponse { models, cursor: None })
    }
}

fn listed(wire: wire::Model<'_>) -> Option<ModelInfo> {
    let id = wire.id.or(wire.name).filter(|name| !name.is_empty())?.into_string();
    Some(ModelInfo {
        created_ms: wire.modified_at.and_then(|text| time::parse(&text)),
        extensions: extensions(MODELS, wire.rest),
        ..named(id)
    })
}

fn named(id: String) -> ModelInfo {
    ModelInfo {
        id,
        display_name: None,
        created_ms: None,
        owner: None,
        context_tokens: None,
        output_tokens: None,
        extensions: Vec::new(),
    }
}

/// Parses the answer of `/api/show`. The name of the context length has the architecture as a prefix.
fn shown(id: &str, wire: wire::Show<'_>) -> ModelInfo {
    let facts = wire.model_info.unwrap_or_default();
    let length = facts.0.iter().find(|(key, _)| key.ends_with(".context_length"));
    let context_tokens = length.and_then(|(_, raw)| raw.get().parse().ok());
    let mut own_members = extensions(MODELS, wire.rest);
    let mut json = String::new();
    object(&mut json, |o| facts.0.iter().for_each(|(key, raw)| o.raw(key, raw.get())));
    own_members.push(crate::own(MODELS, "model_info", &json));
    ModelInfo {
        context_tokens,
        created_ms: wire.modified_at.and_then(|text| time::parse(&text)),
        extensions: own_members,
        ..named(id.to_owned())
    }
}

impl DialectModels for Ollama {
    /// Parses a request. The host has read the model's name from the body.
    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedModels> {
        let last = request.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let memo = match last {
            SHOW | ASKS_VERSION | RUNS => last,
            "tags" => "",
            _ => ASKS_WHETHER,
        };
        let body = request.body.as_text().unwrap_or_default();
        let named: wire::Model<'_> = parse(body).unwrap_or_default();
        let id = named.id.or(named.name).map(Str::into_string).filter(|name| memo == SHOW && !name.is_empty());
        let request = ModelsRequest { id, cursor: None, limit: None };
        Ok(ParsedModels { request, losses: Vec::new(), memo: memo.to_owned() })
    }

    fn render_response(ctx: &Context, response: ModelsResponse) -> Result<RenderedResponse> {
        let mut losses = Losses::default();
        let mut body = String::new();
        match ctx.memo.as_str() {
            ASKS_WHETHER => return Ok(running()),
            ASKS_VERSION => object(&mut body, |o| o.str("version", VERSION)),
            SHOW => {
                let none = || Error::new(ErrorKind::NotFound, "there is no model of this name");
                let one = response.models.first().ok_or_else(none)?;
                object(&mut body, |o| show(o, one, &mut losses));
            }
            _ => object(&mut body, |o| {
                o.array("models", |a| {
                    response.models.iter().for_each(|one| a.object(|o| list(o, ctx, one, &mut losses)));
                });
            }),
        }
        Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) })
    }
}

fn running() -> RenderedResponse {
    let headers = vec![Header::new("content-type", "text/plain; charset=utf-8")];
    let response = HttpResponse { status: 200, headers, body: Body::Text(RUNNING.into()) };
    RenderedResponse { response, losses: Vec::new() }
}

/// Writes a listed model. Clients read the time, the size and the digest of every model, which those of other formats
/// lack.
fn list(o: &mut Object<'_>, ctx: &Context, model: &ModelInfo, losses: &mut Losses) {
    o.str("name", &model.id);
    o.str("model", &model.id);
    if ctx.memo == RUNS {
        o.str("expires_at", &time::format(ctx.now_ms + STAYS_MS));
        o.num("size_vram", 0);
        o.opt_num("context_length", model.context_tokens);
    } else {
        o.str("modified_at", &time::format(model.created_ms.unwrap_or(ctx.now_ms)));
    }
    members(o, model, losses);
    let lacks = |key: &str| extension(&model.extensions, MODELS, key).is_none();
    if lacks("size") {
        o.num("size", 0);
    }
    if lacks("digest") {
        o.str("digest", "");
    }
    if lacks("details") {
        o.raw("details", DETAILS);
    }
}

/// Writes one model. One of another format is assumed to support completion and tools. Clients look for its context
/// length under the name of an architecture, so one is made up.
fn show(o: &mut Object<'_>, model: &ModelInfo, losses: &mut Losses) {
    if let Some(ms) = model.created_ms {
        o.str("modified_at", &time::format(ms));
    }
    members(o, model, losses);
    let lacks = |key: &str| extension(&model.extensions, MODELS, key).is_none();
    if lacks("details") {
        o.raw("details", DETAILS);
    }
    if lacks("model_info") {
        o.object("model_info", |o| {
            o.str(ARCHITECTURE, "weir");
            o.str("general.basename", &model.id);
            o.opt_num("weir.context_length", model.context_tokens);
        });
    }
    if lacks("capabilities") {
        o.array("capabilities", |a| ["completion", "tools"].into_iter().for_each(|name| a.str(name)));
    }
}

fn members(o: &mut Object<'_>, model: &ModelInfo, losses: &mut Losses) {
    let own = model.extensions.iter().filter(|own| is_own(own) && own.json != "null");
    own.for_each(|own| o.raw(&own.key, &own.json));
    lose(&model.extensions, "models[].", losses);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    fn answer(body: &Value) -> HttpResponse {
        HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body.to_string()) }
    }

    fn written(path: &str, models: Vec<ModelInfo>) -> Result<Value> {
        let request = HttpRequest::get(path);
        let memo = <Ollama as DialectModels>::parse_request(&Context::default(), request)?.memo;
        let ctx = Context { memo, ..Context::default() };
        let rendered = <Ollama as DialectModels>::render_response(&ctx, ModelsResponse { models, cursor: None })?;
        Ok(serde_json::from_str(rendered.response.text()?).unwrap())
    }

    #[test]
    fn models_of_others_have_all_that_clients_read() {
        let listed = written("/api/tags", vec![named("gpt-5".into())]).unwrap();
        let one = &listed["models"][0];
        assert_eq!((&one["name"], &one["model"]), (&json!("gpt-5"), &json!("gpt-5")));
        assert!(one["modified_at"].is_string() && one["size"].is_number() && one["details"]["families"].is_array());
        let one = ModelInfo { context_tokens: Some(128_000), ..named("gpt-5".into()) };
        let shown = written("/ollama/api/show", vec![one]).unwrap();
        let architecture = shown["model_info"]["general.architecture"].as_str().unwrap();
        assert_eq!(shown["model_info"][format!("{architecture}.context_length")], 128_000);
        assert_eq!(shown["capabilities"], json!(["completion", "tools"]));
    }

    #[test]
    fn all_models_run() {
        let one = ModelInfo { context_tokens: Some(128_000), ..named("gpt-5".into()) };
        let listed = written("/api/ps", vec![one]).unwrap();
        let one = &listed["models"][0];
        assert_eq!(
            (&one["name"], &one["model"], &one["context_length"]),
            (&json!("gpt-5"), &json!("gpt-5"), &json!(128_000))
        );
        assert!(one["expires_at"].is_string() && one["size_vram"].is_number() && one["details"].is_object());
        assert_eq!(one.get("modified_at"), None);
    }

    #[test]
    fn the_version_needs_no_model_and_a_missing_one_is_not_found() {
        assert_eq!(written("/api/version", Vec::new()).unwrap(), json!({"version": VERSION}));
        assert_eq!(written("/api/show", Vec::new()).unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(written("/api/tags", Vec::new()).unwrap(), json!({"models": []}));
    }

    #[test]
    fn clients_that_look_whether_a_server_is_there_find_one() {
        for path in ["/", "/ollama/"] {
            let request = HttpRequest::get(path);
            let memo = <Ollama as DialectModels>::parse_request(&Context::default(), request).unwrap().memo;
            let ctx = Context { memo, ..Context::default() };
            let none = ModelsResponse { models: Vec::new(), cursor: None };
            let written = <Ollama as DialectModels>::render_response(&ctx, none).unwrap().response;
            assert_eq!(written.body.as_text().unwrap(), RUNNING);
        }
    }

    #[test]
    fn one_model_is_asked_for_by_its_name_and_comes_back() {
        let request = ModelsRequest { id: Some("llama3.2".into()), cursor: None, limit: None };
        let rendered = <Ollama as ProviderModels>::render_request(&Context::default(), request).unwrap();
        assert_eq!((rendered.request.path.as_str(), rendered.request.method.as_str()), ("api/show", "POST"));
        let ctx = Context { memo: rendered.memo, ..Context::default() };
        let body = json!({
            "template": "t", "details": {"family": "llama"}, "capabilities": ["completion", "vision"],
            "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
        });
        let read = <Ollama as ProviderModels>::parse_response(&ctx, answer(&body)).unwrap();
        assert_eq!((read.models[0].id.as_str(), read.models[0].context_tokens), ("llama3.2", Some(8192)));
        assert_eq!(written("/api/show", read.models).unwrap(), body);
    }

    #[test]
    fn names_stand_in_the_body() {
        let request = |body: &str| {
            let request = HttpRequest::post("/api/show", body.into());
            <Ollama as DialectModels>::parse_request(&Context::default(), request).unwrap().request.id
        };
        assert_eq!(request(r#"{"model":"a"}"#).as_deref(), Some("a"));
        assert_eq!(request(r#"{"name":"a"}"#).as_deref(), Some("a"));
        assert_eq!(request(""), None);
    }
}
