//! The responses of a session: asked for by the client, or begun by the provider; ended by the provider, with their
//! usage. Each has an account of its own. What the next one may cost is always reserved beforehand, so that no response
//! is asked for that no budget has room for; what the provider begins all the same is booked, and ends the session.

use std::collections::VecDeque;
use std::sync::Arc;

use super::billing::{Billing, ModelBeside};
use super::ending::Outcome;
use super::response::{Response, has_usage, usage};
use crate::accounting::session_use::SessionUse;
use crate::admission::AdmissionPermit;
use crate::admission::budgets::HeldBudget;
use weir_ledger::Timestamp;
use weir_realtime::conversation::Conversation;
use weir_realtime::tap::frame;
use weir_realtime::{Beginning, CompiledSessionTap, Side};
use weir_types::contract::types::{ErrorKind, Usage};
use weir_types::fault::{Fault, Side as FaultSide};
use weir_wire::tap::TapState;

/// The most responses that are open at the same time.
const MAX_OPEN: usize = 16;
/// Input tokens by which the next response may grow before it is reserved anew.
const SLACK: u64 = 1024;

/// What becomes of a message.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It goes on.
    Pass,
    /// It does not, and the client gets an error event. The session goes on.
    Withhold(Fault),
    /// The session ends. A provider's message goes on before.
    End(Fault),
}

/// What the next response may cost.
#[derive(Debug)]
struct Prepared {
    budgets: Vec<HeldBudget>,
    /// The input tokens that it was reserved for.
    input: u64,
}

impl Prepared {
    /// Whether a response that reads so many tokens may begin with it now. A session may be silent for longer than a
    /// budget's window lasts.
    fn serves(&self, input: u64, now: Timestamp) -> bool {
        input <= self.input.saturating_add(SLACK) && self.budgets.iter().all(|budget| budget.is_current(now))
    }
}

/// The responses of one session.
#[derive(Debug)]
pub(crate) struct Responses {
    billing: Arc<Billing>,
    tap: Arc<CompiledSessionTap>,
    /// `None` while a response is open, and once it could not be reserved.
    prepared: Option<Prepared>,
    /// The responses that have begun, in the order in which they end as far as it is known.
    open: VecDeque<Response>,
    /// How many there were.
    count: u32,
    /// What the next one reads.
    conversation: Conversation,
    /// What those that have ended used.
    used: SessionUse,
    /// The model that uses what is no response's, as the provider has confirmed it, if its price is known.
    beside: Option<ModelBeside>,
}

impl Responses {
    /// No response yet; `budgets` hold what the first one may cost.
    pub(crate) fn new(billing: Arc<Billing>, tap: Arc<CompiledSessionTap>, budgets: Vec<HeldBudget>) -> Self {
        let prepared = Some(Prepared { budgets, input: 0 });
        let (open, conversation, used) = (VecDeque::new(), Conversation::default(), SessionUse::default());
        Self { billing, tap, prepared, open, count: 0, conversation, used, beside: None }
    }

    /// Whether none is open.
    pub(super) fn are_over(&self) -> bool {
        self.open.is_empty()
    }

    /// What those that have ended used.
    pub(super) fn used(&self) -> SessionUse {
        self.used
    }

    /// The client sends a message, or a piece of one; with the last piece it may ask for a response.
    pub(super) async fn sent(&mut self, piece: &[u8], is_last: bool, asks: bool) -> Verdict {
        self.conversation.add(&self.tap.media, piece, is_last);
        if asks {
            return self.ask().await;
        }
        // The next response reads it, and must have room in the budgets.
        if self.prepared.is_some() { self.prepare_next().await } else { Verdict::Pass }
    }

    async fn ask(&mut self) -> Verdict {
        if self.open.len() >= MAX_OPEN {
            return Verdict::Withhold(too_many());
        }
        if let Err(fault) = self.prepare().await {
            self.refused(&fault);
            return Verdict::End(fault);
        }
        let tokens = self.conversation.tokens();
        match self.billing.admit(tokens).await {
            Ok(permit) => {
                let response = self.response(permit, tokens);
                self.open(response);
                Verdict::Pass
            }
            Err(fault) => {
                self.refused(&fault);
                Verdict::Withhold(fault)
            }
        }
    }

