//! One exchange, through one instance: what the adapter makes of it, step by step.

use serde_json::{Value, json};

use crate::attempt::{Answer, Request};
use crate::contract::types::{
    Body, ChatEvent, Context, Error, FollowUp, Frame, Header, HttpRequest, HttpResponse, Loss, RenderedRequest,
};
use crate::estimate;
use crate::plugin::{Lease, PluginFault};
use crate::referee::{self, Referee};

use super::cuts::Grouping;
use super::exchange::{Exchange, Given};
use super::fold::{fold, joined};
use super::neutral::write;

mod calls;

/// What came of an exchange. `None` where the adapter has no side for a step, or the fixture nothing to go on.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Came {
    /// The client's request, understood.
    pub(super) request: Option<Result<Understood, Error>>,
    /// What is sent for it.
    pub(super) upstream: Option<Result<RenderedRequest, Error>>,
    /// What the dialect understands of what is sent.
    pub(super) again: Option<Result<Understood, Error>>,
    /// What the provider's answer says.
    pub(super) answer: Option<Read>,
    /// What the client gets.
    pub(super) client: Option<Result<Written, Error>>,
    /// What the provider's side understands of what the client gets.
    pub(super) reread: Option<Read>,
}

/// A request, with what was lost and what is to be remembered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Understood {
    pub(super) request: Request,
    pub(super) losses: Vec<Loss>,
    pub(super) memo: String,
}

/// An answer, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Read {
    Whole(Answer, Vec<Loss>),
    Stream(Vec<ChatEvent>, Vec<Loss>),
    FollowUp(FollowUp),
    Error(Error),
}

/// An answer, written for a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Written {
    Whole(HttpResponse, Vec<Loss>),
    Frames(Vec<Frame>, Vec<Loss>),
}

/// A call that the component did not survive. The instance is gone with it.
type Survived<T> = Result<T, PluginFault>;

/// Replays an exchange, and gives the instance back.
pub(super) fn replay(exchange: &Exchange<'_>, mut lease: Lease) -> Survived<(Came, Lease)> {
    let mut came = Came::default();
    let (mut dialect, mut provider) = (exchange.dialect.clone(), exchange.provider.clone());
    if let Some(http) = exchange.client.as_ref().filter(|_| exchange.speaks) {
        let understood = calls::parse(&mut lease, &exchange.operation, &dialect, http)?;
        if let Ok(understood) = &understood {
            dialect.memo.clone_from(&understood.memo);
        }
        came.request = Some(understood);
    }
    let request = match &came.request {
        Some(Ok(understood)) => Some(understood.request.clone()),
        Some(Err(_)) => None,
        None => exchange.request.clone(),
    };
    if let Some(mut request) = request.filter(|_| exchange.serves) {
        request.set_model(&provider.model);
        if let Request::Chat(chat) | Request::CountTokens(chat) = &request {
            provider.input_tokens = Some(estimate::input_tokens(chat));
            dialect.input_tokens = provider.input_tokens;
        }
        let rendered = calls::render(&mut lease, &provider, &request)?;
        if let Ok(rendered) = &rendered {
            provider.memo.clone_from(&rendered.memo);
            came.again = again(exchange, &mut lease, rendered)?;
        }
        came.upstream = Some(rendered);
    }
    let (read, lease) = read(exchange, &provider, lease)?;
    came.answer = read;
    answered(exchange, came, &dialect, lease)
}

/// The rest of an exchange: what the client gets, and what that says.
fn answered(exchange: &Exchange<'_>, mut came: Came, dialect: &Context, mut lease: Lease) -> Survived<(Came, Lease)> {
    let source = match &came.answer {
        Some(read) => Some(read.clone()),
        None => exchange.answer.clone().map(|answer| expected(exchange, answer)),
    };
    let Some(source) = source.filter(|_| exchange.speaks) else { return Ok((came, lease)) };
    let written = match source {
        Read::Whole(mut answer, _) => {
            if let Answer::Chat(chat) = &mut answer {
                referee::settle(chat, &dialect.request_id);
            }
            let called = calls::render_answer(&mut lease, dialect, &answer)?;
            called.map(|rendered| Written::Whole(rendered.response, rendered.losses))
        }
        Read::Stream(events, _) => {
            let (written, given_back) = encode(lease, dialect, events)?;
            lease = given_back;
            written
        }
        Read::FollowUp(_) | Read::Error(_) => return Ok((came, lease)),
    };
    if let Ok(written) = &written
        && exchange.serves
        && exchange.dialect.format == exchange.provider.format
    {
        let ctx = Context { memo: String::new(), ..exchange.provider.clone() };
        let (read, given_back) = reread(exchange, &ctx, written, lease)?;
        lease = given_back;
        came.reread = Some(read);
    }
    came.client = Some(written);
    Ok((came, lease))
}

