//! Measures the cost of an adapter: loading it, an instance, and its calls, one after another on one thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use weir_sandbox::adapter::{Adapter, Lease};
use weir_sandbox::call::ChatOutcome;
use weir_sandbox::fault::PluginFault;
use weir_sandbox::interface::Interface;
use weir_types::contract::types::{
    Candidate, CandidateFinish, ChatEvent, ChatRequest, ChatResponse, Context, Finish, FinishReason, Frame,
    HttpResponse, Message, Part, PartDelta, PartKind, PartStart, ResponseStart, Role, Sampling, TextPart, Usage,
};

/// Minimum measuring time of each figure, and minimum number of calls for its median.
const EACH: Duration = Duration::from_millis(200);
const MIN_ROUNDS: usize = 20;
/// Number of deltas in the streamed answer.
const DELTAS: u32 = 64;

/// The cost of one adapter's provider side. Times are medians in microseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cost {
    /// Name of the adapter.
    pub name: String,
    /// Size of the component in bytes.
    pub bytes: usize,
    /// Time to compile and describe it, in milliseconds; far less if the compile cache has it.
    pub load_ms: f64,
    /// Time to create an instance.
    pub instance: Option<f64>,
    /// Time to render a request with 2 KB of text on a fresh instance, including its creation.
    pub fresh_render_2k: Option<f64>,
    /// Time for the same request on an instance that is ready, without its creation.
    pub ready_render_2k: Option<f64>,
    /// Time for the same request on a used instance.
    pub render_2k: Option<f64>,
    /// Time to render a request with 100 KB of text on a used instance.
    pub render_100k: Option<f64>,
    /// Time to parse an answer with 2 KB of text on a used instance.
    pub parse_2k: Option<f64>,
    /// Time to parse an answer with 100 KB of text on a used instance.
    pub parse_100k: Option<f64>,
    /// Time to decode one frame of a stream.
    pub frame: Option<f64>,
}

/// Measures an adapter. One of `writers` writes the answers in the provider's format, because some provider sides have
/// no dialect side.
pub async fn cost(adapter: &Arc<Adapter>, load: Duration, writers: &[Arc<Adapter>]) -> Result<Cost, PluginFault> {
    let mut cost = Cost {
        name: adapter.name.to_string(),
        bytes: adapter.size,
        load_ms: load.as_secs_f64() * 1000.0,
        ..Cost::default()
    };
    let Some(format) = adapter.manifest.formats.first().map(|format| format.id.clone()) else { return Ok(cost) };
    if !adapter.has(Interface::ProviderChat) {
        return Ok(cost);
    }
    let ctx = context(&format);
    if let Some(fresh) = fresh(adapter, &ctx, &request(2 << 10)).await? {
        cost.instance = Some(fresh.making);
        cost.fresh_render_2k = Some(fresh.both);
        cost.ready_render_2k = Some(fresh.call);
    }
    cost.render_2k = rendering(adapter, &ctx, &request(2 << 10)).await?;
    cost.render_100k = rendering(adapter, &ctx, &request(100 << 10)).await?;
    let writes = |one: &&Arc<Adapter>| {
        one.has(Interface::DialectChat) && one.manifest.faces.iter().any(|face| face.format == format)
    };
    if let Some(writer) = writers.iter().find(writes) {
        cost.parse_2k = parsing(adapter, &ctx, answered(writer, &ctx, 2 << 10).await?).await?;
        cost.parse_100k = parsing(adapter, &ctx, answered(writer, &ctx, 100 << 10).await?).await?;
        cost.frame = decoding(adapter, &ctx, &streamed(writer, &ctx).await?).await?;
    }
    Ok(cost)
}

/// The median time of a call in microseconds; `None` if a call fails.
fn median(mut call: impl FnMut() -> Option<Duration>) -> Option<f64> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < MIN_ROUNDS || begun.elapsed() < EACH {
        times.push(call()?);
    }
    middle(times)
}

fn timed<T, E, F>(call: impl FnOnce() -> Result<Result<T, E>, F>) -> Option<Duration> {
    let begun = Instant::now();
    let answered = matches!(call(), Ok(Ok(_)));
    answered.then(|| begun.elapsed())
}

/// Medians of the first call on fresh instances, and of their creation.
struct Fresh {
    making: f64,
    call: f64,
    both: f64,
}

async fn fresh(adapter: &Arc<Adapter>, ctx: &Context, request: &ChatRequest) -> Result<Option<Fresh>, PluginFault> {
    let (mut making, mut call, mut both, begun) = (Vec::new(), Vec::new(), Vec::new(), Instant::now());
    while both.len() < MIN_ROUNDS || begun.elapsed() < EACH {
        let start = Instant::now();
        let mut lease = adapter.lease("").await?;
        let made = start.elapsed();
        if !matches!(lease.render_chat(ctx, request), Ok(Ok(_))) {
            return Ok(None);
        }
        let done = start.elapsed();
        making.push(made);
        call.push(done.saturating_sub(made));
        both.push(done);
        // Dropped instead of released, so that the next instance is new.
        drop(lease);
    }
    let figures = middle(making).zip(middle(call)).zip(middle(both));
    Ok(figures.map(|((making, call), both)| Fresh { making, call, both }))
}

