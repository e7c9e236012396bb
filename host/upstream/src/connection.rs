//! One connection to a provider. The exchange that uses an HTTP/1.1 connection also drives it, so that no second task
//! has to be woken for each piece; exchanges share an HTTP/2 connection, which a task of its own drives.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_util::future::Either;
use http::header::HOST;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};

use tokio::task::unconstrained;

use super::chunks::Chunks;
use super::dial::DialError;
use super::multiplexed::{Http2, Seat};
use super::refusal;
use super::stream::Stream;
use weir_types::in_place::pinned;

/// The most bytes of a body that one read takes, and that wait to be written. A connection begins with much less, and
/// gets here if its reads fill what they have.
const BODY_READ: usize = 128 << 10;

/// Why an exchange failed before the answer's head.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection failed.
    #[error(transparent)]
    Exchange(#[from] hyper::Error),
    /// The connection ended without an answer.
    #[error("the connection was closed")]
    Closed,
}

/// A failed exchange; `unsent` is the request if nothing of it was written, or the provider says that it has not taken
/// it.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) failure: Failure,
    pub(super) unsent: Option<Box<Request<Chunks>>>,
}

impl Unanswered {
    /// A failed exchange with this url, which an unsent request has again for the next connection.
    fn to(mut error: TrySendError<Request<Chunks>>, url: &Uri) -> Self {
        let unsent = error.take_message().map(|mut message| {
            message.uri_mut().clone_from(url);
            Box::new(message)
        });
        Self { failure: error.into_error().into(), unsent }
    }

    /// A failed exchange on a shared connection, with a copy of its request. hyper gives back those alone that it has
    /// not begun with. Of the others the provider tells, as it ends a connection in good order, which it has not taken;
    /// and one that waits for room when the connection ends is given up as hyper's user's own error, without its body.
    fn on_shared(error: TrySendError<Request<Chunks>>, url: &Uri, copy: Option<Box<Request<Chunks>>>) -> Self {
        let waited = |copy: &Request<Chunks>| error.error().is_user() && !copy.body().is_empty();
        let copy = copy.filter(|copy| refusal::is_leaving(error.error()) || waited(copy));
        let failed = Self::to(error, url);
        Self { unsent: failed.unsent.or(copy), ..failed }
    }
}

/// A connection that can take a request.
pub(super) enum Connection {
    /// Serves one exchange at a time.
    Http1(Box<Http1>),
    /// Serves several at once, of which this is one.
    Http2(Http2),
}

impl Connection {
    /// Sends a request, with its whole url, and waits for the answer's head. Boxed, since two futures on the way hold
    /// it twice each: as it was given, and pinned.
    pub(super) fn send(self, message: Request<Chunks>) -> impl Future<Output = Result<AnswerWithCarrier, Unanswered>> {
        match self {
            Self::Http1(connection) => Either::Left(pinned(|| connection.send(message))),
            Self::Http2(shared) => {
                let url = message.uri().clone();
                // What is sent while it arrives cannot be sent again.
                let copy = message.body().upload().is_none().then(|| Box::new(message.clone()));
                let answer = shared.send(message);
                Either::Right(Box::pin(async move {
                    let (answered, seat) = answer.await.map_err(|error| Unanswered::on_shared(error, &url, copy))?;
                    Ok(answered.map(|incoming| (incoming, Carrier::Shared(seat))))
                }))
            }
        }
    }
}

/// An answer's head, its body, and the connection that the body arrives on.
pub(super) type AnswerWithCarrier = Response<(Incoming, Carrier)>;

/// The connection, or the place on one, that an answer's body arrives on. It is free for another exchange afterwards.
pub(super) enum Carrier {
    /// A connection, which has to be driven for the body to arrive.
    Driven(Box<Http1>),
    /// A place among the exchanges of a connection.
    Shared(Seat),
}

/// An HTTP/1.1 connection.
pub(super) struct Http1 {
    sender: http1::SendRequest<Chunks>,
    /// `None` once the connection has ended.
    driver: Option<http1::Connection<Stream, Chunks>>,
}

impl Http1 {
    /// Begins a connection of HTTP/1.1; `head` is the maximum size of an answer's head in bytes.
    pub(super) async fn open(stream: Stream, head: usize) -> hyper::Result<Box<Self>> {
        let mut builder = http1::Builder::new();
        builder.max_header_size(head).max_buf_size(head.max(BODY_READ));
        let (sender, driver) = builder.handshake(stream).await?;
        Ok(Box::new(Self { sender, driver: Some(driver) }))
    }

    /// Whether it is open and has no exchange in progress. Notices that the provider has closed it.
    pub(super) fn is_idle(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Whether its exchange has ended, so that it can take another one. Mostly the last piece has shown that already,
    /// and then it is not driven for it: whether the provider closes it is asked when it is taken again.
    pub(super) fn has_ended_exchange(&mut self) -> bool {
        self.driver.is_some() && self.sender.is_ready() || self.is_idle()
    }

    /// The request is handed over at once; polling the future sends it.
    fn send(
        mut self: Box<Self>,
        message: Request<Chunks>,
    ) -> impl Future<Output = Result<AnswerWithCarrier, Unanswered>> {
        let url = message.uri().clone();
        let answer = self.sender.try_send_request(in_origin_form(message));
        self.answered(answer, url)
    }

    async fn answered(
        mut self: Box<Self>,
        answer: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Chunks>>>>,
        url: Uri,
    ) -> Result<AnswerWithCarrier, Unanswered> {
        // Not counted against the task's turn: a poll that is put off would have nothing to wake it.
        let mut answer = pin!(unconstrained(answer));
        let answered = poll_fn(|cx| {
            self.drive(cx);
            // Only the driver completes it, so it needs no waker of its own.
            match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answered) => Poll::Ready(answered.map_err(|error| Unanswered::to(error, &url))),
                Poll::Pending if self.driver.is_none() => {
                    Poll::Ready(Err(Unanswered { failure: Failure::Closed, unsent: None }))
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        Ok(answered?.map(|incoming| (incoming, Carrier::Driven(self))))
    }

    /// Reads and writes as far as the socket allows.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(cx).is_ready()
        {
            // A failure reaches the exchange through its answer.
            self.driver = None;
        }
    }
}

/// The request as HTTP/1.1 has it: only path and query in the first line, and the host in a header.
pub(super) fn in_origin_form(mut message: Request<Chunks>) -> Request<Chunks> {
    if !message.headers().contains_key(HOST)
        && let Some(host) = host(message.uri())
    {
        message.headers_mut().insert(HOST, host);
    }
    let path = message.uri().path_and_query().cloned();
    *message.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    message
}

/// Host and port, without the port that the scheme implies.
fn host(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority()?;
    let implied = if uri.scheme() == Some(&Scheme::HTTPS) { ":443" } else { ":80" };
    HeaderValue::from_str(authority.as_str().strip_suffix(implied).unwrap_or(authority.as_str())).ok()
}
