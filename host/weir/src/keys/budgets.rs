//! Budgets that stand at keys, teams and organisations, as the ledger takes them.

use weir_identity::document::{Budget as Written, Document, Invalid, Terms, WhenOver as Over, WhenUnpriced};
use weir_ledger::{Budget, BudgetError, Limit, Period, Scope, ScopeKind, Share, Unpriced, WhenOver};

/// Checks that the ledger can read all budgets of a document.
///
/// # Errors
///
/// Names the first that it cannot.
pub(super) fn check(document: &Document) -> Result<(), Invalid> {
    let Some((kind, terms)) = scope_of(document) else { return Ok(()) };
    let problem = |name: &str, error: &BudgetError| Invalid {
        field: "budgets".to_owned(),
        problem: format!("`{name}`: {error}"),
    };
    let mut budgets = terms.budgets.iter();
    budgets.try_for_each(|one| budget(kind, document.id(), one).map(drop).map_err(|error| problem(&one.name, &error)))
}

/// Checks that new budgets of a document pass requests on to models that exist. Those that stood there before are taken as they
/// are: a model that was removed since must not keep a key from being disabled.
///
/// # Errors
///
/// Names the first that does not.
pub(super) fn check_downgrades(
    document: &Document,
    before: Option<&Document>,
    is_model: impl Fn(&str) -> bool,
) -> Result<(), Invalid> {
    let stood = before.and_then(scope_of).map(|(_, terms)| terms.budgets).unwrap_or_default();
    let budgets = scope_of(document).map(|(_, terms)| terms.budgets).unwrap_or_default();
    for budget in budgets.iter().filter(|budget| !stood.contains(budget)) {
        if let Over::Downgrade(model) = &budget.when_over
            && !is_model(model)
        {
            let problem = format!(
                "`{}`: no model is served as `{model}`, to which it passes requests on: name one of the configuration",
                budget.name
            );
            return Err(Invalid { field: "budgets".to_owned(), problem });
        }
    }
    Ok(())
}

/// The budgets of a document. Those that cannot be read are logged: [`check`] lets none be written.
pub(super) fn of(document: &Document) -> Vec<Budget> {
    let Some((kind, terms)) = scope_of(document) else { return Vec::new() };
    let read = |one: &Written| {
        let made = budget(kind, document.id(), one);
        let logged = made.inspect_err(|error| {
            tracing::error!(%error, budget = one.name, kind = kind.name(), id = document.id(), "a budget cannot be read");
        });
        logged.ok()
    };
    terms.budgets.iter().filter_map(read).collect()
}

fn scope_of(document: &Document) -> Option<(ScopeKind, Terms)> {
    match document {
        Document::Key(key) => Some((ScopeKind::Key, key.terms())),
        Document::Team(team) => Some((ScopeKind::Team, team.terms())),
        Document::Organisation(organisation) => Some((ScopeKind::Organisation, organisation.terms())),
        Document::User(_) => None,
    }
}

fn budget(kind: ScopeKind, id: &str, written: &Written) -> Result<Budget, BudgetError> {
    let limit = match (&written.usd, written.tokens, written.requests) {
        (Some(usd), ..) => Limit::usd(usd)?,
        (None, Some(tokens), _) => Limit::Tokens(tokens),
        (None, None, requests) => Limit::Requests(requests.unwrap_or_default()),
    };
    let name = format!("{}/{id}/{}", kind.name(), written.name);
    let mut budget = Budget::new(&name, Scope::Of(kind, id.into()), limit, Period::parse(&written.per)?);
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
        let [budget] = of(&document).try_into().unwrap();
        assert_eq!(&*budget.name, "team/red/m");
        assert_eq!(budget.scope, Scope::Of(ScopeKind::Team, "red".into()));
        assert_eq!((budget.limit.amount(), budget.per), (12_500_000_000, Period::Month));
        assert_eq!(budget.when_over, WhenOver::Downgrade("small".into()));
        assert!(budget.soft.is_some() && budget.abort_at.is_some() && budget.unpriced == Unpriced::Allow);
    }

    #[test]
    fn a_new_budget_passes_requests_on_to_a_model_that_exists() {
        let with = |model: &str, tokens: u64| {
            team(&format!(
                r#"{{"name": "m", "tokens": {tokens}, "per": "day", "when_over": {{"downgrade": "{model}"}}}}"#
            ))
        };
        let is_model = |name: &str| name == "small";
        assert_eq!(check_downgrades(&with("small", 1), None, is_model), Ok(()));
        let invalid = check_downgrades(&with("gone", 1), None, is_model).unwrap_err();
        assert!(invalid.problem.contains("`gone`") && invalid.problem.contains("`m`"), "{invalid}");
        let stood = with("gone", 1);
        assert_eq!(check_downgrades(&stood, Some(&stood), is_model), Ok(()), "it stood there before");
        assert!(check_downgrades(&with("gone", 2), Some(&stood), is_model).is_err());
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
            assert!(of(&team(budget)).is_empty());
        }
    }
}
