//! The responses of a session: asked for by the client, or begun by the provider; ended by the provider, with their
//! usage. Each has an account of its own. What the next one may cost is always reserved beforehand, so that no response
//! begins that no budget has room for.

use std::collections::VecDeque;
use std::sync::Arc;

use super::billing::Billing;
use super::ending::Outcome;
use crate::accounting::Account;
use crate::accounting::session_use::SessionUse;
use crate::admission::AdmissionPermit;
use crate::admission::budgets::HeldBudget;
use weir_realtime::tap::frame;
use weir_realtime::{CompiledSessionTap, Side};
use weir_types::contract::types::{ErrorKind, Usage};
use weir_types::fault::{Fault, Side as FaultSide};
use weir_types::tokens::Tokens;
use weir_wire::tap::TapState;

/// The most responses that are open at the same time.
const MOST_OPEN: usize = 16;

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

/// A response that has not ended.
#[derive(Debug)]
struct Response {
    account: Account,
    tap: TapState,
    has_begun: bool,
}

/// The responses of one session.
#[derive(Debug)]
pub(crate) struct Responses {
    billing: Arc<Billing>,
    tap: Arc<CompiledSessionTap>,
    /// What the next response may cost; `None` if it could not be reserved yet.
    prepared: Option<Vec<HeldBudget>>,
    open: VecDeque<Response>,
    /// How many there were.
    count: u32,
    /// The input tokens of the last one: the next one reads at least these.
    known_input: u64,
    /// What those that have ended used.
    used: SessionUse,
}

impl Responses {
    /// No response yet; `prepared` is what the first one may cost.
    pub(crate) fn new(billing: Arc<Billing>, tap: Arc<CompiledSessionTap>, prepared: Vec<HeldBudget>) -> Self {
        let open = VecDeque::new();
        Self { billing, tap, prepared: Some(prepared), open, count: 0, known_input: 0, used: SessionUse::default() }
    }

    /// Whether none is open.
    pub(super) fn are_over(&self) -> bool {
        self.open.is_empty()
    }

    /// What those that have ended used.
    pub(super) fn used(&self) -> SessionUse {
        self.used
    }

    /// The client asks for a response by a message of so many bytes.
    pub(super) async fn ask(&mut self, request_len: usize) -> Verdict {
        if self.open.len() >= MOST_OPEN {
            let message = format!("{MOST_OPEN} responses of this session are open already");
            return Verdict::Withhold(Fault::new(FaultSide::Client, ErrorKind::RateLimited, message).with_status(429));
        }
        self.begin(request_len, false).await
    }

    /// Reads a message of the provider's.
    pub(super) async fn hear(&mut self, message: &[u8]) -> Verdict {
        let mut verdict = Verdict::Pass;
        if self.tap.is_beginning(message) {
            if self.open.is_empty() {
                verdict = self.begin(0, true).await;
            } else if let Some(asked) = self.open.iter_mut().find(|one| !one.has_begun) {
                asked.begin();
            }
        }
        let Some(place) = self.open.iter().position(|one| one.has_begun).or_else(|| self.ended_at_once(message)) else {
            self.hear_beside(message).await;
            return verdict;
        };
        let Some(response) = self.open.get_mut(place) else { return verdict };
        response.account.sends_on(message.len());
        response.tap.frame(frame(message));
        if response.tap.has_ended()
            && let Some(mut response) = self.open.remove(place)
        {
            self.known_input = response.settle(true).unwrap_or(self.known_input);
            response.close(&mut self.used);
            return self.prepare().await.map_or_else(Verdict::End, |()| verdict);
        }
        match self.open.get_mut(place).and_then(Response::over_budget) {
            Some(fault) => Verdict::End(fault),
            None => verdict,
        }
    }

    /// The response that this message ends, although none has begun: it is the first that was asked for.
    fn ended_at_once(&mut self, message: &[u8]) -> Option<usize> {
        let first = self.open.front_mut()?;
        let mut tap = TapState::new(&self.tap.responses);
        tap.frame(frame(message));
        tap.has_ended().then(|| first.begin())?;
        Some(0)
    }

