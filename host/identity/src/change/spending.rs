//! Commands on budgets and prices that stand alone in the store.

use super::{Action, ChangeError, Changed, Context, Stored, delete, existing};
use crate::document::{BudgetId, BudgetScope, Document, Kind, PriceId, PriceRule, ScopedBudget, TeamId};
use crate::key_text::KeyId;

/// A command on a budget or a price. `Put` creates or replaces; with `Precondition::Absent` it only creates.
#[derive(Debug, Clone)]
pub enum SpendingCommand {
    /// Creates or replaces a budget. The time of its creation stays.
    PutBudget(Box<ScopedBudget>),
    /// Deletes a budget.
    DeleteBudget(BudgetId),
    /// Creates or replaces a price. The time of its creation stays.
    PutPrice(Box<PriceRule>),
    /// Deletes a price. What was billed by it stays billed.
    DeletePrice(PriceId),
}

impl SpendingCommand {
    pub(super) fn run(self, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
        match self {
            Self::PutBudget(budget) => put_budget(*budget, stored, context),
            Self::DeleteBudget(id) => delete(Kind::Budget, id.as_str(), stored, context, || {
                let found = stored.budget(&id).filter(|(one, _)| may(one, stored, context));
                let (budget, revision) = existing(found, Kind::Budget, context)?;
                Ok((Document::Budget(budget), revision))
            }),
            Self::PutPrice(price) => put_price(*price, stored, context),
            Self::DeletePrice(id) => {
                context.may_write(None)?;
                delete(Kind::Price, id.as_str(), stored, context, || {
                    let (price, revision) = existing(stored.price(&id), Kind::Price, context)?;
                    Ok((Document::Price(price), revision))
                })
            }
        }
    }
}

/// The team to which a budget belongs: that of the key whose use it counts. A team's own budget limits its
/// administrators, too, so that it belongs to none.
pub fn team_of_budget(scope: &BudgetScope, stored: &impl Stored) -> Option<TeamId> {
    let BudgetScope::Key(id) = scope else { return None };
    let (key, _) = stored.key(KeyId::parse(id).ok()?)?;
    key.owner.team
}

fn may(budget: &ScopedBudget, stored: &impl Stored, context: &Context) -> bool {
    context.may_write(team_of_budget(&budget.scope, stored).as_ref()).is_ok()
}

fn put_budget(mut budget: ScopedBudget, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
    if !may(&budget, stored, context) {
        return Err(ChangeError::Forbidden);
    }
    let before = stored.budget(&budget.id);
    if before.as_ref().is_some_and(|(before, _)| !may(before, stored, context)) {
        return Err(ChangeError::Forbidden);
    }
    context.precondition.check(before.as_ref().map(|(_, revision)| *revision))?;
    budget.created = before.as_ref().map_or(context.now, |(before, _)| before.created);
    let action = if before.is_some() { Action::Edit } else { Action::Create };
    let before = before.map(|(before, revision)| (Document::Budget(before), revision));
    Ok(context.change(action, before, Some(Document::Budget(budget))))
}

fn put_price(mut price: PriceRule, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
    context.may_write(None)?;
    let before = stored.price(&price.id);
    context.precondition.check(before.as_ref().map(|(_, revision)| *revision))?;
    price.created = before.as_ref().map_or(context.now, |(before, _)| before.created);
    let action = if before.is_some() { Action::Edit } else { Action::Create };
    let before = before.map(|(before, revision)| (Document::Price(before), revision));
    Ok(context.change(action, before, Some(Document::Price(price))))
}
