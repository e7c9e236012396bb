//! A streamed answer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Stream, StreamExt};

use super::Error;
use weir_gateway::attempt::ReplyBody;
use weir_gateway::gateway::{CallAnswer, CallTrace};
use weir_types::contract::types::{ChatEvent, Loss, Usage};
use weir_types::fault::{Fault, Side};

/// The events of an answer as they arrive, well formed: each part starts and stops once, each candidate finishes once.
/// A stream that breaks ends with an error. Dropping it cancels the request upstream.
#[derive(Debug)]
#[must_use = "dropping a stream cancels it"]
pub struct EventStream {
    body: ReplyBody,
    ready: VecDeque<ChatEvent>,
    trace: CallTrace,
    is_over: bool,
}

impl EventStream {
    pub(super) fn new(CallAnswer { trace, body, .. }: CallAnswer) -> Self {
        Self { body, ready: VecDeque::new(), trace, is_over: false }
    }

    /// Waits for the next event; none at the end.
    pub async fn next(&mut self) -> Option<Result<ChatEvent, Error>> {
        StreamExt::next(self).await
    }

    /// The target that answers, as `provider/model`. Another one may go on with a stream that breaks, where the
    /// configuration allows it.
    pub fn target(&self) -> &str {
        self.trace.target.as_deref().unwrap_or_default()
    }

    /// The request's id, which the log names too.
    pub fn request_id(&self) -> &str {
        &self.trace.request_id
    }

    /// How many requests went out before the stream began, over all targets.
    pub fn attempts(&self) -> u32 {
        self.trace.attempts
    }

    /// The fields that got lost: those of the request at once, those of the answer when it has ended.
    pub fn losses(&self) -> Vec<Loss> {
        self.body.closing().losses
    }

    /// The tokens, as far as the provider reported them, when the answer has ended.
    pub fn usage(&self) -> Option<Usage> {
        self.body.closing().usage
    }

    fn item(&mut self, event: ChatEvent) -> Result<ChatEvent, Error> {
        match event {
            ChatEvent::Failure(error) => {
                self.is_over = true;
                self.ready.clear();
                Err(Error::new(Fault::from_error(Side::Upstream, error), &self.trace))
            }
            event => Ok(event),
        }
    }
}

impl Stream for EventStream {
    type Item = Result<ChatEvent, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.ready.pop_front() {
                return Poll::Ready(Some(this.item(event)));
            }
            if this.is_over {
                return Poll::Ready(None);
            }
            match ready!(this.body.poll_events(cx)) {
                Some(events) => this.ready.extend(events),
                None => this.is_over = true,
            }
        }
    }
}
