//! WebSocket sessions with providers: the handshake over a connection of its own, with the credential, and the redactor
//! that hides the credential in the provider's messages.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::chunks::Chunks;
use super::client::{Upstreams, dress};
use super::connection::{Failure, in_origin_form};
use super::credential::Credential;
use super::origin::Place;
use super::redactor::{Redactor, Scope};
use super::stream_redactor::StreamRedactor;
use super::{UpstreamError, UpstreamErrorKind, UpstreamRequest};
use weir_realtime::handshake;

/// The most bytes that are read of an answer that grants no session.
const REFUSAL_BYTES: usize = 64 << 10;
/// How long such an answer may take to arrive.
const REFUSAL_TIME: Duration = Duration::from_secs(5);

/// The bytes of a session.
pub type SessionIo = TokioIo<Upgraded>;

/// A provider's answer to the request for a session.
#[derive(Debug)]
pub enum SessionAnswer {
    /// The session has begun.
    Granted(Box<UpstreamSession>),
    /// The answer is another one, with the credential hidden in its headers and body.
    Refused(Response<Bytes>),
}

/// A session that has begun.
pub struct UpstreamSession {
    /// Its bytes.
    pub io: SessionIo,
    /// The headers of the answer that granted it, with the credential hidden in them.
    pub headers: HeaderMap,
    /// The subprotocol that the provider chose.
    pub protocol: Option<String>,
    /// Hides the credential in the provider's messages.
    pub redactor: MessageRedactor,
}

impl fmt::Debug for UpstreamSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamSession").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Upstreams {
    /// Asks a provider for a session, over a new connection of HTTP/1.1. The request needs neither body nor headers of
    /// the handshake. `protocols` are the subprotocols to offer. Dropping the future gives the session up.
    pub async fn open_session(
        &self,
        request: UpstreamRequest<'_>,
        protocols: &[&str],
    ) -> Result<SessionAnswer, UpstreamError> {
        let Place::Network { trusted, .. } = request.address.place() else {
            return Err(UpstreamError::new(UpstreamErrorKind::Request, request.address.origin()));
        };
        match request.credential.filter(|_| *trusted).and_then(Credential::tokens) {
            Some(tokens) => {
                let token = Box::pin(tokens.current(self)).await?;
                open(self, UpstreamRequest { credential: Some(&token.credential), ..request }, protocols).await
            }
            None => open(self, request, protocols).await,
        }
    }
}

async fn open(
    upstreams: &Upstreams,
    request: UpstreamRequest<'_>,
    protocols: &[&str],
) -> Result<SessionAnswer, UpstreamError> {
    let (origin, timeouts) = (request.address.origin().clone(), request.timeouts);
    let failed = |failure: Failure| UpstreamError::of_request(&failure, &origin);
    let error = |kind| UpstreamError::new(kind, &origin);
    let redactor = request.credential.map(|credential| credential.redactor().clone()).unwrap_or_default();
    let mut message = dress(request)?;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| error(UpstreamErrorKind::Request))?;
    let expected = handshake::ask(message.headers_mut(), protocols, random);
    let stream = upstreams.sessions().dial(message.uri(), timeouts.connect).await.map_err(|why| failed(why.into()))?;
    let greeting = async {
        let (mut sender, connection) = http1::handshake::<_, Chunks>(stream).await?;
        // It ends with the sender, or hands the connection over to the session.
        tokio::spawn(connection.with_upgrades());
        sender.send_request(in_origin_form(message)).await
    };
    let answer = timeout(timeouts.first_byte, Box::pin(greeting)).await;
    let answer = answer.map_err(|_| error(UpstreamErrorKind::FirstByteTimeout))?;
    let mut answer = answer.map_err(|why| failed(why.into()))?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(refusal(answer, &redactor).await);
    }
    let because =
        |why: &(dyn std::error::Error + 'static)| UpstreamError::because(UpstreamErrorKind::Protocol, &origin, why);
    let protocol = handshake::granted(answer.headers(), &expected, protocols).map_err(|why| because(&why))?;
    let upgraded = hyper::upgrade::on(&mut answer).await.map_err(|why| because(&why))?;
    let mut headers = std::mem::take(answer.headers_mut());
    redactor.redact_headers(&mut headers, Scope::Keys);
    let redactor = MessageRedactor { redactor, long: None };
    let session = UpstreamSession { io: TokioIo::new(upgraded), headers, protocol, redactor };
    Ok(SessionAnswer::Granted(Box::new(session)))
}

