//! Budgets and prices that stand alone.

use super::*;
use crate::document::BudgetScope;

fn budget(id: &str, scope: &serde_json::Value, usd: &str) -> SpendingCommand {
    let document = json!({"schema": 1, "id": id, "for": scope, "created": now(), "usd": usd, "per": "month"});
    SpendingCommand::PutBudget(Box::new(serde_json::from_value(document).unwrap()))
}

fn price(id: &str, rates: &serde_json::Value) -> SpendingCommand {
    let document = json!({"schema": 1, "id": id, "provider": "p", "model": "m", "rates": rates, "created": now()});
    SpendingCommand::PutPrice(Box::new(serde_json::from_value(document).unwrap()))
}

#[test]
fn administrators_of_a_team_limit_its_keys_and_nothing_that_limits_themselves() {
    let (mut memory, text) = started();
    let (own, red) = (json!({"key": text.id().as_str()}), of_team("red"));
    assert!(memory.run(budget("own", &own, "5"), &red).is_ok());
    for scope in [json!("all"), json!({"team": "red"}), json!({"tag": "x"}), json!({"key": "client-of-the-file"})] {
        assert_eq!(memory.run(budget("b", &scope, "5"), &red).unwrap_err(), ChangeError::Forbidden, "{scope}");
        memory.run(budget("b", &scope, "5"), &context(0)).unwrap();
        // Neither replaced by one that would be theirs, nor deleted; its id is not shown.
        assert_eq!(memory.run(budget("b", &own, "9"), &red).unwrap_err(), ChangeError::Forbidden);
        let delete = || SpendingCommand::DeleteBudget(BudgetId::parse("b").unwrap());
        assert_eq!(memory.run(delete(), &red).unwrap_err(), ChangeError::NotFound(Kind::Budget));
        memory.run(delete(), &context(0)).unwrap();
    }
    assert_eq!(memory.run(budget("own", &own, "9"), &of_team("blue")).unwrap_err(), ChangeError::Forbidden);
    assert_eq!(memory.run(price("p", &json!({"input": "1"})), &red).unwrap_err(), ChangeError::Forbidden);
    // With the key, its budgets go to the other team.
    let id = text.id();
    memory.run(KeyCommand::Move { id, team: TeamId::parse("blue").ok() }, &context(0)).unwrap();
    assert_eq!(memory.run(budget("own", &own, "9"), &red).unwrap_err(), ChangeError::Forbidden);
    assert!(memory.run(budget("own", &own, "9"), &of_team("blue")).is_ok());
    let own = BudgetId::parse("own").unwrap();
    assert_eq!(memory.budget(&own).unwrap().0.scope, BudgetScope::Key(id.to_string()));
    assert!(memory.run(SpendingCommand::DeleteBudget(own), &of_team("blue")).is_ok());
}

#[test]
fn changes_of_budgets_and_prices_are_conditional_and_in_the_audit_log() {
    let (mut memory, _) = started();
    let created = memory.run(price("p", &json!({"input": "1"})), &context(0)).unwrap();
    assert_eq!((created.event.action, created.event.kind.as_str()), (Action::Create, "price"));
    let id = PriceId::parse("p").unwrap();
    let (before, revision) = memory.price(&id).unwrap();
    let stale = Context { precondition: Precondition::OneOf(vec![Revision(revision.0 - 1)]), ..context(9) };
    assert_eq!(memory.run(price("p", &json!({"input": "2"})), &stale).unwrap_err().code(), "version_conflict");
    let edited = memory.run(price("p", &json!({"input": "2"})), &context(9)).unwrap();
    assert_eq!((edited.event.action, &edited.event.before.unwrap()["rates"]["input"]), (Action::Edit, &json!("1")));
    assert_eq!(memory.price(&id).unwrap().0.created, before.created);
    assert!(memory.run(price("p", &json!({"input": "2"})), &context(9)).unwrap().writes.is_empty());
    memory.run(SpendingCommand::DeletePrice(id.clone()), &context(9)).unwrap();
    let again = memory.run(SpendingCommand::DeletePrice(id), &context(9)).unwrap_err();
    assert_eq!(again, ChangeError::NotFound(Kind::Price));
}

#[test]
fn what_is_out_of_bounds_is_named_by_the_budgets_own_field() {
    let (mut memory, _) = started();
    let mut problem = |command: SpendingCommand| memory.run(command, &context(0)).unwrap_err().to_string();
    assert!(problem(budget("b", &json!("all"), "-1")).starts_with("`usd`"));
    assert!(problem(budget("b", &json!({"team": ""}), "1")).starts_with("`for`"));
    assert!(problem(price("p", &json!({}))).starts_with("`rates`"));
    let long = json!({"input": "1".repeat(9_000)});
    assert!(problem(price("p", &long)).starts_with("`rates`: is longer"));
}
