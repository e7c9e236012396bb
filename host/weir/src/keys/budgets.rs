//! Budgets of the store, at keys, teams and organisations or by themselves, as the ledger takes them.

use jiff::Timestamp;
use weir_identity::document::{
    Budget as Written, BudgetScope, Document, Invalid, ScopedBudget, WhenOver as Over, WhenUnpriced,
};
use weir_ledger::{Budget, BudgetError, Limit, Period, Scope, ScopeKind, Share, Unpriced, WhenOver};

/// Checks that the ledger can read all budgets of a document.
///
/// # Errors
///
/// Names the first that it cannot.
pub(super) fn check(document: &Document) -> Result<(), Invalid> {
    for (name, scope, written) in written(document) {
        budget(&name, scope, None, &written).map_err(|error| invalid(format!("`{}`: {error}", written.name)))?;
    }
    Ok(())
}

/// Checks that new budgets of a document count no further than budgets can, and pass requests on to models that exist.
/// Those that stood there before are taken as they are: a model that was removed since must not keep a key from being
/// disabled.
///
/// # Errors
///
/// Names the first that does not.
pub(super) fn check_new(
    document: &Document,
    before: Option<&Document>,
    is_model: impl Fn(&str) -> bool,
) -> Result<(), Invalid> {
    let stood = before.map(written).unwrap_or_default();
    let is_new = |budget: &Written| !stood.iter().any(|(_, _, before)| before == budget);
    for (_, _, budget) in written(document).into_iter().filter(|(_, _, budget)| is_new(budget)) {
        if budget.tokens.max(budget.requests).is_some_and(|count| count > Limit::MAX_COUNT) {
            let most = Limit::MAX_COUNT;
            return Err(invalid(format!("`{}`: a budget has {most} tokens or requests at most", budget.name)));
        }
        if let Over::Downgrade(model) = &budget.when_over
            && !is_model(model)
        {
            return Err(invalid(format!(
                "`{}`: no model is served as `{model}`, to which it passes requests on: name one of the configuration",
                budget.name
            )));
        }
    }
    Ok(())
}

fn invalid(problem: String) -> Invalid {
    Invalid { field: "budgets".to_owned(), problem }
}

/// The budgets of a document. Those that cannot be read are logged, and stay as they are known from before: [`check`]
/// lets none be written here, but a node of a newer version may.
pub(super) fn of(document: &Document, before: &[Budget]) -> Vec<Budget> {
    let made = made(document);
    let read = |(name, scope, one): (String, Scope, Written)| match budget(&name, scope, made, &one) {
        Ok(budget) => Some(budget),
        Err(error) => {
            let known = before.iter().find(|known| *known.name == *name);
            log_unreadable(&name, &error, known.is_some());
            known.cloned()
        }
    };
    written(document).into_iter().filter_map(read).collect()
}

/// Logs that a budget cannot be read, and what follows from that.
pub(super) fn log_unreadable(budget: &str, error: &dyn std::fmt::Display, is_known: bool) {
    if is_known {
        tracing::error!(%error, budget, "a budget of the store cannot be read: its last known version counts on");
    } else {
        tracing::error!(%error, budget, "a budget of the store cannot be read, and limits nothing on this node");
    }
}

/// When the budgets of a document were made, as far as another one may get their names: a key's id is never used again.
fn made(document: &Document) -> Option<Timestamp> {
    match document {
        Document::Budget(budget) => Some(budget.created),
        Document::Team(team) => Some(team.created),
        Document::Organisation(organisation) => Some(organisation.created),
        Document::Key(_) | Document::User(_) | Document::Price(_) => None,
    }
}

/// The budgets of a document as they are written, each with its name in messages and whose use it counts.
fn written(document: &Document) -> Vec<(String, Scope, Written)> {
    let (kind, budgets) = match document {
        Document::Key(key) => (ScopeKind::Key, &key.budgets),
        Document::Team(team) => (ScopeKind::Team, &team.budgets),
        Document::Organisation(organisation) => (ScopeKind::Organisation, &organisation.budgets),
        Document::Budget(budget) => return vec![(budget.id.to_string(), scope(budget), budget.budget())],
        Document::User(_) | Document::Price(_) => return Vec::new(),
    };
    let of = |one: &Written| {
        let name = format!("{}/{}/{}", kind.name(), document.id(), one.name);
        (name, Scope::Of(kind, document.id().into()), one.clone())
    };
    budgets.iter().map(of).collect()
}

fn scope(budget: &ScopedBudget) -> Scope {
    let of = |kind, name: &String| Scope::Of(kind, name.as_str().into());
    match &budget.scope {
        BudgetScope::All => Scope::All,
        BudgetScope::Key(name) => of(ScopeKind::Key, name),
        BudgetScope::Team(name) => of(ScopeKind::Team, name),
        BudgetScope::Organisation(name) => of(ScopeKind::Organisation, name),
        BudgetScope::Tag(name) => of(ScopeKind::Tag, name),
        BudgetScope::Model(name) => of(ScopeKind::Model, name),
        BudgetScope::Provider(name) => of(ScopeKind::Provider, name),
    }
}