    /// A message while no response has begun: a refusal of what was asked for, or usage of something else.
    async fn hear_beside(&mut self, message: &[u8]) {
        let mut tap = TapState::new(&self.tap.responses);
        tap.frame(frame(message));
        if tap.has_failed() {
            // If the response begins all the same, it is accounted for then.
            if let Some(mut refused) = self.open.pop_front() {
                refused.account.answering(400, true, false);
                refused.account.whole();
            }
            return;
        }
        let reading = tap.reading();
        if reading.usage.total().is_some() || !reading.units.is_empty() {
            // It is billed whether or not a budget has room for it.
            let budgets = match self.prepared.take() {
                Some(prepared) => prepared,
                None => self.billing.reserve(self.known_input).await.unwrap_or_default(),
            };
            let permit = self.billing.admit(0, 0).await.unwrap_or_default();
            let mut response = self.response(permit, budgets, tap, true);
            response.settle(true);
            response.close(&mut self.used);
            // The next response asks again.
            let _refused = self.prepare().await;
        }
    }

    /// Opens a response.
    async fn begin(&mut self, request_len: usize, has_begun: bool) -> Verdict {
        if let Err(fault) = self.prepare().await {
            self.refused(&fault);
            return Verdict::End(fault);
        }
        let permit = match self.billing.admit(request_len, self.known_input).await {
            Ok(permit) => permit,
            Err(fault) if has_begun => {
                // The provider works on it already: it is booked, and no other begins.
                let budgets = self.prepared.take().unwrap_or_default();
                let response =
                    self.response(AdmissionPermit::free(), budgets, TapState::new(&self.tap.responses), true);
                self.open.push_back(response);
                return Verdict::End(fault);
            }
            Err(fault) => {
                self.refused(&fault);
                return Verdict::Withhold(fault);
            }
        };
        let budgets = self.prepared.take().unwrap_or_default();
        let response = self.response(permit, budgets, TapState::new(&self.tap.responses), has_begun);
        self.open.push_back(response);
        Verdict::Pass
    }

    fn response(
        &mut self,
        permit: AdmissionPermit,
        budgets: Vec<HeldBudget>,
        tap: TapState,
        has_begun: bool,
    ) -> Response {
        self.count += 1;
        let mut response = Response { account: self.billing.open(self.count, permit, budgets), tap, has_begun: false };
        if has_begun {
            response.begin();
        }
        response
    }

    fn refused(&mut self, fault: &Fault) {
        self.count += 1;
        self.billing.refused(self.count, fault);
    }

    /// Reserves what the next response may cost.
    async fn prepare(&mut self) -> Result<(), Fault> {
        if self.prepared.is_none() {
            self.prepared = Some(self.billing.reserve(self.known_input).await?);
        }
        Ok(())
    }

    /// Ends what is open: reported usage is booked, and where none was reported, all that was reserved.
    pub(super) fn end(&mut self, outcome: Outcome) {
        for mut response in self.open.drain(..) {
            response.settle(false);
            match outcome {
                Outcome::Broke(Side::Client) => response.account.broke("client"),
                Outcome::Broke(Side::Server) => response.account.broke("upstream"),
                Outcome::Whole | Outcome::Left => {}
            }
            response.close(&mut self.used);
        }
        self.prepared = None;
    }
}

impl Response {
    fn begin(&mut self) {
        self.has_begun = true;
        self.account.piece();
    }

    /// Why a budget ends the session before the response has ended, by the output that was reported or seen so far.
    fn over_budget(&mut self) -> Option<Fault> {
        if !self.account.may_abort() {
            return None;
        }
        let reported = self.tap.reading().usage.output().unwrap_or_default();
        self.account.over_budget(reported.max(self.tap.content_tokens()))
    }

    /// Takes over the reported usage, and returns its input tokens.
    fn settle(&mut self, is_whole: bool) -> Option<u64> {
        let reading = self.tap.reading();
        let usage: Tokens = reading.usage;
        if usage.total().is_some() || !reading.units.is_empty() {
            self.account.used(Usage {
                units: reading.units,
                service_tier: reading.service_tier,
                batch: reading.batch,
                ..Usage::from(usage)
            });
        }
        if is_whole && !self.tap.has_failed() {
            self.account.whole();
        } else if is_whole {
            self.account.broke("upstream");
        }
        usage.input().map(u64::from)
    }

    /// Closes its account, and adds what it used to what the session did.
    fn close(mut self, used: &mut SessionUse) {
        let tokens = self.tap.reading().usage.total();
        let cost = self.account.tell_cost();
        drop(self);
        used.add(tokens, cost.get().copied().flatten());
    }
}
