//! The answer to a program in this process: values of the unified model, where other clients get bytes.

use serde::Serialize;

use crate::accounting::Account;
use crate::dialect::own_parts;
use crate::provenance::ProvenanceRecorder;
use weir_ledger::Nano;
use weir_translate::unified::Answer;
use weir_types::contract::types::{ChatEvent, ChatResponse, Loss, Usage};

/// An answer that has arrived as a whole.
#[derive(Debug)]
pub enum UnifiedReply {
    /// A whole answer in the unified model.
    Answer(Box<Answer>),
    /// The answer of a provider that does not stream, as the events of a stream.
    Events(Vec<ChatEvent>),
}

/// What is known about an answer at its end.
#[derive(Debug, Clone, Default)]
pub struct Closing {
    /// The fields that were lost on the way to the provider and back.
    pub losses: Vec<Loss>,
    /// The tokens, as far as the provider reported them.
    pub usage: Option<Usage>,
    /// What the answer costs, with the attempts before it; `None` if that is not known.
    pub cost: Option<Nano>,
}

/// A whole answer on its way to a program.
#[derive(Debug)]
pub struct HandedBody {
    handed: Option<UnifiedReply>,
    closing: Closing,
    account: Option<Box<Account>>,
}

impl HandedBody {
    /// An answer with what is known about it.
    pub(crate) fn new(handed: UnifiedReply, closing: Closing) -> Self {
        Self { handed: Some(handed), closing, account: None }
    }

    pub(super) fn attach(&mut self, account: Box<Account>) {
        self.account = Some(account);
    }

    /// Passes the values that later requests may carry to a recorder.
    pub(super) fn learn(&self, recorder: &mut ProvenanceRecorder) {
        match &self.handed {
            Some(UnifiedReply::Answer(answer)) if let Answer::Chat(chat) = &**answer => {
                see(recorder, chat);
            }
            Some(UnifiedReply::Events(events)) => see_events(recorder, events),
            Some(UnifiedReply::Answer(_)) | None => {}
        }
    }

    /// The losses, the usage and the cost, as far as they are known.
    pub(super) fn closing(&self) -> &Closing {
        &self.closing
    }

    /// The answer to a chat; `None` if it is events.
    pub(super) fn chat(&self) -> Option<&ChatResponse> {
        match self.handed.as_ref()? {
            UnifiedReply::Answer(answer) if let Answer::Chat(chat) = &**answer => Some(chat),
            UnifiedReply::Answer(_) | UnifiedReply::Events(_) => None,
        }
    }

    /// Whether the answer is whole, and not events.
    pub(super) fn has_answer(&self) -> bool {
        matches!(self.handed, Some(UnifiedReply::Answer(_)))
    }

    /// Takes the answer. The account stays open until [`Self::arrived`].
    pub(super) fn take(&mut self) -> Option<UnifiedReply> {
        self.handed.take()
    }

    /// Notes that the answer has arrived, and closes the account.
    pub(super) fn arrived(&mut self) {
        if let Some(mut account) = self.account.take() {
            account.complete();
        }
    }
}

/// Passes events to a recorder, as a dialect's frames are passed to it.
pub(super) fn see_events(recorder: &mut ProvenanceRecorder, events: &[ChatEvent]) {
    for event in events.iter().filter(|event| !matches!(event, ChatEvent::Delta(_))) {
        see(recorder, event);
    }
}

/// Passes a part of an answer to a recorder, with those of its values that are of one format only.
fn see(recorder: &mut ProvenanceRecorder, part: &impl Serialize) {
    recorder.see(&serde_json::to_vec(part).unwrap_or_default());
    if recorder.finds_made()
        && let Ok(Some(parts)) = own_parts::document(&serde_json::to_value(part).unwrap_or_default())
    {
        recorder.see_parts(&parts);
    }
}