    /// Reads a message of the provider's. What it begins and says is noted before anything is awaited, since the
    /// session may end meanwhile.
    pub(super) async fn on_provider_message(&mut self, message: &[u8]) -> Verdict {
        self.owe();
        if let Some(named) = self.tap.confirmed_beside(message)
            && self.beside.as_ref().map(ModelBeside::name) != named.as_deref()
        {
            self.beside = named.and_then(|name| self.billing.beside(&name));
        }
        let (beginning, is_end) = (self.tap.beginning(message), self.tap.is_end(message));
        if beginning.is_none() && !is_end && self.book_beside(message) {
            return if self.are_over() { self.prepare_next().await } else { Verdict::Pass };
        }
        let excess = beginning.and_then(|beginning| self.begins(beginning));
        if !is_end && self.tap.is_failure(message) {
            self.refuse();
        }
        // A response may end whose beginning was not reported.
        let place = self.open.iter().position(|one| one.has_begun).or((is_end && !self.are_over()).then_some(0));
        if let Some(response) = place.and_then(|place| self.open.get_mut(place)) {
            response.begin();
            response.account.add_bytes_out(message.len());
            response.tap.frame(frame(message));
        }
        let refusal = self.admit().await.or(excess);
        let heard = match place {
            Some(place) if is_end => self.ended(place, message).await,
            Some(place) => self.open.get_mut(place).and_then(Response::over_budget).map_or(Verdict::Pass, Verdict::End),
            None => self.on_message_without_response(message).await,
        };
        refusal.map_or(heard, Verdict::End)
    }

    /// The provider begins a response. It is accounted for whether or not there is room for it; returns why there
    /// cannot be.
    fn begins(&mut self, beginning: Beginning) -> Option<Fault> {
        if let Some(asked) = self.open.iter_mut().find(|one| !one.has_begun) {
            asked.begin();
            return None;
        }
        if beginning == Beginning::Perhaps && !self.are_over() {
            return None;
        }
        // Twice as many are accounted for while the session ends; a provider that begins more is out of order.
        if self.open.len() >= 2 * MAX_OPEN {
            return Some(too_many());
        }
        let mut response = self.unadmitted();
        response.begin();
        self.open(response);
        (self.open.len() > MAX_OPEN).then(too_many)
    }

    /// Admits the response that the provider has just begun, if it has, whether or not there is room for it. Returns
    /// why there is none.
    async fn admit(&mut self) -> Option<Fault> {
        self.open.back().filter(|last| !last.is_admitted)?;
        let mut refusal = self.prepare().await.err();
        let tokens = self.conversation.tokens();
        let permit = match self.billing.admit(tokens).await {
            Ok(permit) => permit,
            Err(fault) => {
                refusal = refusal.or(Some(fault));
                self.billing.admit_begun(tokens)
            }
        };
        let budgets = self.budgets(tokens);
        if let Some(response) = self.open.back_mut() {
            response.admitted(permit, budgets);
        }
        refusal
    }

    /// Admits a response whose admission was given up, whether or not there is room for it: the provider works on it.
    fn owe(&mut self) {
        if self.open.back().is_none_or(|last| last.is_admitted) {
            return;
        }
        let tokens = self.conversation.tokens();
        let (permit, budgets) = (self.billing.admit_begun(tokens), self.budgets(tokens));
        if let Some(response) = self.open.back_mut() {
            response.admitted(permit, budgets);
        }
    }

    /// An error came that ends no response: one that was asked for may have been refused. If it begins all the same, it
    /// is accounted for then.
    fn refuse(&mut self) {
        let refused = self.open.iter().position(|one| !one.has_begun).and_then(|place| self.open.remove(place));
        if let Some(mut refused) = refused {
            refused.account.answering(400, true, false);
            refused.account.complete();
        }
    }

    /// Books the usage in a message that neither begins nor ends a response as that of the model beside the session's,
    /// whether or not a budget has room for it. Returns whether there is such.
    fn book_beside(&mut self, message: &[u8]) -> bool {
        let Some(beside) = &self.beside else { return false };
        let mut tap = TapState::new(&self.tap.responses);
        tap.frame(frame(message));
        let reading = tap.reading();
        if !has_usage(&reading) && reading.units.is_empty() {
            return false;
        }
        self.count += 1;
        let account = self.billing.open_beside(self.count, beside);
        let mut own = Response { account, tap, has_begun: false, is_admitted: false };
        own.admitted(self.billing.admit_begun(0), self.billing.owe_beside(beside));
        own.begin();
        // What is billed by the piece, such as seconds of sound, is what this model uses, never a response.
        own.account.set_usage(Usage { units: reading.units.clone(), ..usage(&reading) });
        own.account.complete();
        own.close(&mut self.used);
        // What is left is asked for anew.
        self.prepared = None;
        true
    }

