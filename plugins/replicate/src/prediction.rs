//! Parses a prediction: a finished one is the answer, an unfinished one is polled again.

use weir_sdk::json::{RawValue, Rest, Str, list, parse, text};
use weir_sdk::path;
use weir_sdk::types::{
    Candidate, ChatResponse, Context, Error, Finish, FinishReason, FollowUp, Header, HttpRequest, HttpResponse, Part,
    Usage,
};

use crate::error;
use crate::memo::{Memo, Phase};
use crate::model_name::segment;

/// The service's domains: streams come from other hosts than the API.
const DOMAINS: [&str; 2] = [".replicate.com", ".replicate.net"];

weir_sdk::wire! {
    /// The members of a prediction that matter here.
    struct Prediction<'a> {
        "id" => id: Str<'a>,
        "model" => model: Str<'a>,
        "status" => status: Str<'a>,
        "output" => output: &'a RawValue,
        "error" => error: &'a RawValue,
        "urls" => urls: Rest<'a>,
        "metrics" => metrics: Rest<'a>,
    }
}

/// The next step for a prediction.
pub(crate) enum Progress {
    Done(ChatResponse),
    Next(FollowUp),
}

/// Parses the answer to a request of any phase.
pub(crate) fn read(ctx: &Context, response: &HttpResponse) -> Result<Progress, Error> {
    let body = response.text()?;
    let unreadable = |error| Error::unreadable(format!("the prediction cannot be read: {error}"));
    let prediction: Prediction<'_> = parse(body).map_err(unreadable)?;
    let memo = Memo::parse(&ctx.memo);
    // A prediction that was waited for is finished once there is output, whatever its status.
    let made = memo.phase == Phase::Waited && prediction.output.is_some_and(|raw| raw.get() != "null");
    match prediction.status.as_deref().unwrap_or_default() {
        "succeeded" | "successful" => Ok(Progress::Done(answer(prediction)?)),
        "processing" if made => Ok(Progress::Done(answer(prediction)?)),
        "failed" => Err(error::failed(prediction.error)),
        "canceled" | "cancelled" | "aborted" => Err(Error::unreadable("the prediction was canceled")),
        "" if prediction.id.is_none() => Err(Error::unreadable("the answer is no prediction")),
        _ => next(&prediction, memo.phase).map(Progress::Next),
    }
}

fn answer(prediction: Prediction<'_>) -> Result<ChatResponse, Error> {
    let words = prediction.output.map(words).transpose()?.unwrap_or_default();
    let parts = if words.is_empty() { Vec::new() } else { vec![Part::text(words)] };
    let finish = Some(Finish::new(FinishReason::Complete, "succeeded"));
    Ok(ChatResponse {
        id: prediction.id.map(Str::into_string).unwrap_or_default(),
        model: prediction.model.map(Str::into_string),
        candidates: vec![Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() }],
        usage: prediction.metrics.and_then(usage),
        ..ChatResponse::default()
    })
}

/// The text of an output: concatenated pieces, files by their addresses, anything else as JSON.
fn words(output: &RawValue) -> Result<String, Error> {
    if let Some(text) = text(output) {
        return Ok(text.into_string());
    }
    if let Some(pieces) = list(output) {
        let pieces = pieces.into_iter().map(words).collect::<Result<Vec<_>, _>>()?;
        let files = pieces.len() > 1 && pieces.iter().all(|piece| piece.starts_with("https://"));
        return Ok(pieces.join(if files { "\n" } else { "" }));
    }
    if let Some(found) = Rest::parse(output.get()).ok().and_then(|mut members| members.str("text")) {
        return Ok(found.into_string());
    }
    Ok(if output.get() == "null" { String::new() } else { output.get().to_owned() })
}

fn usage(mut metrics: Rest<'_>) -> Option<Usage> {
    let (input, output) = (metrics.count("input_token_count"), metrics.count("output_token_count"));
    (input.is_some() || output.is_some()).then(|| Usage { input, output, ..Usage::default() })
}

/// The next request: the stream of its output if that is wanted and there is one, else the prediction itself.
fn next(prediction: &Prediction<'_>, phase: Phase) -> Result<FollowUp, Error> {
    let id = prediction.id.as_deref().unwrap_or_default();
    if id.is_empty() {
        return Err(Error::unreadable("the prediction has no id"));
    }
    let model = prediction.model.as_deref().unwrap_or_default().to_owned();
    let memo = |phase| Memo { phase, id: id.to_owned(), model: model.clone() }.to_text();
    let stream = prediction.urls.as_ref().and_then(|urls| urls.get("stream")).and_then(text);
    let stream = stream.as_deref().filter(|_| phase == Phase::Streamed).and_then(stream_at);
    if let Some((origin, request)) = stream {
        return Ok(FollowUp {
            request,
            origin: Some(origin),
            after_ms: 0,
            on_cancel: Some(cancel(id)),
            stream: true,
            memo: memo(Phase::Streamed),
        });
    }
    let times = if let Phase::Polled(times) = phase { times } else { 0 };
    Ok(FollowUp {
        request: HttpRequest::get(format!("predictions/{}", segment(id))),
        origin: None,
        after_ms: pause(times),
        on_cancel: Some(cancel(id)),
        stream: false,
        memo: memo(Phase::Polled(times + 1)),
    })
}

/// The wait before a poll, in milliseconds: short at first, then longer; sixty polls take eleven minutes.
const fn pause(times: u32) -> u32 {
    match times {
        0..10 => 500,
        10..20 => 1000,
        20..40 => 5000,
        _ => 30_000,
    }
}

fn cancel(id: &str) -> HttpRequest {
    HttpRequest::post(format!("predictions/{}/cancel", segment(id)), String::new())
}

/// The origin of a stream, and the request for it. Addresses outside of the service's domains are refused.
fn stream_at(url: &str) -> Option<(String, HttpRequest)> {
    let rest = url.strip_prefix("https://")?;
    let (host, path) = rest.split_once('/')?;
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    if !DOMAINS.iter().any(|domain| name.ends_with(domain)) {
        return None;
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut request = HttpRequest::get(path);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        request.query.push(Header::new(path::decoded(name), path::decoded(value)));
    }
    request.headers = vec![Header::new("accept", "text/event-stream"), Header::new("cache-control", "no-store")];
    Some((format!("https://{host}"), request))
}
