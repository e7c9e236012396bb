//! Reranking: `POST /v2/rerank`, and the shape of `POST /v1/rerank`, which the older Cohere API, Jina, vLLM, llama.cpp
//! and others share. Requests differ in a few members only, so one tolerant dialect parses them all.

use weir_sdk::adapter::{DialectRerank, ParsedRerank, ProviderRerank, Result};
use weir_sdk::compat::rerank::{FORMAT as SHARED, TOP_K, parse as parse_answer};
use weir_sdk::json::{Count, Object, RawValue, Rest, Str, object, parse, text};
use weir_sdk::losses::{Losses, extension, extensions};
use weir_sdk::types::{
    Context, Error, Extension, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse, RerankDocument,
    RerankRequest, RerankResponse, RerankResult, Usage,
};

use crate::provider::model;
use crate::usage;
use crate::wire;
use crate::write::own;
use crate::{Cohere, error};

/// The format's id.
pub(crate) const FORMAT: &str = "cohere.rerank";
/// Key of the extension with an answer's `meta`.
const META: &str = "meta";

weir_sdk::wire! {
    /// The body of a request.
    struct Request<'a> {
        "model" => model: Str<'a>,
        "query" => query: Str<'a>,
        "documents" | "texts" => documents: Vec<&'a RawValue>,
        "top_n" | "top_k" => top_n: Count,
        "return_documents" | "return_text" => return_documents: bool,
    }

    /// The members of an answer that the shared parser leaves.
    struct Answer<'a> {
        "results" => results: &'a RawValue,
        "message" => message: &'a RawValue,
    }
}

/// The format whose extensions a request or an answer is kept in.
fn spoken(ctx: &Context) -> &'static str {
    if ctx.format == SHARED { SHARED } else { FORMAT }
}

