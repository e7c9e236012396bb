//! The messages and trailers of an answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready as when_ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body, Frame};
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::messages::generate_event::Kind;
use crate::messages::{GenerateEvent, Summary};
use crate::{framing, status, types};
use weir_gateway::attempt::{BodyError, Closing, ReplyBody, loss_list};
use weir_gateway::gateway::{CallAnswer, CallTrace};
use weir_translate::unified::Answer;
use weir_types::contract::types::{ChatEvent, Usage};
use weir_types::fault::{Fault, Side};
use weir_types::headers;

/// The most bytes of a usage in trailers. Clients take some KiB of them at most, and lose the whole connection by more.
const USAGE: usize = 2_048;
/// The most bytes handed to the connection at once.
const PIECE: usize = 64 << 10;
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// An answer with this body.
pub(crate) fn response<B>(body: B) -> Response<ReplyBody>
where
    B: Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + Unpin + 'static,
{
    let body = InPieces { body, rest: Bytes::new() };
    let mut response = Response::new(ReplyBody::Other(axum::body::Body::new(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

/// An answer without messages, whose head says that the call failed.
pub(crate) fn refused(status: &Status) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::from(Bytes::new()));
    *response.headers_mut() = trailers(status);
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

/// An answer of one message, made of what `body` was.
pub(crate) fn unary(body: ReplyBody, message: &impl Message, status: &Status) -> Response<ReplyBody> {
    let mut out = Vec::new();
    framing::put(&mut out, message);
    response(Unary { body, message: Some(out.into()), trailers: Some(trailers(status)) })
}

/// A message, and the trailers once the client has it.
struct Unary {
    body: ReplyBody,
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Unary {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(message) = this.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        this.body.arrived();
        Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

/// A body whose frames are handed to the connection in pieces. The body goes on when the client has read all of a frame
/// but its last piece, so that it holds what the frame takes in memory until then.
struct InPieces<B> {
    body: B,
    rest: Bytes,
}

impl<B: Body<Data = Bytes> + Unpin> Body for InPieces<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match when_ready!(Pin::new(&mut this.body).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => this.rest = data,
                Some(Err(trailers)) => return Poll::Ready(Some(Ok(trailers))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// A status as the trailers that end a call.
pub(crate) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // Its message or metadata cannot be a header; the code can.
        trailers.insert("grpc-status", HeaderValue::from(status.code() as i32));
    }
    trailers
}

/// The end of an answer: its status with what is known at the end.
pub(crate) fn ended(mut status: Status, closing: &Closing) -> Status {
    add_closing(status.metadata_mut(), closing);
    status
}

fn add_closing(metadata: &mut MetadataMap, closing: &Closing) {
    if let Some(usage) = &closing.usage {
        let mut bytes = types::Usage::from(usage.clone()).encode_to_vec();
        if bytes.len() > USAGE {
            // The last message has all of it; here, the figures have to do.
            let figures = Usage { extensions: Vec::new(), ..usage.clone() };
            bytes = types::Usage::from(figures).encode_to_vec();
        }
        metadata.insert_bin(headers::USAGE_BIN.as_str(), MetadataValue::from_bytes(&bytes));
    }
    let cost = closing.cost.map(|cost| cost.to_string());
    let texts = [(&headers::COST_USD, cost), (&headers::LOSSES, loss_list(&closing.losses))];
    for (name, text) in texts {
        if let Some(value) = text.and_then(|text| text.parse().ok()) {
            metadata.insert(name.as_str(), value);
        }
    }
}

/// What is known of an answer at its end.
pub(crate) fn summary(trace: &CallTrace, closing: &Closing) -> Summary {
    Summary {
        usage: closing.usage.clone().map(Into::into),
        cost_usd: closing.cost.map(|cost| cost.to_string()),
        losses: closing.losses.iter().cloned().map(Into::into).collect(),
        target: trace.target.as_deref().unwrap_or_default().to_owned(),
        attempts: trace.attempts,
        request_id: trace.request_id.clone(),
    }
}

/// An answer to a chat request, as events or whole.
pub(crate) fn generated(CallAnswer { trace, mut body, .. }: CallAnswer) -> Response<ReplyBody> {
    let whole = if body.has_answer() { body.take_to_send() } else { None };
    let next = match whole {
        None => Next::Events,
        Some(Answer::Chat(chat)) => Next::Whole(Box::new(chat.into())),
        Some(_) => return refused(&status::of(&Fault::internal("the answer is of another kind"), &trace.request_id)),
    };
    response(Generated { body, trace, next })
}

/// The body of an answer to a chat request.
struct Generated {
    body: ReplyBody,
    trace: CallTrace,
    next: Next,
}

/// What is written next.
enum Next {
    Whole(Box<types::ChatResponse>),
    Events,
    Summary,
    End(Box<Status>),
    Nothing,
}

impl Generated {
    /// The events in their frames. One that says that the answer failed is the end instead.
    fn write(&mut self, events: Vec<ChatEvent>) -> Vec<u8> {
        let mut out = Vec::new();
        for event in events {
            if let ChatEvent::Failure(error) = event {
                let status = status::of(&Fault::from_error(Side::Upstream, error), &self.trace.request_id);
                self.next = Next::End(Box::new(status));
                break;
            }
            put(&mut out, Kind::Event(event.into()));
        }
        out
    }

    /// Writes the last message, after which the status follows.
    fn summarize(&mut self, out: &mut Vec<u8>) {
        put(out, Kind::Summary(summary(&self.trace, &self.body.closing())));
        self.next = Next::End(Box::new(Status::new(Code::Ok, "")));
    }
}

fn put(out: &mut Vec<u8>, kind: Kind) {
    framing::put(out, &GenerateEvent { kind: Some(kind) });
}

impl Body for Generated {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            let mut out = Vec::new();
            match std::mem::replace(&mut this.next, Next::Nothing) {
                Next::Whole(whole) => {
                    // All is known of an answer that is there whole: its summary goes with it, in one frame of HTTP/2.
                    put(&mut out, Kind::Response(*whole));
                    this.summarize(&mut out);
                }
                Next::Events => {
                    this.next = Next::Events;
                    match when_ready!(this.body.poll_events(cx)) {
                        Some(events) => out = this.write(events),
                        None => this.next = Next::Summary,
                    }
                }
                Next::Summary => this.summarize(&mut out),
                Next::End(status) => {
                    this.body.arrived();
                    let status = ended(*status, &this.body.closing());
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))));
                }
                Next::Nothing => return Poll::Ready(None),
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from(out)))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::types::Signature;

    #[tokio::test]
    async fn a_message_goes_to_the_connection_in_pieces() {
        for (size, pieces) in [(0, 1), (PIECE - 100, 1), (PIECE, 2), (3 * PIECE, 4)] {
            let message = Signature { issuer: String::new(), value: "a".repeat(size) };
            let mut body = unary(ReplyBody::from(Bytes::new()), &message, &Status::ok("")).into_body();
            let (mut lengths, mut ended) = (Vec::new(), false);
            while let Some(frame) = body.frame().await {
                assert!(!ended);
                match frame.unwrap().into_data() {
                    Ok(data) => lengths.push(data.len()),
                    Err(trailers) => ended = trailers.trailers_ref().unwrap().contains_key("grpc-status"),
                }
            }
            assert!(ended && lengths.len() == pieces && lengths.iter().all(|length| *length <= PIECE), "{lengths:?}");
            let mut whole = Vec::new();
            framing::put(&mut whole, &message);
            assert_eq!(lengths.iter().sum::<usize>(), whole.len());
        }
    }
}
