//! Passes messages on, both ways, until the session ends. A side that reads nothing stops the other one: nothing is
//! read that could not be passed on.

mod closing;
mod configuring;
mod deadlines;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use tokio::sync::{Mutex, Notify};

use self::configuring::Confirmation;
use super::caller_check::CallerCheck;
use super::clock::Clock;
use super::ending::{Ending, name};
use super::metrics::SessionPlace;
use super::named::NameRights;
use super::responses::{Responses, Verdict};
use super::wire::{Broken, ClientEnd, Inlet, Outlet, ReadBounds};
use crate::accounting::Account;
use crate::provenance::OthersSearch;
use weir_buffers::Held;
use weir_config::Realtime;
use weir_realtime::first::LaterMessages;
use weir_realtime::requests::{ReadRequest, RequestReader};
use weir_realtime::{CompiledSessionTap, Event, Kind, Opcode, Side};
use weir_server::Leaving;
use weir_translate::dialect::reply::failure_frame;
use weir_types::contract::about::ErrorFormat;
use weir_types::fault::Fault;
use weir_upstream::{MessageRedactor, UpstreamSession};

/// What a session is bound by.
#[derive(Debug)]
pub(crate) struct SessionContext {
    /// The operator's settings.
    pub(crate) settings: Realtime,
    /// How long a side may take nothing.
    pub(crate) send_timeout: Duration,
    /// How long a message that is held may take to be whole.
    pub(crate) whole: Duration,
    /// How long the gateway's streams may go on when it stops.
    pub(crate) drain: Duration,
    /// What is read of messages.
    pub(crate) tap: Arc<CompiledSessionTap>,
    /// What the client's messages may name.
    pub(crate) names: NameRights,
    /// The client's format of errors.
    pub(crate) errors: Option<Arc<ErrorFormat>>,
    /// The session's id.
    pub(crate) id: Arc<str>,
}

impl SessionContext {
    /// The bounds within which a side's messages are read.
    fn read_bounds(&self, held: Held) -> ReadBounds {
        ReadBounds { most: self.settings.max_message_bytes, whole: self.whole, held }
    }
}

/// A session that both sides have agreed to.
#[derive(Debug)]
pub(crate) struct Session {
    /// What comes from the provider, after its handshake.
    pub(crate) provider: UpstreamSession,
    /// What it is bound by.
    pub(crate) context: SessionContext,
    /// The message that configures it, if the client's key says how.
    pub(crate) configuring: Option<String>,
    /// Bills the responses of the session.
    pub(crate) responses: Responses,
    /// The record of the session itself.
    pub(crate) account: Box<Account>,
    /// Its place among all sessions.
    pub(crate) place: SessionPlace,
    /// Set when its caller may not have it any more.
    pub(crate) caller_check: CallerCheck,
    /// Holds bytes of its messages.
    pub(crate) held: Held,
    /// Set when the gateway stops.
    pub(crate) leaving: Leaving,
}

/// The client's first message, where that names the model.
#[derive(Debug)]
pub(crate) struct FirstMessage {
    /// What it is made of.
    pub(crate) kind: Kind,
    /// With the provider's name for the model.
    pub(crate) message: Bytes,
    /// Reads those after it.
    pub(crate) later: LaterMessages,
}

impl Session {
    /// Passes messages on, once the answer to the client's handshake is sent, until the session ends.
    pub(crate) async fn begin(self, client: OnUpgrade) {
        let bounds = self.context.read_bounds(self.held.beside());
        let ends = ClientEnd::take(client, bounds, self.context.send_timeout).await;
        if let Some(client) = ends {
            self.run(client, None).await;
        }
    }

    /// Passes messages on until the session ends; `first` is a message of the client's that was read already.
    pub(crate) async fn run(self, client: ClientEnd, first: Option<FirstMessage>) {
        let Self { provider, context, configuring, responses, mut account, place, caller_check, held, mut leaving } =
            self;
        let UpstreamSession { io, mut redactor, .. } = provider;
        let ClientEnd { inlet: mut from_client, outlet: to_client } = client;
        let (from_provider, to_provider) = tokio::io::split(io);
        let mut from_provider = Inlet::new(from_provider, Side::Server, context.read_bounds(held));
        let relay = Relay {
            to_client: Mutex::new(to_client),
            to_provider: Mutex::new(Outlet::new(to_provider, Side::Server, context.send_timeout)),
            responses: Mutex::new(responses),
            unread: Unread::default(),
            settled: Notify::new(),
            confirmation: Confirmation::new(configuring.is_some()),
            clock: Clock::start(),
            place,
            caller_check,
            context,
        };
        let ending = tokio::select! {
            ending = relay.serve_client(&mut from_client, configuring, first) => ending,
            ending = relay.serve_provider(&mut from_provider, &mut redactor, &mut account) => ending,
            ending = relay.expire() => ending,
            ending = relay.watch() => ending,
            fault = relay.caller_check.lost() => Ending::Refused(fault),
            ending = relay.leave(&mut leaving) => ending,
        };
        Box::pin(relay.end(ending, from_client, from_provider, account)).await;
    }
}