impl ProviderRerank for Cohere {
    fn render_request(ctx: &Context, request: RerankRequest) -> Result<RenderedRequest> {
        let format = spoken(ctx);
        let mut losses = Losses::default();
        let mut body = String::with_capacity(256);
        object(&mut body, |o| {
            o.str("model", model(ctx, &request.model));
            o.str("query", &request.query);
            o.array("documents", |a| {
                for document in &request.documents {
                    match document {
                        RerankDocument::Text(text) => a.str(text),
                        // The newer API takes texts; it reads other fields out of their JSON.
                        RerankDocument::Json(json) if format == FORMAT => a.str(json),
                        RerankDocument::Json(json) => a.raw(json),
                    }
                }
            });
            o.opt_num("top_n", request.top_n);
            if format == SHARED {
                o.opt_bool("return_documents", request.return_documents);
            }
            own(&request.extensions, format).for_each(|own| o.raw(&own.key, &own.json));
        });
        let fields = |document: &RerankDocument| matches!(document, RerankDocument::Json(_));
        if format == FORMAT && request.documents.iter().any(fields) {
            losses.approximated("documents", "documents with fields are sent as their JSON text");
        }
        let echo = format == FORMAT && request.return_documents == Some(true);
        losses.dropped_if(echo, "return_documents", "the service does not repeat them");
        losses.foreign("", &request.extensions, format);
        let path = if format == SHARED { "v1/rerank" } else { "v2/rerank" };
        Ok(RenderedRequest { losses: losses.into_losses(), ..RenderedRequest::new(HttpRequest::post(path, body)) })
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<RerankResponse> {
        let body = response.text()?;
        let seen: Answer<'_> = parse(body).unwrap_or_default();
        if seen.results.is_none() && seen.message.is_some() {
            return Err(error::from_json(body, None));
        }
        let mut answer = parse_answer(&response)?;
        let meta = extension(&answer.extensions, SHARED, META).and_then(|json| parse::<wire::Usage<'_>>(json).ok());
        if let Some(reported) = meta.filter(|_| answer.usage.is_none()) {
            let read = usage::read(wire::Usage { rest: Rest::default(), ..reported });
            let known = Usage { extensions: Vec::new(), output: None, ..read };
            answer.usage = (known != Usage::default()).then_some(known);
        }
        for kept in answer.extensions.iter_mut().filter(|kept| kept.format == SHARED) {
            spoken(ctx).clone_into(&mut kept.format);
        }
        Ok(answer)
    }
}

impl DialectRerank for Cohere {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedRerank> {
        let body: Request<'_> = parse(request.body.as_text()?)
            .map_err(|error| Error::invalid(format!("the body cannot be read: {error}")))?;
        let missing = |member: &str| Error::invalid(format!("{member}: field required")).at(member);
        let documents = body.documents.ok_or_else(|| missing("documents"))?;
        let is_k =
            spoken(ctx) == SHARED && Rest::parse(request.body.as_text()?).is_ok_and(|all| all.get(TOP_K).is_some());
        let note = || Extension { format: SHARED.to_owned(), key: TOP_K.to_owned(), json: "null".to_owned() };
        let mut kept = extensions(spoken(ctx), body.rest);
        kept.extend(is_k.then(note));
        let request = RerankRequest {
            model: body.model.map_or_else(|| ctx.model.clone(), Str::into_string),
            query: body.query.ok_or_else(|| missing("query"))?.into_string(),
            documents: documents.into_iter().map(document).collect(),
            top_n: body.top_n.map(|count| count.0),
            return_documents: body.return_documents,
            extensions: kept,
        };
        Ok(ParsedRerank { request, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(ctx: &Context, response: RerankResponse) -> Result<RenderedResponse> {
        let format = spoken(ctx);
        let mut losses = Losses::default();
        let mut body = String::with_capacity(256);
        object(&mut body, |o| {
            o.str("id", response.id.as_deref().unwrap_or(&ctx.request_id));
            if format == SHARED {
                let named = response.model.as_deref().filter(|_| ctx.model.is_empty());
                o.str("model", named.unwrap_or(&ctx.model));
            }
            o.array("results", |a| response.results.iter().for_each(|one| a.object(|o| result(o, one))));
            let tokens = response.usage.as_ref().and_then(Usage::input_total);
            if let Some(tokens) = tokens.filter(|_| format == SHARED) {
                o.object("usage", |o| {
                    o.num("prompt_tokens", tokens);
                    o.num("total_tokens", tokens);
                    let kept = response.usage.iter().flat_map(|usage| own(&usage.extensions, format));
                    kept.for_each(|own| o.raw(&own.key, &own.json));
                });
            }
            meta(o, format, &response, tokens);
            let others = own(&response.extensions, format).filter(|own| own.key != META);
            others.for_each(|own| o.raw(&own.key, &own.json));
        });
        losses.foreign("", &response.extensions, format);
        if let Some(known) = &response.usage {
            losses.foreign("usage.", &known.extensions, format);
        }
        Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) })
    }
}

/// A text, an object that holds nothing but a text, or any other object.
fn document(raw: &RawValue) -> RerankDocument {
    if let Some(text) = text(raw) {
        return RerankDocument::Text(text.into_string());
    }
    let mut fields = Rest::parse(raw.get()).unwrap_or_default();
    match fields.str("text") {
        Some(text) if fields.0.is_empty() => RerankDocument::Text(text.into_string()),
        _ => RerankDocument::Json(raw.get().to_owned()),
    }
}

fn result(o: &mut Object<'_>, result: &RerankResult) {
    o.num("index", result.index);
    o.num("relevance_score", result.score);
    match &result.document {
        None => {}
        Some(RerankDocument::Text(text)) => o.object("document", |o| o.str("text", text)),
        Some(RerankDocument::Json(json)) => o.raw("document", json),
    }
}

/// Writes Cohere's `meta` of an answer; clients of the shared shape read `usage` instead.
fn meta(o: &mut Object<'_>, format: &str, response: &RerankResponse, tokens: Option<u32>) {
    if let Some(own) = extension(&response.extensions, format, META) {
        return o.raw(META, own);
    }
    if format == FORMAT {
        o.object(META, |o| {
            o.object("api_version", |o| o.str("version", "2"));
            if tokens.is_some() {
                o.object("tokens", |o| o.opt_num("input_tokens", tokens));
            }
        });
    }
}

#[cfg(test)]
mod tests;