/// The median in microseconds.
fn middle(mut times: Vec<Duration>) -> Option<f64> {
    times.sort_unstable();
    times.get(times.len() / 2).map(|time| time.as_secs_f64() * 1e6)
}

async fn rendering(adapter: &Arc<Adapter>, ctx: &Context, request: &ChatRequest) -> Result<Option<f64>, PluginFault> {
    let mut lease = adapter.lease("").await?;
    Ok(median(|| timed(|| lease.render_chat(ctx, request))))
}

async fn parsing(
    adapter: &Arc<Adapter>,
    ctx: &Context,
    answer: Option<HttpResponse>,
) -> Result<Option<f64>, PluginFault> {
    let Some(answer) = answer else { return Ok(None) };
    let mut lease = adapter.lease("").await?;
    let is_whole =
        |lease: &mut Lease| matches!(lease.parse_chat_response(ctx, &answer), Ok(Ok(ChatOutcome::Complete(_))));
    if !is_whole(&mut lease) {
        return Ok(None);
    }
    Ok(median(|| timed(|| lease.parse_chat_response(ctx, &answer))))
}

async fn decoding(adapter: &Arc<Adapter>, ctx: &Context, frames: &[Frame]) -> Result<Option<f64>, PluginFault> {
    if frames.is_empty() {
        return Ok(None);
    }
    let mut times = Vec::new();
    for _ in 0..MIN_ROUNDS {
        let mut decoder = adapter.lease("").await?.decoder(ctx)?;
        for frame in frames {
            match timed(|| decoder.push(std::slice::from_ref(frame))) {
                Some(time) => times.push(time),
                None => return Ok(None),
            }
        }
    }
    Ok(middle(times))
}

/// A whole answer in the format; `None` if the dialect refuses to write it.
async fn answered(writer: &Arc<Adapter>, ctx: &Context, bytes: usize) -> Result<Option<HttpResponse>, PluginFault> {
    let mut lease = writer.lease("").await?;
    let candidate = Candidate {
        index: 0,
        parts: vec![text(words(bytes))],
        finish: Some(finish()),
        logprobs: None,
        extensions: Vec::new(),
    };
    let answer = ChatResponse {
        id: "answer".into(),
        model: Some("model".into()),
        created_ms: Some(ctx.now_ms),
        candidates: vec![candidate],
        usage: Some(usage()),
        service_tier: None,
        extensions: Vec::new(),
    };
    let written = lease.render_chat_response(ctx, &answer)?;
    Ok(written.ok().map(|written| written.response))
}

/// A streamed answer in the format; empty if the dialect refuses to write it.
async fn streamed(writer: &Arc<Adapter>, ctx: &Context) -> Result<Vec<Frame>, PluginFault> {
    let mut encoder = writer.lease("").await?.encoder(ctx)?;
    let start = ResponseStart {
        id: "answer".into(),
        model: Some("model".into()),
        created_ms: Some(ctx.now_ms),
        service_tier: None,
        extensions: Vec::new(),
    };
    let mut events =
        vec![ChatEvent::Start(start), ChatEvent::PartStart(PartStart { candidate: 0, part: 0, kind: PartKind::Text })];
    let delta = |_| ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text: "a few words ".into() });
    events.extend((0..DELTAS).map(delta));
    events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish: finish() }));
    events.push(ChatEvent::Usage(usage()));
    let mut frames = Vec::new();
    for written in [encoder.push(&events)?, encoder.finish()?] {
        let Ok(written) = written else { return Ok(Vec::new()) };
        frames.extend(written.frames);
    }
    Ok(frames)
}

fn context(format: &str) -> Context {
    Context {
        model: "model".into(),
        format: format.into(),
        input_tokens: Some(500),
        ..Context::new("req_bench", 1_700_000_000_000.0)
    }
}

fn request(bytes: usize) -> ChatRequest {
    let message = |role, bytes| Message::plain(role, vec![text(words(bytes))]);
    let plain = ChatRequest::plain("model", vec![message(Role::System, 64), message(Role::User, bytes)]);
    let sampling = Sampling { temperature: Some(0.5), ..plain.sampling.clone() };
    ChatRequest { sampling, max_output_tokens: Some(256), ..plain }
}

fn words(bytes: usize) -> String {
    "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(bytes).collect()
}

fn text(text: String) -> Part {
    Part::Text(TextPart { text, ..TextPart::plain("") })
}

fn finish() -> Finish {
    Finish { reason: FinishReason::Complete, raw: None, stop_sequence: None }
}

fn usage() -> Usage {
    Usage::of(Some(500), Some(100))
}
