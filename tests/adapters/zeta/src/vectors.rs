//! Embeddings.

use weir_sdk::adapter::{DialectEmbeddings, ParsedEmbeddings, ProviderEmbeddings, Result};
use weir_sdk::json::{RawValue, object, parse};
use weir_sdk::types::{
    Context, Embedding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest, HttpResponse,
    RenderedRequest, RenderedResponse, Vector,
};

use crate::{Zeta, answer, wire};

impl ProviderEmbeddings for Zeta {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        let mut texts = Vec::new();
        for input in &request.inputs {
            match input {
                EmbeddingInput::Text(text) => texts.push(text.as_str()),
                _ => return Err(Error::unsupported("input", "zeta embeds words only")),
            }
        }
        let mut body = String::new();
        object(&mut body, |o| {
            o.str("brain", &ctx.model);
            o.array("of", |a| texts.iter().for_each(|text| a.str(text)));
            o.opt_num("width", request.dimensions);
        });
        Ok(RenderedRequest::new(HttpRequest::post("vectors", body)))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        let text = response.body.as_text().map_err(|_| Error::unreadable("the vectors are not text"))?;
        let rows: wire::Rows<'_> = parse(text).map_err(|error| Error::unreadable(format!("no vectors: {error}")))?;
        let embedding =
            |(index, row): (usize, Vec<f64>)| Embedding { index: index as u32, vector: Vector::Floats(row) };
        Ok(EmbeddingsResponse {
            id: None,
            model: rows.brain.map(String::from),
            embeddings: rows.rows.unwrap_or_default().into_iter().enumerate().map(embedding).collect(),
            usage: rows.toll.map(|toll| answer::usage(&toll)),
            extensions: Vec::new(),
        })
    }
}

impl DialectEmbeddings for Zeta {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedEmbeddings> {
        let asked: wire::Asked<'_> =
            parse(request.body.as_text()?).map_err(|error| Error::invalid(format!("not a request: {error}")))?;
        let of = asked.of.map(RawValue::get).ok_or_else(|| Error::invalid("of what?").at("of"))?;
        let single = of.starts_with('"');
        let texts: Vec<String> = if single { parse(of).map(|text| vec![text]) } else { parse(of) }
            .map_err(|error| Error::invalid(format!("of: {error}")).at("of"))?;
        let request = EmbeddingsRequest {
            model: ctx.model.clone(),
            inputs: texts.into_iter().map(EmbeddingInput::Text).collect(),
            single,
            dimensions: asked.width.map(|width| width.0),
            encoding: None,
            task: None,
            title: None,
            end_user: None,
            extensions: Vec::new(),
        };
        Ok(ParsedEmbeddings { request, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(_: &Context, response: EmbeddingsResponse) -> Result<RenderedResponse> {
        let mut body = String::new();
        object(&mut body, |o| {
            o.opt_str("brain", response.model.as_deref());
            o.array("rows", |a| {
                for embedding in &response.embeddings {
                    let Vector::Floats(row) = &embedding.vector else { continue };
                    let texts: Vec<String> = row.iter().map(f64::to_string).collect();
                    a.raw(&format!("[{}]", texts.join(",")));
                }
            });
            if let Some(usage) = &response.usage {
                o.object("toll", |o| answer::toll(o, usage));
            }
        });
        Ok(RenderedResponse::json(body))
    }
}