    /// A message while no response has begun. Usage in it is that of something else, such as a transcript: it is booked
    /// whether or not a budget has room for it.
    async fn on_message_without_response(&mut self, message: &[u8]) -> Verdict {
        let mut tap = TapState::new(&self.tap.responses);
        tap.frame(frame(message));
        if has_usage(&tap.reading()) {
            let mut own = Response { tap, ..self.response(self.billing.admit_begun(0), 0) };
            own.begin();
            own.take_usage();
            own.account.complete();
            own.close(&mut self.used);
        }
        if self.are_over() { self.prepare_next().await } else { Verdict::Pass }
    }

    /// A response has ended, by this message.
    async fn ended(&mut self, place: usize, message: &[u8]) -> Verdict {
        let Some(mut response) = self.open.remove(place) else { return Verdict::Pass };
        let reading = response.take_usage();
        let mut own = TapState::new(&self.tap.responses);
        own.frame(frame(message));
        let own = own.reading();
        if let Some(input) = own.usage.input().or(reading.usage.input()) {
            self.conversation.response_ended(u64::from(input));
        }
        if !has_usage(&own) {
            // The usage before was that of something else, such as a transcript, or not all.
            response.account.usage_is_partial();
        }
        if self.tap.is_failure(message) {
            response.account.fail_stream("upstream");
        } else {
            response.account.complete();
        }
        response.close(&mut self.used);
        self.prepare_next().await
    }

    /// A response, with what was reserved for the next one, or what it owes for so many tokens of input.
    fn response(&mut self, permit: AdmissionPermit, tokens: u64) -> Response {
        let budgets = self.budgets(tokens);
        let mut response = self.unadmitted();
        response.admitted(permit, budgets);
        response
    }

    /// A response of which limits and budgets do not know yet.
    fn unadmitted(&mut self) -> Response {
        self.count += 1;
        let account = self.billing.open(self.count);
        Response { account, tap: TapState::new(&self.tap.responses), has_begun: false, is_admitted: false }
    }

    /// What was reserved for the next response, or what it owes for so many tokens of input.
    fn budgets(&mut self, tokens: u64) -> Vec<HeldBudget> {
        self.prepared.take().map_or_else(|| self.billing.owe(tokens), |prepared| prepared.budgets)
    }

    fn open(&mut self, response: Response) {
        self.conversation.response_began();
        self.open.push_back(response);
    }

    fn refused(&mut self, fault: &Fault) {
        self.count += 1;
        self.billing.refused(self.count, fault);
    }

    /// Reserves what the next response may cost, as the conversation is now.
    async fn prepare(&mut self) -> Result<(), Fault> {
        let (input, now) = (self.conversation.tokens(), self.billing.admission.budgets.now());
        if self.prepared.as_ref().is_some_and(|prepared| prepared.serves(input, now)) {
            return Ok(());
        }
        // What is held counts against the budget, so it is given back first.
        self.prepared = None;
        let budgets = self.billing.reserve(input).await?;
        self.prepared = Some(Prepared { budgets, input });
        Ok(())
    }

    async fn prepare_next(&mut self) -> Verdict {
        self.prepare().await.map_or_else(Verdict::End, |()| Verdict::Pass)
    }

    /// Ends what is open: all that was reserved is booked, or the reported usage if that is more.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.owe();
        for mut response in self.open.drain(..) {
            response.take_usage();
            response.account.usage_is_partial();
            match outcome {
                Outcome::Broke(Side::Client) => response.account.fail_stream("client"),
                Outcome::Broke(Side::Server) => response.account.fail_stream("upstream"),
                Outcome::Whole | Outcome::Left => {}
            }
            response.close(&mut self.used);
        }
        self.prepared = None;
    }
}

fn too_many() -> Fault {
    let message = format!("{MAX_OPEN} responses of this session are open already");
    Fault::new(FaultSide::Client, ErrorKind::RateLimited, message).with_status(429)
}
