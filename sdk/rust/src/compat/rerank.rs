//! Reranking in the shape of `POST /v1/rerank` that Jina, vLLM, llama.cpp, the routers and Cohere's older API share.

use crate::compat::error;
use crate::compat::quirks::Quirks;
use crate::compat::usage;
use crate::json::{self, Rest, Str};
use crate::losses::{Losses, extensions};
use crate::types::{
    Context, Error, Extension, HttpRequest, HttpResponse, RenderedRequest, RerankDocument, RerankRequest,
    RerankResponse, RerankResult, Usage,
};

/// The id of the format, named after the service whose shape the servers adopted.
pub const FORMAT: &str = "jina.rerank";

/// The note on a request that has this name for its number of results, as Voyage does.
pub const TOP_K: &str = "top_k";

/// The format of members of single results, for which the unified model has no place. No dialect writes it, so each of
/// them is reported as lost.
const OF_RESULTS: &str = "jina.rerank.result";

/// Renders a request.
pub fn render(quirks: &Quirks, ctx: &Context, request: &RerankRequest) -> RenderedRequest {
    let mut losses = Losses::default();
    losses.foreign("", &request.extensions, FORMAT);
    let mut body = String::with_capacity(256);
    json::object(&mut body, |o| {
        o.str("model", if ctx.model.is_empty() { &request.model } else { &ctx.model });
        o.str("query", &request.query);
        o.array("documents", |a| {
            for document in &request.documents {
                match document {
                    RerankDocument::Text(text) => a.str(text),
                    RerankDocument::Json(json) => a.raw(json),
                }
            }
        });
        let noted = request.extensions.iter().any(|note| note.format == FORMAT && note.key == TOP_K);
        o.opt_num(if noted { TOP_K } else { "top_n" }, request.top_n);
        o.opt_bool("return_documents", request.return_documents);
        let own = request.extensions.iter().filter(|e| e.format == FORMAT && e.json != "null");
        own.for_each(|e| o.raw(&e.key, &e.json));
    });
    let http = quirks.address(ctx, HttpRequest::post("", body), |paths| paths.rerank);
    RenderedRequest { losses: losses.into_losses(), ..RenderedRequest::new(http) }
}

/// Parses an answer; the best document comes first.
pub fn parse(response: &HttpResponse) -> Result<RerankResponse, Error> {
    let unreadable = |e| Error::unreadable(format!("the provider's answer is not readable: {e}"));
    let mut answer = Rest::parse(response.text()?).map_err(unreadable)?;
    if let Some(error) = answer.get("error").filter(|error| error.get() != "null") {
        return Err(error::from_json(error.get(), None));
    }
    let list = answer.list("results").or_else(|| answer.list("data"));
    let list = list.ok_or_else(|| Error::unreadable("the provider's answer lacks its results"))?;
    let mut results = Vec::with_capacity(list.len());
    let mut lost: Vec<Extension> = Vec::new();
    for raw in list {
        let mut entry = Rest::parse(raw.get()).map_err(unreadable)?;
        let score = ["relevance_score", "score"].iter().find_map(|key| entry.number(key));
        let (Some(index), Some(score)) = (entry.count("index"), score) else {
            return Err(Error::unreadable("a result lacks its index or its score"));
        };
        results.push(RerankResult { index, score, document: entry.value("document").map(|raw| document(raw.get())) });
        entry.take("object");
        for mut own in extensions(OF_RESULTS, entry) {
            own.key.insert_str(0, "results[].");
            if !lost.iter().any(|known| known.key == own.key) {
                lost.push(own);
            }
        }
    }
    results.sort_by(|a, b| b.score.total_cmp(&a.score));
    answer.take("object");
    Ok(RerankResponse {
        id: answer.str("id").map(Str::into_string),
        model: answer.str("model").map(Str::into_string),
        results,
        usage: answer.value("usage").and_then(|raw| read_usage(raw.get())),
        extensions: extensions(FORMAT, answer).into_iter().chain(lost).collect(),
    })
}

/// A text, an object that holds nothing but a text, or any other object.
fn document(json: &str) -> RerankDocument {
    if let Ok(text) = json::parse::<Str<'_>>(json) {
        return RerankDocument::Text(text.into_string());
    }
    let mut object = Rest::parse(json).unwrap_or_default();
    match object.str("text") {
        Some(text) if object.0.is_empty() => RerankDocument::Text(text.into_string()),
        _ => RerankDocument::Json(json.to_owned()),
    }
}

/// Parses input tokens; some servers count only the total.
fn read_usage(json: &str) -> Option<Usage> {
    let read = json::parse(json).ok().and_then(usage::read).unwrap_or_default();
    let total = Rest::parse(json).ok().and_then(|mut usage| usage.count("total_tokens"));
    let mut usage = Usage { input: read.input.or(total), output: None, ..read };
    usage.extensions.iter_mut().for_each(|kept| FORMAT.clone_into(&mut kept.format));
    (usage != Usage::default()).then_some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Body;

    #[test]
    fn the_number_of_results_keeps_the_name_that_the_client_gave_it() {
        let body = |extensions| {
            let (model, query) = ("m".to_owned(), "q".to_owned());
            let documents = vec![RerankDocument::Text("a".into())];
            let request = RerankRequest { model, query, documents, top_n: Some(2), return_documents: None, extensions };
            let rendered = render(&Quirks::COMPATIBLE, &Context::default(), &request);
            assert!(rendered.losses.is_empty());
            rendered.request.body.as_text().unwrap().to_owned()
        };
        let note = Extension { format: FORMAT.to_owned(), key: TOP_K.to_owned(), json: "null".to_owned() };
        let sent = |name| format!(r#"{{"model":"m","query":"q","documents":["a"],"{name}":2}}"#);
        assert_eq!((body(vec![note]), body(Vec::new())), (sent("top_k"), sent("top_n")));
    }

    #[test]
    fn results_come_best_first_with_their_documents() {
        let text = r#"{"id":"r","model":"m","results":[{"index":1,"relevance_score":0.2,"document":"b"},
            {"index":0,"relevance_score":0.9,"document":{"text":"a"}}],"usage":{"total_tokens":7}}"#;
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
        let answer = parse(&response).unwrap();
        assert!(answer.extensions.is_empty());
        assert_eq!(answer.results.iter().map(|result| result.index).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(answer.results[0].document, Some(RerankDocument::Text("a".into())));
        assert_eq!(answer.usage.unwrap().input, Some(7));
    }

    #[test]
    fn members_of_results_without_a_place_are_reported_once() {
        let text = r#"{"object":"list","data":[{"object":"rank","index":1,"score":0.2,"relevant_spans":[{"start":1}],"why":null},
            {"index":0,"score":0.9,"relevant_spans":[]}]}"#;
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
        let answer = parse(&response).unwrap();
        let mut losses = Losses::default();
        losses.foreign("", &answer.extensions, FORMAT);
        assert_eq!(crate::testing::fields(&losses.into_losses()), ["results[].relevant_spans"]);
    }
}
