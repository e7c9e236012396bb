//! The part of an account that concerns answers which providers store. Reading one costs nothing, except the first read
//! of an answer whose use was not known when it was made.

use std::sync::Arc;

use super::Account;
use super::unbooked::{Debt, PassingAnswer, Unbooked};
use crate::admission::budgets::Charge;
use crate::auth::Caller;
use crate::pricing::Pricing;
use crate::provenance::Issuer;
use weir_ledger::{Nano, Spend};
use weir_types::contract::types::Usage;
use weir_types::tokens::{Tokens, add_counts};
use weir_wire::tap::{CompiledTap, ModelUse};

/// How an exchange deals with stored answers.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "accounts have it in a box")]
pub(super) enum StoredPart {
    /// It reads or changes what is stored already.
    Reads(StoredRead),
    /// Its answer is stored.
    Makes(StoredAnswer),
}

/// A request about what is stored already.
#[derive(Debug)]
pub(crate) struct StoredRead {
    unbooked: Arc<Unbooked>,
    tenant: Arc<str>,
    id: String,
    /// Where the usage of the answer is reported; `None` if there is nothing to be booked for it.
    tap: Option<CompiledTap>,
    /// The debt that the exchange books.
    debt: Option<Box<Debt>>,
}

impl StoredRead {
    /// A tenant's request about the answer with this id or, without an id, about another object.
    pub(crate) fn new(unbooked: &Arc<Unbooked>, tenant: &Arc<str>, id: Option<&str>) -> Self {
        let tap = id.and_then(|id| unbooked.tap(tenant, id));
        let id = id.unwrap_or_default().to_owned();
        Self { unbooked: Arc::clone(unbooked), tenant: Arc::clone(tenant), id, tap, debt: None }
    }

    /// Notes the id by which the results of the work are read, if it is not the work's own.
    pub(crate) fn note_results(&self, results: &str) {
        self.unbooked.note_results(&self.tenant, &self.id, results);
    }

    /// Whether the request is about an answer that is not booked yet.
    pub(crate) fn is_unbooked(&self) -> bool {
        self.tap.is_some()
    }

    /// The debt that the exchange books.
    pub(super) fn into_debt(self) -> Option<Box<Debt>> {
        self.debt
    }
}

/// An answer that its provider stores.
#[derive(Debug)]
pub(crate) struct StoredAnswer {
    /// Remembers the answer if not all of it is booked.
    pub(crate) unbooked: Arc<Unbooked>,
    /// The caller for whom the answer is made.
    pub(crate) caller: Caller,
    /// The provider and key that make it.
    pub(crate) issuer: Issuer,
    /// Reads the usage in its format.
    pub(crate) tap: CompiledTap,
    /// The model as the client names it.
    pub(crate) alias: Arc<str>,
    /// The target's id.
    pub(crate) target: Arc<str>,
    /// The prices of all models of the target, if the request names no model.
    pub(crate) pricing: Option<Pricing>,
    /// The format and the operation of the request, if its answer is work.
    pub(crate) made_by: Option<Box<(String, String)>>,
    /// The ids of what its request continues.
    pub(crate) went_on: Vec<String>,
    /// The answer's id, once it is known.
    pub(crate) id: Option<String>,
    /// Set while the answer passes to its client, once the id is known.
    pub(crate) passing: Option<PassingAnswer>,
    /// Whether the provider continues to make the answer after this response.
    pub(crate) is_under_way: bool,
}

impl StoredAnswer {
    /// Whether a later request can name it.
    pub(super) fn can_be_read(&self) -> bool {
        self.id.is_some()
    }

    fn remember(self, debt: Option<Debt>) {
        if let (Some(id), Some(debt)) = (&self.id, debt) {
            self.unbooked.keep(id, &self, debt);
        }
    }
}

/// What a stored answer used, once its provider has finished it.
#[derive(Debug)]
pub(crate) enum StoredUse {
    /// The answer's own report.
    Whole {
        /// What it used, if that is reported.
        usage: Option<Usage>,
        /// The estimated tokens of its content.
        content: u32,
        /// The model that it names.
        model: Option<String>,
    },
    /// The answer is work with many results; the use of each model.
    Each(Vec<ModelUse>),
}

impl Account {
    /// Marks the exchange as one about what is stored already.
    pub(crate) fn reads_stored(&mut self, read: StoredRead) {
        self.stored = Some(Box::new(StoredPart::Reads(read)));
    }