fn budget(name: &str, scope: Scope, made: Option<Timestamp>, written: &Written) -> Result<Budget, BudgetError> {
    // What was written before there was a bound stays readable.
    let bounded = |count: u64| count.min(Limit::MAX_COUNT);
    let limit = match (&written.usd, written.tokens, written.requests) {
        (Some(usd), ..) => Limit::usd(usd)?,
        (None, Some(tokens), _) => Limit::Tokens(bounded(tokens)),
        (None, None, requests) => Limit::Requests(bounded(requests.unwrap_or_default())),
    };
    let mut budget = Budget { made, ..Budget::new(name, scope, limit, Period::parse(&written.per)?) };
    if let Some(zone) = &written.tz {
        budget = budget.zoned(zone)?;
    }
    budget.soft = written.soft.as_deref().map(Share::soft).transpose()?;
    budget.abort_at = written.abort_at.as_deref().map(Share::abort).transpose()?;
    budget.when_over = match &written.when_over {
        Over::Refuse => WhenOver::Refuse,
        Over::Downgrade(model) => WhenOver::Downgrade(model.as_str().into()),
        Over::Notify => WhenOver::Notify,
    };
    budget.unpriced = match &written.unpriced {
        WhenUnpriced::Refuse => Unpriced::Refuse,
        WhenUnpriced::Allow => Unpriced::Allow,
        WhenUnpriced::Assume(price) => Unpriced::assume(price)?,
    };
    Ok(budget)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_identity::Kind;

    fn team(budget: &str) -> Document {
        let text = format!(
            r#"{{"schema": 1, "id": "red", "name": "Red", "created": "2026-11-21T12:00:00Z", "budgets": [{budget}]}}"#
        );
        Document::parse(Kind::Team, &text).unwrap()
    }

    #[test]
    fn a_budget_is_taken_with_all_it_says() {
        let document = team(
            r#"{"name": "m", "usd": "12.5", "per": "month", "tz": "Europe/Berlin", "soft": "0.8", "abort_at": "1.2",
                "when_over": {"downgrade": "small"}, "unpriced": "allow"}"#,
        );
        assert_eq!(check(&document), Ok(()));
        let [budget] = of(&document, &[]).try_into().unwrap();
        assert_eq!(&*budget.name, "team/red/m");
        assert_eq!(budget.scope, Scope::Of(ScopeKind::Team, "red".into()));
        assert_eq!((budget.limit.amount(), budget.per), (12_500_000_000, Period::Month));
        assert_eq!(budget.when_over, WhenOver::Downgrade("small".into()));
        assert!(budget.soft.is_some() && budget.abort_at.is_some() && budget.unpriced == Unpriced::Allow);
    }

    #[test]
    fn a_budget_by_itself_is_named_by_its_id_and_counts_whose_use_it_says() {
        for (written, scope) in [
            (r#""all""#, Scope::All),
            (r#"{"org": "o"}"#, Scope::Of(ScopeKind::Organisation, "o".into())),
            (r#"{"provider": "p"}"#, Scope::Of(ScopeKind::Provider, "p".into())),
        ] {
            let text = format!(
                r#"{{"schema": 1, "id": "b", "for": {written}, "created": "2026-11-21T12:00:00Z", "tokens": 9, "per": "day"}}"#
            );
            let document = Document::parse(Kind::Budget, &text).unwrap();
            assert_eq!(check(&document), Ok(()));
            let [budget] = of(&document, &[]).try_into().unwrap();
            assert_eq!((&*budget.name, budget.scope, budget.limit), ("b", scope, Limit::Tokens(9)));
        }
    }

    #[test]
    fn a_new_budget_passes_requests_on_to_a_model_that_exists() {
        let with = |model: &str, tokens: u64| {
            team(&format!(
                r#"{{"name": "m", "tokens": {tokens}, "per": "day", "when_over": {{"downgrade": "{model}"}}}}"#
            ))
        };
        let is_model = |name: &str| name == "small";
        assert_eq!(check_new(&with("small", 1), None, is_model), Ok(()));
        let invalid = check_new(&with("gone", 1), None, is_model).unwrap_err();
        assert!(invalid.problem.contains("`gone`") && invalid.problem.contains("`m`"), "{invalid}");
        let stood = with("gone", 1);
        assert_eq!(check_new(&stood, Some(&stood), is_model), Ok(()), "it stood there before");
        assert!(check_new(&with("gone", 2), Some(&stood), is_model).is_err());
    }

    #[test]
    fn a_new_budget_counts_no_further_than_those_of_the_configuration_and_one_that_stands_there_is_bounded() {
        let with = |amount: &str| team(&format!(r#"{{"name": "m", "per": "day", {amount}}}"#));
        for (amount, fits) in [
            (r#""tokens": 1000000000000000"#, true),
            (r#""tokens": 1000000000000001"#, false),
            (r#""requests": 9223372036854775807"#, false),
        ] {
            let document = with(amount);
            assert_eq!(check_new(&document, None, |_| true).is_ok(), fits, "{amount}");
            assert_eq!(check_new(&document, Some(&document), |_| true), Ok(()), "it stood there before");
            let [budget] = of(&document, &[]).try_into().unwrap();
            assert_eq!(budget.limit.amount(), Limit::MAX_COUNT);
        }
    }

    #[test]
    fn what_the_ledger_cannot_read_is_named() {
        for (budget, word) in [
            (r#"{"name": "m", "usd": "1", "per": "fortnight"}"#, "fortnight"),
            (r#"{"name": "m", "usd": "1", "per": "day", "tz": "Mars/Olympus"}"#, "Mars/Olympus"),
            (r#"{"name": "m", "usd": "1", "per": "day", "soft": "1.5"}"#, "1.5"),
        ] {
            let invalid = check(&team(budget)).unwrap_err();
            assert!(invalid.problem.contains(word) && invalid.problem.contains("`m`"), "{invalid}");
            assert!(of(&team(budget), &[]).is_empty());
        }
    }
}