/// An answer that only an expectation says, in the way that the client asked for.
fn expected(exchange: &Exchange<'_>, answer: Answer) -> Read {
    match answer {
        Answer::Chat(chat) if exchange.fixture.says.streaming == Some(true) => {
            Read::Stream(referee::unfold(chat), Vec::new())
        }
        answer => Read::Whole(answer, Vec::new()),
    }
}

fn again(
    exchange: &Exchange<'_>,
    lease: &mut Lease,
    rendered: &RenderedRequest,
) -> Survived<Option<Result<Understood, Error>>> {
    let Some(client) = exchange.client.as_ref().filter(|_| exchange.speaks) else { return Ok(None) };
    if exchange.dialect.format != exchange.provider.format {
        return Ok(None);
    }
    let http = HttpRequest { body: rendered.request.body.clone(), ..client.clone() };
    calls::parse(lease, &exchange.operation, &exchange.dialect, &http).map(Some)
}

fn read(exchange: &Exchange<'_>, ctx: &Context, mut lease: Lease) -> Survived<(Option<Read>, Lease)> {
    let read = match &exchange.given {
        Given::Nothing => None,
        Given::Refused(http) => Some(Read::Error(lease.parse_error(ctx, http)?)),
        _ if !exchange.serves => None,
        Given::Whole(http) => Some(calls::parse_answer(&mut lease, &exchange.operation, ctx, http)?),
        Given::Stream(stream) => {
            let all = vec![stream.frames.len()];
            let (read, lease) = decode(exchange, ctx, &stream.frames, &all, lease)?;
            return Ok((Some(read), lease));
        }
    };
    Ok((read, lease))
}

/// Decodes the frames of a stream, grouped in this way.
pub(super) fn decode(
    exchange: &Exchange<'_>,
    ctx: &Context,
    frames: &[Frame],
    grouping: &Grouping,
    lease: Lease,
) -> Survived<(Read, Lease)> {
    let mut decoder = lease.decoder(ctx)?;
    let (mut events, mut losses, mut from) = (Vec::new(), Vec::new(), 0);
    let broken = matches!(&exchange.given, Given::Stream(stream) if stream.broken.is_some());
    let finish = std::iter::once(None).filter(|_| !broken);
    for to in grouping.iter().copied().map(Some).chain(finish) {
        let decoded = match to {
            Some(to) => decoder.push(frames.get(from..to).unwrap_or_default())?,
            None => decoder.finish()?,
        };
        from = to.unwrap_or(from);
        match decoded {
            Ok(decoded) => {
                events.extend(decoded.events);
                losses.extend(decoded.losses);
            }
            Err(error) => return Ok((Read::Error(error), decoder.into_lease()?)),
        }
    }
    Ok((Read::Stream(events, losses), decoder.into_lease()?))
}

fn encode(lease: Lease, ctx: &Context, events: Vec<ChatEvent>) -> Survived<(Result<Written, Error>, Lease)> {
    let mut referee = Referee::new(&ctx.request_id);
    let mut events = referee.push(events);
    events.extend(referee.end());
    let mut encoder = lease.encoder(ctx)?;
    let (mut frames, mut losses) = (Vec::new(), Vec::new());
    for last in [false, true] {
        let encoded = if last { encoder.finish()? } else { encoder.push(&events)? };
        match encoded {
            Ok(encoded) => {
                frames.extend(encoded.frames);
                losses.extend(encoded.losses);
            }
            Err(error) => return Ok((Err(error), encoder.into_lease()?)),
        }
    }
    Ok((Ok(Written::Frames(frames, losses)), encoder.into_lease()?))
}

fn reread(exchange: &Exchange<'_>, ctx: &Context, written: &Written, mut lease: Lease) -> Survived<(Read, Lease)> {
    match written {
        Written::Whole(http, _) => {
            let read = calls::parse_answer(&mut lease, &exchange.operation, ctx, http)?;
            Ok((read, lease))
        }
        Written::Frames(frames, _) => decode(exchange, ctx, frames, &vec![frames.len()], lease),
    }
}

impl Came {
    /// Every step that was made, as it is shown and compared.
    pub(super) fn steps(&self) -> Vec<(&'static str, Value)> {
        let mut steps = Vec::new();
        let or_error = |value: Result<Value, &Error>| value.unwrap_or_else(|error| json!({"error": write(error)}));
        if let Some(request) = &self.request {
            steps.push(("request", or_error(request.as_ref().map(|understood| request_value(&understood.request)))));
            let memo = request.as_ref().map(|understood| understood.memo.as_str()).unwrap_or_default();
            steps.push(("memo", memo.into()));
        }
        if let Some(upstream) = &self.upstream {
            steps.push(("upstream", or_error(upstream.as_ref().map(|rendered| http_value(&rendered.request)))));
            let memo = upstream.as_ref().map(|rendered| rendered.memo.as_str()).unwrap_or_default();
            steps.push(("memo", memo.into()));
        }
        if let Some(read) = &self.answer {
            steps.extend(read_steps(read));
        }
        if let Some(client) = &self.client {
            steps.push(("client", or_error(client.as_ref().map(written_value))));
        }
        steps.push(("losses", self.losses()));
        steps
    }