/// What the provider says instead of granting a session. A body that is too long or too slow is left out.
async fn refusal(answer: Response<Incoming>, redactor: &Redactor) -> SessionAnswer {
    let (mut head, body) = answer.into_parts();
    let body = timeout(REFUSAL_TIME, Limited::new(body, REFUSAL_BYTES).collect()).await;
    let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut body = body.to_vec();
    redactor.redact_bytes(&mut body, Scope::All);
    redactor.redact_headers(&mut head.headers, Scope::All);
    SessionAnswer::Refused(Response::from_parts(head, body.into()))
}

/// Hides the credential in a provider's messages: each hidden byte becomes a star.
pub struct MessageRedactor {
    redactor: Redactor,
    /// The state within a message that comes in pieces.
    long: Option<StreamRedactor>,
}

impl MessageRedactor {
    /// Screens a whole message, which is copied only if it holds the credential.
    pub fn message(&self, message: Bytes) -> Bytes {
        if self.redactor.is_empty() || self.redactor.find(&message, Scope::Keys).is_empty() {
            return message;
        }
        let mut hidden = message.to_vec();
        self.redactor.redact_bytes(&mut hidden, Scope::Keys);
        hidden.into()
    }

    /// Screens the reason of a close frame, as an error.
    pub fn reason(&self, reason: &mut String) {
        self.redactor.redact(reason);
    }

    /// Screens the next piece of a message. Bytes at its end may wait for the next one.
    pub fn piece(&mut self, piece: Bytes, is_last: bool) -> Bytes {
        if self.redactor.is_empty() {
            return piece;
        }
        let stream_redactor =
            self.long.get_or_insert_with(|| StreamRedactor::new(self.redactor.clone(), Scope::Keys, &HeaderMap::new()));
        // Plain bytes are hidden, never refused.
        let passed = stream_redactor.pass(piece).unwrap_or_default();
        if !is_last {
            return passed;
        }
        let rest = stream_redactor.end();
        self.long = None;
        if rest.is_empty() { passed } else { [passed, rest].concat().into() }
    }
}

impl fmt::Debug for MessageRedactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageRedactor").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-4fK9wQ2mZt7RbX1yLc8VnA6dHs3JgE5p";

    #[test]
    fn a_message_shows_no_key_whole_or_in_pieces() {
        let mut redactor = MessageRedactor { redactor: Redactor::of([KEY]), long: None };
        let plain = Bytes::from_static(b"{\"type\":\"hello\"}");
        assert_eq!(redactor.message(plain.clone()).as_ptr(), plain.as_ptr());
        let mut reason = format!("no such key: {KEY}");
        redactor.reason(&mut reason);
        assert_eq!(reason, format!("no such key: {}", "*".repeat(KEY.len())));
        let text = format!("{{\"key\":\"{KEY}\"}}");
        let hidden = redactor.message(text.clone().into());
        assert_eq!(hidden, format!("{{\"key\":\"{}\"}}", "*".repeat(KEY.len())));
        for _ in 0..2 {
            let (first, second) = text.split_at(20);
            let mut joined = redactor.piece(first.to_owned().into(), false).to_vec();
            joined.extend_from_slice(&redactor.piece(second.to_owned().into(), true));
            assert_eq!(joined.len(), text.len());
            assert!(!String::from_utf8_lossy(&joined).contains(&KEY[3..]));
        }
    }
}
