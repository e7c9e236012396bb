//! A scripted server of gRPC over HTTP/2, with TLS or without: messages, raw bytes, pauses, statuses in the trailers or
//! in place of an answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::soon;
use crate::upstream::Gate;

/// A call as it arrived.
#[derive(Debug, Clone)]
pub struct RpcCall {
    /// `/inference.v1.Generation/Generate`.
    pub path: String,
    /// The metadata, with HTTP's own headers.
    pub headers: HeaderMap,
    /// The body, with its prefix.
    pub body: Bytes,
}

impl RpcCall {
    /// The request's message.
    ///
    /// # Panics
    ///
    /// If the body is not one uncompressed message of this type.
    pub fn message<M: Message + Default>(&self) -> M {
        let (prefix, message) = self.body.split_at(5);
        assert_eq!(prefix, [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes()].concat());
        M::decode(message).expect("the body is a message")
    }

    /// A value of the metadata.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Bytes(Bytes),
    Trailers(HeaderMap),
    Gate(Gate),
    Hang,
}

/// What the server does about a call.
#[derive(Debug, Clone)]
pub struct RpcAnswer {
    status: u16,
    headers: HeaderMap,
    steps: Vec<Step>,
}

impl RpcAnswer {
    /// The head of an answer.
    pub fn begin() -> Self {
        Self { status: 200, headers: pairs(&[("content-type", "application/grpc")]), steps: Vec::new() }
    }

    /// An answer that is nothing but a status in its head.
    pub fn refused(code: u32, headers: &[(&str, &str)]) -> Self {
        Self::begin().header("grpc-status", &code.to_string()).headers(headers)
    }

    /// Another status of HTTP.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// A header of the head.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.headers(&[(name, value)])
    }

    fn headers(mut self, headers: &[(&str, &str)]) -> Self {
        for (name, value) in pairs(headers) {
            self.headers.insert(name.expect("names are not repeated"), value);
        }
        self
    }

    /// A message.
    #[must_use]
    pub fn message(self, message: &impl Message) -> Self {
        self.bytes(prefixed(0, &message.encode_to_vec()))
    }

    /// Any bytes.
    #[must_use]
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Bytes(bytes.into()))
    }

    /// Waits for the gate.
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.step(Step::Gate(gate.clone()))
    }

    /// Sends nothing more until the other side leaves.
    #[must_use]
    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    /// Ends the answer with this status.
    #[must_use]
    pub fn end(self, code: u32, trailers: &[(&str, &str)]) -> Self {
        let mut all = pairs(trailers);
        all.insert("grpc-status", HeaderValue::from(code));
        self.step(Step::Trailers(all))
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// A message with its prefix.
pub fn prefixed(flag: u8, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(flag);
    bytes.put_u32(u32::try_from(message.len()).expect("messages of tests are short"));
    bytes.put_slice(message);
    bytes.freeze()
}

fn pairs(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).expect("a name"), HeaderValue::try_from(*value).expect("a value"))
    };
    pairs.iter().map(pair).collect()
}

type Script = Arc<dyn Fn(&RpcCall) -> RpcAnswer + Send + Sync>;

/// A server that answers by a script.
#[derive(Debug)]
pub struct RpcServer {
    address: SocketAddr,
    calls: mpsc::UnboundedReceiver<RpcCall>,
    departures: mpsc::UnboundedReceiver<()>,
}

impl RpcServer {
    /// Starts a server.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub async fn scripted(script: impl Fn(&RpcCall) -> RpcAnswer + Send + Sync + 'static) -> Self {
        Self::listen(None, Arc::new(script)).await
    }

    /// Starts a server behind TLS.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub async fn scripted_with_tls(
        tls: ServerConfig,
        script: impl Fn(&RpcCall) -> RpcAnswer + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(TlsAcceptor::from(Arc::new(tls))), Arc::new(script)).await
    }

    async fn listen(tls: Option<TlsAcceptor>, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let address = listener.local_addr().expect("the socket has an address");
        let (called, calls) = mpsc::unbounded_channel();
        let (left, departures) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, called, left) = (Arc::clone(&script), called.clone(), left.clone());
                let serve =
                    service_fn(move |request| answer(request, Arc::clone(&script), called.clone(), left.clone()));
                let server = http2::Builder::new(TokioExecutor::new());
                match tls.clone() {
                    None => drop(tokio::spawn(server.serve_connection(TokioIo::new(socket), serve))),
                    Some(tls) => drop(tokio::spawn(async move {
                        if let Ok(socket) = tls.accept(socket).await {
                            let _ = server.serve_connection(TokioIo::new(socket), serve).await;
                        }
                    })),
                }
            }
        });
        Self { address, calls, departures }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its url.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The next call.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub async fn call(&mut self) -> RpcCall {
        soon("a call", self.calls.recv()).await.expect("the server runs")
    }

    /// Waits until a call is cancelled in the midst of its answer.
    ///
    /// # Panics
    ///
    /// If none is.
    pub async fn departure(&mut self) {
        soon("a departure", self.departures.recv()).await.expect("the server runs");
    }
}

async fn answer(
    request: Request<Incoming>,
    script: Script,
    called: mpsc::UnboundedSender<RpcCall>,
    left: mpsc::UnboundedSender<()>,
) -> Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let call = RpcCall { path: head.uri.path().to_owned(), headers: head.headers, body };
    let RpcAnswer { status, headers, steps } = script(&call);
    let _ = called.send(call);
    let (frames, coming) = mpsc::channel(1);
    tokio::spawn(async move {
        for step in steps {
            let frame = match step {
                Step::Bytes(bytes) => Frame::data(bytes),
                Step::Trailers(trailers) => Frame::trailers(trailers),
                Step::Gate(gate) => {
                    gate.pass().await;
                    continue;
                }
                Step::Hang => {
                    frames.closed().await;
                    let _ = left.send(());
                    return;
                }
            };
            if frames.send(Ok::<_, Infallible>(frame)).await.is_err() {
                let _ = left.send(());
                return;
            }
        }
    });
    let coming = stream::unfold(coming, |mut coming| async { coming.recv().await.map(|frame| (frame, coming)) });
    let mut response = Response::new(StreamBody::new(coming));
    *response.status_mut() = status.try_into().expect("a status");
    *response.headers_mut() = headers;
    Ok(response)
}