/// A message, or a part of one.
struct Part {
    kind: Kind,
    bytes: Bytes,
    is_first: bool,
    is_last: bool,
}

impl Part {
    fn of(event: Event) -> Option<Self> {
        match event {
            Event::Message(kind, bytes) => Some(Self { kind, bytes, is_first: true, is_last: true }),
            Event::Piece { kind, bytes, is_first, is_last } => Some(Self { kind, bytes, is_first, is_last }),
            Event::Ping(_) | Event::Pong | Event::Close(_) => None,
        }
    }
}

/// Reads the client's messages, whole or in pieces.
#[derive(Default)]
struct ClientReader {
    requests: RequestReader,
    others: OthersSearch,
}

/// A message of the provider's that has arrived while the client's is judged. It is read also if the session ends
/// meanwhile.
#[derive(Default)]
struct Unread(std::sync::Mutex<Option<Bytes>>);

impl Unread {
    fn put(&self, message: &Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.clone());
    }

    fn take(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A session under way.
struct Relay {
    to_client: Mutex<Outlet>,
    to_provider: Mutex<Outlet>,
    responses: Mutex<Responses>,
    unread: Unread,
    /// A response has ended.
    settled: Notify,
    confirmation: Confirmation,
    clock: Clock,
    place: SessionPlace,
    caller_check: CallerCheck,
    context: SessionContext,
}

impl Relay {
    fn outlet(&self, to: Side) -> &Mutex<Outlet> {
        match to {
            Side::Client => &self.to_client,
            Side::Server => &self.to_provider,
        }
    }

    /// Sends a frame. A failure ends the session.
    async fn send(&self, to: Side, opcode: Opcode, is_last: bool, payload: &[u8]) -> Result<(), Ending> {
        let sent = self.outlet(to).lock().await.send(opcode, is_last, payload).await;
        sent.map_err(|broken| Ending::Broken(to, broken))
    }

    /// Whether the client's format has a message for errors.
    fn has_errors(&self) -> bool {
        self.context.errors.as_deref().is_some_and(|errors| errors.stream_failure.is_some())
    }

    /// Sends the client an error event, in its format.
    async fn report(&self, fault: &Fault) -> Result<(), Ending> {
        let frame = failure_frame(self.context.errors.as_deref(), &fault.error, &self.context.id);
        let Some(frame) = frame else { return Ok(()) };
        let sent = self.to_client.lock().await.send_text(&frame.data).await;
        sent.map_err(|broken| Ending::Broken(Side::Client, broken))
    }

    /// The next event of a side, but for pings, which are answered here, and pongs.
    async fn next(&self, from: &mut Inlet, side: Side) -> Result<Event, Ending> {
        loop {
            let event = from.next(&self.clock).await.map_err(|broken| match broken {
                Broken::Full(full) => Ending::Refused(full.into()),
                broken => Ending::Broken(side, broken),
            });
            match event? {
                Event::Ping(payload) => self.send(side, Opcode::Pong, true, &payload).await?,
                Event::Pong => {}
                Event::Close(close) => return Err(Ending::Closed(side, close)),
                event => {
                    self.clock.message();
                    let (messages, len) = match &event {
                        Event::Message(_, bytes) => (1, bytes.len()),
                        Event::Piece { bytes, is_last, .. } => (u64::from(*is_last), bytes.len()),
                        _ => (0, 0),
                    };
                    self.place.sessions().passed(name(side), messages, len);
                    return Ok(event);
                }
            }
        }
    }

    async fn serve_client(&self, from: &mut Inlet, configuring: Option<String>, first: Option<FirstMessage>) -> Ending {
        if let Some(message) = configuring
            && let Err(ending) = self.configure(message).await
        {
            return ending;
        }
        let (mut reader, mut later) = (ClientReader::default(), None);
        if let Some(FirstMessage { kind, message, later: rest }) = first {
            let first = Part { kind, bytes: message, is_first: true, is_last: true };
            if let Err(ending) = self.pass_to_provider(first, &mut reader).await {
                return ending;
            }
            later = Some(rest);
        }
        loop {
            let passed = async {
                let Some(part) = Part::of(self.next(from, Side::Client).await?) else { return Ok(()) };
                if let Some(later) = &mut later {
                    let read = later.read(&part.bytes, part.is_last);
                    read.map_err(|error| Ending::Refused(Fault::invalid(error.to_string())))?;
                }
                self.pass_to_provider(part, &mut reader).await
            };
            if let Err(ending) = passed.await {
                return ending;
            }
        }
    }

    async fn pass_to_provider(&self, part: Part, reader: &mut ClientReader) -> Result<(), Ending> {
        let Part { kind, bytes, is_first, is_last } = part;
        let SessionContext { tap, names: rights, .. } = &self.context;
        let caller = self.caller_check.now().map_err(Ending::Refused)?;
        // A message whose start is with the provider is not withheld, and where the format has no message for errors,
        // the reason is in the close frame.
        let can_withhold = is_first && is_last && self.has_errors();
        let ReadRequest { asks, names } = match reader.requests.read(&tap.requests, &bytes, is_last) {
            Ok(request) => request,
            // What is no text is no JSON either, as far as formats go; but it might be a name that its client may not
            // use.
            Err(_) if kind == Kind::Binary && caller.may_use_all() => ReadRequest::default(),
            Err(error) if can_withhold => return self.report(&Fault::invalid(error.to_string())).await,
            Err(error) => return Err(Ending::Unread(error)),
        };
        let searched = rights.search(&caller.tenant, &mut reader.others, &bytes, is_last);
        let bytes = match searched.and_then(|()| rights.review(&caller, &names, bytes, is_first && is_last)) {
            Ok(bytes) => bytes,
            Err(fault) if can_withhold => return self.report(&fault).await,
            Err(fault) => return Err(Ending::Refused(fault)),
        };
        let verdict = self.responses.lock().await.sent(&bytes, is_last, asks).await;
        match verdict {
            Verdict::Pass => {}
            Verdict::Withhold(fault) if can_withhold => return self.report(&fault).await,
            Verdict::Withhold(fault) | Verdict::End(fault) => return Err(Ending::Refused(fault)),
        }
        let opcode = if is_first { kind.opcode() } else { Opcode::Continuation };
        self.send(Side::Server, opcode, is_last, &bytes).await
    }

    async fn serve_provider(&self, from: &mut Inlet, redactor: &mut MessageRedactor, account: &mut Account) -> Ending {
        loop {
            if let Err(ending) = self.pass_to_client(from, redactor, account).await {
                return ending;
            }
        }
    }

    async fn pass_to_client(
        &self,
        from: &mut Inlet,
        redactor: &mut MessageRedactor,
        account: &mut Account,
    ) -> Result<(), Ending> {
        let event = self.next(from, Side::Server).await.map_err(|ending| match ending {
            Ending::Closed(side, mut close) => {
                redactor.reason(&mut close.reason);
                Ending::Closed(side, close)
            }
            ending => ending,
        });
        match event? {
            Event::Message(kind, message) => {
                self.context.names.see(&message, true);
                let verdict = self.on_provider_message(&message).await;
                let confirmed = self.confirm(&message);
                account.add_bytes_out(message.len());
                self.send(Side::Client, kind.opcode(), true, &redactor.message(message)).await?;
                confirmed?;
                match verdict {
                    Verdict::Pass => Ok(()),
                    Verdict::Withhold(fault) | Verdict::End(fault) => Err(Ending::Refused(fault)),
                }
            }
            Event::Piece { kind, bytes, is_first, is_last } => {
                self.context.names.see(&bytes, is_last);
                account.add_bytes_out(bytes.len());
                let bytes: Bytes = redactor.piece(bytes, is_last);
                let opcode = if is_first { kind.opcode() } else { Opcode::Continuation };
                self.send(Side::Client, opcode, is_last, &bytes).await
            }
            Event::Ping(_) | Event::Pong | Event::Close(_) => Ok(()),
        }
    }

    async fn on_provider_message(&self, message: &Bytes) -> Verdict {
        self.unread.put(message);
        let mut responses = self.responses.lock().await;
        self.unread.take();
        let verdict = responses.on_provider_message(message).await;
        if responses.are_over() {
            self.settled.notify_waiters();
        }
        verdict
    }
}