    /// Marks the exchange's answer as stored.
    pub(crate) fn makes_stored(&mut self, answer: StoredAnswer) {
        self.stored = Some(Box::new(StoredPart::Makes(answer)));
    }

    /// The tap for the usage of the stored answer that is read, if it is still to be booked.
    pub(crate) fn stored_tap(&self) -> Option<CompiledTap> {
        self.stored_read().and_then(|read| read.tap.clone())
    }

    /// Whether the exchange is about what is stored already.
    pub(crate) fn is_about_stored(&self) -> bool {
        self.stored_read().is_some()
    }

    /// Whether the exchange has a provider begin work that only the provider knows, such as a batch.
    pub(crate) fn begins_work(&self) -> bool {
        matches!(self.stored.as_deref(), Some(StoredPart::Makes(answer)) if answer.pricing.is_some())
    }

    /// Notes the id of a stored answer.
    pub(crate) fn note_stored_id(&mut self, id: Option<&[u8]>) {
        let (Some(StoredPart::Makes(answer)), Some(id)) = (self.stored.as_deref_mut(), id) else { return };
        if answer.id.is_none() {
            let id = String::from_utf8_lossy(id).into_owned();
            // From now on its client may know the id, and may remove the answer.
            answer.passing = Some(PassingAnswer::begin(&answer.unbooked, &answer.caller.tenant, &id));
            answer.id = Some(id);
        }
    }

    /// Notes the id of the results of the work that was read, if there are any.
    pub(crate) fn note_results_id(&mut self, results: Option<&str>) {
        if let (Some(read), Some(results)) = (self.stored_read(), results) {
            read.note_results(results);
        }
    }

    /// Notes that the provider continues to make a stored answer. Returns whether the answer is stored.
    pub(crate) fn note_under_way(&mut self) -> bool {
        let Some(StoredPart::Makes(answer)) = self.stored.as_deref_mut() else { return false };
        answer.is_under_way = true;
        true
    }

    /// Books a finished stored answer that was read, unless it is booked already.
    pub(crate) fn stored_is_finished(&mut self, used: StoredUse) {
        let Some(StoredPart::Reads(read)) = self.stored.as_deref_mut() else { return };
        if read.tap.is_none() {
            return;
        }
        let Some(mut debt) = read.unbooked.take(&read.tenant, &read.id) else { return };
        // These are sums of many requests, none of which has so long a context.
        self.tokens.is_of_many = debt.pricing.is_some();
        self.tokens.sent = debt.input.map(Into::into);
        match used {
            StoredUse::Whole { usage, content, model } => {
                if let Some(tokens) = usage.as_ref().and_then(|usage| Tokens::from(usage).total())
                    && debt.pricing.is_none()
                {
                    read.unbooked.earlier.learn(&read.tenant, &read.id, &[], tokens.into());
                }
                self.stored_is_told(&mut debt, usage, content, model.as_deref().unwrap_or_default());
            }
            StoredUse::Each(of_models) => self.results_are_told(&mut debt, of_models),
        }
        let Some(StoredPart::Reads(read)) = self.stored.as_deref_mut() else { return };
        let work = debt.work(&read.id);
        if let Some(record) = &mut self.record {
            record.books_for(&debt.alias, debt.tariff.model(), &debt.target, work);
        } else if let Some(work) = work {
            read.unbooked.ended(work);
        }
        read.debt = Some(debt);
        self.usage_is_final();
    }

    /// Takes the usage that a finished answer reports.
    fn stored_is_told(&mut self, debt: &mut Debt, usage: Option<Usage>, content: u32, model: &str) {
        debt.set_model(model);
        self.tokens.tariff = Some(debt.tariff.clone());
        match usage {
            Some(usage) => self.set_usage(beyond(usage, debt.booked)),
            None if debt.input.is_some() => self.content(content),
            None => {}
        }
    }

    /// Takes the usage that the results of finished work report for each model. Each model is charged at its own price.
    /// The one with the most tokens comes last, because the log names the last one.
    fn results_are_told(&mut self, debt: &mut Debt, mut of_models: Vec<ModelUse>) {
        of_models.sort_by_key(|one| Tokens::from(&one.usage).total());
        if of_models.is_empty() {
            self.tokens.tariff = Some(debt.tariff.clone());
        }
        for ModelUse { model, mut usage, searched } in of_models {
            self.tokens.searched = Some(self.tokens.searched.unwrap_or_default().saturating_add(searched));
            debt.set_model(&model);
            let tariff = Some(debt.tariff.clone());
            if let Some(before) = self.tokens.reported.take() {
                self.tokens.go_on(Some(&before), [0; 2], tariff, &debt.book);
                add_counts(&mut usage, &before);
            } else {
                self.tokens.tariff = tariff;
            }
            self.tokens.reported = Some(usage);
        }
    }