    /// The ledger.
    pub(super) fn losses(&self) -> Value {
        let none: &[Loss] = &[];
        let request = self.request.iter().flatten().map(|understood| ("request", understood.losses.as_slice()));
        let upstream = self.upstream.iter().flatten().map(|rendered| ("upstream", rendered.losses.as_slice()));
        let answer = self.answer.iter().map(|read| match read {
            Read::Whole(_, losses) | Read::Stream(_, losses) => ("answer", losses.as_slice()),
            _ => ("answer", none),
        });
        let client = self.client.iter().flatten().map(|written| match written {
            Written::Whole(_, losses) | Written::Frames(_, losses) => ("client", losses.as_slice()),
        });
        let one = |(step, losses): (&str, &[Loss])| -> Vec<Value> {
            let entry = |loss: &Loss| {
                let mut entry = write(loss);
                if let Value::Object(members) = &mut entry {
                    members.insert("step".to_owned(), step.into());
                }
                entry
            };
            losses.iter().map(entry).collect()
        };
        Value::Array(request.chain(upstream).chain(answer).chain(client).flat_map(one).collect())
    }
}

/// What an answer says, each view of it with its name.
pub(super) fn read_steps(read: &Read) -> Vec<(&'static str, Value)> {
    match read {
        Read::Whole(answer, _) => vec![("answer", answer_value(answer))],
        Read::FollowUp(follow_up) => vec![("follow_up", follow_up_value(follow_up))],
        Read::Error(error) => vec![("error", write(error))],
        Read::Stream(events, _) => {
            let folded = fold(events);
            let mut views = vec![("events", write(&joined(events)))];
            views.insert(0, ("answer", write(&folded.response)));
            views.extend(folded.failure.map(|error| ("error", write(&error))));
            views
        }
    }
}

pub(super) fn request_value(request: &Request) -> Value {
    match request {
        Request::Chat(request) | Request::CountTokens(request) => write(request),
        Request::Embeddings(request) => write(request),
        Request::Models(request) => write(request),
        Request::Rerank(request) => write(request),
    }
}

pub(super) fn answer_value(answer: &Answer) -> Value {
    match answer {
        Answer::Chat(answer) => write(answer),
        Answer::Embeddings(answer) => write(answer),
        Answer::Models(answer) => write(answer),
        Answer::CountTokens(count) => write(count),
        Answer::Rerank(answer) => write(answer),
    }
}

fn follow_up_value(follow_up: &FollowUp) -> Value {
    let mut value = http_value(&follow_up.request);
    let mut more = write(follow_up);
    if let (Value::Object(members), Value::Object(more)) = (&mut value, &mut more) {
        more.remove("request");
        if let Some(cancel) = &follow_up.on_cancel {
            more.insert("on_cancel".to_owned(), http_value(cancel));
        }
        members.append(more);
    }
    value
}

/// A request as `upstream` shows it.
pub(super) fn http_value(http: &HttpRequest) -> Value {
    let mut value = json!({"method": http.method, "path": http.path});
    put_pairs(&mut value, "query", &http.query);
    put_pairs(&mut value, "headers", &http.headers);
    put_body(&mut value, &http.body);
    value
}

fn written_value(written: &Written) -> Value {
    match written {
        Written::Whole(http, _) => {
            let mut value = json!({"status": http.status});
            put_pairs(&mut value, "headers", &http.headers);
            put_body(&mut value, &http.body);
            value
        }
        Written::Frames(frames, _) => json!({"frames": frames.iter().map(frame_value).collect::<Vec<_>>()}),
    }
}

fn frame_value(frame: &Frame) -> Value {
    let data = super::neutral::parsed(&frame.data).unwrap_or_else(|| frame.data.clone().into());
    match &frame.event {
        Some(event) => json!({"event": event, "data": data}),
        None => json!({"data": data}),
    }
}

fn put_pairs(value: &mut Value, name: &str, pairs: &[Header]) {
    if !pairs.is_empty() {
        value[name] = pairs.iter().map(|pair| (pair.name.clone(), Value::from(pair.value.as_str()))).collect();
    }
}

fn put_body(value: &mut Value, body: &Body) {
    match body {
        Body::Text(text) if text.is_empty() => {}
        Body::Text(text) => match serde_json::from_str::<Value>(text) {
            Ok(json) => value["body"] = json,
            Err(_) => value["body_text"] = text.as_str().into(),
        },
        Body::Bytes(bytes) if bytes.is_empty() => {}
        Body::Bytes(bytes) => value["body_text"] = String::from_utf8_lossy(bytes).into(),
    }
}