    fn stored_read(&self) -> Option<&StoredRead> {
        match self.stored.as_deref() {
            Some(StoredPart::Reads(read)) => Some(read),
            _ => None,
        }
    }

    /// Settles an exchange about what is stored already: it uses no tokens. What is booked for the answer counts at the
    /// budgets of the request for which it was made.
    pub(super) fn settle_read(&mut self, debt: Option<Box<Debt>>) {
        self.permit.used(Some((0, 0)));
        self.permit.attempts_used(Some((0, 0)));
        let Some(Debt { book, mut permit, charges, .. }) = debt.map(|debt| *debt) else {
            self.settle_budgets(false, false);
            return;
        };
        self.tokens.settle(&book);
        let plain = [Charge { provider: self.provider.clone(), model: None, spend: Spend::priced(Nano::ZERO, 0) }];
        let spends = match self.tokens.charges.spends() {
            [] => &plain,
            spends => spends,
        };
        if permit.has_budgets() {
            permit.book(&charges, spends, true);
            self.permit.book(&[], &plain, true);
        } else {
            self.permit.book(&[], spends, true);
        }
    }

    /// Notes how many tokens an answer adds to the input of later requests: everything that was read and written for
    /// it.
    pub(super) fn note_earlier(&self, answer: &StoredAnswer) {
        let (Some(id), Some((input, output))) = (&answer.id, self.tokens.sums()) else { return };
        if (200..300).contains(&self.status) && answer.pricing.is_none() {
            let tokens = input.saturating_add(output);
            answer.unbooked.earlier.learn(&answer.caller.tenant, id, &answer.went_on, tokens);
        }
    }

    /// Whether a stored answer is still being made, so that its use is known only when it is read.
    pub(super) fn is_put_off(&self, answer: &StoredAnswer) -> bool {
        let is_whole = self.status == 200 && self.tokens.reported.is_none();
        is_whole && answer.is_under_way && answer.can_be_read()
    }

    /// Leaves an answer to be booked when it is read. Its reservation is kept until then.
    pub(super) fn put_off(&mut self, answer: StoredAnswer) {
        self.permit.used(None);
        self.permit.attempts_used(None);
        // Work cannot be estimated, since only its provider knows what it is.
        let input = self.unanswered().filter(|_| answer.pricing.is_none());
        self.tokens.sent = None;
        let charges = self.forfeited().charges.spends().to_vec();
        self.permit.take_over(self.shared.take_abandoned(&charges));
        let debt = self.debt(&answer, charges);
        answer.remember(debt.map(|debt| Debt { input, ..debt }));
    }

    /// What is left to be booked for an answer, with its budget reservations. These charges are to be booked already.
    fn debt(&mut self, answer: &StoredAnswer, charges: Vec<Charge>) -> Option<Debt> {
        let (book, permit, booked) = (self.book(), self.permit.put_off(), self.tokens.booked());
        let tariff = self.tokens.tariff.clone()?;
        let (alias, target) = (Arc::clone(&answer.alias), Arc::clone(&answer.target));
        let pricing = answer.pricing.clone();
        let (caller, issuer) = (answer.caller.clone(), answer.issuer.clone());
        Some(Debt { caller, issuer, tariff, pricing, book, alias, target, permit, charges, booked, input: None })
    }

    /// Remembers an answer that is only booked in part, because its client left early or its provider reported no
    /// usage. The provider may finish it; the rest is then charged when it is read.
    pub(super) fn remember_cut(&mut self, answer: StoredAnswer, charges: Vec<Charge>) {
        let is_answered = (200..300).contains(&self.status);
        let is_booked = self.tokens.is_final && self.tokens.reported.is_some();
        if !is_answered || is_booked || !answer.can_be_read() {
            return;
        }
        let debt = self.debt(&answer, charges);
        answer.remember(debt);
    }
}

/// A usage without the tokens that are booked already.
fn beyond(usage: Usage, booked: Tokens) -> Usage {
    let beyond =
        |reported: Option<u32>, booked: Option<u32>| Some(reported?.saturating_sub(booked.unwrap_or_default()));
    let left = Usage::from(Tokens::from(&usage).zip(booked, beyond));
    let Usage { units, service_tier, batch, region, extensions, .. } = usage;
    Usage { units, service_tier, batch, region, extensions, ..left }
}

#[cfg(test)]
mod tests;
